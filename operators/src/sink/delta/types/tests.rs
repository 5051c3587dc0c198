//! Delta's types, and what they hold.

use super::*;

fn one(data_type: DataType) -> Result<Vec<Value>, String> {
    fields(&vec![Field::new("a", data_type, true)].into(), None)
}

fn list_of(data_type: DataType) -> DataType {
    DataType::List(Field::new("element", data_type, true).into())
}

fn struct_of(data_type: DataType) -> DataType {
    DataType::Struct(vec![Field::new("b", data_type, false)].into())
}

#[test]
fn nested_types_are_objects() {
    let field = one(list_of(struct_of(DataType::Decimal128(20, 3)))).expect("Delta has these").remove(0);
    let within = json!({"name": "b", "type": "decimal(20,3)", "nullable": true, "metadata": {}});
    let element = json!({"type": "struct", "fields": [within]});
    assert_eq!(field["type"], json!({"type": "array", "elementType": element, "containsNull": true}));
}

#[test]
fn what_delta_has_no_type_for_is_refused_by_name() {
    let refused = [
        DataType::UInt8,
        DataType::UInt64,
        DataType::Null,
        DataType::FixedSizeBinary(16),
        DataType::Time32(TimeUnit::Millisecond),
        DataType::Time64(TimeUnit::Microsecond),
        DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        DataType::Float16,
        DataType::Duration(TimeUnit::Second),
    ];
    for data_type in refused {
        let words = format!("column \"a.b.element\" of type {data_type}, which Delta has no type for");
        let error = one(struct_of(list_of(data_type))).expect_err("Delta has no such type");
        assert!(error.starts_with(&words), "{error}");
    }
}

#[test]
fn moments_without_a_zone_are_refused_where_a_table_has_no_features() {
    let local = DataType::Timestamp(TimeUnit::Microsecond, None);
    assert_eq!(one(local.clone()).expect("Delta has these")[0]["type"], "timestamp_ntz");
    for data_type in [local.clone(), struct_of(list_of(local))] {
        let error = plain_fields(&vec![Field::new("a", data_type, true)].into()).expect_err("no plain reader reads it");
        assert!(error.starts_with("column \"a\" of type ") && error.ends_with("keeps plain readers out"), "{error}");
    }
}

#[test]
fn an_existing_type_takes_what_ours_holds() {
    let ours = one(list_of(struct_of(DataType::Utf8))).expect("Delta has these").remove(0)["type"].clone();
    assert!(is_same(&ours, &ours));
    let mut commented = ours.clone();
    commented["elementType"]["fields"][0]["metadata"] = json!({"comment": "of others"});
    assert!(is_same(&commented, &ours));
    let changes: [fn(&mut Value); 4] = [
        |theirs| theirs["containsNull"] = false.into(),
        |theirs| theirs["elementType"]["fields"][0]["type"] = "long".into(),
        |theirs| theirs["elementType"]["fields"][0]["nullable"] = false.into(),
        |theirs| theirs["elementType"] = "string".into(),
    ];
    for change in changes {
        let mut theirs = ours.clone();
        change(&mut theirs);
        assert!(!is_same(&theirs, &ours), "{theirs}");
    }
}
