//! What columns of PostgreSQL are in a lake.

use std::fmt;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, TimeUnit};
use serde::{Deserialize, Serialize};

use super::super::types::Type;

/// The most digits of a decimal, in Delta as in Arrow's 128 bits.
const MOST_DIGITS: u32 = 38;
/// PostgreSQL's money arrives with two digits after the point and without a precision.
const MONEY: (u8, i8) = (19, 2);

/// The type of a lake's column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LakeType {
    /// True or false.
    Boolean,
    /// A whole number of so many bits: 8, 16, 32 or 64.
    Integer(u32),
    /// A binary floating-point number of 32 bits.
    Float,
    /// The same of 64 bits.
    Double,
    /// A decimal number with so many digits, and so many of them after the point.
    Decimal(u8, i8),
    /// A text.
    Text,
    /// Bytes.
    Bytes,
    /// A date.
    Date,
    /// A moment in microseconds, in UTC, or without a zone.
    Timestamp {
        /// Whether it is in UTC.
        is_utc: bool,
    },
    /// A point of a plane.
    Point,
    /// An array.
    List(Box<LakeType>),
}

impl LakeType {
    /// What a column becomes whose values mean `ty`. What a lake has no type for is a text: times
    /// of day, numbers without bounds, objects.
    pub fn of(ty: &Type) -> LakeType {
        match ty {
            Type::Boolean => LakeType::Boolean,
            Type::Integer(bits) => LakeType::Integer(*bits),
            Type::Float(32) => LakeType::Float,
            Type::Float(_) => LakeType::Double,
            Type::Bytes => LakeType::Bytes,
            Type::Decimal { scale, precision: Some(precision) } => decimal(*precision, *scale),
            Type::Decimal { scale: 2, precision: None } => LakeType::Decimal(MONEY.0, MONEY.1),
            Type::Date => LakeType::Date,
            Type::Timestamp(_) => LakeType::Timestamp { is_utc: false },
            Type::ZonedTimestamp => LakeType::Timestamp { is_utc: true },
            Type::Duration(_) => LakeType::Integer(64),
            Type::Point => LakeType::Point,
            Type::Array(items) => LakeType::List(Box::new(LakeType::of(items))),
            Type::Text
            | Type::Json
            | Type::Bits(_)
            | Type::Decimal { .. }
            | Type::VariableScaleDecimal
            | Type::Time(_)
            | Type::ZonedTime
            | Type::Interval
            | Type::Geometry
            | Type::Map(_)
            | Type::Struct(_)
            | Type::Other => LakeType::Text,
        }
    }

    /// The type whose values are of `arrow`; none if there is none.
    pub fn of_arrow(arrow: &DataType) -> Option<LakeType> {
        Some(match arrow {
            DataType::Boolean => LakeType::Boolean,
            DataType::Int8 => LakeType::Integer(8),
            DataType::Int16 => LakeType::Integer(16),
            DataType::Int32 => LakeType::Integer(32),
            DataType::Int64 => LakeType::Integer(64),
            DataType::Float32 => LakeType::Float,
            DataType::Float64 => LakeType::Double,
            DataType::Decimal128(precision, scale) => LakeType::Decimal(*precision, *scale),
            DataType::Utf8 => LakeType::Text,
            DataType::Binary => LakeType::Bytes,
            DataType::Date32 => LakeType::Date,
            DataType::Timestamp(TimeUnit::Microsecond, zone) => LakeType::Timestamp { is_utc: zone.is_some() },
            DataType::Struct(fields) if *fields == coordinates() => LakeType::Point,
            DataType::List(items) => LakeType::List(Box::new(LakeType::of_arrow(items.data_type())?)),
            _ => return None,
        })
    }

    /// Whether every value of this type is one of `to` too, with the same digits: a whole number of
    /// more bits, a decimal with more digits, a floating-point number that holds it exactly.
    pub fn widens_to(&self, to: &LakeType) -> bool {
        match (self, to) {
            (LakeType::Integer(from), LakeType::Integer(to)) => from < to,
            (LakeType::Integer(from), LakeType::Decimal(precision, scale)) => {
                i64::from(*precision) - i64::from(*scale) >= digits_of(*from)
            }
            (LakeType::Integer(from), LakeType::Float) => *from <= 16,
            (LakeType::Integer(from), LakeType::Double) => *from <= 32,
            (LakeType::Float, LakeType::Double) => true,
            (LakeType::Decimal(precision, scale), of @ LakeType::Decimal(to, behind)) => {
                let before = |precision: &u8, scale: &i8| i16::from(*precision) - i16::from(*scale);
                self != of && behind >= scale && before(to, behind) >= before(precision, scale)
            }
            (LakeType::List(from), LakeType::List(to)) => from.widens_to(to),
            _ => false,
        }
    }

    /// The type in Arrow. Elements of arrays may be null.
    pub fn arrow(&self) -> DataType {
        match self {
            LakeType::Boolean => DataType::Boolean,
            LakeType::Integer(8) => DataType::Int8,
            LakeType::Integer(16) => DataType::Int16,
            LakeType::Integer(32) => DataType::Int32,
            LakeType::Integer(_) => DataType::Int64,
            LakeType::Float => DataType::Float32,
            LakeType::Double => DataType::Float64,
            LakeType::Decimal(precision, scale) => DataType::Decimal128(*precision, *scale),
            LakeType::Text => DataType::Utf8,
            LakeType::Bytes => DataType::Binary,
            LakeType::Date => DataType::Date32,
            LakeType::Timestamp { is_utc } => DataType::Timestamp(TimeUnit::Microsecond, is_utc.then(|| "UTC".into())),
            LakeType::Point => DataType::Struct(coordinates()),
            LakeType::List(items) => DataType::List(Arc::new(Field::new("element", items.arrow(), true))),
        }
    }
}

/// As Delta calls it.
impl fmt::Display for LakeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            LakeType::Boolean => "boolean",
            LakeType::Integer(8) => "byte",
            LakeType::Integer(16) => "short",
            LakeType::Integer(32) => "integer",
            LakeType::Integer(_) => "long",
            LakeType::Float => "float",
            LakeType::Double => "double",
            LakeType::Decimal(precision, scale) => return write!(f, "decimal({precision},{scale})"),
            LakeType::Text => "string",
            LakeType::Bytes => "binary",
            LakeType::Date => "date",
            LakeType::Timestamp { is_utc: true } => "timestamp",
            LakeType::Timestamp { is_utc: false } => "timestamp_ntz",
            LakeType::Point => "struct<x:double,y:double>",
            LakeType::List(items) => return write!(f, "array<{items}>"),
        };
        f.write_str(name)
    }
}

/// The fields of a point.
pub(super) fn coordinates() -> Fields {
    Fields::from(vec![Field::new("x", DataType::Float64, true), Field::new("y", DataType::Float64, true)])
}

/// How many digits a whole number of so many bits may have.
fn digits_of(bits: u32) -> i64 {
    match bits {
        8 => 3,
        16 => 5,
        32 => 10,
        _ => 19,
    }
}

/// A number with bounds. Delta's decimals have no scale below zero, and none above the precision.
fn decimal(precision: u32, scale: i32) -> LakeType {
    let digits = u8::try_from(precision).ok().filter(|_| precision <= MOST_DIGITS);
    let behind = i8::try_from(scale).ok().filter(|_| (0..=i64::from(precision)).contains(&i64::from(scale)));
    match (digits, behind) {
        (Some(digits), Some(behind)) => LakeType::Decimal(digits, behind),
        _ => LakeType::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_wider_if_it_has_each_value() {
        use LakeType::{Date, Decimal, Double, Float, Integer, Text};
        let list = |of| LakeType::List(Box::new(of));
        for (from, to) in [
            (Integer(16), Integer(32)),
            (Integer(32), Integer(64)),
            (Integer(32), Decimal(12, 2)),
            (Integer(16), Float),
            (Integer(32), Double),
            (Float, Double),
            (Decimal(10, 2), Decimal(12, 2)),
            (Decimal(10, 2), Decimal(12, 4)),
            (list(Integer(32)), list(Integer(64))),
        ] {
            assert!(from.widens_to(&to) && !to.widens_to(&from), "{from:?} {to:?}");
        }
        for (from, to) in [
            (Integer(32), Integer(32)),
            (Integer(64), Double),
            (Integer(32), Float),
            (Integer(32), Decimal(11, 2)),
            (Decimal(10, 2), Decimal(10, 2)),
            (Decimal(10, 2), Decimal(11, 4)),
            (Integer(32), Text),
            (Date, LakeType::Timestamp { is_utc: false }),
        ] {
            assert!(!from.widens_to(&to), "{from:?} {to:?}");
        }
    }
}
