//! Sizes and durations as text: `"8 MiB"`, `"64 MB"`, `"1.5 GiB"`, `"500ms"`, `"48h"`.
//!
//! Promises: a number is exact, or there is none. Nothing is rounded, and a value that does not fit
//! is refused, never wrapped.

use std::time::Duration;

/// Bytes in a KiB.
pub(super) const KIB: u64 = 1024;
/// Bytes in a MiB.
pub(super) const MIB: u64 = 1024 * KIB;
/// Bytes in a GiB.
pub(super) const GIB: u64 = 1024 * MIB;
/// Bytes in a TiB.
pub(super) const TIB: u64 = 1024 * GIB;

/// The units of sizes, in bytes; a number without a unit counts bytes.
const SIZE_UNITS: [(&str, u64); 10] = [
    ("", 1),
    ("B", 1),
    ("KiB", KIB),
    ("MiB", MIB),
    ("GiB", GIB),
    ("TiB", TIB),
    ("KB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

/// The units of durations, in milliseconds. A unit is required, because 10 seconds and 10
/// milliseconds are too far apart to guess.
const DURATION_UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];

/// The bytes that `text` stands for.
pub(crate) fn size(text: &str) -> Option<u64> {
    quantity(text, &SIZE_UNITS)
}

/// The duration that `text` stands for.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    quantity(text, &DURATION_UNITS).map(Duration::from_millis)
}

/// `bytes` in the largest binary unit that expresses it exactly.
pub(crate) fn show_size(bytes: u64) -> String {
    for (unit, factor) in [("TiB", TIB), ("GiB", GIB), ("MiB", MIB), ("KiB", KIB)] {
        if bytes >= factor && bytes.is_multiple_of(factor) {
            return format!("{} {unit}", bytes / factor);
        }
    }
    format!("{bytes} B")
}

/// `duration` in the largest unit that expresses it exactly, to the millisecond.
pub(super) fn show_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    for (unit, factor) in DURATION_UNITS.iter().rev() {
        let factor = u128::from(*factor);
        if millis >= factor && millis.is_multiple_of(factor) {
            return format!("{}{unit}", millis / factor);
        }
    }
    "0ms".to_owned()
}

/// A decimal number, any spaces and one of `units`, as a whole number of the smallest unit.
fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let number_end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(number_end);
    let unit = unit.trim_start_matches(' ');
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;

    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (number, ""),
    };
    if whole.is_empty() {
        return None;
    }
    // Integers throughout: a float would turn "0.3 MB" into a byte more or less.
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let total = digits.checked_mul(u128::from(*factor))?;
    if !total.is_multiple_of(scale) {
        return None;
    }
    u64::try_from(total / scale).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("8388608", 8 * MIB),
            ("100 B", 100),
            ("100B", 100),
            ("512KiB", 512 * KIB),
            ("8 MiB", 8 * MIB),
            ("8   MiB", 8 * MIB),
            ("1 GiB", GIB),
            ("2 TiB", 2 * TIB),
            ("3 KB", 3_000),
            ("64 MB", 64_000_000),
            ("5GB", 5_000_000_000),
            ("1 TB", 1_000_000_000_000),
            ("1.5 GiB", 3 * 512 * MIB),
            ("0.3 MB", 300_000),
            ("18446744073709551615 B", u64::MAX),
        ] {
            assert_eq!(size(text), Some(bytes), "{text:?}");
        }
    }

    #[test]
    fn no_sizes() {
        for text in [
            "",
            " ",
            "MiB",
            " 8 MiB",
            "8 MiB ",
            "8 mib",
            "8 Mib",
            "8 M",
            "-8 MiB",
            "+8 MiB",
            "8\tMiB",
            "8e3 B",
            "1_000 B",
            "0.1 B",
            ".5 MiB",
            "5. MiB",
            "1.2.3 MiB",
            "8 MiB 1 KiB",
            "٣ MiB",
            "18446744073709551616 B",
            "16777216 TiB",
            "999999999999999999999999999999999999999999 B",
        ] {
            assert_eq!(size(text), None, "{text:?}");
        }
    }

    #[test]
    fn durations() {
        for (text, millis) in [
            ("0s", 0),
            ("500ms", 500),
            ("1s", 1_000),
            ("1.5s", 1_500),
            ("10 s", 10_000),
            ("5m", 300_000),
            ("48h", 172_800_000),
        ] {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text:?}");
        }
        for text in ["", "10", "s", "10S", "10 sec", "1d", "-1s", "0.5ms", "1m30s", "9999999999999999999h"] {
            assert_eq!(duration(text), None, "{text:?}");
        }
    }

    #[test]
    fn shown_as_a_reader_would_write_them() {
        for text in ["0 B", "1 B", "1023 B", "1 KiB", "1025 B", "8 MiB", "1536 MiB", "1 GiB", "3 TiB"] {
            assert_eq!(show_size(size(text).unwrap()), text);
        }
        for text in ["0ms", "10ms", "1s", "1500ms", "5m", "61m", "168h"] {
            assert_eq!(show_duration(duration(text).unwrap()), text);
        }
    }
}
