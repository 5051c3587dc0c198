//! Rows: one line of bytes becomes typed Arrow columns, or a [`Reason`] why it does not.
//!
//! ```text
//!   line ─▶ UTF-8? ─▶ scan: raw text by column ─▶ judge: typed values ─▶ append to the columns ─▶ finish: one batch
//!                       └▶ rest: unknown keys ─────────────────────────────▲
//! ```
//!
//! Promised: a line is appended whole or not at all; values are what the line says after JSON unescaping; a value that does
//! not fit its column rejects the line, it is never silently null; of duplicate keys the last wins, and only the winner is
//! judged. Hostile lines cost time and memory in proportion to their length, and no stack.
//!
//! Of several faults in one line the first of this order is the reason: not UTF-8, not JSON, not an object, `properties`
//! of a wrong type, the columns in the order of the schema, an unknown key. A string that holds half of a surrogate pair is
//! not JSON if it is a key or the winning value of a text or time column, as no UTF-8 text can stand for it; in values that
//! are kept raw or replaced, it is not looked for.
//!
//! Left to others: splitting into lines, CR, BOM and blank lines, `max_line`, roles. No I/O and no threads here.

mod columns;
mod days;
mod escapes;
mod rejects;
mod rest;
mod scan;
mod time;
mod value;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use std::iter::repeat_n;
use std::sync::Arc;

use arrow_array::builder::{Int64Builder, StringBuilder, TimestampMicrosecondBuilder};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};

use crate::record::Reason;
use crate::settings::{Format, UnknownKeys};

pub use columns::schema;
pub use days::log_dates;
pub use rejects::{rejects_batch, rejects_schema};
#[cfg(test)]
pub(crate) use time::parse_micros;

use columns::{Kind, Layout, MAX_COLUMNS, layout};
use rest::Rest;
use scan::scan;
use value::{Value, judge};

/// What a batch leaves behind in a buffer that serves all lines, in bytes: a long line must not keep its memory for ever.
const KEPT: usize = 1 << 20;

/// Accumulates the rows of one partition, column by column.
///
/// A batch holds less than 2 GiB of text in each column, `_source` included; [`push`](RowBuilder::push) and
/// [`finish`](RowBuilder::finish) panic beyond. Whoever pushes finishes long before that.
pub struct RowBuilder {
    layout: &'static Layout,
    unknown_keys: UnknownKeys,
    columns: Vec<ColumnBuilder>,
    rests: StringBuilder,
    offsets: Vec<i64>,
    /// Of the line at hand: its unknown keys, and the text of its strings that had escapes.
    rest: Rest,
    decoded: String,
}

impl RowBuilder {
    /// A builder without rows, for lines of `format`.
    pub fn new(format: Format, unknown_keys: UnknownKeys) -> Self {
        let layout = layout(format);
        RowBuilder {
            layout,
            unknown_keys,
            columns: layout.columns.iter().map(|column| ColumnBuilder::new(column.kind)).collect(),
            rests: StringBuilder::new(),
            offsets: Vec::new(),
            rest: Rest::default(),
            decoded: String::new(),
        }
    }

    /// Appends the row of `line`, which starts at `offset` in its partition. After an error, nothing was appended.
    ///
    /// The line has no newline at its end, no CR there, no BOM, and is not blank.
    pub fn push(&mut self, line: &[u8], offset: u64) -> Result<(), Reason> {
        let text = std::str::from_utf8(line).map_err(|_| Reason::InvalidUtf8)?;
        let line = scan(text, self.layout, self.unknown_keys, &mut self.rest)?;
        if line.properties_mistyped {
            return Err(Reason::WrongType);
        }
        self.decoded.clear();
        let mut values = [const { Value::Null }; MAX_COLUMNS];
        for (place, column) in self.layout.columns.iter().enumerate() {
            if let Some(raw) = line.values[place] {
                values[place] = judge(raw, column.kind, &mut self.decoded)?;
            }
        }
        if self.unknown_keys == UnknownKeys::Reject && !self.rest.is_empty() {
            return Err(Reason::UnknownKey);
        }
        // Nothing below can fail.
        for (column, value) in self.columns.iter_mut().zip(&values) {
            column.append(value, &self.decoded);
        }
        self.rests.append_option(self.rest.object());
        self.offsets.push(int64(offset));
        Ok(())
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// The rows so far as one batch, `source` being their partition's name. The builder is empty afterwards, and reusable.
    pub fn finish(&mut self, source: &str) -> RecordBatch {
        let rows = self.len();
        self.rest.shrink(KEPT);
        self.decoded.clear();
        self.decoded.shrink_to(KEPT);
        let mut columns: Vec<ArrayRef> = self.columns.iter_mut().map(ColumnBuilder::finish).collect();
        columns.push(Arc::new(self.rests.finish()));
        columns.push(Arc::new(StringArray::from_iter_values(repeat_n(source, rows))));
        columns.push(Arc::new(Int64Array::from(std::mem::take(&mut self.offsets))));
        let schema = Arc::clone(&self.layout.schema);
        RecordBatch::try_new(schema, columns)
            .expect("the columns were built by the layout that the schema is derived from")
    }
}

/// The values of one column so far.
enum ColumnBuilder {
    Text(StringBuilder),
    Integer(Int64Builder),
    Time(TimestampMicrosecondBuilder),
}

impl ColumnBuilder {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Text => ColumnBuilder::Text(StringBuilder::new()),
            Kind::Integer => ColumnBuilder::Integer(Int64Builder::new()),
            Kind::Time => {
                ColumnBuilder::Time(TimestampMicrosecondBuilder::new().with_data_type(Kind::Time.data_type()))
            }
        }
    }

    fn append(&mut self, value: &Value<'_>, decoded: &str) {
        match (self, value) {
            (ColumnBuilder::Text(texts), Value::Text(text)) => texts.append_value(text.get(decoded)),
            (ColumnBuilder::Integer(integers), Value::Number(number)) => integers.append_value(*number),
            (ColumnBuilder::Time(times), Value::Number(micros)) => times.append_value(*micros),
            (ColumnBuilder::Text(texts), Value::Null) => texts.append_null(),
            (ColumnBuilder::Integer(integers), Value::Null) => integers.append_null(),
            (ColumnBuilder::Time(times), Value::Null) => times.append_null(),
            (ColumnBuilder::Text(_), Value::Number(_)) | (_, Value::Text(_)) => {
                unreachable!("a value is judged for the kind of its column")
            }
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            ColumnBuilder::Text(texts) => Arc::new(texts.finish()),
            ColumnBuilder::Integer(integers) => Arc::new(integers.finish()),
            ColumnBuilder::Time(times) => Arc::new(times.finish()),
        }
    }
}

/// A byte offset or a length as the lake stores it.
fn int64(bytes: u64) -> i64 {
    i64::try_from(bytes).expect("no store holds 8 EiB in one blob")
}
