//! What lines become, rule by rule, and what the sample lines become.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;

use super::*;
use Format::{Azure, Jsonlog};
use UnknownKeys::{Drop, Keep, Reject};

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

#[test]
fn wrong_types_reject_the_line() {
    let lines = [
        r#"{"Region":{}}"#,
        r#"{"Region":[1]}"#,
        r#"{"time":1795244401}"#,
        r#"{"time":[]}"#,
        r#"{"properties":{"processId":"x7"}}"#,
        r#"{"properties":{"processId":1.5}}"#,
        r#"{"properties":{"processId":""}}"#,
        r#"{"properties":{"processId":true}}"#,
        r#"{"properties":"x"}"#,
        r#"{"properties":[{},[]]}"#,
        r#"{"properties":-1}"#,
        r#"{"properties":1}"#,
        r#"{"properties":1.5}"#,
        r#"{"properties":false}"#,
        r#"{"properties":"\n"}"#,
    ];
    for line in lines {
        assert_eq!(reason(line), Reason::WrongType, "{line}");
    }
}

#[test]
fn a_value_that_can_mean_one_thing_only_is_read() {
    let row = row(r#"{"Region":1.50,"properties":{"processId":"7","sqlerrcode":0,"message":true}}"#);
    let read = ["region", "process_id", "sqlerrcode", "message"].map(|column| text(&row, column).unwrap());
    assert_eq!(read, ["1.50", "7", "0", "true"]);
    assert_eq!(text(&super::tests::row(r#"{"properties":{"processId":1001.0}}"#), "process_id").unwrap(), "1001");
}

#[test]
fn version_1_reads_as_it_did() {
    let mut rows = RowBuilder::of(&RowSettings { rows_version: 1, ..RowSettings::example() });
    let wrong = [
        (r#"{"Region":1}"#, Reason::WrongType),
        (r#"{"properties":{"processId":"7"}}"#, Reason::WrongType),
        (r#"{"properties":{"processId":1001.0}}"#, Reason::WrongType),
        (r#"{"time":"2026-07-21 07:00:01 BST"}"#, Reason::MalformedTime),
    ];
    for (line, reason) in wrong {
        assert_eq!((rows.push(line.as_bytes(), 0), rows.detail()), (Err(reason), None), "{line}");
    }
    rows.push(br#"{"time":null,"properties.x":1,"properties":{"x":2}}"#, 0).unwrap();
    assert_eq!(text(&rows.finish("blob"), "_rest").as_deref(), Some(r#"{"properties.x":2}"#));
}

#[test]
fn a_reject_names_the_key_and_never_its_value() {
    let cases = [
        (r#"{"properties":{"processId":true}}"#, Some("properties.processId: boolean, expected integer")),
        (r#"{"properties":{"processId":"secret"}}"#, Some("properties.processId: string, expected integer")),
        (r#"{"properties":{"processId":1.5}}"#, Some("properties.processId: number, expected integer")),
        (r#"{"properties":{"processId":1e40}}"#, Some("properties.processId: an integer beyond 64 bits")),
        (r#"{"properties":{"message":{"a":1}}}"#, Some("properties.message: object, expected string")),
        (r#"{"properties":"secret"}"#, Some("properties: string, expected object")),
        (r#"{"properties":[1]}"#, Some("properties: array, expected object")),
        (r#"{"time":17}"#, Some("time: number, expected time")),
        (r#"{"time":"secret"}"#, Some("time: not a time")),
        (r#"{"time":"2026-11-21 07:00:01 IS\u0054"}"#, Some("time: a zone that is not certain, see rows.zones")),
        (r#"{"time":"2026-11-21 07:00:01.5"}"#, Some("time: a time without a zone, see rows.zone")),
        (r#"{"Region":"\ud83d"}"#, Some("Region: half a surrogate pair")),
        (r#"{"Region":"torn"#, None),
        ("[1]", None),
    ];
    let mut rows = RowBuilder::new(Azure, Keep);
    for (line, expected) in cases {
        assert!(rows.push(line.as_bytes(), 0).is_err(), "{line}");
        assert_eq!(rows.detail().as_deref(), expected, "{line}");
    }
}

#[test]
fn integers_and_times_have_reasons_of_their_own() {
    for integer in ["9223372036854775808", "-9223372036854775809", "18446744073709551615", "100000000000000000000"] {
        let line = format!(r#"{{"properties":{{"processId":{integer}}}}}"#);
        assert_eq!(reason(&line), Reason::IntegerOutOfRange, "{line}");
    }
    for line in [r#"{"time":"now"}"#, r#"{"time":""}"#, r#"{"properties":{"timestamp":"2026-11-21 07:00:01 IST"}}"#] {
        assert_eq!(reason(line), Reason::MalformedTime, "{line}");
    }
}

#[test]
fn unknown_keys_are_kept_dropped_or_rejected() {
    let line = r#"{"b": 1.50,"properties":{"schemaName":"p\u0075b","message":"m"},"a":{"x":[1, null]}}"#;
    let kept = row_with(Azure, Keep, line).unwrap();
    let rest = r#"{"b":1.50,"properties.schemaName":"p\u0075b","a":{"x":[1, null]}}"#;
    assert_eq!(text(&kept, "_rest").as_deref(), Some(rest));
    let dropped = row_with(Azure, Drop, line).unwrap();
    assert_eq!((text(&dropped, "_rest"), text(&dropped, "message").as_deref()), (None, Some("m")));
    assert_eq!(row_with(Azure, Reject, line).err(), Some(Reason::UnknownKey));
    for unknown in [r#"{"time":null,"x":null}"#, r#"{"properties":{"detail":"d","x":1}}"#] {
        assert_eq!(row_with(Azure, Reject, unknown).err(), Some(Reason::UnknownKey), "{unknown}");
    }
}

#[test]
fn a_control_character_in_a_key_is_not_json() {
    for line in ["{\"Region\t\":\"we\"}", "{\"Region\":\"we\",\"x\r\":1}", "{\"properties\":{\"detail\t\":\"d\"}}"] {
        for unknown_keys in [Keep, Drop, Reject] {
            assert_eq!(row_with(Azure, unknown_keys, line).err(), Some(Reason::InvalidJson), "{line}");
        }
    }
}

#[test]
fn half_a_surrogate_pair_is_kept_where_it_is_not_decoded() {
    let row = row(r#"{"x":"\ud83d","Region":"we"}"#);
    assert_eq!(text(&row, "_rest").as_deref(), Some(r#"{"x":"\ud83d"}"#));
}

#[test]
fn of_duplicates_only_the_last_is_judged() {
    let row =
        row(r#"{"Region":1,"time":"bad","Region":"\ud83d","x":1,"Region":"we","time":"1970-01-01T00:00:00Z","x":2}"#);
    assert_eq!((text(&row, "region").as_deref(), text(&row, "time").as_deref()), (Some("we"), Some("0")));
    assert_eq!(text(&row, "_rest").as_deref(), Some(r#"{"x":2}"#));
    assert_eq!(reason(r#"{"Region":"we","Region":[1]}"#), Reason::WrongType);
    assert_eq!(reason(r#"{"properties":{"processId":1,"processId":1.5}}"#), Reason::WrongType);
}

#[test]
fn properties_replace_earlier_properties_wholly() {
    let lines = [
        r#"{"properties":{"message":1,"detail":"d","x":1},"properties":{"message":"m"}}"#,
        r#"{"properties":[1],"properties":{"message":"m"}}"#,
        r#"{"properties":{"message":"n"},"properties":"x","properties":{"message":"m"}}"#,
    ];
    for line in lines {
        let row = row_with(Azure, Reject, line).unwrap();
        assert_eq!((text(&row, "message").as_deref(), text(&row, "detail")), (Some("m"), None), "{line}");
    }
    let nulled = row(r#"{"Region":"we","properties":{"message":"m","x":1},"properties":null}"#);
    assert_eq!((text(&nulled, "message"), text(&nulled, "_rest")), (None, None));
    assert_eq!(text(&nulled, "region").as_deref(), Some("we"));
    assert_eq!(reason(r#"{"properties":{"message":"m"},"properties":1}"#), Reason::WrongType);
}

#[test]
fn deep_nesting_costs_no_stack() {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(1_000_000), close.repeat(1_000_000));
    for nested in [deep("[", "]"), deep("{\"a\":", "}")] {
        let kept = row(&format!(r#"{{"x":{nested},"Region":"we"}}"#));
        assert_eq!(text(&kept, "_rest"), Some(format!(r#"{{"x":{nested}}}"#)));
        assert!(row_with(Azure, Drop, &format!(r#"{{"properties":{{"x":{nested},"detail":"d"}}}}"#)).is_ok());
        assert_eq!(reason(&format!(r#"{{"Region":{nested}}}"#)), Reason::WrongType);
    }
    let array = deep("[", "]");
    assert_eq!(reason(&format!(r#"{{"properties":{array}}}"#)), Reason::WrongType);
    assert_eq!(reason(&array), Reason::NotAnObject);
    assert_eq!(reason(&"[".repeat(1_000_000)), Reason::InvalidJson);
    assert_eq!(reason(&"{\"properties\":".repeat(1_000_000)), Reason::InvalidJson);
}

#[test]
fn many_keys_and_many_properties_stay_linear() {
    let keys: Vec<String> = (0..100_000).map(|key| format!(r#""k{key}":1,"properties":{{"p":1}}"#)).collect();
    let row = row(&format!("{{\"time\":null,{}}}", keys.join(",")));
    let rest = text(&row, "_rest").unwrap();
    assert_eq!((rest.matches("\"k").count(), rest.matches("properties.p").count()), (100_000, 1));
}

#[test]
fn a_rejected_line_appends_nothing_and_the_builder_is_reusable() {
    let mut rows = RowBuilder::new(Azure, Keep);
    rows.push(br#"{"Region":"a\tb","x":1}"#, 0).unwrap();
    assert!(rows.push(br#"{"Region":"\u0063","y":1,"properties":{"processId":"x"}}"#, 10).is_err());
    assert!(rows.push(br#"{"Region":"d","properties":"#, 20).is_err());
    rows.push(br#"{"AppType":"\u0065"}"#, 30).unwrap();

    let first = rows.finish("one");
    assert!(rows.is_empty());
    rows.push(br#"{"Region":"f"}"#, 40).unwrap();
    let second = rows.finish("two");

    assert_eq!((first.num_rows(), second.num_rows(), rows.finish("three").num_rows()), (2, 1, 0));
    assert_eq!(text_at(&first, "region", 0).as_deref(), Some("a\tb"));
    assert_eq!(text_at(&first, "region", 1), None);
    assert_eq!(text_at(&first, "app_type", 1).as_deref(), Some("e"));
    assert_eq!((text_at(&first, "_rest", 0).as_deref(), text_at(&first, "_rest", 1)), (Some(r#"{"x":1}"#), None));
    assert_eq!(
        (text_at(&first, "_offset", 1).as_deref(), text(&second, "_offset").as_deref()),
        (Some("30"), Some("40"))
    );
    assert_eq!((text(&second, "region").as_deref(), text(&second, "_source").as_deref()), (Some("f"), Some("two")));
}

/// The lines of a sample file as `push` gets them: without newline, CR, BOM and blank lines.
fn sample(name: &str) -> Vec<String> {
    let path = format!("{}/../tests/samples/{name}.ndjson", env!("CARGO_MANIFEST_DIR"));
    let file = std::fs::read_to_string(path).unwrap();
    let lines = file.trim_start_matches('\u{feff}').lines().filter(|line| !line.trim().is_empty());
    lines.map(str::to_owned).collect()
}

fn push_sample(format: Format, name: &str) -> (RecordBatch, Vec<Result<(), Reason>>) {
    let mut rows = RowBuilder::new(format, Keep);
    let pushed = sample(name).iter().map(|line| rows.push(line.as_bytes(), 0)).collect();
    (rows.finish(name), pushed)
}

#[test]
fn azure_samples_become_rows() {
    for (name, lines) in [
        ("azure_flex_primary", 7),
        ("azure_flex_replica", 5),
        ("azure_flex_crlf_bom", 3),
        ("azure_flex_categories_other", 2),
        ("azure_single_server", 2),
    ] {
        let (batch, pushed) = push_sample(Azure, name);
        assert_eq!(pushed, vec![Ok(()); lines], "{name}");
        assert_eq!(batch["time"].null_count(), 0, "{name}");
    }
    let (batch, _) = push_sample(Azure, "azure_flex_primary");
    assert_eq!(text_at(&batch, "log_timestamp", 0).as_deref(), Some("1795244401467000"));
    assert_eq!(text_at(&batch, "time", 0).as_deref(), Some("1795244401468000"));
    assert_eq!(text_at(&batch, "process_id", 0).as_deref(), Some("20611"));
    let statement = text_at(&batch, "message", 2).unwrap();
    assert!(statement.ends_with("o\n\tWHERE o.customer_id = $1\n\tORDER BY o.created_at DESC LIMIT 50"), "{statement}");
    let mut messages = (0..7).filter_map(|place| text_at(&batch, "message", place));
    let audit = messages.find(|message| message.contains("AUDIT")).unwrap();
    assert!(audit.contains("'café ☃ 😀 \\\\ \"\"q\"\"'"), "{audit}");
}

#[test]
fn azure_edge_cases_are_rejected_one_by_one() {
    let (batch, pushed) = push_sample(Azure, "azure_flex_edge_cases");
    let rejected: Vec<_> = pushed.iter().enumerate().filter_map(|(line, pushed)| Some((line, pushed.err()?))).collect();
    let last = pushed.len() - 1;
    assert_eq!(rejected, [(0, Reason::InvalidJson), (1, Reason::InvalidJson), (last, Reason::InvalidJson)]);
    assert_eq!(text(&batch, "replica_role"), None);
}

#[test]
fn jsonlog_samples_become_rows() {
    for (name, lines) in [("pg_jsonlog_primary", 3), ("pg_jsonlog_replica", 2)] {
        let (batch, pushed) = push_sample(Jsonlog, name);
        assert_eq!(pushed, vec![Ok(()); lines], "{name}");
        assert_eq!((names(&batch.schema()), batch["_rest"].null_count()), (names(&schema(Jsonlog)), lines), "{name}");
    }
    let (batch, _) = push_sample(Jsonlog, "pg_jsonlog_primary");
    assert_eq!(text_at(&batch, "query_id", 1).as_deref(), Some("-4923847293847239111"));
    assert_eq!(text_at(&batch, "session_start", 1).as_deref(), Some("1795244392000000"));
    assert_eq!(text_at(&batch, "user", 0), None);
}

#[test]
fn a_text_column_is_of_its_type_or_a_dictionary_of_it() {
    let mut rows = RowBuilder::new(Azure, Keep);
    for line in 0..100 {
        let text = format!(r#"{{"category":"same","properties":{{"message":"{line}"}}}}"#);
        rows.push(text.as_bytes(), line).unwrap();
    }
    rows.finish("blob");
    rows.push(br#"{"category":"same","properties":{"message":"m"}}"#, 0).unwrap();
    let batch = rows.finish("blob");
    let keys = DataType::Dictionary(DataType::UInt16.into(), DataType::Utf8.into());
    assert_eq!((batch["category"].data_type(), batch["message"].data_type()), (&keys, &DataType::Utf8));
    for (field, of) in batch.schema().fields().iter().zip(schema(Azure).fields()) {
        assert!(field.data_type() == of.data_type() || *field.data_type() == keys, "{}", field.name());
    }
}

/// The rows of `line`, opened: each record's number, and its row or why it is none.
fn opened(format: Format, unknown_keys: UnknownKeys, line: &str) -> Vec<(Option<u64>, Result<RecordBatch, Reason>)> {
    let mut rows = RowBuilder::new(format, unknown_keys).opening();
    match rows.take(line, 42) {
        Ok(Taken::Row) => vec![(None, Ok(rows.finish("blob")))],
        Ok(Taken::Nothing) => vec![],
        Ok(Taken::Items(shape, items)) => {
            let row =
                |item: Item<'_>| (Some(item.number), rows.take_item(shape, &item, 42).map(|()| rows.finish("blob")));
            items.map(row).collect()
        }
        Err(reason) => vec![(None, Err(reason))],
    }
}

/// The one row of `line`, opened.
fn one(format: Format, line: &str) -> RecordBatch {
    match opened(format, Keep, line).pop() {
        Some((None, Ok(row))) => row,
        other => panic!("{line} became {other:?}"),
    }
}

#[test]
fn records_of_an_envelope_are_rows_with_the_offset_of_its_line_and_their_number() {
    for line in [
        r#"{"records": [{"Region":"a"}, 7,{"x":1}, [{"Region":"b"}], {"Region":"c"}]}"#,
        r#"[{"Region":"a"}, 7,{"x":1}, [{"Region":"b"}], {"Region":"c"}]"#,
    ] {
        let records = opened(Azure, Keep, line);
        let told: Vec<_> = records
            .iter()
            .map(|(item, row)| (item.unwrap(), row.as_ref().map(|row| text(row, "region")).map_err(|reason| *reason)))
            .collect();
        let region = |region: &str| Ok(Some(region.to_owned()));
        let expected = [
            (0, region("a")),
            (1, Err(Reason::NotAnObject)),
            (2, Err(Reason::UnknownShape)),
            (3, Err(Reason::NotAnObject)),
            (4, region("c")),
        ];
        assert_eq!(told, expected, "{line}");
        let last = records[4].1.as_ref().unwrap();
        assert_eq!((text(last, "_offset").as_deref(), text(last, "_item").as_deref()), (Some("42"), Some("4")));
    }
    assert_eq!(text(&row(r#"{"Region":"a"}"#), "_item"), None, "a line that is the record has no number");
}

#[test]
fn an_array_over_many_lines_is_its_elements() {
    assert!(opened(Azure, Keep, " [").is_empty() && opened(Azure, Keep, "]").is_empty());
    let row = one(Azure, r#"{"Region":"a","x":1}, "#);
    assert_eq!((text(&row, "region").as_deref(), text(&row, "_item")), (Some("a"), None));
    assert_eq!(opened(Azure, Keep, r#"{"Region":"a"#)[0].1.as_ref().err(), Some(&Reason::InvalidJson));
    assert_eq!(opened(Azure, Keep, r#"{"Region":[1]},"#)[0].1.as_ref().err(), Some(&Reason::WrongType));
}

#[test]
fn a_record_is_taken_out_of_its_wrapper_and_the_rest_is_kept_beside() {
    let record = r#"{"message":"m","pid":7,"y":[1]}"#;
    let text_of_it = serde_json::Value::from(format!("{record}\n"));
    let cases = [
        (
            format!(r#"{{"log":{text_of_it},"stream":"stderr","time":"t"}}"#),
            r#"{"y":[1],"envelope.stream":"stderr","envelope.time":"t"}"#,
        ),
        (
            format!("2026-11-21T07:00:03.13Z stdout F {record}"),
            r#"{"y":[1],"envelope.time":"2026-11-21T07:00:03.13Z","envelope.stream":"stdout"}"#,
        ),
        (
            format!(r#"{{"insertId":"i","jsonPayload":{record},"timestamp":"t"}}"#),
            r#"{"y":[1],"envelope.insertId":"i","envelope.timestamp":"t"}"#,
        ),
        (
            format!(r#"2026-11-21T07:00:03Z stderr F {{"ts":1.5,"record":{record}}}"#),
            r#"{"y":[1],"envelope.time":"2026-11-21T07:00:03Z","envelope.stream":"stderr","envelope.log.ts":1.5}"#,
        ),
    ];
    for (line, rest) in cases {
        let row = one(Jsonlog, &line);
        assert_eq!((text(&row, "message").as_deref(), text(&row, "pid").as_deref()), (Some("m"), Some("7")), "{line}");
        assert_eq!(text(&row, "_rest").as_deref(), Some(rest));
        let reject = opened(Jsonlog, Reject, &line).pop().unwrap().1;
        assert_eq!(reject.err(), Some(Reason::UnknownKey), "{line}");
        let dropped = opened(Jsonlog, Drop, &line).pop().unwrap().1.unwrap();
        assert_eq!((text(&dropped, "_rest"), text(&dropped, "message").as_deref()), (None, Some("m")));
    }
}

#[test]
fn a_record_of_cloudnativepg_has_the_names_of_csvlog() {
    let line = r#"{"level":"info","logger":"postgres","record":{"log_time":"1970-01-01 00:00:01 UTC","user_name":"app",
        "process_id":7,"message":"m","connection_from":"10.0.0.9:5"}}"#;
    let row = one(Jsonlog, line);
    let columns = ["timestamp", "user", "pid", "message", "remote_host"].map(|column| text(&row, column));
    assert_eq!(columns, [Some("1000000"), Some("app"), Some("7"), Some("m"), None].map(|v| v.map(str::to_owned)));
    let rest = r#"{"connection_from":"10.0.0.9:5","envelope.level":"info","envelope.logger":"postgres"}"#;
    assert_eq!(text(&row, "_rest").as_deref(), Some(rest));
}

#[test]
fn what_cannot_be_opened_exactly_is_no_row() {
    let plain = r#"{"textPayload":"2026-11-21 07:00:13 UTC [14]: LOG: x","timestamp":"2026-11-21T07:00:13Z"}"#;
    let two = r#"{"records":[{"message":"m"}],"records":[]}"#;
    let twins = r#"{"log":"{\"message\":\"m\",\"envelope.stream\":1}","stream":"stderr"}"#;
    for line in [plain, two, twins, r#"{"record":{"x":1}}"#, r#"{"record":{"message":"m"},"record":{}}"#] {
        let reason = opened(Jsonlog, Keep, line).pop().unwrap().1.err();
        assert_eq!(reason, Some(Reason::UnknownShape), "{line}");
    }
    let pgbouncer = r#"{"category":"c","log":"LOG C-1","source":"stderr","stream":"s","time":"1970-01-01T00:00:00Z"}"#;
    assert_eq!(text(&one(Azure, pgbouncer), "category").as_deref(), Some("c"), "a category of Azure has a key `log`");
}

#[test]
fn what_was_opened_is_counted() {
    let mut rows = RowBuilder::new(Jsonlog, Keep).opening();
    assert!(rows.take(r#"{"message":"m"}"#, 0).is_ok() && rows.opened().is_empty());
    let Ok(Taken::Items(shape, items)) = rows.take(r#"[{"record":{"message":"m"}},1]"#, 0) else { panic!("an array") };
    let taken: Vec<_> = items.map(|item| rows.take_item(shape, &item, 0)).collect();
    assert_eq!(taken, [Ok(()), Err(Reason::NotAnObject)]);
    let opened: Vec<_> = rows.opened().iter().map(|(shape, count)| (shape, count.lines, count.records)).collect();
    assert_eq!(opened, [(shape::Shape::Array, 1, 2), (shape::Shape::CloudNativePg, 1, 1)]);
}
