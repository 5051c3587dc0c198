//! Values of each type, schemas of each form, and bytes that are neither.

use super::*;

fn schema(text: &str) -> Schema {
    Schema::parse(text, &[]).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn read(schema: &Schema, bytes: &[u8]) -> Result<String, Unread> {
    let mut out = Vec::new();
    schema.write(bytes, &mut out).map(|()| String::from_utf8(out).expect("JSON is text"))
}

/// A number as Avro writes it.
fn long(number: i64) -> Vec<u8> {
    let mut left = ((number << 1) ^ (number >> 63)).cast_unsigned();
    let mut bytes = Vec::new();
    while left > 0x7f {
        bytes.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
    bytes
}

#[test]
fn a_value_of_each_type_is_the_json_that_connect_writes() {
    let nan = f64::NAN.to_le_bytes();
    for (ty, bytes, json) in [
        (r#""null""#, &[][..], "null"),
        (r#""boolean""#, &[1], "true"),
        (r#""int""#, &[3], "-2"),
        (r#""long""#, &long(i64::MIN), "-9223372036854775808"),
        (r#""long""#, &long(i64::MAX), "9223372036854775807"),
        (r#""float""#, &0.1_f32.to_le_bytes(), "0.1"),
        (r#""double""#, &0.1_f64.to_le_bytes(), "0.1"),
        (r#""double""#, &nan, r#""NaN""#),
        (r#""float""#, &f32::NEG_INFINITY.to_le_bytes(), r#""-Infinity""#),
        (r#""bytes""#, &[8, 0, 255, 16, 7], r#""AP8QBw==""#),
        (r#""string""#, "\u{6}\"é".as_bytes(), r#""\"é""#),
        (r#"{"type":"fixed","name":"f","size":2}"#, &[1, 2], r#""AQI=""#),
        (r#"{"type":"enum","name":"e","symbols":["a","b"]}"#, &[2], r#""b""#),
        (r#"{"type":"array","items":"int"}"#, &[4, 2, 4, 0], "[1,2]"),
        // A block that says how many bytes it has, and one that does not.
        (r#"{"type":"array","items":"int"}"#, &[3, 4, 2, 4, 2, 6, 0], "[1,2,3]"),
        (r#"{"type":"map","values":"boolean"}"#, &[2, 2, b'k', 1, 0], r#"{"k":true}"#),
        (r#"["null","int"]"#, &[2, 8], "4"),
        (r#"["null","int"]"#, &[0], "null"),
    ] {
        assert_eq!(read(&schema(ty), bytes).as_deref(), Ok(json), "{ty}");
    }
}

#[test]
fn bytes_that_are_no_value_are_told() {
    for (ty, bytes, why) in [
        (r#""boolean""#, &[2][..], Unread::Number),
        (r#""int""#, &long(1 << 40), Unread::Number),
        (r#""long""#, &[255; 11], Unread::Number),
        (r#""long""#, &[128], Unread::Short),
        (r#""string""#, &[2, 255], Unread::Text),
        (r#""string""#, &[9, 1], Unread::Number),
        (r#""bytes""#, &[8, 1], Unread::Short),
        (r#""bytes""#, &long(i64::MAX), Unread::Short),
        (r#""double""#, &[1, 2, 3], Unread::Short),
        (r#"["null","int"]"#, &[4], Unread::Branch),
        (r#"["null","int"]"#, &[1], Unread::Branch),
        (r#"{"type":"enum","name":"e","symbols":["a"]}"#, &[2], Unread::Branch),
        (r#""int""#, &[2, 2], Unread::Left(1)),
        // As many nulls as there are numbers take ten bytes.
        (r#"{"type":"array","items":"null"}"#, &long(i64::MAX), Unread::Long),
        (r#"{"type":"array","items":"null"}"#, &[long(i64::MIN), vec![0]].concat(), Unread::Long),
    ] {
        assert_eq!(read(&schema(ty), bytes), Err(why), "{ty}");
    }
}

#[test]
fn a_type_that_holds_itself_ends_somewhere() {
    let list = schema(r#"{"type":"record","name":"a.L","fields":[{"name":"next","type":["null","L"]}]}"#);
    assert_eq!(read(&list, &[2, 2, 0]).as_deref(), Ok(r#"{"next":{"next":{"next":null}}}"#));
    assert_eq!(read(&list, &[2; 100_000]), Err(Unread::Deep));
}

#[test]
fn names_are_found_in_their_namespaces() {
    let text = r#"{"type":"record","name":"Outer","namespace":"a.b","fields":[
        {"name":"one","type":{"type":"record","name":"Inner","fields":[{"name":"n","type":{"type":"int"}}]}},
        {"name":"two","type":"Inner"},
        {"name":"three","type":"a.b.Inner"},
        {"name":"four","type":{"type":"array","items":{"type":"enum","name":"c.E","symbols":["x"]}}},
        {"name":"five","type":["null","c.E"]}]}"#;
    let json = r#"{"one":{"n":1},"two":{"n":2},"three":{"n":3},"four":["x"],"five":"x"}"#;
    assert_eq!(read(&schema(text), &[2, 4, 6, 2, 0, 0, 2, 0]).as_deref(), Ok(json));
}

#[test]
fn a_schema_may_use_types_of_others() {
    let inner = r#"{"type":"record","name":"x.Inner","fields":[{"name":"n","type":"int"}]}"#.to_owned();
    let outer = r#"{"type":"record","name":"y.Outer","fields":[{"name":"i","type":"x.Inner"}]}"#;
    assert_eq!(Schema::parse(outer, &[]), Err(NotASchema::Unknown("x.Inner".to_owned())));
    let schema = Schema::parse(outer, &[inner]).expect("a schema");
    assert_eq!(read(&schema, &[6]).as_deref(), Ok(r#"{"i":{"n":3}}"#));
}

#[test]
fn what_is_no_schema_is_told() {
    let deep = format!("{}\"int\"{}", r#"{"type":"array","items":"#.repeat(200), "}".repeat(200));
    for (text, why) in [
        ("{", NotASchema::Json),
        (deep.as_str(), NotASchema::Json),
        ("7", NotASchema::Unlike("a type")),
        ("\"uuid\"", NotASchema::Unknown("uuid".to_owned())),
        (r#"{"name":"a"}"#, NotASchema::Unlike("a type")),
        (r#"{"type":"array"}"#, NotASchema::Unlike("an array")),
        (r#"{"type":"record","name":"a"}"#, NotASchema::Unlike("a record")),
        (r#"{"type":"record","fields":[]}"#, NotASchema::Unlike("a type's name")),
        (r#"{"type":"record","name":"a","fields":[{"name":"b"}]}"#, NotASchema::Unlike("a field")),
        (r#"{"type":"fixed","name":"a","size":-1}"#, NotASchema::Unlike("the size of a fixed type")),
        (r#"{"type":"enum","name":"a","symbols":[1]}"#, NotASchema::Unlike("an enum")),
        (
            r#"[{"type":"fixed","name":"a","size":1},{"type":"fixed","name":"a","size":2}]"#,
            NotASchema::Twice("a".to_owned()),
        ),
    ] {
        assert_eq!(Schema::parse(text, &[]), Err(why), "{text}");
    }
}

#[test]
fn the_wire_format_begins_with_a_zero_and_an_id() {
    assert_eq!(framed(&[0, 0, 0, 1, 2, 3]), Some((258, &[3][..])));
    assert_eq!(framed(&[0, 0, 0, 0, 7]), Some((7, &[][..])));
    for bytes in [&b"{\"a\":1}"[..], &[0, 0, 0, 1], &[]] {
        assert_eq!(framed(bytes), None);
    }
}
