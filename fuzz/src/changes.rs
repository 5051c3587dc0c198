//! Lines as `lakefront changes` reads them: whatever they hold, the result is one line of JSON with
//! an operation, or a reason; and a row is a row of Arrow, or leaves no trace.

use lakefront_operators::format::debezium::typed::{LakeColumn, LakeType, Novelty, Plan, Rows, Unrepresentable};
use lakefront_operators::format::debezium::{Decoded, Decoder, Line, Row, write_plain};
use serde_json::Value;
use serde_json::value::RawValue;

/// Each line is decoded twice by one decoder, which remembers schemas and topics.
///
/// # Panics
/// If a plain form is not one line of JSON, or lacks one of its fields.
pub fn check(input: &[u8]) {
    let mut decoder = Decoder::default();
    let lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    for line in lines.iter().chain(&lines) {
        let Ok(line) = Line::read(line) else { continue };
        let record = line.record();
        let Ok(Decoded::Event(event)) = decoder.decode(&record) else { continue };
        let rows = [event.after.as_ref(), event.before.row(), event.key.row()];
        rows.into_iter().flatten().for_each(typed);
        let mut plain = String::new();
        if write_plain(&event, &record, &mut plain).is_err() {
            assert_eq!(plain, "", "nothing is written of what cannot be written");
            continue;
        }
        assert!(!plain.contains(['\n', '\r']), "it is one line: {plain}");
        let raw: Result<&RawValue, _> = serde_json::from_str(&plain);
        assert!(raw.is_ok(), "it is JSON: {plain}");
        // Values may be nested deeper than a reader goes, and are bigger than a number of its kind.
        let Ok(Value::Object(object)) = serde_json::from_str(&plain) else { continue };
        let operation = object["operation"].as_str().expect("a text");
        assert!(["insert", "update", "delete", "truncate", "read"].contains(&operation), "{plain}");
        for field in ["table", "data", "before", "timestamp", "metadata", "primary_key"] {
            assert!(object.contains_key(field), "{field} of {plain}");
        }
    }
}

/// # Panics
/// If a row is only half there.
fn typed(row: &Row<'_>) {
    let column = |novelty: &Novelty| match novelty {
        Novelty::Added { name, of } => {
            LakeColumn { name: name.clone(), of: of.clone().unwrap_or(LakeType::Text), as_text: of.is_none() }
        }
        Novelty::Changed { name, .. } => panic!("{name} is in no table"),
    };
    let columns: Vec<LakeColumn> = Plan::new(&[], row).novelties().iter().map(column).collect();
    let plan = Plan::new(&columns, row);
    let mut rows = Rows::new(columns.into(), Unrepresentable::Reject);
    let pushed = usize::from(rows.push(row, &plan, |_| None).is_ok());
    assert_eq!((rows.len(), rows.finish().rows.num_rows()), (pushed, pushed));
}
