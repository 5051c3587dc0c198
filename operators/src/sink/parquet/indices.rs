//! A page of indices into the chunk's dictionary.

use arrow_buffer::NullBuffer;

use super::dictionary::{Dictionary, Layout};
use super::hybrid;

/// Some rows of an array.
#[derive(Clone, Copy)]
pub(super) struct RowRange<'a> {
    /// The nulls of the whole array; if there are none, all rows are values.
    pub(super) nulls: Option<&'a NullBuffer>,
    pub(super) from: usize,
    pub(super) count: usize,
}

impl RowRange<'_> {
    /// The first of these rows, at most `most`.
    pub(super) fn first(self, most: usize) -> Self {
        RowRange { count: self.count.min(most), ..self }
    }

    /// The rows that are not null.
    pub(super) fn values(self) -> impl Iterator<Item = usize> {
        (self.from..self.from + self.count).filter(move |row| self.nulls.is_none_or(|nulls| nulls.is_valid(*row)))
    }
}

/// The dictionary of a chunk, and the indices of its current page.
pub(super) struct Indices {
    pub(super) dictionary: Dictionary,
    pub(super) page: Vec<u16>,
}

impl Indices {
    pub(super) fn new(layout: Layout) -> Self {
        Indices { dictionary: Dictionary::new(layout), page: Vec::new() }
    }

    /// Takes `rows`, whose values `value` returns, and returns how many it took: fewer if the
    /// dictionary has no room for the next value.
    pub(super) fn take<V: AsRef<[u8]>>(&mut self, rows: RowRange<'_>, value: impl Fn(usize) -> V) -> usize {
        let mut last: Option<(V, u16)> = None;
        let mut taken = rows.count;
        for row in rows.values() {
            let value = value(row);
            // Many columns of a log hold one value for thousands of rows.
            let index = match &last {
                Some((same, index)) if same.as_ref() == value.as_ref() => Some(*index),
                _ => self.dictionary.index(value.as_ref()),
            };
            let Some(index) = index else {
                taken = row - rows.from;
                break;
            };
            self.page.push(index);
            last = Some((value, index));
        }
        taken
    }

    /// Appends the page's values to `out` and begins anew.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        let most = self.dictionary.len().saturating_sub(1) as u16;
        let width = hybrid::width(most);
        out.push(width as u8);
        hybrid::indices(&self.page, width, out);
        self.page.clear();
    }

    /// Memory in use, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.dictionary.memory() + 2 * self.page.capacity()
    }
}
