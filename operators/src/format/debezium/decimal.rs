//! Numbers with a scale, as text, with every digit.

use std::fmt::Write;

/// The most bytes of a number. PostgreSQL's longest, with 131072 digits before the point and 16383
/// behind it, has 61,230.
const MOST_BYTES: usize = 65_536;
/// The greatest scale, in either direction.
const MOST_SCALE: i32 = 150_000;
/// PostgreSQL's greatest declared scale. A scale below zero arrives as one above this: Debezium
/// reads its eleven bits as a number without a sign.
const DECLARED: i32 = 1000;

/// The number whose digits are the big-endian integer `bytes`, `scale` of them behind the point.
/// `None` if no number of PostgreSQL is as long.
pub(super) fn text(bytes: &[u8], scale: i32) -> Option<String> {
    if bytes.is_empty() || bytes.len() > MOST_BYTES || !(-MOST_SCALE..=MOST_SCALE).contains(&scale) {
        return None;
    }
    let negative = bytes[0] >= 0x80;
    let mut digits = digits(&magnitude(bytes, negative));
    let sign = if negative { "-" } else { "" };
    let Ok(behind) = usize::try_from(scale) else {
        if digits != "0" {
            digits.push_str(&"0".repeat(usize::try_from(-scale).ok()?));
        }
        return Some(format!("{sign}{digits}"));
    };
    if digits.len() <= behind {
        digits.insert_str(0, &"0".repeat(behind + 1 - digits.len()));
    }
    let (whole, fraction) = digits.split_at(digits.len() - behind);
    let is_whole = fraction.is_empty() || scale > DECLARED && fraction.bytes().all(|digit| digit == b'0');
    Some(if is_whole { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

/// The absolute value of a number in two's complement, in words of 32 bits, the lowest first.
fn magnitude(bytes: &[u8], negative: bool) -> Vec<u32> {
    let fill = if negative { 0xff } else { 0 };
    let mut words: Vec<u32> = bytes
        .rchunks(4)
        .map(|chunk| {
            let mut word = [fill; 4];
            word[4 - chunk.len()..].copy_from_slice(chunk);
            u32::from_be_bytes(word)
        })
        .collect();
    if negative {
        // The last carry is lost only if all is zero, which is not negative.
        let mut carry = true;
        for word in &mut words {
            (*word, carry) = (!*word).overflowing_add(u32::from(carry));
        }
    }
    words
}

/// The decimal digits of a number in words, the lowest first.
fn digits(words: &[u32]) -> String {
    /// Nine digits fit into a word.
    const GROUP: u64 = 1_000_000_000;
    let mut words = words.to_vec();
    let mut groups = Vec::new();
    while let Some(top) = words.last() {
        if *top == 0 {
            words.pop();
            continue;
        }
        let mut rest = 0;
        for word in words.iter_mut().rev() {
            let value = rest << 32 | u64::from(*word);
            // A quotient below 2^32, because the rest is below the divisor.
            (*word, rest) = ((value / GROUP) as u32, value % GROUP);
        }
        groups.push(rest);
    }
    let mut digits = groups.pop().unwrap_or(0).to_string();
    for group in groups.iter().rev() {
        // Writing to a `String` cannot fail.
        let _ = write!(digits, "{group:09}");
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::super::binary::decode;
    use super::*;

    #[test]
    fn numbers_of_every_width() {
        for number in [
            0_i128,
            1,
            -1,
            127,
            128,
            -128,
            -129,
            255,
            256,
            1050,
            i128::MAX,
            i128::MIN,
            10_i128.pow(37),
            -(1 << 32),
            1 << 64,
        ] {
            assert_eq!(text(&number.to_be_bytes(), 0), Some(number.to_string()));
            let mut bytes = number.to_be_bytes().to_vec();
            while bytes.len() > 1 && (bytes[0] == 0 && bytes[1] < 0x80 || bytes[0] == 0xff && bytes[1] >= 0x80) {
                bytes.remove(0);
            }
            assert_eq!(text(&bytes, 0), Some(number.to_string()), "{bytes:?}");
        }
    }

    #[test]
    fn scales() {
        let known = [
            ("BBo=", 2, "10.50"),
            ("/w==", 2, "-0.01"),
            ("AA==", 4, "0.0000"),
            ("AQ==", 18, "0.000000000000000001"),
            ("ew==", -2, "12300"),
            ("AA==", -2, "0"),
        ];
        for (bytes, scale, expected) in known {
            assert_eq!(text(&decode(bytes).expect("base64"), scale).as_deref(), Some(expected), "{bytes} {scale}");
        }
        let huge = text(&decode("XODppWAV/sWq36MorjmBFQ==").expect("base64"), 9);
        assert_eq!(huge.as_deref(), Some("123456789012345678901234567890.123456789"));
    }

    #[test]
    fn a_scale_below_zero_arrives_as_eleven_bits() {
        assert_eq!(text(&[0], 2046).as_deref(), Some("0"));
        let some = text(&[1], 2046).expect("a number");
        assert_eq!((some.len(), some.ends_with('1')), (2048, true), "digits are never lost");
    }

    #[test]
    fn longer_than_any_number_of_postgresql() {
        assert!(text(&[0x7f; MOST_BYTES], 16_383).is_some_and(|digits| digits.len() > 157_000));
        assert_eq!(text(&[1; MOST_BYTES + 1], 0), None);
        assert_eq!((text(&[1], i32::MAX), text(&[1], i32::MIN), text(&[], 0)), (None, None, None));
    }
}
