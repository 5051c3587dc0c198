//! Which binary values a column has, and the Arrow type that they become.

use std::sync::Arc;

use arrow_array::types::{Decimal128Type, validate_decimal_precision_and_scale};
use arrow_schema::{DataType, Field, FieldRef, TimeUnit};

/// How the binary values of one column become an Arrow column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Codec {
    /// bool, a byte that is 0 or 1, to `Boolean`.
    Bool,
    /// int2 to `Int16`.
    Int16,
    /// int4 to `Int32`.
    Int32,
    /// int8 to `Int64`.
    Int64,
    /// float4 to `Float32`, NaN and infinities included.
    Float32,
    /// float8 to `Float64`, NaN and infinities included.
    Float64,
    /// text, varchar, bpchar, name, json, enum and xml, whose bytes are the text, to `Utf8`.
    Text,
    /// jsonb, a byte of version and the text, to `Utf8`.
    Jsonb,
    /// bytea to `Binary`.
    Bytes,
    /// uuid to `FixedSizeBinary(16)`, in the order in which it is written.
    Uuid,
    /// interval to `FixedSizeBinary(12)`, whose bytes are those of Parquet: months, days and
    /// milliseconds as 32 bits each, without a sign, little-endian. Exact or an error.
    Interval,
    /// date to `Date32`. Infinities become those of DuckDB: `i32::MAX` and `-i32::MAX`.
    Date,
    /// time without zone to `Time64(Microsecond)`; 24:00:00 is 86,400,000,000.
    Time,
    /// timestamp without zone to `Timestamp(Microsecond, None)`. Infinities become those of DuckDB:
    /// `i64::MAX` and `-i64::MAX`.
    Timestamp,
    /// timestamptz to `Timestamp(Microsecond, Some("UTC"))`, with infinities as in a timestamp.
    Timestamptz,
    /// numeric to `Decimal128(precision, scale)`, exact or an error.
    Decimal {
        /// How many digits a value has at most, from 1 to 38.
        precision: u8,
        /// How many of them follow the decimal point; none if it is negative. At most `precision`.
        scale: i8,
    },
    /// An array of at most one dimension to a `List` whose elements may be NULL. Its lower bound is
    /// forgotten.
    List(
        /// The codec of the elements.
        Box<Codec>,
    ),
}

impl Codec {
    /// The type of the Arrow column. The field of a list's elements is called `element`.
    pub fn data_type(&self) -> DataType {
        match self {
            Codec::Bool => DataType::Boolean,
            Codec::Int16 => DataType::Int16,
            Codec::Int32 => DataType::Int32,
            Codec::Int64 => DataType::Int64,
            Codec::Float32 => DataType::Float32,
            Codec::Float64 => DataType::Float64,
            Codec::Text | Codec::Jsonb => DataType::Utf8,
            Codec::Bytes => DataType::Binary,
            Codec::Uuid => DataType::FixedSizeBinary(16),
            Codec::Interval => DataType::FixedSizeBinary(12),
            Codec::Date => DataType::Date32,
            Codec::Time => DataType::Time64(TimeUnit::Microsecond),
            Codec::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Codec::Timestamptz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Codec::Decimal { precision, scale } => DataType::Decimal128(*precision, *scale),
            Codec::List(element) => DataType::List(element.as_element()),
        }
    }

    /// The field of a list whose elements have this codec.
    pub(super) fn as_element(&self) -> FieldRef {
        Arc::new(Field::new("element", self.data_type(), true))
    }

    /// Whether Arrow allows the precision and scale, if there are any.
    pub(super) fn is_valid(&self) -> bool {
        match self {
            Codec::Decimal { precision, scale } => {
                validate_decimal_precision_and_scale::<Decimal128Type>(*precision, *scale).is_ok()
            }
            Codec::List(element) => element.is_valid(),
            _ => true,
        }
    }

    /// How many bytes a value has in the stream, or has at least if they vary.
    pub(super) fn least_bytes(&self) -> usize {
        match self {
            Codec::Text | Codec::Bytes => 0,
            Codec::Bool | Codec::Jsonb => 1,
            Codec::Int16 => 2,
            Codec::Int32 | Codec::Float32 | Codec::Date => 4,
            Codec::Int64 | Codec::Float64 | Codec::Time | Codec::Timestamp | Codec::Timestamptz => 8,
            Codec::Decimal { .. } => 8,
            Codec::List(_) => 12,
            Codec::Uuid | Codec::Interval => 16,
        }
    }
}
