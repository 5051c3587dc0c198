//! Intervals, as Parquet has them: 32 bits each of months, days and milliseconds.
//!
//! PostgreSQL's have signs, and microseconds. What has no place is an error, and never changed:
//! DuckDB 1.5.5 refuses to write what is negative, but drops microseconds, and lets time of more
//! than 32 bits of milliseconds begin anew at zero.

use super::error::BadValue;

/// The bytes of an interval in Parquet.
pub(super) const BYTES: usize = 12;
/// Microseconds of a millisecond.
const MS_US: i64 = 1_000;

/// The interval with the binary form `value`, which is microseconds, days and months; Parquet's is
/// the other way round, and little-endian.
pub(super) fn interval(value: [u8; 16]) -> Result<[u8; BYTES], BadValue> {
    let [us @ .., d0, d1, d2, d3, m0, m1, m2, m3] = value;
    let (us, days, months) =
        (i64::from_be_bytes(us), i32::from_be_bytes([d0, d1, d2, d3]), i32::from_be_bytes([m0, m1, m2, m3]));
    if us % MS_US != 0 {
        return Err(BadValue::Interval);
    }
    let unsigned = |part: i64| u32::try_from(part).map_err(|_| BadValue::Interval);
    let parts = [unsigned(months.into())?, unsigned(days.into())?, unsigned(us / MS_US)?];
    let mut bytes = [0; BYTES];
    for (to, part) in bytes.chunks_exact_mut(size_of::<u32>()).zip(parts) {
        to.copy_from_slice(&part.to_le_bytes());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(months: i32, days: i32, us: i64) -> Result<[u32; 3], BadValue> {
        let value = [&us.to_be_bytes()[..], &days.to_be_bytes(), &months.to_be_bytes()].concat();
        let bytes = interval(value.try_into().expect("16 bytes"))?;
        let part = |at: usize| u32::from_le_bytes(bytes[4 * at..4 * at + 4].try_into().expect("4 bytes"));
        Ok([part(0), part(1), part(2)])
    }

    #[test]
    fn what_has_a_place_is_kept() {
        assert_eq!(of(0, 0, 0), Ok([0, 0, 0]));
        assert_eq!(of(14, 3, 7_384_005_000), Ok([14, 3, 7_384_005]));
        assert_eq!(of(i32::MAX, i32::MAX, i64::from(u32::MAX) * 1_000), Ok([2_147_483_647, 2_147_483_647, u32::MAX]));
    }

    #[test]
    fn what_has_none_is_an_error() {
        for (months, days, us) in [
            (-1, 0, 0),
            (0, -1, 0),
            (0, 0, -1_000),
            (0, 0, 1),
            (1, 1, 999_999),
            (0, 0, (i64::from(u32::MAX) + 1) * 1_000),
        ] {
            assert_eq!(of(months, days, us), Err(BadValue::Interval), "{months} {days} {us}");
        }
    }
}
