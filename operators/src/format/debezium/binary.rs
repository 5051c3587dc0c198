//! Bytes, as Kafka Connect writes them: base64. And bits, which Debezium turns into bytes.

/// The bytes of a base64 text, with or without its padding, in the common or the URL's alphabet.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=').as_bytes();
    if text.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for four in text.chunks(4) {
        let mut word = 0_u32;
        for letter in four {
            word = word << 6 | u32::from(sextet(*letter)?);
        }
        word <<= 6 * (4 - four.len());
        bytes.extend_from_slice(&word.to_be_bytes()[1..four.len()]);
    }
    Some(bytes)
}

fn sextet(letter: u8) -> Option<u8> {
    match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

/// The longest declared length to which bits are filled up: beyond it, a short value would make a
/// long line.
const LONGEST: usize = 65_536;

/// Bits as PostgreSQL prints them. The lowest byte comes first, and zeros at the top are left out:
/// the declared length brings them back.
pub(super) fn bits(bytes: &[u8], length: Option<u32>) -> String {
    let digits: String = bytes.iter().rev().map(|byte| format!("{byte:08b}")).collect();
    let digits = digits.trim_start_matches('0');
    let length = length.and_then(|length| usize::try_from(length).ok()).filter(|length| *length <= LONGEST);
    let zeros = length.unwrap_or(0).saturating_sub(digits.len());
    "0".repeat(zeros) + digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_with_and_without_padding() {
        let known: [(&str, &[u8]); 7] = [
            ("", b""),
            ("AP8Q", b"\x00\xff\x10"),
            ("/w==", b"\xff"),
            ("_w", b"\xff"),
            ("BBo=", b"\x04\x1a"),
            ("BBo", b"\x04\x1a"),
            ("aGVs", b"hel"),
        ];
        for (text, bytes) in known {
            assert_eq!(decode(text).as_deref(), Some(bytes), "{text}");
        }
        for text in ["A", "A===", "AA A", "é", "AAAAA", "AA\n="] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }

    #[test]
    fn bits_have_their_declared_length() {
        assert_eq!(bits(&[0b1010_1010], Some(8)), "10101010");
        assert_eq!(bits(&[], Some(8)), "00000000");
        assert_eq!(bits(&[1, 1], Some(10)), "0100000001");
        assert_eq!(bits(&[0b101], None), "101");
        assert_eq!(bits(&[0b101], Some(u32::MAX)), "101", "no longer than the value");
        assert_eq!(bits(&[0xff, 0xff], Some(8)), "1111111111111111", "no digit is lost");
    }
}
