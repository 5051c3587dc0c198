//! The schema of a file: which columns there can be, and how Parquet describes them.
//!
//! | Arrow | Parquet |
//! |---|---|
//! | null | `INT32`, unknown |
//! | bool | `BOOLEAN` |
//! | integers up to 32 bits, date | `INT32` with their width, date |
//! | integers of 64 bits, moments, times of day | `INT64`; times in milliseconds are `INT32` |
//! | floats of 32 and 64 bits | `FLOAT`, `DOUBLE` |
//! | decimals | `INT32`, `INT64` or `FIXED_LEN_BYTE_ARRAY`, by precision |
//! | text, binary | `BYTE_ARRAY` |
//! | binary of 16 bytes each | `FIXED_LEN_BYTE_ARRAY`, UUID |
//! | binary of 12 bytes each | `FIXED_LEN_BYTE_ARRAY`, interval: it has no order, so no bounds |
//! | lists and structs of all these | groups; the values of a list are called `element` |

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, Schema, TimeUnit};
use parquet::arrow::{ArrowSchemaConverter, PARQUET_FIELD_ID_META_KEY};
use parquet::basic::{ConvertedType, LogicalType, Type as PhysicalType};
use parquet::errors::ParquetError;
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor, Type, TypePtr};

/// The bytes of an interval, and of a UUID.
const INTERVAL: i32 = 12;
const UUID: i32 = 16;

/// What Parquet calls the columns of `schema`. The error names the column that cannot be written.
pub(super) fn descriptor(schema: &Schema) -> Result<SchemaDescPtr, ParquetError> {
    check(schema).map_err(ParquetError::NYI)?;
    let converter = ArrowSchemaConverter::new().with_coerce_types(true);
    let descriptor = converter.convert(schema)?;
    if !descriptor.columns().iter().any(|column| is_unnamed(column.self_type())) {
        return Ok(Arc::new(descriptor));
    }
    Ok(Arc::new(SchemaDescriptor::new(with_names(descriptor.root_schema_ptr())?)))
}

/// Whether files can have the columns of `schema`; the error says which cannot be written, and why,
/// in words that follow "it has".
pub(in crate::sink) fn check(schema: &Schema) -> Result<(), String> {
    check_fields(schema.fields(), "")
}

fn check_fields(fields: &Fields, within: &str) -> Result<(), String> {
    fields.iter().try_for_each(|field| check_field(field, &format!("{within}{}", field.name())))
}

fn check_field(field: &Field, path: &str) -> Result<(), String> {
    if let Some(id) = field.metadata().get(PARQUET_FIELD_ID_META_KEY).filter(|id| id.parse::<i32>().is_err()) {
        return Err(format!("column {path:?} with the field id {id:?}, which is no number of 32 bits"));
    }
    let obstacle = match field.data_type() {
        DataType::List(items) | DataType::LargeList(items) => return check_field(items, &format!("{path}.element")),
        DataType::Struct(fields) if !fields.is_empty() => return check_fields(fields, &format!("{path}.")),
        DataType::Struct(_) => "a struct needs a field",
        DataType::Timestamp(TimeUnit::Second, _) | DataType::Time32(TimeUnit::Second) => {
            "Parquet has no seconds; milliseconds can be written"
        }
        DataType::Decimal128(precision, scale) => match u8::try_from(*scale) {
            Ok(scale) if (1..=38).contains(precision) && scale <= *precision => return Ok(()),
            _ => "a decimal has from 1 to 38 digits, and no more behind its point",
        },
        DataType::FixedSizeBinary(length) if ![INTERVAL, UUID].contains(length) => {
            "only UUIDs, of 16 bytes, and intervals, of 12, have a fixed length"
        }
        leaf if is_leaf(leaf) => return Ok(()),
        _ => "it is none of the types that lakes share",
    };
    Err(format!("column {path:?} of type {}, which cannot be written: {obstacle}", field.data_type()))
}

/// Whether there are columns of this type, beside decimals.
fn is_leaf(data_type: &DataType) -> bool {
    use DataType::{
        Binary, Boolean, Date32, FixedSizeBinary, Float32, Float64, Int8, Int16, Int32, Int64, LargeBinary, LargeUtf8,
        Null, Time32, Time64, Timestamp, UInt8, UInt16, UInt32, UInt64, Utf8,
    };
    matches!(
        data_type,
        Null | Boolean
            | Int8
            | Int16
            | Int32
            | Int64
            | UInt8
            | UInt16
            | UInt32
            | UInt64
            | Float32
            | Float64
            | Date32
            | Time32(TimeUnit::Millisecond)
            | Time64(TimeUnit::Microsecond | TimeUnit::Nanosecond)
            | Timestamp(..)
            | Utf8
            | LargeUtf8
            | Binary
            | LargeBinary
            | FixedSizeBinary(_)
    )
}

/// Whether values of this type have a fixed length and are no decimals: the converter calls them
/// UUIDs only if it knows Arrow's extension types, and has its own type for intervals.
fn is_unnamed(of: &Type) -> bool {
    let Type::PrimitiveType { basic_info, physical_type, .. } = of else { return false };
    *physical_type == PhysicalType::FIXED_LEN_BYTE_ARRAY && basic_info.logical_type_ref().is_none()
}

/// The same type, whose UUIDs and intervals are called so.
fn with_names(of: TypePtr) -> Result<TypePtr, ParquetError> {
    let changed = match &*of {
        Type::GroupType { basic_info, fields } => {
            let fields = fields.iter().cloned().map(with_names).collect::<Result<_, _>>()?;
            Type::GroupType { basic_info: basic_info.clone(), fields }
        }
        Type::PrimitiveType { basic_info, physical_type, type_length, .. } if is_unnamed(&of) => {
            let named = Type::primitive_type_builder(basic_info.name(), *physical_type)
                .with_repetition(basic_info.repetition())
                .with_id(basic_info.has_id().then(|| basic_info.id()))
                .with_length(*type_length);
            match *type_length {
                INTERVAL => named.with_converted_type(ConvertedType::INTERVAL),
                _ => named.with_logical_type(Some(LogicalType::Uuid)),
            }
            .build()?
        }
        Type::PrimitiveType { .. } => return Ok(of),
    };
    Ok(Arc::new(changed))
}
