//! The values of a column of which each takes as many bytes as any other: integers, moments, and
//! all other [`Value`]s.
//!
//! A chunk's first page decides: if a dictionary of its values and their indices are smaller than
//! their differences, or than the plain values of a type without differences, the chunk has a
//! dictionary until that is full; otherwise it has only differences or plain values.

use parquet::basic::Encoding;
use parquet::file::statistics::Statistics;

use super::bounds::NumberBounds;
use super::dictionary::Layout;
use super::hybrid;
use super::indices::{Indices, RowRange};
use super::value::{Value, ValuePage};

/// The values of one chunk, and of its current page.
pub(super) struct Numbers<V: Value> {
    state: State,
    indices: Indices,
    direct: V::Page,
    /// The values of the first page; later, the values of the current rows that are not null.
    dense: Vec<V>,
    /// The bounds of the values stored without the dictionary. Those of the dictionary are added
    /// when the chunk is closed.
    bounds: NumberBounds<V>,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// No page has had values yet.
    First,
    Indexed,
    /// The current page is the last one of indices.
    Full,
    /// No page has a dictionary any more.
    Direct,
}

impl<V: Value> Numbers<V> {
    /// The values of a chunk, which have a sign or not.
    pub(super) fn new(signed: bool) -> Self {
        Numbers {
            state: State::First,
            indices: Indices::new(Layout::Bare),
            direct: V::Page::new(),
            dense: Vec::new(),
            bounds: NumberBounds::new(signed),
        }
    }

    /// Takes rows, and returns how many: zero only if the page [has to end](Numbers::page_ends).
    pub(super) fn take(&mut self, numbers: &[V], rows: RowRange<'_>) -> usize {
        match self.state {
            State::First => {
                self.dense.extend(rows.values().map(|row| numbers[row]));
                rows.count
            }
            State::Indexed => {
                let taken = self.indices.take(rows, |row| numbers[row].bytes());
                if taken < rows.count {
                    self.state = State::Full;
                }
                taken
            }
            State::Full => 0,
            State::Direct => {
                let dense = if rows.nulls.is_none() {
                    &numbers[rows.from..rows.from + rows.count]
                } else {
                    self.dense.clear();
                    self.dense.extend(rows.values().map(|row| numbers[row]));
                    &self.dense[..]
                };
                append(&mut self.direct, &mut self.bounds, dense);
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
                    self.state = State::Direct;
                }
                Encoding::RLE_DICTIONARY
            }
            // A page without values counts as plain.
            State::First | State::Direct if self.direct.is_empty() => Encoding::PLAIN,
            State::First | State::Direct => {
                self.direct.finish(out);
                V::Page::ENCODING
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
            append(&mut self.direct, &mut self.bounds, &values);
            self.state = State::Direct;
        }
    }

    /// The dictionary's values and how many they are, if pages refer to them.
    pub(super) fn dictionary(&self) -> Option<(usize, &[u8])> {
        let dictionary = &self.indices.dictionary;
        (dictionary.len() > 0).then(|| (dictionary.len(), dictionary.page()))
    }

    /// The statistics of the chunk, all of whose pages are closed.
    pub(super) fn statistics(&mut self, nulls: u64) -> Statistics {
        self.bounds.widen(&self.indices.dictionary.values().map(V::of).collect::<Vec<_>>());
        self.bounds.statistics(nulls)
    }

    /// Whether one of the values of the chunk, whose statistics were asked for, is NaN.
    pub(super) fn has_nan(&self) -> bool {
        self.bounds.has_nan()
    }

    /// Memory in use, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.indices.memory() + self.direct.memory() + size_of::<V>() * self.dense.capacity()
    }
}

fn append<V: Value>(direct: &mut V::Page, bounds: &mut NumberBounds<V>, values: &[V]) {
    bounds.widen(values);
    direct.append(values);
}

/// Indices of `values`, if they and their dictionary are smaller than the values without it.
fn smaller<V: Value>(values: &[V]) -> Option<Indices> {
    if !V::REPEATS {
        return None;
    }
    let mut indices = Indices::new(Layout::Bare);
    let rows = RowRange { nulls: None, from: 0, count: values.len() };
    if indices.take(rows, |row| values[row].bytes()) < values.len() {
        return None;
    }
    let distinct = indices.dictionary.len();
    let width = hybrid::width((distinct - 1) as u16) as usize;
    let (mut direct, mut page) = (V::Page::new(), Vec::new());
    direct.append(values);
    direct.finish(&mut page);
    (indices.dictionary.page().len() + values.len() * width / 8 < page.len()).then_some(indices)
}
