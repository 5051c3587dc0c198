//! Columns as the table has them: what other writers leave open is made the same.
//!
//! Lists and structs name their parts and say which may be null, and moments name their zone, in as
//! many ways as there are writers. The values are the same.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, ListArray, StructArray, new_null_array};
use arrow_schema::{ArrowError, DataType, TimeUnit};

/// `array` as one of type `wanted`. The error says that its values are of another type.
pub(super) fn conform(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, ArrowError> {
    if array.data_type() == wanted {
        return Ok(array.clone());
    }
    match (array.data_type(), wanted) {
        (DataType::List(_), DataType::List(field)) => {
            let list = array.as_list::<i32>();
            let values = conform(list.values(), field.data_type())?;
            let list = ListArray::try_new(field.clone(), list.offsets().clone(), values, list.nulls().cloned())?;
            Ok(Arc::new(list))
        }
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let parts = array.as_struct();
            let part = |field: &Arc<arrow_schema::Field>| match parts.column_by_name(field.name()) {
                Some(part) => conform(part, field.data_type()),
                None => Ok(new_null_array(field.data_type(), parts.len())),
            };
            let columns = fields.iter().map(part).collect::<Result<_, _>>()?;
            Ok(Arc::new(StructArray::try_new(fields.clone(), columns, parts.nulls().cloned())?))
        }
        (
            DataType::Timestamp(TimeUnit::Microsecond, Some(_)),
            DataType::Timestamp(TimeUnit::Microsecond, Some(zone)),
        ) => {
            let moments = array.as_primitive::<TimestampMicrosecondType>().clone();
            Ok(Arc::new(moments.with_timezone(zone.clone())))
        }
        (theirs, wanted) => Err(ArrowError::SchemaError(format!("it has {theirs} where the table has {wanted}"))),
    }
}
