//! `parse` against `serde_json`: both must take the same lines as rows, with the same values.
//!
//! The reference knows the rules for rows, but not how lakefront reads them. It does not check one
//! thing: which texts are moments.

use std::collections::BTreeMap;
use std::fmt;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType, UInt16Type};
use arrow_array::{Array, RecordBatch};
use lakefront_operators::format::logs::record::Reason;
use lakefront_operators::format::logs::rows::{RowBuilder, Taken};
use lakefront_operators::format::logs::settings::{Format, UnknownKeys};
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

/// The first byte chooses the format, what becomes of unknown keys, and the number of lines per
/// batch. Each line of the rest is pushed twice into one builder, which remembers earlier lines.
///
/// # Panics
/// If one takes a line that the other rejects, or their values differ.
pub fn check(input: &[u8]) {
    let Some((choice, bytes)) = input.split_first() else { return };
    let format = if choice % 2 == 0 { Format::Azure } else { Format::Jsonlog };
    let unknown_keys = [UnknownKeys::Keep, UnknownKeys::Drop, UnknownKeys::Reject][usize::from(choice / 2 % 3)];
    let mut rows = RowBuilder::new(format, unknown_keys);
    let most = usize::from(choice / 6) + 1;
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    for batch in lines.iter().chain(&lines).collect::<Vec<_>>().chunks(most) {
        let mut expected = Vec::new();
        for line in batch {
            let (pushed, reference) = (rows.push(line, 0), reference(line, format, unknown_keys));
            let shown = String::from_utf8_lossy(line);
            match (pushed, reference) {
                (Ok(()), Some(row)) => expected.push(row),
                (Err(_), None) | (Err(Reason::MalformedTime), Some(_)) => {}
                (Ok(()), None) => panic!("serde_json rejects {shown}"),
                (Err(reason), Some(_)) => panic!("{} is no reason to reject {shown}", reason.as_str()),
            }
        }
        let batch = rows.finish("fuzz");
        let found: Vec<Row> = (0..batch.num_rows()).map(|row| values(&batch, row)).collect();
        assert_eq!(found, expected);
    }
    for line in lines {
        check_opened(line, format, unknown_keys);
    }
}

/// Keys of wrappers: what is below them is not checked here.
const WRAPPERS: [&str; 4] = ["record", "Payload", "log", "\\u"];

/// Checks a line that may be opened: a record is taken as it is, and each element of an array is
/// judged as if it were a line.
fn check_opened(line: &[u8], format: Format, unknown_keys: UnknownKeys) {
    let Ok(text) = std::str::from_utf8(line) else { return };
    let mut rows = RowBuilder::new(format, unknown_keys).opening();
    let same = |taken: Result<(), Reason>, text: &str, rows: &mut RowBuilder| {
        let batch = rows.finish("fuzz");
        if WRAPPERS.iter().any(|key| text.contains(key)) || taken == Err(Reason::MalformedTime) {
            return;
        }
        let found = taken.is_ok().then(|| values(&batch, 0));
        assert_eq!(found, reference(text.as_bytes(), format, unknown_keys), "{text}");
    };
    match rows.take(text, 0) {
        Ok(Taken::Row) if reference(line, format, unknown_keys).is_none() => {
            // Only opening makes it a row: a container's line, an element with a comma, or a
            // wrapper.
            assert!(rows.finish("fuzz").num_rows() == 1);
        }
        Ok(Taken::Row) => same(Ok(()), text, &mut rows),
        Ok(Taken::Nothing) => assert!(matches!(text.trim(), "[" | "]"), "{text}"),
        Ok(Taken::Items(shape, items)) => {
            let found: Vec<_> = items.collect();
            assert_eq!(found.iter().map(|item| item.text).collect::<Vec<_>>(), elements(text));
            for item in found {
                assert_eq!(&text[item.start..item.start + item.text.len()], item.text);
                let taken = rows.take_item(shape, &item, 0);
                same(taken, item.text, &mut rows);
            }
        }
        Err(reason) => same(Err(reason), text, &mut rows),
    }
}

/// The elements of an array, or of the array of a batch of records.
fn elements(text: &str) -> Vec<&str> {
    let array = match serde_json::from_str::<Members<'_>>(text) {
        Ok(Members(members)) => members[0].1.get(),
        Err(_) => text,
    };
    let elements: Vec<&RawValue> = serde_json::from_str(array).expect("what is opened is an array");
    elements.into_iter().map(RawValue::get).collect()
}

/// The values of a row by column: numbers in decimal digits, moments as [`MOMENT`].
type Row = BTreeMap<String, String>;

const MOMENT: &str = "a moment";

fn values(batch: &RecordBatch, row: usize) -> Row {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    let told = columns.filter(|(field, array)| {
        !["_source", "_offset", "_item"].contains(&field.name().as_str()) && !array.is_null(row)
    });
    told.map(|(field, array)| {
        let value = if let Some(keys) = array.as_dictionary_opt::<UInt16Type>() {
            keys.values().as_string::<i32>().value(keys.keys().value(row).into()).to_owned()
        } else if let Some(integers) = array.as_primitive_opt::<Int64Type>() {
            integers.value(row).to_string()
        } else if array.as_primitive_opt::<TimestampMicrosecondType>().is_some() {
            MOMENT.to_owned()
        } else {
            array.as_string::<i32>().value(row).to_owned()
        };
        (field.name().clone(), value)
    })
    .collect()
}

/// The row of `line`, if it is one.
fn reference(line: &[u8], format: Format, unknown_keys: UnknownKeys) -> Option<Row> {
    let Members(members) = serde_json::from_slice(line).ok()?;
    let mut row = Row::new();
    let mut values: BTreeMap<(bool, String), &str> = BTreeMap::new();
    let mut unknown: Vec<(bool, String, &str)> = Vec::new();
    let mut properties = "null";
    for (key, value) in &members {
        match column(format, false, key) {
            Some(_) => drop(values.insert((false, key.clone()), value.get())),
            None if format == Format::Azure && key == "properties" => {
                properties = value.get();
                values.retain(|(inner, _), _| !inner);
                unknown.retain(|(inner, ..)| !inner);
                match properties.as_bytes()[0] {
                    b'{' => {
                        let Members(inner) = serde_json::from_str(properties).ok()?;
                        for (key, value) in inner {
                            match column(format, true, &key) {
                                Some(_) => drop(values.insert((true, key), value.get())),
                                None => unknown.push((true, format!("properties.{key}"), value.get())),
                            }
                        }
                    }
                    b'"' => drop(serde_json::from_str::<String>(properties).ok()?),
                    b'-' | b'0'..=b'9' => drop(serde_json::from_str::<f64>(properties).ok()?),
                    _ => {}
                }
            }
            None => {
                // A leading dot tells it apart from a key of `properties`.
                let like_inner = format == Format::Azure && key.trim_start_matches('.').starts_with("properties.");
                unknown.push((false, format!("{}{key}", if like_inner { "." } else { "" }), value.get()));
            }
        }
    }
    if !properties.starts_with('{') && properties != "null" {
        return None;
    }
    if values.is_empty() {
        return None;
    }
    for ((inner, key), raw) in &values {
        let (name, kind) = column(format, *inner, key)?;
        let value = match kind {
            _ if *raw == "null" => continue,
            Kind::Text if raw.starts_with(['{', '[']) => return None,
            Kind::Text if !raw.starts_with('"') => (*raw).to_owned(),
            Kind::Text => serde_json::from_str(raw).ok()?,
            Kind::Time => serde_json::from_str::<String>(raw).map(|_| MOMENT.to_owned()).ok()?,
            Kind::Integer if raw.starts_with('"') => integer(&serde_json::from_str::<String>(raw).ok()?)?,
            Kind::Integer => integer(raw)?,
        };
        row.insert(name, value);
    }
    match unknown_keys {
        UnknownKeys::Drop => {}
        UnknownKeys::Reject if !unknown.is_empty() => return None,
        UnknownKeys::Reject | UnknownKeys::Keep => row.extend(rest(&unknown).map(|rest| ("_rest".to_owned(), rest))),
    }
    Some(row)
}

/// The integer value of a text that is a JSON number, in decimal digits.
fn integer(text: &str) -> Option<String> {
    let is_number = text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) && !text.ends_with(char::is_whitespace);
    let _: &RawValue = serde_json::from_str(text).ok().filter(|_| is_number)?;
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let (sign, mut digits) = ("-".repeat(usize::from(whole.starts_with('-'))), whole.replace('-', "") + fraction);
    if digits.bytes().all(|digit| digit == b'0') {
        return Some("0".to_owned());
    }
    // This moves the point further than any line is long.
    let far = if exponent.starts_with('-') { -1_000_000_000 } else { 1_000_000_000 };
    let mut point = exponent.parse::<i64>().unwrap_or(far).clamp(-1_000_000_000, 1_000_000_000) - fraction.len() as i64;
    while point < 0 && digits.ends_with('0') {
        digits.pop();
        point += 1;
    }
    digits = digits.trim_start_matches('0').to_owned();
    (point >= 0 && digits.len() as i64 + point < 20).then_some(())?;
    let integer: i64 = format!("{sign}{digits}{}", "0".repeat(usize::try_from(point).ok()?)).parse().ok()?;
    Some(integer.to_string())
}

/// The unknown keys as an object; of several with one name, the last.
fn rest(unknown: &[(bool, String, &str)]) -> Option<String> {
    let last: BTreeMap<&str, usize> =
        unknown.iter().enumerate().map(|(at, (_, name, _))| (name.as_str(), at)).collect();
    let members = unknown.iter().enumerate().filter(|(at, (_, name, _))| last[name.as_str()] == *at);
    let members: Vec<String> =
        members.map(|(_, (_, name, raw))| format!("{}:{raw}", serde_json::Value::from(name.as_str()))).collect();
    (!members.is_empty()).then(|| format!("{{{}}}", members.join(",")))
}

enum Kind {
    Text,
    Integer,
    Time,
}

/// The column of a key and the kind of its values, as docs/tables.md lists them.
fn column(format: Format, inner: bool, key: &str) -> Option<(String, Kind)> {
    let kind = match (format, inner, key) {
        (Format::Azure, false, "time") | (Format::Azure, true, "timestamp") => Kind::Time,
        (Format::Jsonlog, false, "timestamp" | "session_start") => Kind::Time,
        (Format::Azure, true, "processId") => Kind::Integer,
        (
            Format::Jsonlog,
            false,
            "pid" | "remote_port" | "line_num" | "txid" | "internal_position" | "cursor_position" | "file_line_num"
            | "leader_pid" | "query_id",
        ) => Kind::Integer,
        (
            Format::Azure,
            false,
            "resourceId"
            | "location"
            | "category"
            | "operationName"
            | "ServerType"
            | "LogicalServerName"
            | "ServerVersion"
            | "ServerLocation"
            | "ReplicaRole"
            | "OriginalPrimaryServerName"
            | "AppImage"
            | "AppType"
            | "AppVersion"
            | "Region",
        ) => Kind::Text,
        (Format::Azure, true, "errorLevel" | "sqlerrcode" | "backend_type" | "message" | "detail") => Kind::Text,
        (
            Format::Jsonlog,
            false,
            "user" | "dbname" | "remote_host" | "session_id" | "ps" | "vxid" | "error_severity" | "state_code"
            | "message" | "detail" | "hint" | "internal_query" | "context" | "statement" | "func_name" | "file_name"
            | "application_name" | "backend_type",
        ) => Kind::Text,
        _ => return None,
    };
    Some((if inner && key == "timestamp" { "log_timestamp".to_owned() } else { snake(key) }, kind))
}

/// `resourceId` as `resource_id`.
fn snake(key: &str) -> String {
    let mut name = String::new();
    for character in key.chars() {
        if character.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(character.to_ascii_lowercase());
    }
    name
}

/// The members of an object in order, including those that later ones replace.
struct Members<'line>(Vec<(String, &'line RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Members<'de>, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        from.deserialize_map(Collect)
    }
}
