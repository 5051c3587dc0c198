//! Names of types, there and back, and what files have for them.

use arrow_schema::{DataType, Field};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

use super::{LakeType, PLAIN, field};

fn id(of: &Field) -> Option<&str> {
    of.metadata().get(PARQUET_FIELD_ID_META_KEY).map(String::as_str)
}

#[test]
fn every_name_is_read_back() {
    for (name, sql, of) in &PLAIN {
        let read = LakeType::parse(name, None);
        assert_eq!((&read, read.sql().as_str()), (of, *sql));
        assert_eq!(LakeType::parse(&read.name(), None), read);
        assert!(read.arrow().is_some());
    }
    assert_eq!(LakeType::parse("timestamp_us", None).name(), "timestamp");
    assert_eq!(LakeType::parse("VARCHAR", None), LakeType::Varchar);
}

#[test]
fn decimals_have_digits() {
    let of = LakeType::parse("decimal(18, 3)", None);
    assert_eq!(of, LakeType::Decimal { precision: 18, scale: 3 });
    assert_eq!((of.name().as_str(), of.sql().as_str()), ("decimal(18,3)", "DECIMAL(18,3)"));
    assert_eq!(of.arrow(), Some(DataType::Decimal128(18, 3)));
    for wrong in ["decimal", "decimal(39,0)", "decimal(0,0)", "decimal(3,4)", "decimal(3)", "decimal(a,b)"] {
        assert_eq!(LakeType::parse(wrong, None), LakeType::Other(wrong.to_owned()));
    }
}

#[test]
fn a_list_has_the_element_of_its_child() {
    let of = LakeType::parse("list", Some(LakeType::Varchar));
    assert_eq!((of.name().as_str(), of.sql().as_str()), ("list", "VARCHAR[]"));
    let Some(DataType::List(element)) = of.arrow() else { panic!("a list") };
    assert_eq!((element.name().as_str(), element.data_type()), ("element", &DataType::Utf8));
    assert_eq!(LakeType::parse("list", None), LakeType::Other("list".to_owned()));
}

#[test]
fn what_cannot_be_written_keeps_its_name() {
    for (name, sql) in [("int128", "HUGEINT"), ("timestamp_ns", "TIMESTAMP_NS"), ("Time_TZ", "TIME_TZ")] {
        let of = LakeType::parse(name, None);
        assert_eq!((of.name().as_str(), of.sql().as_str(), of.arrow()), (name, sql, None));
        assert_eq!(LakeType::List(Box::new(of)).arrow(), None);
    }
}

#[test]
fn fields_have_ids_down_to_the_element() {
    let plain = field("n", &LakeType::Int64, false, 7, None).expect("a field");
    assert_eq!((plain.name().as_str(), plain.data_type(), plain.is_nullable()), ("n", &DataType::Int64, false));
    assert_eq!(id(&plain), Some("7"));

    let numbers = LakeType::List(Box::new(LakeType::Int32));
    let list = field("l", &numbers, true, 8, Some(9)).expect("a field");
    let DataType::List(element) = list.data_type() else { panic!("a list") };
    assert_eq!((id(&list), id(element), element.is_nullable()), (Some("8"), Some("9"), true));

    assert_eq!(field("l", &numbers, true, 8, None), None);
    assert_eq!(field("l", &LakeType::List(Box::new(numbers)), true, 8, Some(9)), None);
    assert_eq!(field("o", &LakeType::Other("map".to_owned()), true, 8, None), None);
}
