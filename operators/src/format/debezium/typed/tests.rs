//! The recorded events as rows of a lake: golden rows, what the SQL says of them, and rows that do
//! not fit.

use std::collections::BTreeMap;
use std::fmt::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float32Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use deltalake::arrow::util::display::{ArrayFormatter, FormatOptions};
use expect_test::expect_file;

use super::super::tests::{ALL, sample};
use super::super::{Decoded, Decoder, Event, Line};
use super::*;

/// Calls `each` with the events of a configuration.
fn events(name: &str, mut each: impl FnMut(&Event<'_>)) {
    let mut decoder = Decoder::default();
    for line in sample(name).lines() {
        let line = Line::read(line.as_bytes()).expect("a line");
        if let Decoded::Event(event) = decoder.decode(&line.record()).expect("an event") {
            each(&event);
        }
    }
}

/// The columns that a table gets from the schema block of its first row.
fn columns(row: &super::super::Row<'_>) -> Vec<LakeColumn> {
    let column = |novelty: &Novelty| match novelty {
        Novelty::Added { name, of: Some(of) } => LakeColumn { name: name.clone(), of: of.clone(), as_text: false },
        other => panic!("{other:?}"),
    };
    Plan::new(&[], row).novelties().iter().map(column).collect()
}

/// The rows after the changes of a table, in order, and why others are none.
struct Table {
    plan: Plan,
    rows: Rows,
    unfit: Vec<String>,
}

/// The tables of a configuration that has schema blocks.
fn tables(name: &str, unrepresentable: Unrepresentable) -> BTreeMap<String, Table> {
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    events(name, |event| {
        let Some(after) = &event.after else { return };
        let table = tables.entry(event.table.name.to_string()).or_insert_with(|| {
            let columns = columns(after);
            let plan = Plan::new(&columns, after);
            Table { plan, rows: Rows::new(columns.into(), unrepresentable), unfit: Vec::new() }
        });
        if !table.plan.fits(after) {
            table.plan = Plan::new(table.rows.columns(), after);
        }
        if let Err(unfit) = table.rows.push(after, &table.plan, |_| None) {
            table.unfit.push(unfit.to_string());
        }
    });
    tables
}

fn shown(batch: &RecordBatch, row: usize, column: usize) -> String {
    let options = FormatOptions::default().with_null("∅");
    let array = batch.column(column);
    ArrayFormatter::try_new(array, &options).expect("a column").value(row).to_string()
}

/// Rows as text: long values by their lengths.
fn golden(tables: BTreeMap<String, Table>) -> String {
    let mut out = String::new();
    for (name, mut table) in tables {
        let Taken { rows, unavailable } = table.rows.finish();
        let _ = writeln!(out, "== {name}: {} rows", rows.num_rows());
        for (at, field) in rows.schema().fields().iter().enumerate() {
            let _ = writeln!(out, "{}: {}", field.name(), field.data_type());
            for row in 0..rows.num_rows() {
                let is_kept = unavailable.get(&at).is_some_and(|rows| rows.value(row));
                let value = if is_kept { "(kept)".to_owned() } else { shown(&rows, row, at) };
                match value.chars().count() {
                    0..=120 => writeln!(out, "  {}", value.replace('\n', "⏎")),
                    many => writeln!(out, "  ({many} letters)"),
                }
                .expect("a text");
            }
        }
        table.unfit.iter().for_each(|why| out.push_str(&format!("  unfit: {why}\n")));
    }
    out
}

#[test]
fn golden_rows() {
    for name in ["envelope_schema", "unwrap_schema_rewrite"] {
        let golden_file = expect_file![format!("../../../../../tests/samples/debezium/typed/{name}.txt")];
        golden_file.assert_eq(&golden(tables(name, Unrepresentable::Reject)));
    }
}

#[test]
fn the_first_row_is_as_the_statement_wrote_it() {
    let mut table = tables("envelope_schema", Unrepresentable::Null).remove("typezoo").expect("a table");
    let rows = table.rows.finish().rows;
    let column = |name: &str| rows.column_by_name(name).expect("a column");
    assert_eq!(column("i8").as_primitive::<arrow_array::types::Int64Type>().value(0), i64::MAX);
    assert_eq!(column("n_38_0").as_primitive::<Decimal128Type>().value(0), 10_i128.pow(38) - 1);
    assert_eq!(column("n_12_4").as_primitive::<Decimal128Type>().value(0), 123_456_781_234);
    assert_eq!(column("mon").as_primitive::<Decimal128Type>().value(0), 123_456);
    assert_eq!(column("n_free").as_string::<i32>().value(0), "123456789012345678901234567890.123456789");
    assert_eq!(column("n_neg").as_string::<i32>().value(0), "12300");
    assert_eq!(column("ba").as_binary::<i32>().value(0), [0, 0xff, 0x10]);
    assert_eq!(column("tz").as_primitive::<TimestampMicrosecondType>().value(0), 1_709_205_255_123_456);
    assert_eq!(column("ts").as_primitive::<TimestampMicrosecondType>().value(0), 1_709_212_455_123_456);
    assert_eq!(column("tm").as_string::<i32>().value(0), "13:14:15.123456");
    assert_eq!(column("jb").as_string::<i32>().value(0), "{\"a\": [1, 2.50, null], \"b\": 1}");
    assert!(column("f4").as_primitive::<Float32Type>().value(1).is_nan());
    assert_eq!(column("na").as_list::<i32>().value(0).as_primitive::<Decimal128Type>().value(0), 125);
    assert!(column("na").as_list::<i32>().value(0).is_null(1));
}

#[test]
fn what_no_lake_can_hold_is_rejected_by_name_or_null() {
    let rejected = &tables("envelope_schema", Unrepresentable::Reject)["typezoo"];
    // Rows 5, 6 and 7 hold infinities and years before Christ.
    assert_eq!(rejected.unfit.len(), 3, "{:?}", rejected.unfit);
    for (why, what) in rejected.unfit.iter().zip(["infinity", "-infinity", "a year outside 1 to 9999"]) {
        let begin = format!("column \"d\" holds {what}, which its type in the lake cannot hold: ");
        assert!(why.starts_with(&begin) && why.contains("on_unrepresentable"), "{why}");
    }
    let mut nulled = tables("envelope_schema", Unrepresentable::Null).remove("typezoo").expect("a table");
    assert_eq!((nulled.unfit.len(), nulled.rows.len()), (0, rejected.rows.len() + 3));
    let rows = nulled.rows.finish().rows;
    assert!(rows.column_by_name("d").expect("a column").null_count() >= 3);
}

#[test]
fn a_column_that_is_taken_as_text_has_everything() {
    let (mut plan, mut rows, mut texts) = (None, None, Vec::new());
    events("envelope_schema", |event| {
        let Some(after) = event.after.as_ref().filter(|_| event.table.name == "typezoo") else { return };
        let rows = rows.get_or_insert_with(|| {
            let column = LakeColumn { name: "d".to_owned(), of: LakeType::Text, as_text: true };
            Rows::new([column].into(), Unrepresentable::Reject)
        });
        let plan = plan.get_or_insert_with(|| Plan::new(rows.columns(), after));
        assert!(plan.novelties().iter().all(|novelty| matches!(novelty, Novelty::Added { .. })));
        rows.push(after, plan, |_| None).expect("a text takes everything");
        texts = Vec::new();
    });
    let batch = rows.expect("rows").finish().rows;
    texts.extend(batch.column(0).as_string::<i32>().iter().flatten().map(str::to_owned));
    for text in ["2024-02-29", "0001-01-01", "9999-12-31", "infinity", "-infinity", "-0043-03-15"] {
        assert!(texts.iter().any(|there| there == text), "{text}: {texts:?}");
    }
}

#[test]
fn values_that_were_not_sent_are_told_from_nulls() {
    for name in ["envelope_schema", "unwrap_schema_rewrite"] {
        let mut table = tables(name, Unrepresentable::Reject).remove("toasty").expect("a table");
        let Taken { rows, unavailable } = table.rows.finish();
        let small = rows.column_by_name("small").expect("a column").as_primitive::<arrow_array::types::Int32Type>();
        let update = (0..rows.num_rows()).find(|row| small.value(*row) == 2).expect("the first update");
        let kept: Vec<&str> = unavailable
            .iter()
            .filter(|(_, rows)| rows.value(update))
            .map(|(at, _)| rows.schema_ref().field(*at).name().as_str())
            .collect();
        assert_eq!(kept, ["big", "bigj", "bigb", "bigarr", "bigh"], "{name}");
        assert!(unavailable.values().all(|rows| !rows.value(0)), "{name}: the first row has them all");
    }
}

#[test]
fn a_column_that_comes_goes_or_changes_is_told() {
    let mut told = Vec::new();
    let mut columns_of: Option<Vec<LakeColumn>> = None;
    events("envelope_schema", |event| {
        let Some(after) = event.after.as_ref().filter(|_| event.table.name == "ddl") else { return };
        let lake = columns_of.get_or_insert_with(|| columns(after));
        let plan = Plan::new(lake, after);
        let missing = plan.missing().iter().map(|at| format!("-{}", lake[*at].name));
        told.extend(missing);
        told.extend(plan.novelties().iter().map(|novelty| match novelty {
            Novelty::Added { name, .. } => format!("+{name}"),
            Novelty::Changed { name, from, to } => format!("{name}: {from:?} to {to:?}"),
        }));
    });
    told.sort();
    told.dedup();
    expect_test::expect![[r#"
        +c
        +c_renamed
        +d
        -b
        a: Integer(32) to Integer(64)
        a: Integer(32) to Text
        b: Text to Decimal(10, 2)"#]]
    .assert_eq(&told.join("\n"));
}

#[test]
fn a_row_that_does_not_fit_leaves_no_trace() {
    let column = |name: &str, of| LakeColumn { name: name.to_owned(), of, as_text: false };
    let mut rows =
        Rows::new([column("t", LakeType::Text), column("i", LakeType::Integer(32))].into(), Unrepresentable::Reject);
    let mut push = |after: &str| {
        let value = format!(r#"{{"op":"c","source":{{"schema":"s","table":"t"}},"before":null,"after":{after}}}"#);
        let line = format!(r#"{{"topic":"x","key":null,"value":{value}}}"#);
        let line = Line::read(line.as_bytes()).expect("a line");
        let mut decoder = Decoder::default();
        let Decoded::Event(event) = decoder.decode(&line.record()).expect("an event") else { panic!("a change") };
        let after = event.after.expect("a row");
        let plan = Plan::new(rows.columns(), &after);
        rows.push(&after, &plan, |_| None)
    };
    assert_eq!(push(r#"{"t":"a","i":1}"#), Ok(true));
    let wrong = push(r#"{"t":"secret","i":"x"}"#).expect_err("no number");
    assert_eq!(wrong.to_string(), "the value of column \"i\" is no whole number of 64 bits");
    assert!(push(r#"{"t":"\ud800","i":1}"#).is_err(), "half of a letter");
    assert_eq!(push(r#"{"i":2}"#), Ok(true), "a column that was dropped is null");
    let Taken { rows, unavailable } = rows.finish();
    assert_eq!((rows.num_rows(), unavailable.len()), (2, 0));
    assert_eq!(rows.column(0).as_string::<i32>().iter().collect::<Vec<_>>(), [Some("a"), None]);
}

#[test]
fn every_configuration_can_be_read_without_a_panic() {
    for name in ALL {
        events(name, |event| {
            let rows = [event.after.as_ref(), event.before.row(), event.key.row()];
            for row in rows.into_iter().flatten() {
                // As text, where no schema names the types.
                let column = |novelty: &Novelty| match novelty {
                    Novelty::Added { name, of } => LakeColumn {
                        name: name.clone(),
                        of: of.clone().unwrap_or(LakeType::Text),
                        as_text: of.is_none(),
                    },
                    other => panic!("{other:?}"),
                };
                let columns: Vec<_> = Plan::new(&[], row).novelties().iter().map(column).collect();
                let plan = Plan::new(&columns, row);
                assert!(plan.novelties().is_empty() && plan.fits(row), "{name}");
                let mut rows = Rows::new(columns.into(), Unrepresentable::Null);
                assert!(rows.push(row, &plan, |_| None).is_ok(), "{name}");
                assert_eq!(rows.finish().rows.num_rows(), 1);
            }
        });
    }
}
