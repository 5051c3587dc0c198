//! Forms of events that the recorded workload does not have.

use serde_json::json;

use super::*;

fn envelope(op: &str, rest: &str) -> String {
    format!(r#"{{"op":"{op}","source":{{"db":"d","schema":"s","table":"t","lsn":7,"txId":8,"ts_ms":1}},{rest}}}"#)
}

#[test]
fn bare_values() {
    let event = one(&envelope("c", r#""before":null,"after":{"id":1}"#));
    let expected = json!({
        "operation": "insert", "table": "t", "data": {"id": 1}, "before": null, "timestamp": "1970-01-01T00:00:00.001000Z",
        "metadata": {"database": "d", "schema": "s", "lsn": 7, "txId": 8}, "primary_key": null,
    });
    assert_eq!(event, expected);
    let delete = one(&envelope("d", r#""before":{"id":1,"name":""},"after":null"#));
    assert_eq!(delete["before"], json!(null), "which columns are the key is not known");
}

#[test]
fn rows_of_an_incremental_snapshot_have_no_lsn() {
    let line = envelope("r", r#""after":{"id":1}"#)
        .replace("\"lsn\":7,\"txId\":8", "\"lsn\":null,\"txId\":null,\"snapshot\":\"incremental\"");
    let event = one(&line);
    assert_eq!((&event["operation"], &event["metadata"]["snapshot"]), (&json!("read"), &json!("incremental")));
    assert_eq!((&event["metadata"]["lsn"], &event["metadata"]["txId"]), (&json!(null), &json!(null)));
}

#[test]
fn truncates_have_neither_row_nor_key() {
    let line = format!(r#"{{"topic":"p.s.t","key":null,"value":{}}}"#, envelope("t", r#""before":null,"after":null"#));
    let event = one(&line);
    assert_eq!(
        (&event["operation"], &event["data"], &event["primary_key"]),
        (&json!("truncate"), &json!(null), &json!(null))
    );
}

#[test]
fn kcat_gives_texts_that_hold_json() {
    let value = envelope("u", r#""before":null,"after":{"id" : 1, "n":9007199254740993}"#);
    let line = json!({
        "topic": "p.s.t", "partition": 3, "offset": 42, "tstype": "create", "ts": 5, "broker": 1,
        "headers": ["__debezium.oldkey", "{\"id\":9}", "h", null], "key": "{\"id\":1}", "payload": format!("{value}\n"),
    });
    let event = one(&line.to_string());
    assert_eq!(event["data"], json!({"id": 1, "n": 9007199254740993_i64}));
    assert_eq!((&event["metadata"]["partition"], &event["metadata"]["offset"]), (&json!(3), &json!(42)));
    assert_eq!((&event["primary_key"], &event["metadata"]["old_key"]), (&json!({"id": 1}), &json!({"id": 9})));
}

#[test]
fn a_full_identity_is_seen_only_where_the_schema_shows_it() {
    let line = |value: &str, default: &str| {
        let row = format!(
            r#"{{"type":"struct","fields":[{{"type":"int32","optional":false,"field":"id"}},{{"type":"string","optional":true{default},"field":"note"}}],"optional":true,"field":"before"}}"#
        );
        let payload = envelope("d", &format!(r#""before":{{"id":1,"note":{value}}},"after":null"#));
        format!(
            r#"{{"topic":"p.s.t","key":{{"id":1}},"value":{{"schema":{{"type":"struct","fields":[{row}]}},"payload":{payload}}}}}"#
        )
    };
    assert_eq!(one(&line("\"x\"", ""))["before"], json!({"id": 1, "note": "x"}));
    assert_eq!(one(&line("null", ""))["before"], json!({"id": 1}));
    assert_eq!(one(&line("\"x\"", r#","default":"x""#))["before"], json!({"id": 1}), "it may be the default");
}

#[test]
fn an_unwrapped_row_needs_a_sign_that_it_is_one() {
    let row = r#"{"id":1,"name":"x"}"#;
    assert_eq!(told(&mut Decoder::default(), row.as_bytes()), Err(Reason::NoEvent));
    let line =
        format!(r#"{{"topic":"p.s.t","key":{{"id":1}},"value":{row},"headers":[{{"key":"__op","value":"c"}}]}}"#);
    let event = one(&line);
    assert_eq!(
        (&event["operation"], &event["table"], &event["metadata"]["schema"]),
        (&json!("insert"), &json!("t"), &json!("s"))
    );
    let event = one(&line.replace("\"__op\",\"value\":\"c\"", "\"__debezium.context.taskId\",\"value\":\"0\""));
    assert_eq!((&event["operation"], &event["metadata"]["upsert"]), (&json!("update"), &json!(true)));
}

#[test]
fn what_is_no_event_says_why() {
    let envelope = envelope("c", r#""after":{"id":1}"#);
    let wrong = [
        (envelope.replace("\"op\":\"c\"", "\"op\":\"x\""), Reason::Operation),
        (envelope.replace("\"op\":\"c\",", ""), Reason::Missing { name: "op" }),
        (envelope.replace("\"table\":\"t\",", ""), Reason::Missing { name: "table" }),
        (envelope.replace("{\"id\":1}", "null"), Reason::Missing { name: "after" }),
        (envelope.replace("{\"id\":1}", "{\"id\":1,\"id\":2}"), Reason::Twice { name: "id".to_owned() }),
        (
            envelope.replace("\"lsn\":7", "\"lsn\":1e3"),
            Reason::Unlike { name: "lsn".to_owned(), expected: "a whole number of 64 bits" },
        ),
        (envelope.replace("{\"id\":1}", "{\"id\":\"\\ud800\"}"), Reason::Surrogate { name: "id".to_owned() }),
        ("7".to_owned(), Reason::Unlike { name: "value".to_owned(), expected: "an object" }),
        ("{\"hello\":\"world\"}".to_owned(), Reason::NoEvent),
    ];
    for (line, reason) in wrong {
        assert_eq!(told(&mut Decoder::default(), line.as_bytes()), Err(reason), "{line}");
    }
}
