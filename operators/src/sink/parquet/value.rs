//! The values that all take the same number of bytes: numbers, moments, bits, decimals and UUIDs.
//!
//! What differs between them is named here; how they become pages is the same for all (`numbers`).

use parquet::basic::Encoding;
use parquet::file::statistics::{Statistics, ValueStatistics};

use super::differences::{Differences, Integer};
use super::plain::Plain;

/// A value as a page stores it.
pub(super) trait Value: Copy + 'static {
    /// Its bytes in a page.
    type Bytes: AsRef<[u8]>;
    /// How values are stored without a dictionary.
    type Page: ValuePage<Self>;

    /// Whether a chunk may have a dictionary of such values.
    const REPEATS: bool = true;

    fn bytes(self) -> Self::Bytes;

    /// The value with these bytes.
    fn of(bytes: &[u8]) -> Self;

    /// The least and the greatest of `values`, without those that no order has (NaN).
    fn range(values: &[Self], signed: bool) -> Option<(Self, Self)>;

    /// Whether a value is NaN.
    fn has_nan(_values: &[Self]) -> bool {
        false
    }

    /// The statistics of a chunk with these bounds and `nulls`.
    fn statistics(bounds: Option<(Self, Self)>, nulls: u64, signed: bool) -> Statistics;
}

/// The values of the current page, stored without a dictionary.
pub(super) trait ValuePage<V> {
    const ENCODING: Encoding;

    fn new() -> Self;
    fn is_empty(&self) -> bool;
    fn append(&mut self, values: &[V]);
    /// Appends the page's values to `out` and begins anew.
    fn finish(&mut self, out: &mut Vec<u8>);
    /// Memory in use, in bytes.
    fn memory(&self) -> usize;
}

/// The statistics of values with these bounds; the old form of the bounds is only for values with
/// a sign.
pub(super) fn typed<T>(bounds: Option<(T, T)>, nulls: u64, signed: bool) -> ValueStatistics<T> {
    let (min, max) = bounds.unzip();
    ValueStatistics::new(min, max, None, Some(nulls), false).with_backwards_compatible_min_max(signed)
}

macro_rules! integer {
    ($integer:ty, $unsigned:ty) => {
        impl Value for $integer {
            type Bytes = [u8; size_of::<$integer>()];
            type Page = Differences<Self>;

            fn bytes(self) -> Self::Bytes {
                self.to_le_bytes()
            }

            fn of(bytes: &[u8]) -> Self {
                <$integer>::from_le_bytes(array(bytes))
            }

            /// Unsigned values come as the bits that they are stored as.
            fn range(values: &[Self], signed: bool) -> Option<(Self, Self)> {
                match signed {
                    true => values.iter().min().copied().zip(values.iter().max().copied()),
                    false => {
                        let key = |value: &&$integer| **value as $unsigned;
                        values.iter().min_by_key(key).copied().zip(values.iter().max_by_key(key).copied())
                    }
                }
            }

            fn statistics(bounds: Option<(Self, Self)>, nulls: u64, signed: bool) -> Statistics {
                typed(bounds, nulls, signed).into()
            }
        }

        impl Integer for $integer {
            fn less(self, other: Self) -> i64 {
                self.wrapping_sub(other).into()
            }

            fn wide(self) -> i64 {
                self.into()
            }
        }
    };
}

integer!(i64, u64);
integer!(i32, u32);

macro_rules! float {
    ($float:ty) => {
        impl Value for $float {
            type Bytes = [u8; size_of::<$float>()];
            type Page = Plain;

            fn bytes(self) -> Self::Bytes {
                self.to_le_bytes()
            }

            fn of(bytes: &[u8]) -> Self {
                <$float>::from_le_bytes(array(bytes))
            }

            fn range(values: &[Self], _signed: bool) -> Option<(Self, Self)> {
                let ordered = values.iter().copied().filter(|value| !value.is_nan());
                ordered.fold(None, |range, value| {
                    let (min, max) = range.unwrap_or((value, value));
                    Some((if value < min { value } else { min }, if value > max { value } else { max }))
                })
            }

            fn has_nan(values: &[Self]) -> bool {
                values.iter().any(|value| value.is_nan())
            }

            /// The format wants a zero to be the lower of the two as a minimum, and the higher as a
            /// maximum, because a reader's order may tell them apart.
            fn statistics(bounds: Option<(Self, Self)>, nulls: u64, signed: bool) -> Statistics {
                let zero = |value: $float, as_zero: $float| if value == 0.0 { as_zero } else { value };
                typed(bounds.map(|(min, max)| (zero(min, -0.0), zero(max, 0.0))), nulls, signed).into()
            }
        }
    };
}

float!(f64);
float!(f32);

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("a dictionary's values have the length of their type")
}
