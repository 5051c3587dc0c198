//! The first row that differs, named by its `_source` and `_offset`.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

use super::compare::{Evidence, FirstDifference, Odd};
use super::lake::Reader;
use super::logs::plain::Plain;
use super::sums::{At, RowSums, bytes, within};
use super::told;
use crate::error::StoreError;
use crate::source::files::ByteSource;

/// To name the first row that differs, at most this many rows around it are held in memory, each of
/// some hundred bytes.
const MOST_ROWS: u64 = 1 << 20;

/// What is wrong with a row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// The source has it, and the table lacks it.
    Missing,
    /// The table has it more than once.
    Doubled,
    /// The table has a different row in its place.
    Altered,
    /// The table has it, and the source does not.
    Unexpected,
}

/// The first row that differs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its `_source`, or the hot table that it was in; none if it has none or if that is unknown.
    pub source: Option<String>,
    /// Its `_offset` or its sequence; none if only a range is known.
    pub offset: Option<u64>,
    /// Its `_item`; none if its line is one record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<u64>,
    /// The columns of its primary key and their values, if it has one and it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<BTreeMap<String, String>>,
    /// The flush that brought it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flush: Option<u64>,
    /// What is wrong with it; none if that cannot be determined.
    pub what: Option<What>,
    /// The range of offsets in which it lies, if it was not pinpointed by reading its source again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<[u64; 2]>,
    /// Which of source, totals and table disagrees, where the other two agree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub odd: Option<Odd>,
}

impl Difference {
    /// Something about the rows of a hot table.
    pub(super) fn of(table: &str) -> Difference {
        Difference { source: Some(table.to_owned()), ..Difference::default() }
    }
}

/// What `place` alone says about the first row that differs.
pub(super) fn around(place: &FirstDifference) -> Difference {
    let nowhere = Difference::default();
    let within = |of: &str, range: &Range<u64>| Difference {
        source: Some(of.to_owned()),
        range: Some([range.start, range.end]),
        ..nowhere.clone()
    };
    match place {
        FirstDifference::Mebibyte(of, mebibyte) => within(of, &bytes(*mebibyte)),
        FirstDifference::Range(of, range, rows) => Difference { what: by_number(*rows), ..within(of, range) },
        FirstDifference::Totals(of, range) => Difference { odd: Some(Odd::Totals), ..within(of, range) },
        FirstDifference::Nameless => Difference { what: Some(What::Unexpected), odd: Some(Odd::Table), ..nowhere },
        FirstDifference::Elsewhere(rows) => Difference { what: by_number(*rows), ..nowhere },
    }
}

/// Reads the rows at `place` again, and names the first that differs.
pub(super) async fn name(
    place: &FirstDifference,
    evidence: &Evidence<'_>,
    table: usize,
    reader: &Reader<'_>,
    plain: &Plain<'_>,
    source: &dyn ByteSource,
) -> Result<Difference, StoreError> {
    let around = around(place);
    // Without its source, a range may be as wide as a file; and anyone may have put any number of
    // rows into the table.
    let rows = match place {
        FirstDifference::Range(_, _, [_, in_lake]) => *in_lake,
        FirstDifference::Mebibyte(of, mebibyte) => within(&evidence.lake.present.of(of), &bytes(*mebibyte)).rows,
        FirstDifference::Totals(..) | FirstDifference::Nameless | FirstDifference::Elsewhere(_) => 0,
    };
    if rows > MOST_ROWS {
        return Ok(around);
    }
    Ok(match place {
        FirstDifference::Totals(..) | FirstDifference::Nameless | FirstDifference::Elsewhere(_) => around,
        FirstDifference::Range(of, range, _) => {
            match reader.rows(of, range.clone()).await?.into_iter().find(is_twice) {
                Some(((offset, item), _)) => {
                    Difference { offset: Some(offset), item, what: Some(What::Doubled), ..around }
                }
                None => around,
            }
        }
        FirstDifference::Mebibyte(of, mebibyte) => {
            let mut told = RowSums::new();
            for piece in evidence.extent.pieces.iter().filter(|piece| piece.id.to_string() == *of) {
                for (at, rows) in told::rows(piece, *mebibyte, table, plain, source).await? {
                    told.entry(at).or_default().extend(rows);
                }
            }
            let held = reader.rows(of, bytes(*mebibyte)).await?;
            let odd = evidence.odd_one(of, *mebibyte);
            match first(&told, &held) {
                Some(((offset, item), what)) => {
                    Difference { offset: Some(offset), item, what: Some(what), odd, range: None, ..around }
                }
                None => Difference { odd, ..around },
            }
        }
    })
}

/// What is wrong, judged by the numbers of rows in totals and table.
fn by_number([in_totals, in_lake]: [u64; 2]) -> Option<What> {
    Some(match in_lake.cmp(&in_totals) {
        std::cmp::Ordering::Less => What::Missing,
        std::cmp::Ordering::Equal => What::Altered,
        std::cmp::Ordering::Greater => What::Unexpected,
    })
}

/// The first place where the source's rows differ from the table's.
fn first(told: &RowSums, held: &RowSums) -> Option<(At, What)> {
    let mut places: Vec<At> = told.keys().chain(held.keys()).copied().collect();
    places.sort_unstable();
    places.into_iter().find_map(|at| {
        let sorted = |rows: &RowSums| {
            let mut rows = rows.get(&at).cloned().unwrap_or_default();
            rows.sort_unstable();
            rows
        };
        let (told, held) = (sorted(told), sorted(held));
        let what = match (told.len(), held.len()) {
            _ if told == held => return None,
            (_, 0) => What::Missing,
            (0, _) => What::Unexpected,
            (told_rows, held_rows) if held_rows > told_rows && told.iter().all(|row| held.contains(row)) => {
                What::Doubled
            }
            (told_rows, held_rows) if held_rows < told_rows => What::Missing,
            _ => What::Altered,
        };
        Some((at, what))
    })
}

/// Whether two of the rows at one offset are the same.
fn is_twice((_, rows): &(At, Vec<u128>)) -> bool {
    let mut sorted = rows.clone();
    sorted.sort_unstable();
    sorted.windows(2).any(|pair| pair[0] == pair[1])
}

#[cfg(test)]
mod tests;
