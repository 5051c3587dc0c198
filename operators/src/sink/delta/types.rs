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

/// Whether a value of `data_type` has a moment without a zone, which a table needs a feature for.
pub(super) fn has_local_moments(data_type: &DataType) -> bool {
    match data_type {
        DataType::Timestamp(TimeUnit::Microsecond, zone) => zone.as_ref().is_none_or(|zone| zone.is_empty()),
        DataType::List(items) | DataType::LargeList(items) => has_local_moments(items.data_type()),
        DataType::Struct(inner) => inner.iter().any(|field| has_local_moments(field.data_type())),
        _ => false,
    }
}

/// The fields of a schema, of which no moment may be without a zone: for tables without features.
pub(super) fn plain_fields(of: &Fields) -> Result<Vec<Value>, String> {
    match of.iter().find(|field| has_local_moments(field.data_type())) {
        Some(field) => Err(format!(
            "column {:?} of type {}, which has moments without a zone: they need a feature that keeps plain readers out",
            field.name(),
            field.data_type()
        )),
        None => fields(of, None),
    }
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
        DataType::Timestamp(TimeUnit::Microsecond, _) => return Ok("timestamp_ntz".into()),
        DataType::Timestamp(..) => "its moments are in microseconds",
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => "its integers have a sign",
        DataType::Time32(_) | DataType::Time64(_) => "it has dates and moments, but no time of day",
        DataType::FixedSizeBinary(_) => "its binaries have no fixed length; a UUID can be a text",
        DataType::Null => "a column needs a type to be read by others",
        _ => "it is none of Delta's own",
    };
    Err(format!("column {path:?} of type {data_type}, which Delta has no type for: {obstacle}"))
}

/// The type in Arrow of a column that Delta's schema describes so; none if we have none for it. It
/// is the reverse of [`fields`]: whatever that names comes back.
pub(super) fn arrow_type(of: &Value) -> Option<DataType> {
    if let Some(name) = of.as_str() {
        return Some(match name {
            "boolean" => DataType::Boolean,
            "byte" => DataType::Int8,
            "short" => DataType::Int16,
            "integer" => DataType::Int32,
            "long" => DataType::Int64,
            "float" => DataType::Float32,
            "double" => DataType::Float64,
            "date" => DataType::Date32,
            "string" => DataType::Utf8,
            "binary" => DataType::Binary,
            "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            "timestamp_ntz" => DataType::Timestamp(TimeUnit::Microsecond, None),
            name => {
                let (precision, scale) = name.strip_prefix("decimal(")?.strip_suffix(')')?.split_once(',')?;
                DataType::Decimal128(precision.trim().parse().ok()?, scale.trim().parse().ok()?)
            }
        });
    }
    match of["type"].as_str()? {
        "array" => Some(DataType::List(Field::new("element", arrow_type(&of["elementType"])?, true).into())),
        "struct" => Some(DataType::Struct(arrow_fields(of)?)),
        _ => None,
    }
}

/// The fields of a schema or of a struct, each of which may be null.
pub(super) fn arrow_fields(of: &Value) -> Option<Fields> {
    let field = |field: &Value| Some(Field::new(field["name"].as_str()?, arrow_type(&field["type"])?, true));
    of["fields"].as_array()?.iter().map(field).collect()
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
mod tests;
