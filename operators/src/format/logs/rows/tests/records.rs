//! Records of envelopes and wrappers.

use super::*;

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
