//! The two paths from a line to a row agree: the fast one of [`rows`](crate::rows), and the plain
//! one of this folder.
//!
//! They agree on every possible line, on the reason of a reject, and on every byte of `_rest`.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use proptest::prelude::*;

use super::columns::{Columns, ITEM, Kind, REST};
use super::roles::Routing;
use super::row::{self, Cell, Fault};
use super::shape;
use crate::record::Reason;
use crate::route::RoleMap;
use crate::rows::{RowBuilder, Taken, TextColumn};
use crate::settings::{Destination, Envelope, Format, ROWS_VERSION, Roles, RowSettings, UnknownKeys, Zones};
use crate::totals::hash;

/// A row, by column: text, or a number in decimal digits.
type Row = BTreeMap<String, String>;

/// What becomes of a line: a row and the sum of its values, or why it is not a row.
type Outcome = Result<(Row, u128), Fault>;

/// The rules by which lines are read here.
fn settings(format: Format, unknown_keys: UnknownKeys) -> RowSettings {
    RowSettings { format, unknown_keys, ..RowSettings::example() }
}

/// What the plain path makes of `line`.
fn plain(line: &[u8], settings: &RowSettings) -> Outcome {
    let columns = Columns::of(settings.format);
    let text = std::str::from_utf8(line).map_err(|_| Reason::InvalidUtf8)?;
    row::read(text, &columns, settings, &[]).map(|row| told(&row, &columns))
}

fn told(row: &row::Row<'_>, columns: &Columns) -> (Row, u128) {
    let text = |cell: &Cell<'_>| match cell {
        Cell::Text(text) => text.clone().into_owned(),
        Cell::Number(number) => number.to_string(),
    };
    let cells = columns.all.iter().zip(&row.cells);
    let mut values: Row =
        cells.filter_map(|(column, cell)| Some((column.name.to_owned(), text(cell.as_ref()?)))).collect();
    values.extend(row.rest.clone().map(|rest| (REST.to_owned(), rest)));
    (values, row.sum(columns))
}

/// What the fast path makes of `line`.
fn fast(line: &[u8], settings: &RowSettings) -> Outcome {
    let mut rows = RowBuilder::of(settings);
    let pushed = push(&mut rows, line);
    assert_eq!(rows.len(), usize::from(pushed.is_ok()));
    pushed.map(|()| {
        let (batch, mut sum) = (rows.finish("blob"), 0);
        hash::rows(&batch, &mut Vec::new(), |_, values| sum = values);
        (values(&batch, 0), sum)
    })
}

fn push(rows: &mut RowBuilder, line: &[u8]) -> Result<(), Fault> {
    rows.push(line, 1).map_err(|reason| Fault { reason, detail: rows.detail() })
}

/// The values of the row at `place`.
fn values(batch: &RecordBatch, place: usize) -> Row {
    let mut row = Row::new();
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        if array.is_null(place) || [hash::SOURCE, hash::OFFSET].contains(&field.name().as_str()) {
            continue;
        }
        let value = if let Some(texts) = TextColumn::of(array) {
            texts.get(place).expect("it is not null").to_owned()
        } else if let Some(integers) = array.as_primitive_opt::<Int64Type>() {
            integers.value(place).to_string()
        } else {
            array.as_primitive::<TimestampMicrosecondType>().value(place).to_string()
        };
        row.insert(field.name().clone(), value);
    }
    row
}

/// A record of a line: its number if there are several, its bytes (the line's if it has no number),
/// and what it becomes.
type Record = (Option<u64>, Vec<u8>, Outcome);

/// What the plain path finds in `line`.
fn plain_records(line: &[u8], settings: &RowSettings) -> Vec<Record> {
    let (columns, csvlog) = (Columns::of(settings.format), Columns::of_csvlog());
    let rules = shape::LineRules { columns: &columns, csvlog: &csvlog, settings };
    let mut records = Vec::new();
    shape::records(line, rules, |item, bytes, row| {
        records.push((item, bytes.to_vec(), row.map(|row| told(&row, &columns))));
    });
    records
}

/// What the fast path finds in `line`; `rows` remembers earlier lines.
fn fast_records(line: &[u8], rows: &mut RowBuilder) -> Vec<Record> {
    fn finished(rows: &mut RowBuilder) -> (Row, u128) {
        let (batch, mut sum) = (rows.finish("blob"), 0);
        assert_eq!(batch.num_rows(), 1);
        hash::rows(&batch, &mut Vec::new(), |_, values| sum = values);
        let mut row = values(&batch, 0);
        // Here the number is one of the values; the plain path reports it separately.
        if let Some(item) = row.remove(ITEM) {
            let number = item.parse().expect("a number");
            sum = sum.wrapping_sub(hash::Column::new(ITEM, "long").number(number));
        }
        (row, sum)
    }
    let Ok(text) = std::str::from_utf8(line) else {
        return vec![(None, line.to_vec(), Err(Reason::InvalidUtf8.into()))];
    };
    match rows.take(text, 1) {
        Ok(Taken::Row) => vec![(None, line.to_vec(), Ok(finished(rows)))],
        Ok(Taken::Nothing) => Vec::new(),
        Ok(Taken::Items(shape, items)) => {
            let taken = items.map(|item| {
                assert_eq!(&text[item.start..item.start + item.text.len()], item.text);
                let row = match rows.take_item(shape, &item, 1) {
                    Ok(()) => Ok(finished(rows)),
                    Err(reason) => Err(Fault { reason, detail: rows.detail() }),
                };
                (Some(item.number), item.text.as_bytes().to_vec(), row)
            });
            taken.collect()
        }
        Err(reason) => vec![(None, line.to_vec(), Err(Fault { reason, detail: rows.detail() }))],
    }
}

/// Both paths find the same records in a line, and the same becomes of them.
fn assert_same_records(lines: &[&[u8]], format: Format, unknown_keys: UnknownKeys) {
    let mut settings = settings(format, unknown_keys);
    for (version, envelope) in [(ROWS_VERSION, Envelope::Auto), (ROWS_VERSION, Envelope::None), (1, Envelope::None)] {
        (settings.rows_version, settings.envelope) = (version, envelope);
        let mut rows = RowBuilder::of(&settings);
        for line in lines {
            let shown = String::from_utf8_lossy(&line[..line.len().min(2000)]);
            assert_eq!(plain_records(line, &settings), fast_records(line, &mut rows), "{envelope:?} {shown}");
        }
    }
}

/// A string as JSON text, with some characters escaped.
fn json_string() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        6 => "[ -!#-\\[\\]-~]",
        1 => "[é☃😀\u{7f}\u{2028}]",
        1 => prop::sample::select(vec![r#"\""#, r"\\", r"\/", r"\b", r"\f", r"\n", r"\r", r"\t"]).prop_map(str::to_owned),
        1 => (0_u32..0xD800).prop_map(|unit| format!("\\u{unit:04x}")),
        1 => (0xD800_u32..0xDC00, 0xDC00_u32..0xE000).prop_map(|(high, low)| format!("\\u{high:04X}\\u{low:04x}")),
        1 => (0xD7F0_u32..0xE010).prop_map(|unit| if unit % 8 == 0 { format!("\\u{unit:04x}") } else { "x".to_owned() }),
    ];
    prop::collection::vec(character, 0..12).prop_map(|characters| format!("\"{}\"", characters.concat()))
}

fn integer() -> impl Strategy<Value = String> {
    let fitting = vec!["0", "9223372036854775807", "-9223372036854775808"];
    let others =
        vec!["9223372036854775808", "-9223372036854775809", "99999999999999999999", "1.0", "1e3", "-0", "1e999"];
    let edges = prop_oneof![prop::sample::select(fitting), prop::sample::select(others)].prop_map(str::to_owned);
    let decimal = "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{0,3}0{0,4})?([eE][+-]?[0-9]{1,2})?".prop_map(String::from);
    let number = prop_oneof![6 => any::<i64>().prop_map(|n| n.to_string()), 1 => edges, 1 => decimal];
    prop_oneof![8 => number.clone(), 1 => number.prop_map(|number| format!("\"{number}\""))]
}

fn time() -> impl Strategy<Value = String> {
    let zones =
        vec!["Z", " UTC", "GMT", " +00", " CEST", " EST", "+02:00", " -0330", " -00", " IST", "", "  Z", " BST", " "];
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

/// Any JSON value, sometimes nested.
fn any_value() -> impl Strategy<Value = String> {
    let words =
        vec!["null", "true", "false", "-1.5E-2", "[]", "{}", "-0", "1e999", "-1e400", "0e999", "1e-999", "\"\\ud83d\""];
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

/// A member of the line (or, if `inner`, of `properties`): mostly a known key with a value of its
/// type.
fn member(format: Format, inner: bool) -> BoxedStrategy<(String, String)> {
    let columns = Columns::of(format);
    let known: Vec<_> = columns.keys().filter(|(of, ..)| *of == inner).map(|(_, key, kind)| (key, kind)).collect();
    let known = prop::sample::select(known).prop_flat_map(|(key, kind)| {
        let value = match kind {
            Kind::Text => json_string().boxed(),
            Kind::Integer => integer().boxed(),
            Kind::Time => time().boxed(),
        };
        let value = prop_oneof![30 => value, 1 => any_value(), 1 => Just("null".to_owned())];
        let first = u32::from(key.as_bytes()[0]);
        let escaped = format!("\"\\u{first:04x}{}\"", &key[1..]);
        (prop_oneof![9 => Just(format!("\"{key}\"")), 1 => Just(escaped)], value)
    });
    let few = prop::sample::select(vec![
        "\"x\"",
        "\"properties.x\"",
        "\"\\u0078\"",
        "\"\\n\"",
        "\"\\u000A\"",
        "\"properties\"",
        "\"category\t\"",
    ]);
    let few = few.prop_map(str::to_owned);
    prop_oneof![8 => known, 1 => (json_string(), any_value()), 1 => (few, any_value())].boxed()
}

fn line(format: Format) -> BoxedStrategy<String> {
    if format == Format::Jsonlog {
        return prop::collection::vec(member(format, false), 0..12).prop_map(object).boxed();
    }
    let inner = prop::collection::vec(member(format, true), 0..8).prop_map(object);
    let properties = prop_oneof![12 => inner.boxed(), 1 => any_value().boxed()];
    let properties = properties.prop_map(|value| ("\"properties\"".to_owned(), value));
    let members = prop_oneof![4 => member(format, false), 1 => properties];
    prop::collection::vec(members, 0..12).prop_map(object).boxed()
}

fn format_and_line() -> impl Strategy<Value = (Format, String)> {
    prop_oneof![Just(Format::Azure), Just(Format::Jsonlog)].prop_flat_map(|format| (Just(format), line(format)))
}

fn unknown_keys() -> impl Strategy<Value = UnknownKeys> {
    prop::sample::select(vec![UnknownKeys::Keep, UnknownKeys::Drop, UnknownKeys::Reject])
}

fn assert_agreement(line: &[u8], format: Format, unknown_keys: UnknownKeys) {
    let shown = String::from_utf8_lossy(&line[..line.len().min(2000)]);
    let zones = [("IST".to_owned(), 19_800)].into();
    let zones = Zones::new(Some("Europe/London".parse().expect("a zone")), zones);
    for (rows_version, zones) in [(1, Zones::default()), (ROWS_VERSION, Zones::default()), (ROWS_VERSION, zones)] {
        let settings = RowSettings { rows_version, zones, ..settings(format, unknown_keys) };
        assert_eq!(plain(line, &settings), fast(line, &settings), "{settings:?}: {shown}");
    }
}

/// One builder, which remembers earlier lines, makes of each line what the plain path makes of it
/// alone.
fn assert_agreement_in_a_row(lines: &[&[u8]], batch: usize, format: Format, unknown_keys: UnknownKeys) {
    let settings = settings(format, unknown_keys);
    let mut rows = RowBuilder::of(&settings);
    for lines in lines.chunks(batch) {
        let plain: Vec<_> = lines.iter().map(|line| plain(line, &settings)).collect();
        for (line, plain) in lines.iter().zip(&plain) {
            let pushed = push(&mut rows, line);
            assert_eq!(pushed.err().as_ref(), plain.as_ref().err(), "{}", String::from_utf8_lossy(line));
        }
        let (batch, mut sums) = (rows.finish("blob"), Vec::new());
        hash::rows(&batch, &mut Vec::new(), |_, values| sums.push(values));
        let plain: Vec<_> = plain.into_iter().flatten().collect();
        let fast: Vec<_> = sums.into_iter().enumerate().map(|(row, sum)| (values(&batch, row), sum)).collect();
        assert_eq!(plain, fast);
    }
}

/// Damages a line, as careless editing might.
fn mutated(mut line: Vec<u8>, mutations: &[Mutation]) -> Vec<u8> {
    for (place, byte, kind) in mutations {
        let place = place.index(line.len());
        let token = b"{}[]\",:\\0e-. nt"[usize::from(*byte) % 15];
        match kind {
            0 => line[place] = *byte,
            1 => line[place] = token,
            2 => line.insert(place, token),
            _ if line.len() > 1 => _ = line.remove(place),
            _ => {}
        }
    }
    line
}

/// Where, which byte, and what kind of mutation.
type Mutation = (prop::sample::Index, u8, i32);

fn mutations(most: usize) -> impl Strategy<Value = Vec<Mutation>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4), 0..most)
}

/// Values that repeat, then are new, then many, then long: columns switch between keys and text.
#[test]
fn columns_that_change_their_ways_become_the_same() {
    let mut lines = Vec::new();
    for line in 0..40_000_usize {
        let category = match line / 4_000 {
            0 | 3 | 6.. => format!("c{}", line % 7),
            1 => format!("new {line}"),
            2 => format!("{} of many", line % 3_000),
            4 => "long".repeat(1 + line % 2 * 9_000),
            _ => format!("c\\u0041{}", line % 7),
        };
        let torn = if line % 11 == 0 { "x" } else { "" };
        let server = if line % 3 == 0 { "null".to_owned() } else { format!("\"s{}\"", line % 5) };
        lines.push(format!(
            r#"{{"category":"{category}","LogicalServerName":{server},"properties":{{"message":"m {line}"}},"Region":"r"{torn}}}"#
        ));
        if line / 4_000 == 4 && line % 100 != 0 {
            lines.pop();
        }
    }
    let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    assert_agreement_in_a_row(&lines, 300, Format::Azure, UnknownKeys::Keep);
}

/// Both paths send each row to the same table, whatever the roles.
#[test]
fn two_routers_agree() {
    use Destination::{Primary, Reject, Replica};
    let lists = [vec![], vec!["A"], vec!["*"], vec!["a", "*"], vec!["B", "A"]];
    let lists = lists.map(|list| list.into_iter().map(str::to_owned).collect::<Vec<_>>());
    let servers = [("s".to_owned(), Replica), ("T".to_owned(), Reject), ("u".to_owned(), Primary)].into();
    let sources = [("replica/**".to_owned(), Replica), ("reject/*".to_owned(), Reject)].into();
    let template = Roles { primary: vec![], replica: vec![], default: Reject, servers, sources };
    let resources = [
        "",
        "/SUBSCRIPTIONS/0/PROVIDERS/MICROSOFT.DBFORPOSTGRESQL/FLEXIBLESERVERS/S",
        "/providers/Microsoft.DBforPostgreSQL/servers/u/databases/x",
        "/providers/Microsoft.DBforPostgreSQL/servers",
        "/s",
    ];
    let mut rows: Vec<[&str; 3]> = Vec::new();
    for role in ["", "A", "b", "*"] {
        for server in ["", "s", "S", "t", "x"] {
            rows.extend(resources.map(|resource| [role, server, resource]));
        }
    }
    let mut builder = RowBuilder::new(Format::Azure, UnknownKeys::Drop);
    for [role, server, resource] in &rows {
        let line = format!(r#"{{"ReplicaRole":"{role}","LogicalServerName":"{server}","resourceId":"{resource}"}}"#);
        builder.push(line.as_bytes(), 0).expect("a good line");
    }
    let batch = builder.finish("blob");
    for (primary, replica) in lists.iter().flat_map(|one| lists.iter().map(move |two| (one, two))) {
        for (rows_version, default) in [(1, Primary), (1, Reject), (2, Primary), (2, Replica), (2, Reject)] {
            let roles = Roles { primary: primary.clone(), replica: replica.clone(), default, ..template.clone() };
            let settings = RowSettings { rows_version, roles, ..RowSettings::example() };
            let (fast, plain) = (RoleMap::new(&settings).expect("globs"), Routing::new(&settings).expect("globs"));
            for file in ["a.json", "replica/b/c.json", "reject/a.json", "reject/b/a.json"] {
                let of_file = plain.of_file(file);
                let of_row = |[role, server, resource]: [&str; 3]| plain.of_row(of_file, role, [server, resource]);
                let routed: Vec<_> = rows.iter().copied().map(of_row).collect();
                assert_eq!(routed, fast.destinations(file, &batch), "{file} {settings:?}");
            }
        }
    }
}

/// Wraps a record in the way of number `how`: wrappers, envelopes, and near misses.
fn wrapped(record: &str, how: usize) -> String {
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lines_become_the_same((format, line) in format_and_line(), unknown_keys in unknown_keys()) {
        assert_agreement(line.as_bytes(), format, unknown_keys);
    }

    #[test]
    fn mutated_lines_become_the_same(
        (format, line) in format_and_line(),
        unknown_keys in unknown_keys(),
        mutations in mutations(4),
    ) {
        assert_agreement(&mutated(line.into_bytes(), &mutations), format, unknown_keys);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn records_are_found_in_the_same_places(
        (format, line) in format_and_line(),
        unknown_keys in unknown_keys(),
        (inner, outer) in (0_usize..15, 0_usize..15),
        mutations in mutations(3),
    ) {
        let whole = wrapped(&wrapped(&line, inner), outer);
        let torn = mutated(whole.clone().into_bytes(), &mutations);
        assert_same_records(&[whole.as_bytes(), &torn, whole.as_bytes()], format, unknown_keys);
    }

    #[test]
    fn lines_that_follow_others_become_the_same(
        (format, line) in format_and_line(),
        unknown_keys in unknown_keys(),
        variants in prop::collection::vec(mutations(3), 1..5),
        order in prop::collection::vec(any::<prop::sample::Index>(), 1..200),
        batch in 1_usize..150,
    ) {
        let variants: Vec<_> = variants.iter().map(|by| mutated(line.clone().into_bytes(), by)).collect();
        let lines: Vec<_> = order.iter().map(|which| which.get(&variants).as_slice()).collect();
        assert_agreement_in_a_row(&lines, batch, format, unknown_keys);
    }
}
