//! Lines that a generator hardly finds.

use super::*;

/// Wraps a record in the way of number `how`: wrappers, envelopes, and near misses.
pub(super) fn wrapped(record: &str, how: usize) -> String {
    let text = serde_json::Value::from(record);
    match how {
        0 => format!(r#"{{"records":[{record}]}}"#),
        1 => format!(r#"[{record} , {{"message":"m","time":null}},[{record}],1 , {record}]"#),
        2 => format!(r#"{record} , "#),
        3 => format!(r#"{{"level":"info","ts":1.5,"logger":"postgres","record":{record},"logging_pod":"p"}}"#),
        4 => format!(r#"{{"insertId":"i","textPayload":{text},"timestamp":"2026-11-21T07:00:13Z","x":1,"x":[2]}}"#),
        5 => format!(r#"{{"jsonPayload":{record},"timestamp":"2026-11-21T07:00:13Z"}}"#),
        6 => format!(r#"{{"log":{text},"stream":"stderr","time":"2026-11-21T07:00:03.1Z"}}"#),
        7 => format!("2026-11-21T07:00:03.130000001Z stderr F {record}"),
        8 => format!(r#"{{"log":{text},"log.x":1,"stream":"stderr","time":"t"}}"#),
        9 => format!(r#"{{"records":[{record}],"more":1}}"#),
        10 => format!(r#"{{"re\u0063ords":[ {record},{{}} ]}}"#),
        11 => format!("2026-11-21T07:00:03+01:00 stdout P {record}"),
        12 => format!(r#"{{"record":{record},"time":null,"timestamp":null}}"#),
        13 => format!(r#"{{"log":{text},"stream":"stderr","envelope.stream":"s","properties":{{}}}}"#),
        _ => record.to_owned(),
    }
}

/// Wrappers in wrappers, wrappers in envelopes, and records with the names of `csvlog`.
#[test]
fn records_are_found_in_the_same_shapes() {
    let csvlog =
        r#"{"log_time":"2026-11-21 07:00:02.961 UTC","user_name":"app","process_id":11282,"user":"u","query":"q",
        "connection_from":"10.0.0.9:1","location":"f, g.c:1","message":"duration","envelope.x":1}"#
            .replace("\n        ", "");
    let records = [
        r#"{"message":"m","user":"u","properties":{"message":"a\tb","y":[1]}}"#,
        r#"{"time":"2026-11-21T07:00:03Z","Region":"we","envelope.stream":1,"b":"\ud83d"}"#,
        r#"{"message":"m","b":1,"properties":{"processId":"x"}}"#,
        r#"{"message":1.5}"#,
        r#"{"x":1}"#,
        "{}",
        "{",
        "text",
        r#""\ud83d""#,
        &csvlog,
        &csvlog.replace("\"envelope.x\"", "\"x\""),
    ];
    let mut lines: Vec<String> =
        ["[", " ]\t", "[]", "{\"records\":[]}", "],", "[[]]", "[1", ","].map(str::to_owned).into();
    for record in records {
        for outer in 0..=14 {
            for inner in 0..=14 {
                lines.push(wrapped(&wrapped(record, inner), outer));
            }
        }
    }
    let deep = (0..8).fold(records[0].to_owned(), |record, depth| wrapped(&record, 3 + depth % 4));
    lines.extend([deep, format!("[{}]", "[".repeat(100_000) + &"]".repeat(100_000))]);
    let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    for format in [Format::Azure, Format::Jsonlog] {
        for unknown_keys in [UnknownKeys::Keep, UnknownKeys::Drop, UnknownKeys::Reject] {
            assert_same_records(&lines, format, unknown_keys);
        }
    }
}

/// Lines that a generator is unlikely to find.
#[test]
fn odd_lines_become_the_same() {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(200_000), close.repeat(200_000));
    let (arrays, objects) = (deep("[", "]"), deep("{\"a\":", "}"));
    let many: Vec<String> = (0..20_000).map(|key| format!(r#""k{key}":1,"properties":{{"p":1}}"#)).collect();
    let mut lines = vec![
        format!(r#"{{"x":{arrays}}}"#),
        format!(r#"{{"properties":{arrays}}}"#),
        format!(r#"{{"properties":{{"x":{objects}}}}}"#),
        format!(r#"{{"Region":{objects}}}"#),
        arrays,
        "[".repeat(200_000),
        "{\"properties\":".repeat(200_000),
        format!("{{{}}}", many.join(",")),
        format!(r#"{{"properties":{}}}"#, "9".repeat(400)),
        format!(r#"{{"properties":{{"processId":{}}}}}"#, "9".repeat(400)),
        format!(r#"{{"properties":0.{}1e400}}"#, "0".repeat(400)),
    ];
    let few = [
        "",
        "{",
        "{}}",
        "{} x",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":-}",
        "{\"a\":+1}",
        "{\"a\":\"\t\"}",
        "\u{feff}{}",
        "\u{a0}{}",
        "nul",
        "null",
        "[1",
        " [] ",
        "{\"a\":1e}",
        "{\"a\":1e+}",
        "{\"a\":.5}",
        "-",
        "1 2",
        r#"{"properties":"\ud83d","properties":{}}"#,
        r#"{"properties":"\ud83d\ude00"}"#,
        r#"{"properties":{"\ude00":1},"properties":null}"#,
        r#"{"properties":1e999,"properties":null}"#,
        r#"{"properties":["\ud83d",1e999]}"#,
        r#"{"properties":[1],"properties":{"message":"m","x":1},"y":{"\ud800":[1e999]}}"#,
        r#"{"Region":"\ud83d","Region":"we","time":"\ud83d","time":null}"#,
        r#"{"Region":"\ud83d\u0041"}"#,
        r#"{"properties":{"processId":"7"},"Region":"\ude00"}"#,
        r#"{"a\"\\\b\f\n\r\t\u0001\u007f\u2028":1,"properties":{"a\/":2},"properties.a/":3}"#,
        r#"{"properties":{"processId":-0},"x": 1.50 , "x":[ 1 ] }"#,
        r#"{"properties":{"processId":9223372036854775808}}"#,
        r#"{"properties":{"processId":"7","sqlerrcode":0,"message":true,"detail":-1.50}}"#,
        r#"{"properties":{"processId":"\u0037"},"Region":1e999}"#,
        r#"{"properties":{"processId":"\ud83d"}}"#,
        r#"{"properties":{"processId":" 7"}}"#,
        r#"{"properties":{"processId":"true"}}"#,
        r#"{"properties":{"processId":"[1]"}}"#,
        r#"{"properties":{"processId":"\"7\""}}"#,
        r#"{"properties":{"processId":""},"x":1}"#,
        r#"{"properties":{"processId":1e99999999999999999999999999999999999999999}}"#,
        r#"{"properties":{"processId":1e-99999999999999999999999999999999999999999}}"#,
        r#"{"properties":{"processId":"-9.223372036854775808e18","message":{"a":1}}}"#,
        r#"{"properties.x":1,"properties":{"x":2},".properties.x":3,"..properties.x":4,".x":5,"properties":{"x":6}}"#,
        r#"{"timestamp":"2026-11-21 07:00:01.1234567 CEST","properties":{"timestamp":"1970-01-01T00:00:00\u005a"}}"#,
    ];
    lines.extend(few.map(str::to_owned));
    for line in &lines {
        for format in [Format::Azure, Format::Jsonlog] {
            for unknown_keys in [UnknownKeys::Keep, UnknownKeys::Drop, UnknownKeys::Reject] {
                assert_agreement(line.as_bytes(), format, unknown_keys);
            }
        }
    }
    for line in [&b"{\"x\":\"\xff\"}"[..], b"\xc3", b"{\"\xed\xa0\x80\":1}"] {
        assert_agreement(line, Format::Azure, UnknownKeys::Keep);
    }
}
