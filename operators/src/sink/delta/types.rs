//! The types of columns as Delta names them. A column that Delta has no type for is refused in
//! words.

use arrow_schema::{DataType, Field, Fields, TimeUnit};
use serde_json::{Value, json};

/// The fields of a schema, or of a struct within the column `within`. All can be null: what must
/// not be is a rule for writers, and would refuse what others append. The error names a column that
/// Delta has no type for, in words that follow "would have".
pub(super) fn fields(fields: &Fields, within: Option<&str>) -> Result<Vec<Value>, String> {
    let one = |field: &std::sync::Arc<Field>| {
        let path = within.map_or_else(|| field.name().clone(), |within| format!("{within}.{}", field.name()));
        let delta_type = delta_type(field.data_type(), &path)?;
        Ok(json!({"name": field.name(), "type": delta_type, "nullable": true, "metadata": {}}))
    };
    fields.iter().map(one).collect()
}

/// The Delta name of a column's type, or the object for a nested one.
fn delta_type(data_type: &DataType, path: &str) -> Result<Value, String> {
    let obstacle = match data_type {
        DataType::Boolean => return Ok("boolean".into()),
        DataType::Int8 => return Ok("byte".into()),
        DataType::Int16 => return Ok("short".into()),
        DataType::Int32 => return Ok("integer".into()),
        DataType::Int64 => return Ok("long".into()),
        DataType::Float32 => return Ok("float".into()),
        DataType::Float64 => return Ok("double".into()),
        DataType::Decimal128(precision, scale) => return Ok(format!("decimal({precision},{scale})").into()),
        DataType::Date32 => return Ok("date".into()),
        DataType::Utf8 | DataType::LargeUtf8 => return Ok("string".into()),
        DataType::Binary | DataType::LargeBinary => return Ok("binary".into()),
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if !zone.is_empty() => return Ok("timestamp".into()),
        DataType::List(items) | DataType::LargeList(items) => {
            let element = delta_type(items.data_type(), &format!("{path}.element"))?;
            return Ok(json!({"type": "array", "elementType": element, "containsNull": true}));
        }
        DataType::Struct(inner) => return Ok(json!({"type": "struct", "fields": fields(inner, Some(path))?})),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            "moments without a zone need a feature that keeps plain readers out"
        }
        DataType::Timestamp(..) => "its moments are in microseconds",
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => "its integers have a sign",
        DataType::Time32(_) | DataType::Time64(_) => "it has dates and moments, but no time of day",
        DataType::FixedSizeBinary(_) => "its binaries have no fixed length; a UUID can be a text",
        DataType::Null => "a column needs a type to be read by others",
        _ => "it is none of Delta's own",
    };
    Err(format!("column {path:?} of type {data_type}, which Delta has no type for: {obstacle}"))
}

/// Whether the existing type `theirs` is `ours`, and takes whatever ours may hold. Comments and
/// other metadata within it do not matter.
pub(super) fn is_same(theirs: &Value, ours: &Value) -> bool {
    match ours["type"].as_str() {
        Some("array") => {
            theirs["type"] == "array"
                && theirs["containsNull"] != false
                && is_same(&theirs["elementType"], &ours["elementType"])
        }
        Some("struct") => {
            let fields = |of: &Value| of["fields"].as_array().cloned().unwrap_or_default();
            let (theirs_in, ours_in) = (fields(theirs), fields(ours));
            let is_same_field = |(theirs, ours): (&Value, &Value)| {
                theirs["name"] == ours["name"] && theirs["nullable"] != false && is_same(&theirs["type"], &ours["type"])
            };
            theirs["type"] == "struct"
                && theirs_in.len() == ours_in.len()
                && theirs_in.iter().zip(&ours_in).all(is_same_field)
        }
        _ => theirs == ours,
    }
}

#[cfg(test)]
mod tests {
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
            DataType::Timestamp(TimeUnit::Microsecond, None),
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
}
