//! The records of one range in memory: one block of bytes, and where each record has its parts.

use std::ops;

use crate::format::debezium::{Header, Part, Reason, Record};
use crate::kafka::native::queue::Message;

/// Records of one partition, in the order of their offsets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// The topic.
    pub topic: String,
    /// The number of the partition.
    pub partition: i32,
    /// The offsets that were read, whether or not there is a record at each.
    pub offsets: ops::Range<u64>,
    /// Whether these offsets are lost, and the loss was accepted.
    pub is_lost: bool,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    headers: Vec<[Span; 2]>,
}

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

    /// How many bytes their keys, values and headers take.
    pub fn bytes(&self) -> u64 {
        self.bytes.len() as u64
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
        let (key, value) = (self.add(message.key()), self.add(message.value()));
        message.headers(|name, value| {
            let header = [self.add(Some(name)), self.add(value)];
            self.headers.push(header);
        });
        let (timestamp_ms, headers) = (message.timestamp_ms(), self.headers.len());
        self.entries.push(Entry { offset, timestamp_ms, key, value, headers });
    }

    /// Moves the records of `ahead` whose offsets are below `to` behind those that are there.
    pub(super) fn take_from(&mut self, ahead: &mut Records, to: u64) {
        let count = ahead.entries.partition_point(|entry| entry.offset < to);
        if count == 0 {
            return;
        }
        let rest = ahead.split_off(count);
        let (bytes, headers) = (self.bytes.len(), self.headers.len());
        let moved = |span: Span| span.map(|(from, to)| (from + bytes, to + bytes));
        let taken = std::mem::replace(ahead, rest);
        self.bytes.extend_from_slice(&taken.bytes);
        self.headers.extend(taken.headers.into_iter().map(|header| header.map(moved)));
        self.entries.extend(taken.entries.into_iter().map(|entry| Entry {
            key: moved(entry.key),
            value: moved(entry.value),
            headers: entry.headers + headers,
            ..entry
        }));
    }

    /// Removes the records from this place on, and returns them.
    fn split_off(&mut self, at: usize) -> Records {
        let mut rest = Records::new(&self.topic, self.partition, self.offsets.clone());
        for borrowed in (at..self.entries.len()).map(|at| Borrowed { records: self, at }) {
            let (key, value) = (rest.add(borrowed.key()), rest.add(borrowed.value()));
            for (name, value) in borrowed.headers() {
                let header = [rest.add(Some(name)), rest.add(value)];
                rest.headers.push(header);
            }
            let (offset, timestamp_ms, headers) = (borrowed.offset(), borrowed.timestamp_ms(), rest.headers.len());
            rest.entries.push(Entry { offset, timestamp_ms, key, value, headers });
        }
        self.entries.truncate(at);
        self.headers.truncate(self.entries.last().map_or(0, |last| last.headers));
        rest
    }

    fn add(&mut self, part: Option<&[u8]>) -> Span {
        part.map(|part| {
            let from = self.bytes.len();
            self.bytes.extend_from_slice(part);
            (from, self.bytes.len())
        })
    }
}

impl<'a> Borrowed<'a> {
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

    /// The record as the decoder of Debezium's events takes it, without a copy.
    ///
    /// # Errors
    /// If its key, its value or a header is no UTF-8.
    pub fn debezium(&self) -> Result<Record<'a>, Reason> {
        let text = |bytes: &'a [u8]| std::str::from_utf8(bytes).map_err(|_| Reason::NotUtf8);
        let header = |(name, value): (&'a [u8], Option<&'a [u8]>)| {
            Ok(Header { name: text(name)?, value: value.map_or(Ok("null"), text)? })
        };
        Ok(Record {
            topic: Some(&self.records.topic),
            partition: Some(self.records.partition.into()),
            offset: i64::try_from(self.offset()).ok(),
            timestamp_ms: self.timestamp_ms(),
            key: Part::of(self.key())?,
            value: Part::of(self.value())?,
            headers: self.headers().map(header).collect::<Result<_, Reason>>()?,
        })
    }
}

#[cfg(test)]
impl Records {
    /// Adds a record of a test: its offset, key, value and headers.
    fn with(
        mut self,
        offset: u64,
        key: Option<&str>,
        value: Option<&str>,
        headers: &[(&str, Option<&str>)],
    ) -> Records {
        let (key, value) = (self.add(key.map(str::as_bytes)), self.add(value.map(str::as_bytes)));
        for (name, value) in headers {
            let header = [self.add(Some(name.as_bytes())), self.add(value.map(str::as_bytes))];
            self.headers.push(header);
        }
        let headers = self.headers.len();
        self.entries.push(Entry { offset, timestamp_ms: Some(5), key, value, headers });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let record = records.get(0).expect("the first").debezium().expect("texts");
        assert_eq!((record.topic, record.partition, record.offset), (Some("t"), Some(1), Some(3)));
        assert_eq!((record.key, record.headers[1].value), (Part::Text("k"), "null"));
        let tombstone = records.get(1).expect("the second").debezium().expect("no text");
        assert_eq!((tombstone.key, tombstone.value), (Part::Null, Part::Null));
        assert!(records.get(3).is_none());
    }

    #[test]
    fn what_was_read_ahead_goes_to_the_next_range() {
        for to in 0..12 {
            let (mut ahead, mut taken) =
                (three(), Records::new("t", 1, 0..to).with(1, None, Some("x"), &[("j", None)]));
            taken.take_from(&mut ahead, to);
            let offsets = |records: &Records| records.iter().map(|r| r.offset()).collect::<Vec<_>>();
            let before: Vec<u64> = [1, 3, 5, 9].into_iter().filter(|offset| *offset < to || *offset == 1).collect();
            assert_eq!(offsets(&taken), before);
            taken.take_from(&mut ahead, u64::MAX);
            assert_eq!(offsets(&taken), [1, 3, 5, 9]);
            let [_, first, _, last] = [0, 1, 2, 3].map(|at| taken.get(at).expect("a record"));
            assert_eq!((first.key(), last.value()), (Some(&b"k"[..]), Some(&b"w"[..])));
            let headers: Vec<_> = last.headers().chain(first.headers()).collect();
            assert_eq!(headers, [(&b"i"[..], Some(&b""[..])), (b"h", Some(b"1")), (b"h", None)]);
        }
    }
}
