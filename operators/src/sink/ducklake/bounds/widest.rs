//! The bounds that all values are within: what a table's statistics say if nothing is known.

use uuid::Uuid;

use super::numbers::decimal;
use crate::sink::ducklake::types::LakeType;

/// So many bytes of 255, or times the last character of Unicode, are taken to be greater than any
/// blob or text that there is. One that begins with as many would be greater.
const MANY: usize = 64;

/// A text that no value of the type is less than; none for what has no bounds.
pub(in crate::sink::ducklake) fn lowest(of: &LakeType) -> Option<String> {
    Some(match of {
        LakeType::Boolean => "0".to_owned(),
        LakeType::Int8 => i8::MIN.to_string(),
        LakeType::Int16 => i16::MIN.to_string(),
        LakeType::Int32 => i32::MIN.to_string(),
        LakeType::Int64 => i64::MIN.to_string(),
        LakeType::UInt8 | LakeType::UInt16 | LakeType::UInt32 | LakeType::UInt64 => "0".to_owned(),
        LakeType::Float32 | LakeType::Float64 => "-inf".to_owned(),
        LakeType::Decimal { precision, scale } => decimal(-all_nines(*precision)?, *scale),
        LakeType::Varchar | LakeType::Json | LakeType::Blob => String::new(),
        LakeType::Uuid => Uuid::nil().to_string(),
        LakeType::Date | LakeType::Timestamp | LakeType::Timestamptz => "-infinity".to_owned(),
        LakeType::Time => "00:00:00".to_owned(),
        LakeType::Interval | LakeType::List(_) | LakeType::Other(_) => return None,
    })
}

/// A text that no value of the type is greater than, but for texts and blobs as [`MANY`] says; none
/// for what has no bounds.
pub(in crate::sink::ducklake) fn highest(of: &LakeType) -> Option<String> {
    Some(match of {
        LakeType::Boolean => "1".to_owned(),
        LakeType::Int8 => i8::MAX.to_string(),
        LakeType::Int16 => i16::MAX.to_string(),
        LakeType::Int32 => i32::MAX.to_string(),
        LakeType::Int64 => i64::MAX.to_string(),
        LakeType::UInt8 => u8::MAX.to_string(),
        LakeType::UInt16 => u16::MAX.to_string(),
        LakeType::UInt32 => u32::MAX.to_string(),
        LakeType::UInt64 => u64::MAX.to_string(),
        LakeType::Float32 | LakeType::Float64 => "inf".to_owned(),
        LakeType::Decimal { precision, scale } => decimal(all_nines(*precision)?, *scale),
        LakeType::Varchar | LakeType::Json => "\u{10ffff}".repeat(MANY),
        LakeType::Blob => "FF".repeat(MANY),
        LakeType::Uuid => Uuid::max().to_string(),
        LakeType::Date | LakeType::Timestamp | LakeType::Timestamptz => "infinity".to_owned(),
        LakeType::Time => "24:00:00".to_owned(),
        LakeType::Interval | LakeType::List(_) | LakeType::Other(_) => return None,
    })
}

/// The greatest number with so many digits.
fn all_nines(digits: u8) -> Option<i128> {
    Some(10i128.checked_pow(digits.into())? - 1)
}
