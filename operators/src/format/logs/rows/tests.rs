//! What lines become, rule by rule, and what the sample lines become.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;

use super::*;
use Format::{Azure, Jsonlog};
use UnknownKeys::{Drop, Keep, Reject};

mod keys;
mod records;
mod samples;
mod values;

/// The one row that `line` becomes.
fn row_with(format: Format, unknown_keys: UnknownKeys, line: &str) -> Result<RecordBatch, Reason> {
    let mut rows = RowBuilder::new(format, unknown_keys);
    let pushed = rows.push(line.as_bytes(), 42);
    assert_eq!(rows.len(), usize::from(pushed.is_ok()));
    pushed.map(|()| rows.finish("blob"))
}

fn row(line: &str) -> RecordBatch {
    row_with(Azure, Keep, line).unwrap_or_else(|reason| panic!("{line} was rejected: {}", reason.as_str()))
}

fn reason(line: &str) -> Reason {
    row_with(Azure, Keep, line).err().unwrap_or_else(|| panic!("{line} was accepted"))
}

/// The value of `column` in the row at `place`, as text.
fn text_at(batch: &RecordBatch, column: &str, place: usize) -> Option<String> {
    let array = &batch[column];
    if array.is_null(place) {
        return None;
    }
    if let Some(texts) = TextColumn::of(array) {
        return texts.get(place).map(str::to_owned);
    }
    Some(match array.data_type() {
        DataType::Int64 => array.as_primitive::<Int64Type>().value(place).to_string(),
        _ => array.as_primitive::<TimestampMicrosecondType>().value(place).to_string(),
    })
}

fn names(schema: &Schema) -> Vec<&str> {
    schema.fields().iter().map(|field| field.name().as_str()).collect()
}

fn text(batch: &RecordBatch, column: &str) -> Option<String> {
    text_at(batch, column, 0)
}

#[test]
fn a_row_has_its_values_its_source_and_its_offset() {
    let row =
        row(r#" {"time":"1970-01-01T00:00:01Z", "Region":"we","properties" : {"processId":7,"message":"a\nb"} } "#);
    assert_eq!(names(&row.schema()), names(&schema(Azure)));
    let expected = [
        ("time", "1000000"),
        ("region", "we"),
        ("process_id", "7"),
        ("message", "a\nb"),
        ("_source", "blob"),
        ("_offset", "42"),
    ];
    for field in row.schema().fields() {
        let expected = expected.iter().find(|(name, _)| name == field.name()).map(|(_, value)| (*value).to_owned());
        assert_eq!(text(&row, field.name()), expected, "{}", field.name());
    }
}

#[test]
fn an_object_without_a_key_of_the_format_is_no_row() {
    let lines = [
        "{}",
        r#"{"properties":null}"#,
        r#"{"properties":{}}"#,
        r#"{"x":1,"properties":{"Region":"we","time":1}}"#,
        r#"{"message":"a key of properties, and not there"}"#,
        r#"{"records":[{"time":"1970-01-01T00:00:00Z"}]}"#,
    ];
    for line in lines {
        for unknown_keys in [Keep, Drop, Reject] {
            assert_eq!(row_with(Azure, unknown_keys, line).err(), Some(Reason::UnknownShape), "{line}");
        }
    }
    let azure = r#"{"time":"1970-01-01T00:00:00Z","properties":{"message":"m"},"Region":"we"}"#;
    assert_eq!(row_with(Jsonlog, Keep, azure).err(), Some(Reason::UnknownShape));
    // A key counts even if its value is null.
    let row = row(r#"{"time":null}"#);
    assert_eq!(row.columns().iter().filter(|column| column.is_valid(0)).count(), 2);
}

#[test]
fn rules_of_version_1_know_no_shape() {
    let mut rows = RowBuilder::by(Azure, ScanRules { lenient: false, ..ScanRules::new(Azure, Keep) }, Zones::default());
    assert_eq!(rows.push(br#"{"x":1}"#, 0), Ok(()));
    assert_eq!(text(&rows.finish("blob"), "_rest").as_deref(), Some(r#"{"x":1}"#));
}

#[test]
fn null_is_null_for_a_known_key_and_for_properties() {
    let row = row(r#"{"Region":null,"time":null,"properties":{"processId":null}}"#);
    assert_eq!((text(&row, "region"), text(&row, "time"), text(&row, "process_id")), (None, None, None));
    assert_eq!(text(&row_with(Azure, Reject, r#"{"Region":null,"properties":null}"#).unwrap(), "_rest"), None);
}

#[test]
fn keys_are_unescaped_before_they_are_looked_up() {
    let row = row(r#"{"R\u0065gion":"we","prop\u0065rties":{"m\u0065ssage":"m"},"\u0078":1}"#);
    assert_eq!(text(&row, "region").as_deref(), Some("we"));
    assert_eq!(text(&row, "message").as_deref(), Some("m"));
    assert_eq!(text(&row, "_rest").as_deref(), Some(r#"{"x":1}"#));
}

#[test]
fn keys_count_only_in_their_own_scope() {
    let row = row(r#"{"message":"top","properties":{"Region":"we","message":"m","properties":{"message":"n"}}}"#);
    assert_eq!((text(&row, "message").as_deref(), text(&row, "region")), (Some("m"), None));
    let rest = r#"{"message":"top","properties.Region":"we","properties.properties":{"message":"n"}}"#;
    assert_eq!(text(&row, "_rest").as_deref(), Some(rest));
}

#[test]
fn invalid_utf8_is_found_before_anything_else() {
    let mut rows = RowBuilder::new(Azure, Drop);
    for line in [&b"{\"x\":\"\xff\"}"[..], b"\xc3", b"{\"\xed\xa0\x80\":1}", b"[\xf8 torn"] {
        assert_eq!(rows.push(line, 0), Err(Reason::InvalidUtf8));
    }
    assert!(rows.is_empty());
}

#[test]
fn what_is_not_json_is_invalid() {
    let lines = [
        "{",
        "}",
        "",
        "{}}",
        "{} x",
        "{}{}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":+1}",
        "{\"a\":NaN}",
        "{\"a\":tru}",
        "{\"a\":\"\t\"}",
        r#"{"a":"\x"}"#,
        r#"{"a":"\u00g0"}"#,
        r#"{"properties": [227B blob data]}"#,
        r#"{"properties":{"message":"torn"#,
        r#"{"properties":{}"#,
        "[1",
        "nul",
        "x",
        "\u{feff}{}",
        "\u{a0}{}",
        r#"{"Region":"\ud83d"}"#,
        r#"{"\ud83d":1}"#,
        r#"{"time":"\ude00"}"#,
        r#"{"properties":{"message":"\ud83dx"}}"#,
    ];
    for line in lines {
        assert_eq!(reason(line), Reason::InvalidJson, "{line}");
    }
}

#[test]
fn json_that_is_no_object_is_told_apart() {
    for line in ["[]", "1", " \"{}\" ", "null", "true", "[{\"time\":1}]"] {
        assert_eq!(reason(line), Reason::NotAnObject, "{line}");
    }
}
