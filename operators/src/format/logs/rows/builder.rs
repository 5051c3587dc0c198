//! One column while a batch is built: how a value is judged, and the values so far.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{ArrayBuilder, Int64Builder, TimestampMicrosecondBuilder};

use super::columns::Kind;
use super::escapes::decode;
use super::line::{Known, Raw};
use super::texts::Texts;
use super::time::Clock;
use super::value::{self, Value};
use crate::format::logs::record::Reason;
use crate::format::logs::settings::Zones;

/// The values of one column so far. Nulls are not appended one by one: a column is padded when a
/// value follows them, or at the end.
pub(super) enum ColumnBuilder {
    Text(Texts),
    Integer(Int64Builder),
    Time(TimestampMicrosecondBuilder, Clock),
}

impl ColumnBuilder {
    /// A column without values. Times are read by `zones`, which is `None` under version 1 of the
    /// row rules.
    pub(super) fn new(kind: Kind, zones: Option<&Arc<Zones>>) -> Self {
        match kind {
            Kind::Text => ColumnBuilder::Text(Texts::new()),
            Kind::Integer => ColumnBuilder::Integer(Int64Builder::new()),
            Kind::Time => {
                let times = TimestampMicrosecondBuilder::new().with_data_type(Kind::Time.data_type());
                ColumnBuilder::Time(times, Clock::new(zones.cloned()))
            }
        }
    }

    /// The JSON text that was looked up last, which the next value may well repeat; empty if there
    /// is none.
    pub(super) fn last(&self) -> &[u8] {
        match self {
            ColumnBuilder::Text(texts) => texts.last(),
            ColumnBuilder::Integer(_) | ColumnBuilder::Time(..) => &[],
        }
    }

    /// Sets `value` to what `raw` stands for, or returns why it cannot be a value of this column.
    ///
    /// `lenient`: under version 2 of the row rules. The value is written in place, because a value
    /// returned in a result is copied byte by byte, which was measurable.
    pub(super) fn judge<'line>(
        &mut self,
        raw: Raw<'line>,
        lenient: bool,
        decoded: &mut String,
        value: &mut Value<'line>,
    ) -> Result<(), Reason> {
        match self {
            ColumnBuilder::Text(texts) => {
                let known = if raw.known == Known::SameAsLast { Some(texts.last_key()) } else { texts.find(raw.text) };
                match known {
                    Some(key) => *value = Value::Key(key),
                    None => *value = value::text(raw, lenient, decoded)?,
                }
            }
            ColumnBuilder::Integer(_) => *value = value::integer(raw, lenient, decoded)?,
            ColumnBuilder::Time(_, clock) => *value = value::time(raw, decoded, clock)?,
        }
        Ok(())
    }

    /// Why `raw` is no time, if this column holds times.
    pub(super) fn trouble(&self, raw: &str) -> &'static str {
        let mut text = String::new();
        let content = &raw[1..raw.len() - 1];
        match content.find('\\').map(|first| decode(content, first, &mut text)) {
            None => text.push_str(content),
            Some(Ok(())) => {}
            Some(Err(_)) => return "not a time",
        }
        match self {
            ColumnBuilder::Time(_, clock) => clock.trouble(&text),
            ColumnBuilder::Text(_) | ColumnBuilder::Integer(_) => "not a time",
        }
    }

    /// Appends the value of the row that follows `rows` others.
    pub(super) fn append(&mut self, value: &Value<'_>, raw: Raw<'_>, decoded: &str, rows: usize) {
        self.pad(rows);
        match (self, value) {
            (ColumnBuilder::Text(texts), Value::Key(key)) => texts.append_key(*key),
            (ColumnBuilder::Text(texts), Value::Text(text)) => texts.append(text.get(decoded), raw.text),
            (ColumnBuilder::Integer(integers), Value::Number(number)) => integers.append_value(*number),
            (ColumnBuilder::Time(times, _), Value::Number(micros)) => times.append_value(*micros),
            (_, Value::Null) => {}
            (ColumnBuilder::Text(_), Value::Number(_)) | (_, Value::Text(_) | Value::Key(_)) => {
                unreachable!("a value is judged by its column")
            }
        }
    }

    /// Appends nulls until there are `rows`.
    fn pad(&mut self, rows: usize) {
        match self {
            ColumnBuilder::Text(texts) => texts.pad(rows),
            ColumnBuilder::Integer(integers) => integers.append_nulls(rows - integers.len()),
            ColumnBuilder::Time(times, _) => times.append_nulls(rows - times.len()),
        }
    }

    /// The values of `rows` rows.
    pub(super) fn finish(&mut self, rows: usize) -> ArrayRef {
        self.pad(rows);
        match self {
            ColumnBuilder::Text(texts) => texts.finish(),
            ColumnBuilder::Integer(integers) => Arc::new(integers.finish()),
            ColumnBuilder::Time(times, _) => Arc::new(times.finish()),
        }
    }
}
