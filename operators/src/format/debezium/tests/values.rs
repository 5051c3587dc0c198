//! Values of the recorded rows, as the SQL that made them states them; and every type's extremes.

use serde_json::{Value, json};

use super::super::types::Type;
use super::super::{Reason, Unit, write_value};
use super::*;

fn typezoo(name: &str) -> Vec<Value> {
    let rows: Vec<Value> = events(name).into_iter().filter(|event| event["table"] == "typezoo").collect();
    rows.into_iter().map(|event| event["data"].clone()).collect()
}

/// The first row, as `10_types.sql` states it.
const FIRST: &str = r#"{
    "id": 1, "i2": 32767, "i4": 2147483647, "i8": 9223372036854775807, "f4": 1.5, "f8": 0.1, "b": true,
    "n_free": "123456789012345678901234567890.123456789", "n_38_0": "99999999999999999999999999999999999999",
    "n_12_4": "12345678.1234", "n_neg": "12300", "mon": "1234.56", "c5": "ab   ", "vc": "varchar",
    "t": "te\"xt\nline2", "ct": "CiText", "ba": "AP8Q", "u": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "j": "{\"b\": 1,  \"a\":[1,2.50,null]}", "jb": "{\"a\": [1, 2.50, null], \"b\": 1}", "x": "<a>x</a>",
    "d": "2024-02-29", "tm": "13:14:15.123456", "tm3": "13:14:15.123", "tmz": "11:14:15.123456Z",
    "ts": "2024-02-29T13:14:15.123456", "ts3": "2024-02-29T13:14:15.123", "ts0": "2024-02-29T13:14:15.000",
    "tz": "2024-02-29T11:14:15.123456Z", "tz3": "2024-02-29T13:14:15.123Z", "iv": 37091106789000,
    "ia": [1, null, 3], "ta": ["a", "b,c", null], "na": ["1.25", null], "tza": ["2024-02-29T11:14:15.123456Z"],
    "da": ["2024-02-29"], "ua": ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"], "jba": ["{\"a\": 1}"], "ba_a": ["AQ=="],
    "ba2": [true, false, null], "m": "happy", "ma": ["sad", "ok"], "dom": 5, "ine": "192.168.0.1/24",
    "cid": "10.0.0.0/8", "mac": "08:00:2b:01:02:03", "bit1": true, "bit8": "10101010", "vb": "00000000000000000101",
    "pt": {"x": 1.5, "y": -2.0}, "i4r": "[1,10)", "tzr": "[\"2024-01-01 00:00:00+00\",\"2024-02-01 00:00:00+00\")",
    "dr": "[2024-01-01,2024-02-01)", "hs": "{\"a\":\"1\",\"b\":null}", "lt": "Top.Science", "oi": 42,
    "tsv": "'a' 'cat' 'fat'", "defn": "1.50", "deft": "2020-01-01T00:00:00.000000Z", "defs": "dflt", "defj": "{}"
}"#;

#[test]
fn the_first_row_is_as_the_statement_wrote_it() {
    let row = typezoo("envelope_schema").swap_remove(0);
    let expected: Value = serde_json::from_str(FIRST).expect("JSON");
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&row[name], value, "{name}");
    }
    assert_eq!(row.as_object().map(serde_json::Map::len), expected.as_object().map(serde_json::Map::len));
}

#[test]
fn rows_at_the_ends_of_their_types() {
    let rows = typezoo("envelope_schema");
    let least = &rows[1];
    assert_eq!((&least["i8"], &least["f4"], &least["f8"]), (&json!(i64::MIN), &json!("NaN"), &json!("NaN")));
    assert_eq!(
        (&least["n_12_4"], &least["n_neg"], &least["mon"]),
        (&json!("0.0000"), &json!("-12300"), &json!("-0.01"))
    );
    assert_eq!(
        (&least["d"], &least["tm"], &least["ba"]),
        (&json!("0001-01-01"), &json!("00:00:00.000000"), &json!(""))
    );
    assert_eq!((&least["bit8"], &least["bit1"]), (&json!("00000000"), &json!(false)));
    let latest = &rows[3];
    assert_eq!(
        (&latest["f4"], &latest["f8"], &latest["tm"]),
        (&json!("Infinity"), &json!("-Infinity"), &json!("24:00:00.000000"))
    );
    assert_eq!((&latest["d"], &latest["ts"]), (&json!("9999-12-31"), &json!("9999-12-31T23:59:59.999999")));
    for (row, expected) in [(&rows[4], "infinity"), (&rows[5], "-infinity")] {
        assert_eq!((&row["d"], &row["ts"], &row["tz"]), (&json!(expected), &json!(expected), &json!(expected)));
    }
    assert_eq!(rows[6]["d"], "-0043-03-15", "44 BC");
    assert_eq!(
        (&rows[6]["ts"], &rows[6]["tz"]),
        (&json!("-0043-03-15T12:00:00.000000"), &json!("-0043-03-15T12:00:00.000000Z"))
    );
    assert_eq!(
        (&rows[7]["n_free"], &rows[7]["iv"]),
        (&Value::Null, &json!(-31816799999999_i64)),
        "NaN is null as bytes"
    );
    assert_eq!(rows[8]["n_free"], "0.000000000000000001");
    assert_eq!(rows[9]["ia"], json!([null, null]), "Debezium has no arrays of two dimensions");
}

#[test]
fn without_a_schema_a_value_stays_what_it_is() {
    let row = typezoo("envelope_noschema").swap_remove(0);
    assert_eq!((&row["d"], &row["n_12_4"], &row["tm3"]), (&json!(19782), &json!("HL6Y+7I="), &json!(47655123)));
    assert_eq!(row["n_free"], json!({"scale": 9, "value": "XODppWAV/sWq36MorjmBFQ=="}));
    assert_eq!(row["i8"], json!(i64::MAX));
}

fn shown(raw: &str, ty: &Type) -> Result<String, Reason> {
    let mut out = String::new();
    write_value(raw, Some(ty), &mut out).map(|()| out)
}

#[test]
fn every_type_takes_its_values() {
    let decimal = Type::Decimal { scale: 2, precision: Some(10) };
    let known = [
        ("null", Type::Date, "null"),
        ("true", Type::Boolean, "true"),
        ("-32768", Type::Integer(16), "-32768"),
        ("1e400", Type::Float(64), "1e400"),
        ("\"-Infinity\"", Type::Float(64), "\"-Infinity\""),
        ("\"BBo=\"", decimal.clone(), "\"10.50\""),
        ("10.50", decimal.clone(), "\"10.50\""),
        ("{ \"scale\" : 1, \"value\" : \"/w==\" }", Type::VariableScaleDecimal, "\"-0.1\""),
        ("\"2024-02-29\"", Type::Date, "\"2024-02-29\""),
        ("1", Type::Time(Unit::Nanos), "\"00:00:00.000000001\""),
        ("1", Type::Timestamp(Unit::Nanos), "\"1970-01-01T00:00:00.000000001\""),
        ("\"P1Y2M3DT4H5M6.789S\"", Type::Interval, "\"P1Y2M3DT4H5M6.789S\""),
        ("\"qg==\"", Type::Bits(Some(8)), "\"10101010\""),
        ("{\"x\":1.5,\"y\":\"NaN\",\"srid\":null}", Type::Point, "{\"x\":1.5,\"y\":\"NaN\"}"),
        ("{\"wkb\": \"AQ==\", \"srid\": 4326}", Type::Geometry, "{\"wkb\":\"AQ==\",\"srid\":4326}"),
        ("[ 0 , null ]", Type::Array(Box::new(Type::Date)), "[\"1970-01-01\",null]"),
        ("{\"a\": 0, \"b\": null}", Type::Map(Box::new(Type::Date)), "{\"a\":\"1970-01-01\",\"b\":null}"),
        ("[[1, 2]]", Type::Map(Box::new(Type::Integer(32))), "[[1,2]]"),
    ];
    for (raw, ty, expected) in known {
        assert_eq!(shown(raw, &ty).as_deref(), Ok(expected), "{raw} as {ty:?}");
    }
}

#[test]
fn what_is_none_of_its_type_is_never_shown_as_one() {
    let decimal = Type::Decimal { scale: 2, precision: None };
    let wrong = [
        ("1", Type::Boolean),
        ("32768", Type::Integer(16)),
        ("9223372036854775808", Type::Integer(64)),
        ("1.0", Type::Integer(32)),
        ("\"1\"", Type::Integer(32)),
        ("\"nan\"", Type::Float(64)),
        ("7", Type::Text),
        ("\"not base64!\"", Type::Bytes),
        ("\"not base64!\"", decimal.clone()),
        ("\"\"", decimal),
        ("{\"scale\":99999999999,\"value\":\"/w==\"}", Type::VariableScaleDecimal),
        ("{\"value\":\"/w==\"}", Type::VariableScaleDecimal),
        ("86400000001", Type::Time(Unit::Micros)),
        ("2147483648", Type::Date),
        ("{}", Type::Point),
        ("1", Type::Array(Box::new(Type::Date))),
        ("[\"x\",{}]", Type::Array(Box::new(Type::Integer(8)))),
        ("1", Type::Map(Box::new(Type::Date))),
    ];
    for (raw, ty) in wrong {
        assert!(matches!(shown(raw, &ty), Err(Reason::Value { .. })), "{raw} as {ty:?}: {:?}", shown(raw, &ty));
    }
    assert!(matches!(shown("\"\\ud800\"", &Type::Text), Err(Reason::Surrogate { .. })));
}
