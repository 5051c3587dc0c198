//! Bounds in the form that Delta has for each type.

use super::*;

#[test]
fn days_and_microseconds_read_as_the_calendar_has_them() {
    assert_eq!(date(0), "1970-01-01");
    assert_eq!(date(-1), "1969-12-31");
    assert_eq!(date(20_778), "2026-11-21");
    assert_eq!(date(11_016), "2000-02-29");
    assert_eq!(timestamp(1_467_000), json!("1970-01-01T00:00:01.467000Z"));
    assert_eq!(timestamp(-1), json!("1969-12-31T23:59:59.999999Z"));
}

fn leaf(names: &[&str], data_type: DataType, min: Bound, max: Bound) -> LeafStatistics {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    let (min, max) = (Some(min), Some(max));
    let (field_id, is_listed, has_nan) = (None, false, false);
    LeafStatistics { names, is_listed, field_id, data_type, bytes: 9, values: 2, nulls: 1, min, max, has_nan }
}

#[test]
fn each_type_has_the_bounds_that_delta_gives_it() {
    use Bound::{Bool, Decimal, Double, Float, Signed, Text};
    let text = |text: &str| Text(text.to_owned());
    let nan = leaf(&["nan"], DataType::Float64, Double(0.0), Double(1.0));
    let list = leaf(&["list", "element"], DataType::Int32, Signed(1), Signed(2));
    let leaves = [
        leaf(&["bool"], DataType::Boolean, Bool(false), Bool(true)),
        leaf(&["integer"], DataType::Int8, Signed(-1), Signed(2)),
        leaf(&["date"], DataType::Date32, Signed(0), Signed(11_016)),
        leaf(&["struct", "a"], DataType::Utf8, text("a"), text("ż")),
        leaf(&["struct", "b", "c"], DataType::Float32, Float(-0.0), Float(0.5)),
        leaf(&["infinite"], DataType::Float64, Double(f64::NEG_INFINITY), Double(1.0)),
        leaf(&["money"], DataType::Decimal128(15, 2), Decimal(-999_999_999_999_999), Decimal(5)),
        leaf(&["whole"], DataType::Decimal128(38, 0), Decimal(-7), Decimal(1 << 60)),
        leaf(&["long"], DataType::Decimal128(38, 1), Decimal(-7), Decimal(1 << 60)),
        LeafStatistics { has_nan: true, ..nan },
        LeafStatistics { is_listed: true, ..list },
    ];
    let stats: Value = serde_json::from_str(&of(3, &leaves)).expect("JSON");
    let both = |min: Value, max: Value| {
        assert_eq!(stats["minValues"], min);
        assert_eq!(stats["maxValues"], max);
    };
    both(
        json!({"integer": -1, "date": "1970-01-01", "struct": {"a": "a", "b": {"c": -0.0}},
                "money": -9_999_999_999_999.99, "whole": -7}),
        json!({"integer": 2, "date": "2000-02-29", "struct": {"a": "ż", "b": {"c": 0.5}},
                "money": 0.05, "whole": 1u64 << 60}),
    );
    assert_eq!(stats["nullCount"]["struct"], json!({"a": 1, "b": {"c": 1}}));
    assert_eq!(stats["nullCount"].as_object().map(Map::len), Some(9));
    assert_eq!(stats["nullCount"].get("list"), None);
}
