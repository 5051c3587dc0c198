//! What values become, and which reasons they give.

use super::*;

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
