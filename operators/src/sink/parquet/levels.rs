//! Which rows of a page are null: definition levels of one bit.

use arrow_array::builder::BooleanBufferBuilder;
use arrow_buffer::NullBuffer;

use super::hybrid;

/// The definition levels of the current page.
pub(super) struct Levels {
    valid: BooleanBufferBuilder,
    nulls: usize,
}

impl Levels {
    pub(super) fn new() -> Self {
        Levels { valid: BooleanBufferBuilder::new(0), nulls: 0 }
    }

    /// Appends the `count` rows of an array from row `from` on; without `nulls`, none of them is
    /// null.
    pub(super) fn append(&mut self, nulls: Option<&NullBuffer>, from: usize, count: usize) {
        match nulls {
            None => self.valid.append_n(count, true),
            Some(nulls) => {
                let rows = nulls.slice(from, count);
                self.nulls += rows.null_count();
                self.valid.append_buffer(rows.inner());
            }
        }
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        self.valid.len()
    }

    /// How many of them are null.
    pub(super) fn nulls(&self) -> usize {
        self.nulls
    }

    /// Appends the levels to `out`, with their length before them, and begins anew.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        let rows = self.rows();
        match self.nulls {
            0 => hybrid::run(1, 1, rows, out),
            nulls if nulls == rows => hybrid::run(0, 1, rows, out),
            _ => hybrid::bits(self.valid.as_slice(), rows, out),
        }
        let length = (out.len() - start - 4) as u32;
        out[start..start + 4].copy_from_slice(&length.to_le_bytes());
        self.valid.truncate(0);
        self.nulls = 0;
    }

    /// Memory in use, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.valid.capacity() / 8
    }
}
