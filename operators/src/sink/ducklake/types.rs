//! The types of a lake's columns: as the catalog spells them in `ducklake_column.column_type`, as
//! DuckDB's SQL does, and as Arrow has them in our Parquet files.
//!
//! | catalog | SQL | Arrow |
//! |---|---|---|
//! | `boolean` | `BOOLEAN` | bool |
//! | `int8` to `int64` | `TINYINT` to `BIGINT` | the same |
//! | `uint8` to `uint64` | `UTINYINT` to `UBIGINT` | the same |
//! | `float32`, `float64` | `FLOAT`, `DOUBLE` | the same |
//! | `decimal(18,3)` | `DECIMAL(18,3)` | 128 bits |
//! | `varchar`, `json` | `VARCHAR`, `JSON` | UTF-8 |
//! | `blob`, `uuid` | `BLOB`, `UUID` | binary, 16 bytes |
//! | `interval` | `INTERVAL` | 12 bytes, as Parquet has it |
//! | `date`, `time` | `DATE`, `TIME` | days, microseconds |
//! | `timestamp` | `TIMESTAMP` | microseconds without a zone |
//! | `timestamptz` | `TIMESTAMPTZ` | microseconds in UTC |
//! | `list`, its element in a row of its own | `BIGINT[]` | list of `element` |
//!
//! Guarantees: a type that is not among them is kept as the catalog spells it, so that it can be
//! named to users, and has no Arrow type, so that it cannot be written by mistake. The names are
//! those of DuckLake's specification 1.0, section "Data Types".

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, TimeUnit};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

/// What Parquet calls the values of a list; DuckLake too, in the row of a list's child.
const ELEMENT: &str = "element";
/// As many digits as a decimal can have.
const MOST_DIGITS: u8 = 38;

/// The type of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LakeType {
    /// True or false.
    Boolean,
    /// An integer of 8 bits.
    Int8,
    /// An integer of 16 bits.
    Int16,
    /// An integer of 32 bits.
    Int32,
    /// An integer of 64 bits.
    Int64,
    /// An integer of 8 bits without a sign.
    UInt8,
    /// An integer of 16 bits without a sign.
    UInt16,
    /// An integer of 32 bits without a sign.
    UInt32,
    /// An integer of 64 bits without a sign.
    UInt64,
    /// A float of 32 bits.
    Float32,
    /// A float of 64 bits.
    Float64,
    /// A decimal number.
    Decimal {
        /// How many digits there can be, from 1 to 38.
        precision: u8,
        /// How many of them are behind the point; no more than `precision`.
        scale: u8,
    },
    /// A text.
    Varchar,
    /// A text that is JSON.
    Json,
    /// Bytes.
    Blob,
    /// A UUID.
    Uuid,
    /// Months, days and a time.
    Interval,
    /// A day.
    Date,
    /// A time of day in microseconds.
    Time,
    /// A moment in microseconds, of no zone.
    Timestamp,
    /// A moment in microseconds, in UTC.
    Timestamptz,
    /// Any number of values of one type.
    List(Box<LakeType>),
    /// One that we cannot write, as the catalog spells it.
    Other(String),
}

/// The types whose name says all: the catalog's name, SQL's, and the type. The first name of a type
/// is the one that is written.
static PLAIN: [(&str, &str, LakeType); 21] = [
    ("boolean", "BOOLEAN", LakeType::Boolean),
    ("int8", "TINYINT", LakeType::Int8),
    ("int16", "SMALLINT", LakeType::Int16),
    ("int32", "INTEGER", LakeType::Int32),
    ("int64", "BIGINT", LakeType::Int64),
    ("uint8", "UTINYINT", LakeType::UInt8),
    ("uint16", "USMALLINT", LakeType::UInt16),
    ("uint32", "UINTEGER", LakeType::UInt32),
    ("uint64", "UBIGINT", LakeType::UInt64),
    ("float32", "FLOAT", LakeType::Float32),
    ("float64", "DOUBLE", LakeType::Float64),
    ("varchar", "VARCHAR", LakeType::Varchar),
    ("json", "JSON", LakeType::Json),
    ("blob", "BLOB", LakeType::Blob),
    ("uuid", "UUID", LakeType::Uuid),
    ("interval", "INTERVAL", LakeType::Interval),
    ("date", "DATE", LakeType::Date),
    ("time", "TIME", LakeType::Time),
    ("timestamp", "TIMESTAMP", LakeType::Timestamp),
    ("timestamp_us", "TIMESTAMP", LakeType::Timestamp),
    ("timestamptz", "TIMESTAMPTZ", LakeType::Timestamptz),
];

impl LakeType {
    /// The type with the name `text`, in upper or lower case. The type of a list's element comes
    /// from the list's child row: `parse("list", Some(element))`; a list without one is
    /// [`Other`](LakeType::Other).
    pub fn parse(text: &str, element: Option<LakeType>) -> LakeType {
        let name = text.to_ascii_lowercase();
        if let ("list", Some(element)) = (name.as_str(), element) {
            return LakeType::List(Box::new(element));
        }
        let plain = PLAIN.iter().find(|(known, ..)| *known == name).map(|(.., of)| of.clone());
        plain.or_else(|| decimal(&name)).unwrap_or_else(|| LakeType::Other(text.to_owned()))
    }

    /// The type that a table gets which is made for rows of `data_type`; texts may be JSON. None if
    /// there is none.
    pub fn of(data_type: &DataType, is_json: bool) -> Option<LakeType> {
        Some(match data_type {
            DataType::Boolean => LakeType::Boolean,
            DataType::Int16 => LakeType::Int16,
            DataType::Int32 => LakeType::Int32,
            DataType::Int64 => LakeType::Int64,
            DataType::Float32 => LakeType::Float32,
            DataType::Float64 => LakeType::Float64,
            DataType::Decimal128(precision, scale) => {
                LakeType::Decimal { precision: *precision, scale: u8::try_from(*scale).ok()? }
            }
            DataType::Utf8 if is_json => LakeType::Json,
            DataType::Utf8 => LakeType::Varchar,
            DataType::Binary => LakeType::Blob,
            DataType::FixedSizeBinary(16) => LakeType::Uuid,
            DataType::FixedSizeBinary(12) => LakeType::Interval,
            DataType::Date32 => LakeType::Date,
            DataType::Time64(TimeUnit::Microsecond) => LakeType::Time,
            DataType::Timestamp(TimeUnit::Microsecond, None) => LakeType::Timestamp,
            DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => LakeType::Timestamptz,
            DataType::List(element) => LakeType::List(Box::new(LakeType::of(element.data_type(), false)?)),
            _ => return None,
        })
    }

    /// The name in the catalog, such as `int64`, `decimal(18,3)` or `list`.
    pub fn name(&self) -> String {
        match self {
            LakeType::Decimal { precision, scale } => format!("decimal({precision},{scale})"),
            LakeType::List(_) => "list".to_owned(),
            LakeType::Other(name) => name.clone(),
            plain => plain.plain().map_or_else(String::new, |(name, _)| name.to_owned()),
        }
    }

    /// The name in DuckDB's SQL, such as `BIGINT`, `DECIMAL(18,3)` or `VARCHAR[]`. That of a type
    /// which we cannot write is for messages only: what is within a struct is not told.
    pub fn sql(&self) -> String {
        match self {
            LakeType::Decimal { precision, scale } => format!("DECIMAL({precision},{scale})"),
            LakeType::List(element) => format!("{}[]", element.sql()),
            LakeType::Other(name) if name.eq_ignore_ascii_case("int128") => "HUGEINT".to_owned(),
            LakeType::Other(name) if name.eq_ignore_ascii_case("uint128") => "UHUGEINT".to_owned(),
            LakeType::Other(name) => name.to_ascii_uppercase(),
            plain => plain.plain().map_or_else(String::new, |(_, sql)| sql.to_owned()),
        }
    }

    /// Its names in the catalog and in SQL, if they say all of it.
    fn plain(&self) -> Option<(&'static str, &'static str)> {
        PLAIN.iter().find(|(.., of)| of == self).map(|(name, sql, _)| (*name, *sql))
    }

    /// The type in our files; none if we cannot write it, or a list's element.
    pub fn arrow(&self) -> Option<DataType> {
        Some(match self {
            LakeType::Boolean => DataType::Boolean,
            LakeType::Int8 => DataType::Int8,
            LakeType::Int16 => DataType::Int16,
            LakeType::Int32 => DataType::Int32,
            LakeType::Int64 => DataType::Int64,
            LakeType::UInt8 => DataType::UInt8,
            LakeType::UInt16 => DataType::UInt16,
            LakeType::UInt32 => DataType::UInt32,
            LakeType::UInt64 => DataType::UInt64,
            LakeType::Float32 => DataType::Float32,
            LakeType::Float64 => DataType::Float64,
            LakeType::Decimal { precision, scale } => DataType::Decimal128(*precision, i8::try_from(*scale).ok()?),
            LakeType::Varchar | LakeType::Json => DataType::Utf8,
            LakeType::Blob => DataType::Binary,
            LakeType::Uuid => DataType::FixedSizeBinary(16),
            LakeType::Interval => DataType::FixedSizeBinary(12),
            LakeType::Date => DataType::Date32,
            LakeType::Time => DataType::Time64(TimeUnit::Microsecond),
            LakeType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            LakeType::Timestamptz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            LakeType::List(element) => DataType::List(Arc::new(Field::new(ELEMENT, element.arrow()?, true))),
            LakeType::Other(_) => return None,
        })
    }
}

/// The decimal with this name in lower case, if it is one that can be.
fn decimal(name: &str) -> Option<LakeType> {
    let (precision, scale) = name.strip_prefix("decimal(")?.strip_suffix(')')?.split_once(',')?;
    let (precision, scale) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
    ((1..=MOST_DIGITS).contains(&precision) && scale <= precision).then_some(LakeType::Decimal { precision, scale })
}

/// A column's field in our files, with its `column_id` as Parquet field id: that is how DuckLake
/// finds it, whatever it is called. A list needs `element_id`, the `column_id` of its child row, as
/// its element is found in the same way. None if the column cannot be written: its type is
/// [`Other`](LakeType::Other), it is a list without an `element_id`, or a list of lists.
pub(super) fn field(name: &str, of: &LakeType, nullable: bool, id: i64, element_id: Option<i64>) -> Option<Field> {
    let data_type = match of {
        LakeType::List(element) => DataType::List(Arc::new(field(ELEMENT, element, true, element_id?, None)?)),
        of => of.arrow()?,
    };
    let ids = HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string())]);
    Some(Field::new(name, data_type, nullable).with_metadata(ids))
}

#[cfg(test)]
mod tests;
