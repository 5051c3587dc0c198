//! What a reader of whole files finds. Slow, simple, and independent of the code under test.

use lakefront_operators::source::files::watch::Unterminated;

use crate::drive::{Growth, Plan};

/// A line that is to be parsed, or one that is too long.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    pub(crate) file: String,
    pub(crate) offset: u64,
    /// The text, or what is kept of a line that is too long.
    pub(crate) text: Vec<u8>,
    /// The length of a line that is too long.
    pub(crate) too_long: Option<u64>,
}

/// How much of a line that is too long is kept.
const KEPT: usize = 65_536;

/// All lines of files that have grown poll by poll, in order.
pub(crate) fn lines(growth: &Growth, plan: &Plan) -> Vec<Found> {
    let mut found = Vec::new();
    for (file, polls) in growth {
        let (mut seen, mut start) = (Vec::new(), 0);
        for poll in polls {
            seen.extend_from_slice(poll);
            while let Some(length) = seen[start..].iter().position(|byte| *byte == b'\n') {
                found.extend(line(file, start, &seen[start..start + length], plan.max_line));
                start += length + 1;
            }
            let rest = &seen[start..];
            let land = matches!(plan.unterminated, Unterminated::Land { max_line } if rest.len() as u64 <= max_line);
            if land && serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(rest).is_ok() {
                found.extend(line(file, start, rest, plan.max_line));
                start = seen.len();
            }
        }
    }
    found
}

fn line(file: &str, offset: usize, raw: &[u8], max_line: u64) -> Option<Found> {
    let (file, length) = (file.to_owned(), raw.len() as u64);
    if length > max_line {
        let text = raw.iter().copied().take(KEPT).collect();
        return Some(Found { file, offset: offset as u64, text, too_long: Some(length) });
    }
    let mut text = raw.to_vec();
    if text.last() == Some(&b'\r') {
        text.pop();
    }
    let without = |noise: fn(char) -> bool| {
        let chunk = raw.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        chunk.len() - chunk.trim_start_matches(noise).len()
    };
    let is_blank = without(|c| "\u{feff}\0 \t\r".contains(c)) == raw.len();
    let before = without(|c| c == '\u{feff}' || c <= ' ');
    text.drain(..before.min(text.len()));
    (!is_blank).then_some(Found { file, offset: offset as u64, text, too_long: None })
}
