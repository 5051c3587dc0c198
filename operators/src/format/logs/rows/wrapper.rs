//! Wrappers: objects that hold a record under one key, and lines of a container's log, which hold
//! one after a prefix.
//!
//! An object counts as a wrapper if exactly one of its keys can hold a record, and none of its keys
//! is a key of the format, except the time that such wrappers have.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::BitOrAssign;

use serde::Deserializer;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::columns::{Layout, Scope};
use super::envelope::is_space;
use super::escapes::decode;
use super::shape::Shape;
use crate::format::logs::record::Reason;

/// The key of a batch of records.
const RECORDS: &str = "records";
/// The keys that hold a record, each with its shape, how its value begins, and the one key of a
/// format that may stand beside it.
const PAYLOADS: [(&str, Shape, char, &str); 4] = [
    ("record", Shape::CloudNativePg, '{', ""),
    ("jsonPayload", Shape::GoogleCloud, '{', "timestamp"),
    ("textPayload", Shape::GoogleCloud, '"', "timestamp"),
    ("log", Shape::Docker, '"', "time"),
];
/// The key that Docker's log has beside `log`.
const STREAM: &str = "stream";
/// A key that every record of CloudNativePG has.
const LOG_TIME: &str = "log_time";
/// The name for the record in a line of a container's log, as in Docker's log.
pub(super) const CRI_KEY: &str = "log";

/// Which keys a line has that may make it a wrapper even though it has a key of the format. Every
/// line is checked for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hints(u8);

impl Hints {
    const PAYLOAD: u8 = 1;
    const LOG: u8 = 2;
    const STREAM: u8 = 4;

    /// What the unknown key `name` hints at.
    pub(super) fn of(scope: Scope, name: &str) -> Hints {
        Hints(match (scope, name) {
            (Scope::Top, "jsonPayload" | "textPayload") => Hints::PAYLOAD,
            (Scope::Top, CRI_KEY) => Hints::LOG,
            (Scope::Top, STREAM) => Hints::STREAM,
            _ => 0,
        })
    }

    /// Whether the line may be a wrapper.
    pub(super) fn may_wrap(self) -> bool {
        self.0 & Hints::PAYLOAD != 0 || self.0 & (Hints::LOG | Hints::STREAM) == Hints::LOG | Hints::STREAM
    }
}

impl BitOrAssign for Hints {
    fn bitor_assign(&mut self, other: Hints) {
        self.0 |= other.0;
    }
}

/// What an object is that is not a record itself.
pub(super) enum Found<'l> {
    /// A batch of records: its array.
    Batch(&'l str),
    /// A wrapper.
    Wrapper(Wrapper<'l>),
}

/// An object that holds a record.
pub(super) struct Wrapper<'l> {
    pub(super) shape: Shape,
    /// The key of the record.
    pub(super) key: &'static str,
    /// The JSON text of the record, or of the string that contains it.
    value: &'l str,
}

impl<'l> Wrapper<'l> {
    /// What the object `text` is; none if it is nothing known.
    pub(super) fn find(text: &'l str, layout: &Layout) -> Option<Found<'l>> {
        let (mut members, mut streams, mut known) = (0, 0, Vec::new());
        let (mut records, mut payloads) = (None, Vec::new());
        each_member(text, |key, value| {
            members += 1;
            streams += usize::from(key == STREAM);
            if key == RECORDS {
                records = Some(value);
            }
            // Two already rule out a wrapper, so no more need be kept.
            if payloads.len() < 2 {
                payloads.extend(PAYLOADS.iter().filter(|(name, ..)| *name == key).map(|payload| (payload, value)));
            }
            if known.len() < 2 && layout.top.find(&key).is_some() && !known.contains(&key) {
                known.push(key);
            }
        })?;
        if let Some(records) = records.filter(|records| members == 1 && records.starts_with('[')) {
            return Some(Found::Batch(records));
        }
        let [((key, shape, begin, time), value)] = payloads[..] else { return None };
        let stands_alone = known.iter().all(|known| known == time);
        let is_whole = *shape != Shape::Docker || streams == 1;
        let is_wrapper = value.starts_with(*begin) && stands_alone && is_whole;
        is_wrapper.then_some(Found::Wrapper(Wrapper { shape: *shape, key, value }))
    }

    /// The text of the record; it may turn out not to be one.
    pub(super) fn record(&self) -> Result<Cow<'l, str>, Reason> {
        if self.value.starts_with('{') {
            return Ok(Cow::Borrowed(self.value));
        }
        let content = &self.value[1..self.value.len() - 1];
        let Some(first_escape) = content.find('\\') else { return Ok(Cow::Borrowed(content)) };
        let mut text = String::new();
        decode(content, first_escape, &mut text)?;
        Ok(Cow::Owned(text))
    }

    /// Whether the record is one of CloudNativePG, with the key names used there.
    pub(super) fn has_csvlog_keys(&self) -> bool {
        let mut has = false;
        self.shape == Shape::CloudNativePg && each_member(self.value, |key, _| has |= key == LOG_TIME).is_some() && has
    }
}

/// The time, the stream and the content of a line of a container's log, if the line is whole and
/// its content begins like an object.
pub(super) fn container_line(text: &str) -> Option<[&str; 3]> {
    let mut words = text.splitn(4, ' ');
    let [time, stream, tag, content] = [(); 4].map(|()| words.next());
    let (time, stream) = (time.filter(|time| is_container_time(time))?, stream?);
    let is_whole = matches!(stream, "stdout" | "stderr") && tag == Some("F");
    content.filter(|content| is_whole && content.starts_with('{')).map(|content| [time, stream, content])
}

/// Whether a text is a time in the form of containers' logs: `2026-11-21T07:00:03.130000001Z`.
fn is_container_time(text: &str) -> bool {
    let Some((seconds, rest)) = text.split_at_checked(19) else { return false };
    let pattern = seconds.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    let fraction = rest.strip_prefix('.').unwrap_or_default();
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    let zone = if digits > 0 { &fraction[digits..] } else { rest };
    let zone_is = |pattern: &[u8]| {
        let zone = zone.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
        zone.eq(pattern.iter().copied())
    };
    pattern.eq(*b"0000-00-00T00:00:00") && (zone_is(b"Z") || zone_is(b"+00:00") || zone_is(b"-00:00"))
}

/// Calls `tell` with each member of the object `text`, its key decoded. None if it is no object.
pub(super) fn each_member<'l>(text: &'l str, tell: impl FnMut(Cow<'l, str>, &'l str)) -> Option<()> {
    struct Members<'l, T>(T, PhantomData<&'l str>);

    impl<'l, T: FnMut(Cow<'l, str>, &'l str)> Visitor<'l> for Members<'l, T> {
        type Value = ();

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<M: MapAccess<'l>>(mut self, mut map: M) -> Result<(), M::Error> {
            while let Some(key) = map.next_key_seed(MemberKey)? {
                self.0(key, map.next_value::<&RawValue>()?.get());
            }
            Ok(())
        }
    }
    let mut parser = serde_json::Deserializer::from_str(text.trim_matches(is_space));
    parser.deserialize_map(Members(tell, PhantomData)).ok()
}

/// A key, borrowed if it has no escapes.
struct MemberKey;

impl<'l> serde::de::DeserializeSeed<'l> for MemberKey {
    type Value = Cow<'l, str>;

    fn deserialize<D: Deserializer<'l>>(self, parser: D) -> Result<Self::Value, D::Error> {
        parser.deserialize_str(self)
    }
}

impl<'l> Visitor<'l> for MemberKey {
    type Value = Cow<'l, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'l str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

#[cfg(test)]
mod tests;
