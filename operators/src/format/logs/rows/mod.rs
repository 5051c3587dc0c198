//! Rows: one line of bytes becomes typed Arrow columns, or is rejected with a [`Reason`].
//!
//! ```text
//!   line ─▶ UTF-8? ─▶ trail, or scan ──────▶ judge ─────────▶ append ──────────▶ finish
//!                     raw text by column     typed values     to the columns     one batch
//!                       └▶ rest: unknown keys ──────────────────▲
//! ```
//!
//! Guarantees: a line is appended whole or not at all. Values are what the line says after JSON
//! unescaping. A value that does not fit its column rejects the line, with the key named; it is
//! never silently null. Of duplicate keys the last wins, and only that one is judged. Hostile lines
//! cost time and memory in proportion to their length, and no stack.
//!
//! If a line has several faults, the first in this order is the reason: not UTF-8, not JSON, not an
//! object, `properties` of a wrong type, no key of the format, the columns in the order of the
//! schema, an unknown key. A string with half of a surrogate pair is not JSON if it is a key or the
//! winning value of a text or time column, because UTF-8 cannot represent it; values that are kept
//! raw or replaced are not checked for it.
//!
//! Lines that hold records in an envelope or a wrapper are opened by `open.rs`, if the settings say
//! so; the shapes are listed in [`shape`].
//!
//! Not done here: splitting into lines, CR, BOM and blank lines, `max_line`, roles. No I/O and no
//! threads.

mod builder;
mod columns;
mod days;
mod detail;
mod envelope;
mod escapes;
mod line;
pub mod look;
mod number;
mod open;
mod rejects;
mod rest;
mod scan;
pub mod shape;
mod text_column;
mod texts;
mod time;
mod trail;
mod value;
mod wrapper;
mod zone;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use std::sync::Arc;

use arrow_array::builder::{ArrayBuilder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, StringArray, UInt16Array};
use arrow_schema::{FieldRef, Schema, SchemaRef};

use crate::format::logs::record::Reason;
use crate::format::logs::settings::{Format, RowSettings, UnknownKeys, Zones};

pub use columns::schema;
pub use days::log_dates;
pub use envelope::{Item, Items, NextItem};
pub use open::Taken;
pub use rejects::{rejects_batch, rejects_schema};
pub(crate) use text_column::TextColumn;
pub(crate) use texts::DICTIONARY;
#[cfg(test)]
pub(crate) use time::{Clock as RowClock, parse_micros};

use builder::ColumnBuilder;
use columns::MAX_COLUMNS;
use line::{Line, ScanRules};
use rest::Rest;
use scan::scan;
use shape::Opened;
use trail::Trail;
use value::Value;

/// A batch has at most this many parsed columns.
pub(crate) const MOST_COLUMNS: u64 = MAX_COLUMNS as u64;

/// How many bytes a buffer that serves all lines keeps after a batch: a long line must not hold its
/// memory for ever.
const KEPT: usize = 1 << 20;

/// Accumulates the rows of one partition, column by column.
///
/// A text column of a batch has the type that [`schema`] gives it or, if its values repeat, a
/// dictionary of that type. A dictionary is kept from batch to batch as long as it is useful.
///
/// A batch holds less than 2 GiB of text in each column, `_source` included;
/// [`push`](RowBuilder::push) and [`finish`](RowBuilder::finish) panic beyond that. Callers finish
/// a batch long before.
pub struct RowBuilder {
    format: Format,
    rules: ScanRules,
    trail: Trail,
    columns: Vec<ColumnBuilder>,
    rests: StringBuilder,
    offsets: Vec<i64>,
    /// The rows that are elements of an envelope, each with its number in its line.
    items: Vec<(usize, i64)>,
    opened: Opened,
    /// Of the current line: its unknown keys, the keys beside its record, and its strings that had
    /// escapes, decoded.
    rest: Rest,
    outer: Rest,
    decoded: String,
    /// The key to blame for the last refused line, and why.
    detail: Option<String>,
}

/// Where a record lies.
#[derive(Clone, Copy)]
struct At {
    /// The offset of its line.
    offset: u64,
    /// Its number among the records of its line.
    item: Option<u64>,
}

impl RowBuilder {
    /// A builder without rows, for lines of `format` under the newest rules.
    pub fn new(format: Format, unknown_keys: UnknownKeys) -> Self {
        RowBuilder::by(format, ScanRules::new(format, unknown_keys), Zones::default())
    }

    /// The same, for lines that may hold records in an envelope or a wrapper.
    pub fn opening(mut self) -> Self {
        self.rules.opens = true;
        self
    }

    /// A builder without rows, for lines that are read under `settings`.
    pub fn of(settings: &RowSettings) -> Self {
        RowBuilder::by(settings.format, ScanRules::of(settings), settings.zones.clone())
    }

    fn by(format: Format, rules: ScanRules, zones: Zones) -> Self {
        let (layout, zones) = (rules.layout, rules.lenient.then(|| Arc::new(zones)));
        RowBuilder {
            format,
            rules,
            trail: Trail::default(),
            columns: layout.columns.iter().map(|column| ColumnBuilder::new(column.kind, zones.as_ref())).collect(),
            rests: StringBuilder::new(),
            offsets: Vec::new(),
            items: Vec::new(),
            opened: Opened::default(),
            rest: Rest::new(rules.keeps_apart()),
            outer: Rest::default(),
            decoded: String::new(),
            detail: None,
        }
    }

    /// Appends the row of `line`, which starts at `offset` in its partition. After an error,
    /// nothing was appended.
    ///
    /// The line has no newline or CR at its end and no BOM, and is not blank.
    pub fn push(&mut self, line: &[u8], offset: u64) -> Result<(), Reason> {
        self.push_text(std::str::from_utf8(line).map_err(|_| Reason::InvalidUtf8)?, offset)
    }

    /// Like [`push`](RowBuilder::push), for a line that is known to be UTF-8.
    pub fn push_text(&mut self, line: &str, offset: u64) -> Result<(), Reason> {
        self.append(line, At { offset, item: None }, ScanRules { opens: false, ..self.rules })
    }

    /// Appends the row of the record `text`. If the rules open wrappers, a text that may be one is
    /// refused as [`Reason::UnknownShape`].
    fn append(&mut self, text: &str, at: At, rules: ScanRules) -> Result<(), Reason> {
        self.detail = None;
        let columns = &self.columns;
        // The trail knows the keys of this layout only. A `Line` is judged where it is, because it
        // is too large to move.
        if std::ptr::eq(rules.layout, self.rules.layout)
            && let Some(line) = self.trail.follow(text, rules, |place| columns[place].last(), &mut self.rest)
        {
            return self.judge(&line, at, rules);
        }
        let line = scan(text, rules, &mut self.rest)?;
        self.judge(&line, at, rules)
    }

    /// Appends the row of a line whose values were found.
    fn judge(&mut self, line: &Line<'_>, at: At, rules: ScanRules) -> Result<(), Reason> {
        if let Some(found) = line.properties_mistyped {
            self.detail = self.rules.lenient.then(|| detail::of_properties(found));
            return Err(Reason::WrongType);
        }
        let has_no_key = rules.lenient && line.values.iter().all(Option::is_none);
        if has_no_key || rules.opens && line.hints.may_wrap() || !self.outer.is_empty() && !self.add_outer() {
            return Err(Reason::UnknownShape);
        }
        self.decoded.clear();
        let mut values = [const { Value::Null }; MAX_COLUMNS];
        let ScanRules { lenient, layout, .. } = self.rules;
        for (place, (raw, value)) in line.values.iter().zip(&mut values).enumerate() {
            let Some(raw) = raw else { continue };
            if let Err(reason) = self.columns[place].judge(*raw, lenient, &mut self.decoded, value) {
                let trouble = |raw: &str| self.columns[place].trouble(raw);
                self.detail = lenient.then(|| detail::of(&layout.columns[place], raw.text, reason, trouble));
                return Err(reason);
            }
        }
        if rules.unknown_keys == UnknownKeys::Reject && !self.rest.is_empty() {
            return Err(Reason::UnknownKey);
        }
        // Nothing below can fail.
        let rows = self.offsets.len();
        for (column, (raw, value)) in self.columns.iter_mut().zip(line.values.iter().zip(&values)) {
            if let Some(raw) = raw {
                column.append(value, *raw, &self.decoded, rows);
            }
        }
        if let Some(object) = self.rest.object() {
            self.rests.append_nulls(rows - self.rests.len());
            self.rests.append_value(object);
        }
        self.offsets.push(int64(at.offset));
        if let Some(number) = at.item {
            self.items.push((rows, int64(number)));
        }
        Ok(())
    }

    /// The key to blame for the refusal of the line pushed last, and why; none if no single key is.
    pub fn detail(&mut self) -> Option<String> {
        self.detail.take()
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// The rows so far as one batch, `source` being their partition's name. The builder is empty
    /// afterwards, and reusable.
    pub fn finish(&mut self, source: &str) -> RecordBatch {
        let rows = self.len();
        self.rest.shrink(KEPT);
        self.outer.shrink(KEPT);
        self.decoded.clear();
        self.decoded.shrink_to(KEPT);
        let mut columns: Vec<ArrayRef> = self.columns.iter_mut().map(|column| column.finish(rows)).collect();
        self.rests.append_nulls(rows - self.rests.len());
        columns.push(Arc::new(self.rests.finish()));
        let keys = UInt16Array::from(vec![0; rows]);
        columns.push(Arc::new(DictionaryArray::new(keys, Arc::new(StringArray::from(vec![source])))));
        columns.push(Arc::new(Int64Array::from(std::mem::replace(&mut self.offsets, Vec::with_capacity(rows)))));
        columns.push(Arc::new(self.item_numbers(rows)));
        RecordBatch::try_new(self.schema(&columns), columns)
            .expect("the columns were built by the layout that the schema is derived from")
    }

    fn item_numbers(&mut self, rows: usize) -> Int64Array {
        if self.items.is_empty() {
            return Int64Array::new_null(rows);
        }
        let mut numbers = Int64Builder::with_capacity(rows);
        for (row, number) in self.items.drain(..) {
            numbers.append_nulls(row - numbers.len());
            numbers.append_value(number);
        }
        numbers.append_nulls(rows - numbers.len());
        numbers.finish()
    }

    /// The schema of a batch of `columns`.
    fn schema(&self, columns: &[ArrayRef]) -> SchemaRef {
        let typed = |(field, column): (&FieldRef, &ArrayRef)| match column.data_type() {
            of if of == field.data_type() => field.clone(),
            of => Arc::new(field.as_ref().clone().with_data_type(of.clone())),
        };
        let fields = self.rules.layout.schema.fields().iter().zip(columns).map(typed);
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }
}

/// A byte offset or a length as the lake stores it.
fn int64(bytes: u64) -> i64 {
    i64::try_from(bytes).expect("no store holds 8 EiB in one blob")
}
