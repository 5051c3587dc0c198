//! The two paths from a line to a row agree: the fast one of [`rows`](crate::format::logs::rows),
//! and the plain one of this folder.
//!
//! They agree on every possible line, on the reason of a reject, and on every byte of `_rest`.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use proptest::prelude::*;

use super::columns::{Columns, ITEM, Kind, REST};
use super::roles::Routing;
use super::row::{self, Cell, Fault};
use super::shape;
use crate::format::logs::record::Reason;
use crate::format::logs::rows::{RowBuilder, Taken, TextColumn};
use crate::format::logs::settings::{
    Destination, Envelope, Format, ROWS_VERSION, Roles, RowSettings, UnknownKeys, Zones,
};
use crate::route::RoleMap;
use crate::totals::hash;

mod generated;
mod odd;
mod routers;

/// A row, by column: text, or a number in decimal digits.
type Row = BTreeMap<String, String>;

/// What becomes of a line: a row and the sum of its values, or why it is not a row.
type Outcome = Result<(Row, u128), Fault>;

/// The rules by which lines are read here.
fn settings(format: Format, unknown_keys: UnknownKeys) -> RowSettings {
    RowSettings { format, unknown_keys, ..RowSettings::example() }
}

/// What the plain path makes of `line`.
fn plain(line: &[u8], settings: &RowSettings) -> Outcome {
    let columns = Columns::of(settings.format);
    let text = std::str::from_utf8(line).map_err(|_| Reason::InvalidUtf8)?;
    row::read(text, &columns, settings, &[]).map(|row| told(&row, &columns))
}

fn told(row: &row::Row<'_>, columns: &Columns) -> (Row, u128) {
    let text = |cell: &Cell<'_>| match cell {
        Cell::Text(text) => text.clone().into_owned(),
        Cell::Number(number) => number.to_string(),
    };
    let cells = columns.all.iter().zip(&row.cells);
    let mut values: Row =
        cells.filter_map(|(column, cell)| Some((column.name.to_owned(), text(cell.as_ref()?)))).collect();
    values.extend(row.rest.clone().map(|rest| (REST.to_owned(), rest)));
    (values, row.sum(columns))
}

/// What the fast path makes of `line`.
fn fast(line: &[u8], settings: &RowSettings) -> Outcome {
    let mut rows = RowBuilder::of(settings);
    let pushed = push(&mut rows, line);
    assert_eq!(rows.len(), usize::from(pushed.is_ok()));
    pushed.map(|()| {
        let (batch, mut sum) = (rows.finish("blob"), 0);
        hash::rows(&batch, &mut Vec::new(), |_, values| sum = values);
        (values(&batch, 0), sum)
    })
}

fn push(rows: &mut RowBuilder, line: &[u8]) -> Result<(), Fault> {
    rows.push(line, 1).map_err(|reason| Fault { reason, detail: rows.detail() })
}

/// The values of the row at `place`.
fn values(batch: &RecordBatch, place: usize) -> Row {
    let mut row = Row::new();
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        if array.is_null(place) || [hash::SOURCE, hash::OFFSET].contains(&field.name().as_str()) {
            continue;
        }
        let value = if let Some(texts) = TextColumn::of(array) {
            texts.get(place).expect("it is not null").to_owned()
        } else if let Some(integers) = array.as_primitive_opt::<Int64Type>() {
            integers.value(place).to_string()
        } else {
            array.as_primitive::<TimestampMicrosecondType>().value(place).to_string()
        };
        row.insert(field.name().clone(), value);
    }
    row
}

/// A record of a line: its number if there are several, its bytes (the line's if it has no number),
/// and what it becomes.
type Record = (Option<u64>, Vec<u8>, Outcome);

/// What the plain path finds in `line`.
fn plain_records(line: &[u8], settings: &RowSettings) -> Vec<Record> {
    let (columns, csvlog) = (Columns::of(settings.format), Columns::of_csvlog());
    let rules = shape::LineRules { columns: &columns, csvlog: &csvlog, settings };
    let mut records = Vec::new();
    shape::records(line, rules, |item, bytes, row| {
        records.push((item, bytes.to_vec(), row.map(|row| told(&row, &columns))));
    });
    records
}

/// What the fast path finds in `line`; `rows` remembers earlier lines.
fn fast_records(line: &[u8], rows: &mut RowBuilder) -> Vec<Record> {
    fn finished(rows: &mut RowBuilder) -> (Row, u128) {
        let (batch, mut sum) = (rows.finish("blob"), 0);
        assert_eq!(batch.num_rows(), 1);
        hash::rows(&batch, &mut Vec::new(), |_, values| sum = values);
        let mut row = values(&batch, 0);
        // Here the number is one of the values; the plain path reports it separately.
        if let Some(item) = row.remove(ITEM) {
            let number = item.parse().expect("a number");
            sum = sum.wrapping_sub(hash::Column::new(ITEM, "long").number(number));
        }
        (row, sum)
    }
    let Ok(text) = std::str::from_utf8(line) else {
        return vec![(None, line.to_vec(), Err(Reason::InvalidUtf8.into()))];
    };
    match rows.take(text, 1) {
        Ok(Taken::Row) => vec![(None, line.to_vec(), Ok(finished(rows)))],
        Ok(Taken::Nothing) => Vec::new(),
        Ok(Taken::Items(shape, items)) => {
            let taken = items.map(|item| {
                assert_eq!(&text[item.start..item.start + item.text.len()], item.text);
                let row = match rows.take_item(shape, &item, 1) {
                    Ok(()) => Ok(finished(rows)),
                    Err(reason) => Err(Fault { reason, detail: rows.detail() }),
                };
                (Some(item.number), item.text.as_bytes().to_vec(), row)
            });
            taken.collect()
        }
        Err(reason) => vec![(None, line.to_vec(), Err(Fault { reason, detail: rows.detail() }))],
    }
}

/// Both paths find the same records in a line, and the same becomes of them.
fn assert_same_records(lines: &[&[u8]], format: Format, unknown_keys: UnknownKeys) {
    let mut settings = settings(format, unknown_keys);
    for (version, envelope) in [(ROWS_VERSION, Envelope::Auto), (ROWS_VERSION, Envelope::None), (1, Envelope::None)] {
        (settings.rows_version, settings.envelope) = (version, envelope);
        let mut rows = RowBuilder::of(&settings);
        for line in lines {
            let shown = String::from_utf8_lossy(&line[..line.len().min(2000)]);
            assert_eq!(plain_records(line, &settings), fast_records(line, &mut rows), "{envelope:?} {shown}");
        }
    }
}

fn assert_agreement(line: &[u8], format: Format, unknown_keys: UnknownKeys) {
    let shown = String::from_utf8_lossy(&line[..line.len().min(2000)]);
    let zones = [("IST".to_owned(), 19_800)].into();
    let zones = Zones::new(Some("Europe/London".parse().expect("a zone")), zones);
    for (rows_version, zones) in [(1, Zones::default()), (ROWS_VERSION, Zones::default()), (ROWS_VERSION, zones)] {
        let settings = RowSettings { rows_version, zones, ..settings(format, unknown_keys) };
        assert_eq!(plain(line, &settings), fast(line, &settings), "{settings:?}: {shown}");
    }
}

/// One builder, which remembers earlier lines, makes of each line what the plain path makes of it
/// alone.
fn assert_agreement_in_a_row(lines: &[&[u8]], batch: usize, format: Format, unknown_keys: UnknownKeys) {
    let settings = settings(format, unknown_keys);
    let mut rows = RowBuilder::of(&settings);
    for lines in lines.chunks(batch) {
        let plain: Vec<_> = lines.iter().map(|line| plain(line, &settings)).collect();
        for (line, plain) in lines.iter().zip(&plain) {
            let pushed = push(&mut rows, line);
            assert_eq!(pushed.err().as_ref(), plain.as_ref().err(), "{}", String::from_utf8_lossy(line));
        }
        let (batch, mut sums) = (rows.finish("blob"), Vec::new());
        hash::rows(&batch, &mut Vec::new(), |_, values| sums.push(values));
        let plain: Vec<_> = plain.into_iter().flatten().collect();
        let fast: Vec<_> = sums.into_iter().enumerate().map(|(row, sum)| (values(&batch, row), sum)).collect();
        assert_eq!(plain, fast);
    }
}

/// Damages a line, as careless editing might.
fn mutated(mut line: Vec<u8>, mutations: &[Mutation]) -> Vec<u8> {
    for (place, byte, kind) in mutations {
        let place = place.index(line.len());
        let token = b"{}[]\",:\\0e-. nt"[usize::from(*byte) % 15];
        match kind {
            0 => line[place] = *byte,
            1 => line[place] = token,
            2 => line.insert(place, token),
            _ if line.len() > 1 => _ = line.remove(place),
            _ => {}
        }
    }
    line
}

/// Where, which byte, and what kind of mutation.
type Mutation = (prop::sample::Index, u8, i32);

fn mutations(most: usize) -> impl Strategy<Value = Vec<Mutation>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4), 0..most)
}

/// Values that repeat, then are new, then many, then long: columns switch between keys and text.
#[test]
fn columns_that_change_their_ways_become_the_same() {
    let mut lines = Vec::new();
    for line in 0..40_000_usize {
        let category = match line / 4_000 {
            0 | 3 | 6.. => format!("c{}", line % 7),
            1 => format!("new {line}"),
            2 => format!("{} of many", line % 3_000),
            4 => "long".repeat(1 + line % 2 * 9_000),
            _ => format!("c\\u0041{}", line % 7),
        };
        let torn = if line % 11 == 0 { "x" } else { "" };
        let server = if line % 3 == 0 { "null".to_owned() } else { format!("\"s{}\"", line % 5) };
        lines.push(format!(
            r#"{{"category":"{category}","LogicalServerName":{server},"properties":{{"message":"m {line}"}},"Region":"r"{torn}}}"#
        ));
        if line / 4_000 == 4 && line % 100 != 0 {
            lines.pop();
        }
    }
    let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    assert_agreement_in_a_row(&lines, 300, Format::Azure, UnknownKeys::Keep);
}
