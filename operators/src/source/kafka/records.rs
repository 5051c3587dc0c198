//! The records of one range in memory: one block of bytes, and where each record has its parts.

use std::collections::BTreeSet;
use std::ops;

use crate::format::avro::{self, framed};
use crate::format::debezium::{Header, Reason, Record, Schemas, Texts};
use crate::kafka::native::queue::{self, Message};

/// Records of one partition, in the order of their offsets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// The topic.
    pub topic: String,
    /// The number of the partition.
    pub partition: i32,
    /// The offsets that were read, whether or not there is a record at each. They end before those
    /// of the range if there was no room for more.
    pub offsets: ops::Range<u64>,
    /// Whether these offsets are lost, and the loss was accepted.
    pub is_lost: bool,
    /// The schemas of keys and values in Avro, if they were looked up.
    pub(super) schemas: Option<Schemas>,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    headers: Vec<Named>,
}

/// A header: its name and its value.
type Named = [Span; 2];

/// Where a part lies in the bytes; `None` if there is none.
type Span = Option<(usize, usize)>;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    offset: u64,
    timestamp_ms: Option<i64>,
    key: Span,
    value: Span,
    /// Where its headers end among all; they begin where those of the record before end.
    headers: usize,
    /// Where its bytes end among all, likewise.
    end: usize,
}

/// A record, within its block.
#[derive(Clone, Copy, Debug)]
pub struct Borrowed<'a> {
    records: &'a Records,
    at: usize,
}

impl Records {
    pub(super) fn new(topic: &str, partition: i32, offsets: ops::Range<u64>) -> Records {
        Records { topic: topic.to_owned(), partition, offsets, ..Records::default() }
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many bytes they take: their keys, values and headers, and where each lies.
    pub fn bytes(&self) -> u64 {
        taken(self.entries.len(), self.headers.len(), self.bytes.len())
    }

    /// The ids of the schemas that keys and values in Avro name.
    pub(super) fn schema_ids(&self) -> BTreeSet<avro::Id> {
        let parts = self.iter().flat_map(|record| [record.key(), record.value()]).flatten();
        parts.filter_map(framed).map(|(id, _)| id).collect()
    }

    /// The offset of the first record.
    pub(super) fn first(&self) -> Option<u64> {
        self.entries.first().map(|entry| entry.offset)
    }

    /// The record at a place of the block, counted from zero.
    pub fn get(&self, at: usize) -> Option<Borrowed<'_>> {
        (at < self.entries.len()).then_some(Borrowed { records: self, at })
    }

    /// All records, in the order of their offsets.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Borrowed<'_>> {
        (0..self.entries.len()).map(|at| Borrowed { records: self, at })
    }

    /// Copies a record behind those that are there.
    pub(super) fn push(&mut self, offset: u64, message: &Message<'_>) {
        let (key, value) = (self.add(message.key), self.add(message.value));
        for (name, value) in &message.headers {
            let header = [self.add(Some(name)), self.add(*value)];
            self.headers.push(header);
        }
        let (headers, end) = (self.headers.len(), self.bytes.len());
        self.entries.push(Entry { offset, timestamp_ms: message.timestamp_ms, key, value, headers, end });
    }

    /// Moves the records of `ahead` whose offsets are below `to` behind those that are there, for
    /// as long as there `is_room` for one of so many bytes.
    pub(super) fn take_from(&mut self, ahead: &mut Records, to: u64, is_room: impl Fn(&Records, u64) -> bool) {
        let mut count = 0;
        while let Some(record) = ahead.get(count).filter(|record| record.offset() < to) {
            if !is_room(self, record.bytes()) {
                break;
            }
            let headers: Vec<queue::Header<'_>> = record.headers().collect();
            let (key, value, timestamp_ms) = (record.key(), record.value(), record.timestamp_ms());
            self.push(record.offset(), &Message { offset: 0, key, value, timestamp_ms, headers });
            count += 1;
        }
        ahead.drop_first(count);
    }

    /// Removes the first records, with their bytes.
    fn drop_first(&mut self, count: usize) {
        let Some(last) = count.checked_sub(1).and_then(|at| self.entries.get(at)) else { return };
        let (headers, end) = (last.headers, last.end);
        let moved = |span: &mut Span| {
            if let Some((from, to)) = span {
                (*from, *to) = (*from - end, *to - end);
            }
        };
        self.bytes.drain(..end);
        self.headers.drain(..headers);
        self.headers.iter_mut().flatten().for_each(moved);
        self.entries.drain(..count);
        for entry in &mut self.entries {
            moved(&mut entry.key);
            moved(&mut entry.value);
            entry.headers -= headers;
            entry.end -= end;
        }
    }

    fn add(&mut self, part: Option<&[u8]>) -> Span {
        part.map(|part| {
            let from = self.bytes.len();
            self.bytes.extend_from_slice(part);
            (from, self.bytes.len())
        })
    }
}

/// How many bytes so many records take, with their headers and what is in them.
fn taken(records: usize, headers: usize, bytes: usize) -> u64 {
    (records * size_of::<Entry>() + headers * size_of::<Named>() + bytes) as u64
}

/// How many bytes a record takes.
pub(super) fn bytes_of(message: &Message<'_>) -> u64 {
    let length = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
    let headers: usize = message.headers.iter().map(|(name, value)| name.len() + length(*value)).sum();
    taken(1, message.headers.len(), length(message.key) + length(message.value) + headers)
}

impl<'a> Borrowed<'a> {
    /// How many bytes it takes.
    fn bytes(&self) -> u64 {
        let before = self.at.checked_sub(1).map(|before| &self.records.entries[before]);
        let (headers, end) = before.map_or((0, 0), |before| (before.headers, before.end));
        taken(1, self.entry().headers - headers, self.entry().end - end)
    }

    fn entry(&self) -> &'a Entry {
        &self.records.entries[self.at]
    }

    fn part(&self, span: Span) -> Option<&'a [u8]> {
        span.map(|(from, to)| &self.records.bytes[from..to])
    }

    /// Its offset in the partition.
    pub fn offset(&self) -> u64 {
        self.entry().offset
    }

    /// When it was written, in milliseconds since 1970, by its writer's clock or the broker's.
    pub fn timestamp_ms(&self) -> Option<i64> {
        self.entry().timestamp_ms
    }

    /// Its key.
    pub fn key(&self) -> Option<&'a [u8]> {
        self.part(self.entry().key)
    }

    /// Its value; a record without one is a tombstone.
    pub fn value(&self) -> Option<&'a [u8]> {
        self.part(self.entry().value)
    }

    /// Its headers in order: a name, and perhaps a value.
    pub fn headers(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let (records, at) = (self.records, self.at);
        let from = at.checked_sub(1).map_or(0, |before| records.entries[before].headers);
        let part = move |span: Span| span.map(|(from, to)| &records.bytes[from..to]);
        records.headers[from..records.entries[at].headers]
            .iter()
            .map(move |[name, value]| (part(*name).unwrap_or_default(), part(*value)))
    }

    /// The record as the decoder of Debezium's events takes it: without a copy, unless it is in
    /// Avro, which is written into `texts`.
    ///
    /// # Errors
    /// If its key or its value is no UTF-8, or in Avro and no value of its schema.
    pub fn debezium<'t>(&self, texts: &'t mut Texts) -> Result<Record<'t>, Reason>
    where
        'a: 't,
    {
        let text = |bytes: &'a [u8]| std::str::from_utf8(bytes).ok();
        // Headers of Debezium's are texts. Those of others may be anything, and mean nothing here.
        let header = |(name, value): (&'a [u8], Option<&'a [u8]>)| {
            Some(Header { name: text(name)?, value: value.map_or(Some("null"), text)? })
        };
        let [key, value] = texts.read([self.key(), self.value()], self.records.schemas.as_ref())?;
        Ok(Record {
            topic: Some(&self.records.topic),
            partition: Some(self.records.partition.into()),
            offset: i64::try_from(self.offset()).ok(),
            timestamp_ms: self.timestamp_ms(),
            key,
            value,
            headers: self.headers().filter_map(header).collect(),
        })
    }
}

#[cfg(test)]
impl Records {
    /// Adds a record of a test: its offset, key, value and headers.
    pub(super) fn with(
        mut self,
        offset: u64,
        key: Option<&str>,
        value: Option<&str>,
        headers: &[(&str, Option<&str>)],
    ) -> Records {
        let (key, value) = (key.map(str::as_bytes), value.map(str::as_bytes));
        let headers = headers.iter().map(|(name, value)| (name.as_bytes(), value.map(str::as_bytes))).collect();
        self.push(offset, &Message { offset: 0, key, value, timestamp_ms: Some(5), headers });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::debezium::Part;

    fn three() -> Records {
        Records::new("t", 1, 3..10)
            .with(3, Some("k"), Some("v"), &[("h", Some("1")), ("h", None)])
            .with(5, None, None, &[])
            .with(9, Some(""), Some("w"), &[("i", Some(""))])
    }

    #[test]
    fn a_record_keeps_its_parts_and_their_absence() {
        let records = three();
        let shown: Vec<_> = records.iter().map(|r| (r.offset(), r.key(), r.value(), r.headers().count())).collect();
        assert_eq!(
            shown,
            [(3, Some(&b"k"[..]), Some(&b"v"[..]), 2), (5, None, None, 0), (9, Some(&b""[..]), Some(&b"w"[..]), 1)]
        );
        let mut texts = [Texts::default(), Texts::default()];
        let [one, other] = &mut texts;
        let record = records.get(0).expect("the first").debezium(one).expect("texts");
        assert_eq!((record.topic, record.partition, record.offset), (Some("t"), Some(1), Some(3)));
        assert_eq!((record.key, record.headers[1].value), (Part::Text("k"), "null"));
        let tombstone = records.get(1).expect("the second").debezium(other).expect("no text");
        assert_eq!((tombstone.key, tombstone.value), (Part::Null, Part::Null));
        assert!(records.get(3).is_none());
    }

    /// What the record of [`three`] at `offset` takes, if it is not below `to`.
    fn size(offset: u64, to: u64) -> u64 {
        let bytes = match offset {
            _ if offset < to => return 0,
            3 => taken(1, 2, 5),
            5 => taken(1, 0, 0),
            _ => taken(1, 1, 2),
        };
        assert_eq!(three().iter().find(|record| record.offset() == offset).map(|record| record.bytes()), Some(bytes));
        bytes
    }

    #[test]
    fn a_record_without_anything_takes_room_too() {
        let tombstones =
            (0..100).fold(Records::new("t", 0, 0..100), |all, at| all.with(at, Some("1234567890"), None, &[]));
        assert_eq!(tombstones.bytes(), 100 * bytes_of(&Message { key: Some(b"1234567890"), ..Message::default() }));
        assert!(tombstones.bytes() >= 100 * (10 + size_of::<Entry>() as u64));
        assert!(bytes_of(&Message::default()) >= 80);
    }

    #[test]
    fn what_was_read_ahead_is_taken_only_while_there_is_room() {
        let (mut ahead, mut taken) = (three(), Records::new("t", 1, 3..10));
        taken.take_from(&mut ahead, 10, |taken, _| taken.len() < 2);
        assert_eq!((taken.len(), ahead.first(), ahead.len()), (2, Some(9), 1));
        assert_eq!(ahead.get(0).and_then(|record| record.value()), Some(&b"w"[..]));
    }

    #[test]
    fn what_was_read_ahead_goes_to_the_next_range() {
        for to in 0..12 {
            let (mut ahead, mut taken) =
                (three(), Records::new("t", 1, 0..to).with(1, None, Some("x"), &[("j", None)]));
            taken.take_from(&mut ahead, to, |_, _| true);
            let offsets = |records: &Records| records.iter().map(|r| r.offset()).collect::<Vec<_>>();
            let before: Vec<u64> = [1, 3, 5, 9].into_iter().filter(|offset| *offset < to || *offset == 1).collect();
            assert_eq!(offsets(&taken), before);
            assert_eq!(ahead.bytes(), [3, 5, 9].map(|offset| size(offset, to)).iter().sum::<u64>(), "below {to}");
            taken.take_from(&mut ahead, u64::MAX, |_, _| true);
            assert_eq!((ahead.bytes(), ahead.is_empty()), (0, true));
            assert_eq!(offsets(&taken), [1, 3, 5, 9]);
            let [_, first, _, last] = [0, 1, 2, 3].map(|at| taken.get(at).expect("a record"));
            assert_eq!((first.key(), last.value()), (Some(&b"k"[..]), Some(&b"w"[..])));
            let headers: Vec<_> = last.headers().chain(first.headers()).collect();
            assert_eq!(headers, [(&b"i"[..], Some(&b""[..])), (b"h", Some(b"1")), (b"h", None)]);
        }
    }
}
