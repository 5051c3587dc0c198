//! The builder of texts and bytes: one buffer of bytes, and where each value ends in it.

use std::mem;
use std::str::from_utf8;

use arrow_array::{BinaryArray, StringArray};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer};

use super::column::BadRow;
use super::error::BadValue;

/// Values of any length. They are copied once, into a buffer of their batch.
#[derive(Debug)]
pub(super) struct Bytes {
    values: Vec<u8>,
    /// 0, and the end of each value.
    offsets: Vec<i32>,
}

impl Bytes {
    pub(super) fn new() -> Self {
        Bytes { values: Vec::new(), offsets: vec![0] }
    }

    pub(super) fn reserve(&mut self, rows: usize) {
        self.offsets.reserve(rows);
    }

    #[inline]
    pub(super) fn push(&mut self, value: &[u8]) -> Result<(), BadValue> {
        let end = i32::try_from(self.values.len() + value.len()).map_err(|_| BadValue::TooLong)?;
        self.values.extend_from_slice(value);
        self.offsets.push(end);
        Ok(())
    }

    #[inline]
    pub(super) fn push_null(&mut self) {
        // The cast is exact, because `push` keeps the length within an i32.
        self.offsets.push(self.values.len() as i32);
    }

    /// The values as bytes; the builder is empty again.
    pub(super) fn finish_bytes(&mut self, nulls: Option<NullBuffer>) -> BinaryArray {
        let (offsets, values) = self.take();
        BinaryArray::new(offsets, values, nulls)
    }

    /// The values as texts; the builder is empty again. That they are UTF-8 is checked here, for
    /// all of them at once, which is far faster than one by one.
    pub(super) fn finish_texts(&mut self, nulls: Option<NullBuffer>) -> Result<StringArray, BadRow> {
        let (offsets, values) = self.take();
        StringArray::try_new(offsets.clone(), values.clone(), nulls).map_err(|_| {
            let is_bad = |ends: &[i32]| from_utf8(&values[ends[0] as usize..ends[1] as usize]).is_err();
            BadRow { index: offsets.windows(2).position(is_bad).unwrap_or(0), wrong: BadValue::Utf8 }
        })
    }

    fn take(&mut self) -> (OffsetBuffer<i32>, Buffer) {
        let offsets = mem::replace(&mut self.offsets, vec![0]);
        (OffsetBuffer::new(offsets.into()), Buffer::from_vec(mem::take(&mut self.values)))
    }
}
