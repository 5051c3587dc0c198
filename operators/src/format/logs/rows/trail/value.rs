//! Values on the trail: strings, integers, `true`, `false` and `null`.

use super::super::line::{Known, Raw};
use super::starts_with;

/// The value that begins at `at`; none if it is another kind of value, or no JSON. `last` is
/// compared first, if it is not empty.
pub(super) fn scan<'line>(text: &'line str, at: usize, last: &[u8]) -> Option<Raw<'line>> {
    let bytes = &text.as_bytes()[at..];
    let raw = |length: usize, known| Some(Raw { text: text.get(at..at + length)?, known });
    match bytes.first()? {
        // `last` ends with its quote, so a match is the whole value.
        b'"' if !last.is_empty() && starts_with(bytes, last) => raw(last.len(), Known::SameAsLast),
        b'"' => string(bytes).and_then(|(length, known)| raw(length, known)),
        b'-' => integer(&bytes[1..]).and_then(|length| raw(1 + length, Known::Nothing)),
        b'0'..=b'9' => integer(bytes).and_then(|length| raw(length, Known::Nothing)),
        _ => {
            let words: [&[u8]; 3] = [b"null", b"true", b"false"];
            let word = words.into_iter().find(|word| bytes.starts_with(word))?;
            raw(word.len(), Known::Nothing)
        }
    }
}

/// The length of the digits that `bytes` begins with, if they are an integer without leading zeros.
fn integer(bytes: &[u8]) -> Option<usize> {
    let length = bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len());
    let leading_zero = length > 1 && bytes[0] == b'0';
    let goes_on = matches!(bytes.get(length), Some(b'.' | b'e' | b'E'));
    (length > 0 && !leading_zero && !goes_on).then_some(length)
}

/// The length of the string that `bytes` begins with, quotes included, and whether it is known to
/// have no escapes.
fn string(bytes: &[u8]) -> Option<(usize, Known)> {
    let (mut at, mut known) = (1, Known::NoEscapes);
    loop {
        at += plain(&bytes[at..]);
        match bytes.get(at)? {
            b'"' => return Some((at + 1, known)),
            b'\\' => {
                at += escape(&bytes[at + 1..])?;
                known = Known::Nothing;
            }
            _ => return None,
        }
    }
}

/// The length of an escape whose backslash stands before `bytes`.
fn escape(bytes: &[u8]) -> Option<usize> {
    match bytes.first()? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' => bytes.get(1..5)?.iter().all(u8::is_ascii_hexdigit).then_some(6),
        _ => None,
    }
}

/// How many bytes come before the first quote, backslash or control character. It checks eight
/// bytes at a time; strings are short, so wider steps gain little.
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    // Sets the high bit of each byte that is zero; in bytes above the lowest zero it may be set in
    // error.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let (words, tail) = bytes.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quote = zero(word ^ (ONES * u64::from(b'"')));
        let backslash = zero(word ^ (ONES * u64::from(b'\\')));
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let found = (quote | backslash | control) & HIGH;
        if found != 0 {
            return number * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let end = tail.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(tail.len());
    words.len() * 8 + end
}

#[cfg(test)]
mod tests;
