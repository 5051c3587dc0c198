//! The same rules once more, slowly: a reference on `serde_json::Value` that the fast path is compared with.
//!
//! It shares nothing with the code it checks, not even the list of columns. It cannot judge lines that are JSON by grammar
//! but that `Value` refuses (half a surrogate pair, a number beyond any float, deep nesting); `tests.rs` covers those.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};

/// Column, key (`p.` for those of `properties`), type: string, integer or time.
const AZURE: &str = "time time t,resource_id resourceId s,location location s,category category s,\
    operation_name operationName s,log_timestamp p.timestamp t,process_id p.processId i,error_level p.errorLevel s,\
    sqlerrcode p.sqlerrcode s,backend_type p.backend_type s,message p.message s,detail p.detail s,server_type ServerType s,\
    logical_server_name LogicalServerName s,server_version ServerVersion s,server_location ServerLocation s,\
    replica_role ReplicaRole s,original_primary_server_name OriginalPrimaryServerName s,app_image AppImage s,\
    app_type AppType s,app_version AppVersion s,region Region s";
const JSONLOG: &str = "timestamp timestamp t,user user s,dbname dbname s,pid pid i,remote_host remote_host s,\
    remote_port remote_port i,session_id session_id s,line_num line_num i,ps ps s,session_start session_start t,vxid vxid s,\
    txid txid i,error_severity error_severity s,state_code state_code s,message message s,detail detail s,hint hint s,\
    internal_query internal_query s,internal_position internal_position i,context context s,statement statement s,\
    cursor_position cursor_position i,func_name func_name s,file_name file_name s,file_line_num file_line_num i,\
    application_name application_name s,backend_type backend_type s,leader_pid leader_pid i,query_id query_id i";

/// A row as the reference sees it: text, integers and moments as JSON values, `_rest` as an object.
type Row = BTreeMap<String, Value>;

/// Column, key and type of each column of `format`.
fn columns(format: Format) -> Vec<(&'static str, &'static str, &'static str)> {
    let list = if format == Format::Azure { AZURE } else { JSONLOG };
    let words = list.split(',').map(|column| column.split_whitespace().collect::<Vec<_>>());
    words.map(|words| (words[0], words[1], words[2])).collect()
}

/// What `line` should become; `None` if the reference cannot tell.
fn expected(line: &[u8], format: Format, unknown_keys: UnknownKeys) -> Option<Result<Row, Vec<Reason>>> {
    let Ok(text) = std::str::from_utf8(line) else { return Some(Err(vec![Reason::InvalidUtf8])) };
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(_) if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() => return None,
        Err(_) => return Some(Err(vec![Reason::InvalidJson])),
    };
    let Value::Object(mut object) = value else { return Some(Err(vec![Reason::NotAnObject])) };

    let mut faults = Vec::new();
    if format == Format::Azure {
        match object.remove("properties") {
            None | Some(Value::Null) => {}
            Some(Value::Object(inner)) => {
                object.extend(inner.into_iter().map(|(key, value)| (format!("p.{key}"), value)))
            }
            Some(_) => return Some(Err(vec![Reason::WrongType])),
        }
    }
    let mut row = Row::new();
    for (column, key, kind) in columns(format) {
        match (kind, object.remove(key).unwrap_or(Value::Null)) {
            (_, Value::Null) => {}
            // `Value` knows `-0` as a float only.
            ("i", Value::Number(number)) if number.as_f64() == Some(0.0) && number.is_f64() => return None,
            ("s", value @ Value::String(_)) => _ = row.insert(column.into(), value),
            ("i", Value::Number(number)) if number.is_i64() => _ = row.insert(column.into(), number.into()),
            ("i", Value::Number(number)) if number.is_u64() => faults.push(Reason::IntegerOutOfRange),
            // Whether a float was written as one is beyond `Value`, so either reason will do.
            ("i", Value::Number(_)) => faults.extend([Reason::WrongType, Reason::IntegerOutOfRange]),
            ("t", Value::String(text)) => match moment(&text, zone_minutes(&text)?) {
                Some(micros) => _ = row.insert(column.into(), micros.into()),
                None => faults.push(Reason::MalformedTime),
            },
            _ => faults.push(Reason::WrongType),
        }
    }
    if !object.is_empty() {
        match unknown_keys {
            UnknownKeys::Drop => {}
            UnknownKeys::Reject => faults.push(Reason::UnknownKey),
            UnknownKeys::Keep => {
                let renamed = object.into_iter().map(|(key, value)| match key.strip_prefix("p.") {
                    Some(inner) if format == Format::Azure => (format!("properties.{inner}"), value),
                    _ => (key, value),
                });
                row.insert("_rest".into(), Value::Object(renamed.collect::<Map<_, _>>()));
            }
        }
    }
    Some(if faults.is_empty() { Ok(row) } else { Err(faults) })
}

/// A time's text before its zone, and the zone.
fn split_zone(text: &str) -> (&str, &str) {
    let clock_at = text.find(['T', ' ']).map_or(text.len(), |at| at + 1);
    let zone_length = text[clock_at..].find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.');
    text.split_at(zone_length.map_or(text.len(), |length| clock_at + length))
}

/// Minutes east of the zones that the generator below writes; `Some(None)` for those of them that are to be refused, and
/// `None` for others, which the tests of `time.rs` cover.
fn zone_minutes(text: &str) -> Option<Option<i64>> {
    let (_, zone) = split_zone(text);
    match zone.strip_prefix(' ').unwrap_or(zone) {
        "Z" | "UTC" | "GMT" | "+00" | "-00" => Some(Some(0)),
        "CEST" | "+02:00" => Some(Some(120)),
        "EST" => Some(Some(-300)),
        "-0330" => Some(Some(-210)),
        "" | "IST" | " Z" => Some(None),
        _ => None,
    }
}

/// A moment, by counting the days of every year before it.
fn moment(text: &str, minutes_east: Option<i64>) -> Option<i64> {
    let all_digits = |part: &str, length: usize| part.len() == length && part.chars().all(|c| c.is_ascii_digit());
    let (date, clock) = split_zone(text).0.split_once(['T', ' '])?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let date: Vec<&str> = date.split('-').collect();
    let clock: Vec<&str> = clock.split(':').collect();
    let lengths = date.len() == 3 && clock.len() == 3 && all_digits(date[0], 4);
    if !lengths || !date[1..].iter().chain(&clock).all(|part| all_digits(part, 2)) {
        return None;
    }
    if !(1..=9).contains(&fraction.len()) || !all_digits(fraction, fraction.len()) {
        return None;
    }
    let date: Vec<i64> = date.iter().map(|part| part.parse().unwrap()).collect();
    let clock: Vec<i64> = clock.iter().map(|part| part.parse().unwrap()).collect();
    let leap = |year: i64| year % 4 == 0 && year % 100 != 0 || year % 400 == 0;
    let february = if leap(date[0]) { 29 } else { 28 };
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let in_range = date[0] >= 1 && (1..=12).contains(&date[1]) && clock[0] < 24 && clock[1] < 60 && clock[2] < 60;
    if !in_range || !(1..=months[date[1] as usize - 1]).contains(&date[2]) {
        return None;
    }
    // The first of January of the year 1 is 719,162 days before 1970.
    let days_before: i64 = (1..date[0]).map(|year| if leap(year) { 366 } else { 365 }).sum::<i64>() - 719_162;
    let days = days_before + months[..date[1] as usize - 1].iter().sum::<i64>() + date[2] - 1;
    let minutes = (days * 24 + clock[0]) * 60 + clock[1] - minutes_east?;
    let micros: i64 = format!("{fraction:0<9}")[..6].parse().unwrap();
    Some((minutes * 60 + clock[2]) * 1_000_000 + micros)
}

/// What the builder made of `line`, in the reference's terms.
fn actual(line: &[u8], format: Format, unknown_keys: UnknownKeys) -> Result<Row, Reason> {
    let mut rows = RowBuilder::new(format, unknown_keys);
    let pushed = rows.push(line, 1);
    assert_eq!(rows.len(), usize::from(pushed.is_ok()));
    pushed.map(|()| values(&rows.finish("blob")))
}

fn values(batch: &RecordBatch) -> Row {
    let mut row = Row::new();
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        if array.is_null(0) || ["_source", "_offset"].contains(&field.name().as_str()) {
            continue;
        }
        let value = if let Some(texts) = array.as_string_opt::<i32>() {
            let text = texts.value(0);
            // A `_rest` that `Value` refuses stays text, which no reference row has there.
            if field.name() == "_rest" {
                serde_json::from_str(text).unwrap_or_else(|_| text.into())
            } else {
                text.into()
            }
        } else if let Some(integers) = array.as_primitive_opt::<Int64Type>() {
            integers.value(0).into()
        } else {
            array.as_primitive::<TimestampMicrosecondType>().value(0).into()
        };
        row.insert(field.name().clone(), value);
    }
    row
}

/// A string as JSON text, some of its characters as escapes.
fn json_string() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        6 => "[ -!#-\\[\\]-~]",
        1 => "[é☃😀\u{7f}\u{2028}]",
        1 => prop::sample::select(vec![r#"\""#, r"\\", r"\/", r"\b", r"\f", r"\n", r"\r", r"\t"]).prop_map(str::to_owned),
        1 => (0_u32..0xD800).prop_map(|unit| format!("\\u{unit:04x}")),
        1 => (0xD800_u32..0xDC00, 0xDC00_u32..0xE000).prop_map(|(high, low)| format!("\\u{high:04X}\\u{low:04x}")),
    ];
    prop::collection::vec(character, 0..12).prop_map(|characters| format!("\"{}\"", characters.concat()))
}

fn integer() -> impl Strategy<Value = String> {
    let fitting = vec!["0", "9223372036854775807", "-9223372036854775808"];
    let others = vec!["9223372036854775808", "-9223372036854775809", "99999999999999999999", "1.0", "1e3"];
    let edges = prop_oneof![prop::sample::select(fitting), prop::sample::select(others)];
    prop_oneof![6 => any::<i64>().prop_map(|n| n.to_string()), 1 => edges.prop_map(str::to_owned)]
}

fn time() -> impl Strategy<Value = String> {
    let zones = vec!["Z", " UTC", "GMT", " +00", " CEST", " EST", "+02:00", " -0330", " -00", " IST", "", "  Z"];
    let fractions = vec!["", "", ".468", ".1", ".123456789", ".000001", ".", ".1234567890"];
    let zone = prop_oneof![8 => prop::sample::select(zones[..9].to_vec()), 1 => prop::sample::select(zones)];
    let fraction =
        prop_oneof![8 => prop::sample::select(fractions[..6].to_vec()), 1 => prop::sample::select(fractions)];
    let date = prop_oneof![8 => (1_u32..10000, 1_u32..13, 1_u32..29), 1 => (0_u32..10000, 0_u32..14, 0_u32..33)];
    let clock = prop_oneof![12 => (0_u32..24, 0_u32..60, 0_u32..60), 1 => (0_u32..26, 0_u32..62, 0_u32..62)];
    let separator = prop_oneof![Just('T'), Just(' ')];
    (date, clock, fraction, zone, separator).prop_map(|(date, clock, fraction, zone, separator)| {
        let ((year, month, day), (hour, minute, second)) = (date, clock);
        format!("\"{year:04}-{month:02}-{day:02}{separator}{hour:02}:{minute:02}:{second:02}{fraction}{zone}\"")
    })
}

/// Any JSON value, nested at times.
fn any_value() -> impl Strategy<Value = String> {
    let words = vec!["null", "true", "false", "-1.5E-2", "[]", "{}", "-0"];
    let leaf = prop_oneof![json_string(), integer(), prop::sample::select(words).prop_map(str::to_owned)];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|values| format!("[ {}]", values.join(" ,"))),
            prop::collection::vec((json_string(), inner), 0..3).prop_map(object),
        ]
    })
}

fn object(members: Vec<(String, String)>) -> String {
    let members: Vec<String> = members.into_iter().map(|(key, value)| format!("{key}: {value}")).collect();
    format!("{{{} }}", members.join(","))
}

/// A member of the object of one scope: mostly a known key with a value of its type.
fn member(format: Format, scope_prefix: &'static str) -> BoxedStrategy<(String, String)> {
    let known: Vec<_> = columns(format)
        .into_iter()
        .filter_map(|(_, key, kind)| match (key.strip_prefix("p."), scope_prefix) {
            (Some(inner), "p.") => Some((inner, kind)),
            (None, "") => Some((key, kind)),
            _ => None,
        })
        .collect();
    let known = prop::sample::select(known).prop_flat_map(|(key, kind)| {
        let value = match kind {
            "s" => json_string().boxed(),
            "i" => integer().boxed(),
            _ => time().boxed(),
        };
        let value = prop_oneof![30 => value, 1 => any_value(), 1 => Just("null".to_owned())];
        let first = u32::from(key.as_bytes()[0]);
        let escaped = format!("\"\\u{first:04x}{}\"", &key[1..]);
        (prop_oneof![9 => Just(format!("\"{key}\"")), 1 => Just(escaped)], value)
    });
    prop_oneof![8 => known, 1 => (json_string(), any_value())].boxed()
}

fn line(format: Format) -> BoxedStrategy<String> {
    if format == Format::Jsonlog {
        return prop::collection::vec(member(format, ""), 0..12).prop_map(object).boxed();
    }
    let inner = prop::collection::vec(member(format, "p."), 0..8).prop_map(object);
    let properties = prop_oneof![12 => inner.boxed(), 1 => any_value().boxed()];
    let properties = properties.prop_map(|value| ("\"properties\"".to_owned(), value));
    let members = prop_oneof![4 => member(format, ""), 1 => properties];
    prop::collection::vec(members, 0..12).prop_map(object).boxed()
}

fn format_and_line() -> impl Strategy<Value = (Format, String)> {
    prop_oneof![Just(Format::Azure), Just(Format::Jsonlog)].prop_flat_map(|format| (Just(format), line(format)))
}

fn unknown_keys() -> impl Strategy<Value = UnknownKeys> {
    prop::sample::select(vec![UnknownKeys::Keep, UnknownKeys::Drop, UnknownKeys::Reject])
}

/// The builder and the reference agree on `line`, on the reason if there is only one.
fn assert_agreement(line: &[u8], format: Format, unknown_keys: UnknownKeys) {
    let actual = actual(line, format, unknown_keys);
    let shown = String::from_utf8_lossy(line);
    match (actual, expected(line, format, unknown_keys)) {
        (_, None) => {}
        (Ok(actual), Some(Ok(expected))) => assert_eq!(actual, expected, "{shown}"),
        (Err(reason), Some(Err(faults))) => {
            assert!(faults.contains(&reason), "{reason:?} is not in {faults:?}: {shown}")
        }
        (actual, expected) => panic!("{actual:?}, but expected {expected:?}: {shown}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lines_become_what_the_reference_says((format, line) in format_and_line(), unknown_keys in unknown_keys()) {
        assert_agreement(line.as_bytes(), format, unknown_keys);
    }

    #[test]
    fn mutated_lines_become_what_the_reference_says(
        (format, line) in format_and_line(),
        unknown_keys in unknown_keys(),
        mutations in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4), 1..4),
    ) {
        let mut line = line.into_bytes();
        for (place, byte, kind) in mutations {
            let place = place.index(line.len());
            match kind {
                0 => line[place] = byte,
                1 => line[place] = b"{}[]\",:\\0e-. nt"[usize::from(byte) % 15],
                2 => line.insert(place, b"{}[]\",:\\0e-. nt"[usize::from(byte) % 15]),
                _ if line.len() > 1 => _ = line.remove(place),
                _ => {}
            }
        }
        assert_agreement(&line, format, unknown_keys);
    }
}
