//! The values of a column of integers or moments.
//!
//! A chunk's first page decides: if a dictionary of its values and their indices are smaller than
//! their differences, the chunk has a dictionary until that is full; otherwise it has only
//! differences.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use parquet::basic::Encoding;
use parquet::file::statistics::Statistics;

use super::bounds::NumberBounds;
use super::dictionary::Layout;
use super::differences::Differences;
use super::hybrid;
use super::indices::{Indices, Rows};

/// The numbers of `array`, arbitrary where it is null; none if it is of another type.
pub(super) fn numbers(array: &dyn Array) -> Option<&[i64]> {
    let integers = array.as_primitive_opt::<Int64Type>().map(|integers| &integers.values()[..]);
    integers.or_else(|| array.as_primitive_opt::<TimestampMicrosecondType>().map(|moments| &moments.values()[..]))
}

/// The values of one chunk, and of its current page.
pub(super) struct Numbers {
    state: State,
    indices: Indices,
    differences: Differences,
    /// The values of the first page; later, the values of the current rows that are not null.
    dense: Vec<i64>,
    /// The bounds of the values stored as differences. Those of the dictionary are added when the
    /// chunk is closed.
    bounds: NumberBounds,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// No page has had values yet.
    First,
    Indexed,
    /// The current page is the last one of indices.
    Full,
    Differences,
}

impl Numbers {
    pub(super) fn new() -> Self {
        Numbers {
            state: State::First,
            indices: Indices::new(Layout::Bare),
            differences: Differences::new(),
            dense: Vec::new(),
            bounds: NumberBounds::default(),
        }
    }

    /// Takes rows, and returns how many: zero only if the page [has to end](Numbers::page_ends).
    pub(super) fn take(&mut self, numbers: &[i64], rows: Rows<'_>) -> usize {
        match self.state {
            State::First => {
                self.dense.extend(rows.values().map(|row| numbers[row]));
                rows.count
            }
            State::Indexed => {
                let taken = self.indices.take(rows, |row| numbers[row].to_le_bytes());
                if taken < rows.count {
                    self.state = State::Full;
                }
                taken
            }
            State::Full => 0,
            State::Differences => {
                let dense = if rows.nulls.is_none() {
                    &numbers[rows.from..rows.from + rows.count]
                } else {
                    self.dense.clear();
                    self.dense.extend(rows.values().map(|row| numbers[row]));
                    &self.dense[..]
                };
                append(&mut self.differences, &mut self.bounds, dense);
                rows.count
            }
        }
    }

    /// Whether the current page can take no more.
    pub(super) fn page_ends(&self) -> bool {
        self.state == State::Full
    }

    /// Appends the values of the current page to `out`, and begins the next.
    pub(super) fn page(&mut self, out: &mut Vec<u8>) -> Encoding {
        if self.state == State::First {
            self.decide();
        }
        match self.state {
            State::Indexed | State::Full => {
                self.indices.finish(out);
                if self.state == State::Full {
                    self.state = State::Differences;
                }
                Encoding::RLE_DICTIONARY
            }
            // A page without values counts as plain.
            State::First | State::Differences if self.differences.is_empty() => Encoding::PLAIN,
            State::First | State::Differences => {
                self.differences.finish(out);
                Encoding::DELTA_BINARY_PACKED
            }
        }
    }

    /// Chooses how to store the chunk by the values of the first page, if there are any.
    fn decide(&mut self) {
        let values = std::mem::take(&mut self.dense);
        if values.is_empty() {
            return;
        }
        if let Some(indices) = smaller(&values) {
            self.indices = indices;
            self.state = State::Indexed;
        } else {
            append(&mut self.differences, &mut self.bounds, &values);
            self.state = State::Differences;
        }
    }

    /// The dictionary's values and how many they are, if pages refer to them.
    pub(super) fn dictionary(&self) -> Option<(usize, &[u8])> {
        let dictionary = &self.indices.dictionary;
        (dictionary.len() > 0).then(|| (dictionary.len(), dictionary.page()))
    }

    /// The statistics of the chunk, all of whose pages are closed.
    pub(super) fn statistics(&mut self, nulls: u64) -> Statistics {
        let (values, _) = self.indices.dictionary.page().as_chunks::<8>();
        self.bounds.widen(&values.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect::<Vec<_>>());
        self.bounds.statistics(nulls)
    }

    /// Memory in use, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.indices.memory() + self.differences.memory() + 8 * self.dense.capacity()
    }
}

fn append(differences: &mut Differences, bounds: &mut NumberBounds, values: &[i64]) {
    bounds.widen(values);
    differences.append(values);
}

/// Indices of `values`, if they and their dictionary are smaller than the differences.
fn smaller(values: &[i64]) -> Option<Indices> {
    let mut indices = Indices::new(Layout::Bare);
    let rows = Rows { nulls: None, from: 0, count: values.len() };
    if indices.take(rows, |row| values[row].to_le_bytes()) < values.len() {
        return None;
    }
    let distinct = indices.dictionary.len();
    let width = hybrid::width((distinct - 1) as u16) as usize;
    let (mut differences, mut page) = (Differences::new(), Vec::new());
    differences.append(values);
    differences.finish(&mut page);
    (8 * distinct + values.len() * width / 8 < page.len()).then_some(indices)
}
