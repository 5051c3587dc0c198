//! Decimals that need more than 64 bits, UUIDs and intervals.

use std::cmp::Ordering;

use parquet::data_type::{ByteArray, FixedLenByteArray};
use parquet::file::statistics::Statistics;

use super::plain::Plain;
use super::value::{Value, typed};

/// A decimal of more than 18 digits, a UUID or an interval: up to 16 bytes, the first one the
/// highest.
#[derive(Clone, Copy)]
pub(super) struct Fixed {
    bytes: [u8; 16],
    length: u8,
}

impl Fixed {
    /// The lowest `length` bytes of a number, which has no more.
    pub(super) fn number(number: i128, length: usize) -> Self {
        Fixed::of(&number.to_be_bytes()[16 - length..])
    }

    /// By value if they are signed, otherwise by their bytes; all are of one length.
    fn order(&self, other: &Self, signed: bool) -> Ordering {
        let mut keys = [self.bytes, other.bytes];
        if signed {
            keys.iter_mut().for_each(|key| key[0] ^= 0x80);
        }
        keys[0].cmp(&keys[1])
    }
}

impl AsRef<[u8]> for Fixed {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length.into()]
    }
}

impl Value for Fixed {
    type Bytes = Fixed;
    type Page = Plain;

    fn bytes(self) -> Fixed {
        self
    }

    fn of(from: &[u8]) -> Self {
        let mut bytes = [0; 16];
        bytes[..from.len()].copy_from_slice(from);
        Fixed { bytes, length: from.len() as u8 }
    }

    fn range(values: &[Self], signed: bool) -> Option<(Self, Self)> {
        let order = |a: &&Self, b: &&Self| a.order(b, signed);
        values.iter().min_by(order).copied().zip(values.iter().max_by(order).copied())
    }

    fn statistics(bounds: Option<(Self, Self)>, nulls: u64, signed: bool) -> Statistics {
        let value = |value: Fixed| FixedLenByteArray::from(ByteArray::from(value.as_ref()));
        typed(bounds.map(|(min, max)| (value(min), value(max))), nulls, signed).into()
    }
}
