//! Long texts and blobs, shortened so that they are bounds still. They are compared byte by byte,
//! which for texts is the order of their characters.

/// A text or blob longer than this is shortened, in bytes.
const MOST: usize = 64;

/// `text`, or a shorter one that is no greater, or greater if it `is_max`. A maximum that nothing
/// shorter is greater than remains as it is.
pub(super) fn text(text: &str, is_max: bool) -> String {
    if text.len() <= MOST {
        return text.to_owned();
    }
    let cut = &text[..text.floor_char_boundary(MOST)];
    match is_max {
        true => raised(cut).unwrap_or_else(|| text.to_owned()),
        false => cut.to_owned(),
    }
}

/// The same for a blob.
pub(super) fn bytes(bytes: &[u8], is_max: bool) -> Vec<u8> {
    if bytes.len() <= MOST {
        return bytes.to_vec();
    }
    let cut = &bytes[..MOST];
    if !is_max {
        return cut.to_vec();
    }
    match cut.iter().rposition(|byte| *byte < u8::MAX) {
        Some(at) => [&cut[..at], &[cut[at] + 1]].concat(),
        None => bytes.to_vec(),
    }
}

/// `text` without the characters at its end that are the last of all, and with the one before them
/// raised to the next; not longer than [`MOST`], if `text` is not. None if none is left.
fn raised(text: &str) -> Option<String> {
    text.char_indices().rev().find_map(|(at, last)| {
        let next = next(last).filter(|next| at + next.len_utf8() <= MOST)?;
        Some(format!("{}{next}", &text[..at]))
    })
}

/// The character after `of`.
fn next(of: char) -> Option<char> {
    match of {
        // The numbers between are half of a character each, in UTF-16.
        '\u{d7ff}' => Some('\u{e000}'),
        of => char::from_u32(u32::from(of) + 1),
    }
}
