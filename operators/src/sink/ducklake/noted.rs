//! What the pipeline's own row of a commit notes of each table: which rows are its own, and their
//! sums. Row ids survive whatever others do to files, so a proof finds the rows by them for good.
//!
//! ```text
//! {"7": {"row_id": 1200, "rows": 300, "columns": "1-5,8", "sequence": 1,
//!        "sums": {"5999": "300 0f3c…"}}}
//! ```
//!
//! The table is named by its number in the catalog. Commits of earlier builds lack `sequence`, and
//! still earlier ones `columns` and `sums`. Beside the tables there may be a note of the source,
//! which only the source understands.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::protocol::sums::Sum;

/// Where the note of the source is, among the tables.
pub(super) const SOURCE: &str = "source";

/// What one commit brought one table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted {
    /// The id of its first row; the others follow.
    pub row_id: i64,
    /// How many rows.
    pub rows: i64,
    /// The numbers of the columns that its files have, those of lists by their elements: `1-5,8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<String>,
    /// The number of the column that numbered its rows; `None` if that was not noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<i64>,
    /// The sums of its rows, by the number of their range of sequences; empty if they were not
    /// noted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sums: BTreeMap<u64, Sum>,
    /// How many rows of the table it has replaced.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub replaced: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Noted {
    /// The numbers of the columns that the files have; `None` if that was not noted.
    pub fn columns(&self) -> Option<BTreeSet<i64>> {
        self.columns.as_deref().and_then(numbers)
    }
}

/// `1-5,8` for the numbers 1 to 5, and 8.
pub(crate) fn spans(all: &BTreeSet<i64>) -> String {
    let mut spans: Vec<(i64, i64)> = Vec::new();
    for number in all {
        match spans.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => spans.push((*number, *number)),
        }
    }
    let mut text = String::new();
    for (first, last) in spans {
        let comma = if text.is_empty() { "" } else { "," };
        let _ = match first == last {
            true => write!(text, "{comma}{first}"),
            false => write!(text, "{comma}{first}-{last}"),
        };
    }
    text
}

/// What [`spans`] was made of; `None` if it is something else.
pub(crate) fn numbers(text: &str) -> Option<BTreeSet<i64>> {
    let mut all = BTreeSet::new();
    for span in text.split(',').filter(|span| !span.is_empty()) {
        let (first, last) = span.split_once('-').unwrap_or((span, span));
        all.extend(first.parse::<i64>().ok()?..=last.parse().ok()?);
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_columns_come_back() {
        for (all, text) in [(vec![], ""), (vec![7], "7"), (vec![1, 2, 3, 5, 8, 9], "1-3,5,8-9")] {
            let all: BTreeSet<i64> = all.into_iter().collect();
            assert_eq!(spans(&all), text);
            assert_eq!(numbers(text), Some(all));
        }
        assert_eq!(numbers("1-x"), None);
    }

    #[test]
    fn what_earlier_builds_noted_is_read() {
        let noted: Noted = serde_json::from_str(r#"{"row_id": 3, "rows": 2}"#).expect("a note");
        assert_eq!(noted, Noted { row_id: 3, rows: 2, ..Noted::default() });
        let sums = [(5999, Sum { rows: 2, checksum: 0xf3 })].into();
        let full = Noted { columns: Some("1-2".to_owned()), sequence: Some(2), sums, replaced: 1, ..noted };
        let text = serde_json::to_string(&full).expect("a text");
        assert_eq!(serde_json::from_str::<Noted>(&text).expect("a note"), full);
    }
}
