//! The builder of lists, from arrays of at most one dimension.
//!
//! An array is the number of its dimensions, a flag that tells of NULLs, and the OID of its
//! elements' type; then the length and lower bound of each dimension; then its elements, which are
//! as the fields of a tuple (`array_send` in PostgreSQL's `arrayfuncs.c`). An empty array has no
//! dimension.

use std::mem;

use arrow_array::ListArray;
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::FieldRef;

use super::codec::Codec;
use super::column::{BadRow, Column};
use super::cursor::Cursor;
use super::error::BadValue;

/// Lists of one column: the elements of all, and where each list ends among them.
#[derive(Debug)]
pub(super) struct Lists {
    field: FieldRef,
    elements: Column,
    /// 0, and the end of each list.
    offsets: Vec<i32>,
}

impl Lists {
    /// `field` is that of the elements, in the schema.
    pub(super) fn new(codec: &Codec, field: FieldRef) -> Self {
        let elements = Column::new(codec, &field);
        Lists { field, elements, offsets: vec![0] }
    }

    pub(super) fn reserve(&mut self, rows: usize) {
        self.offsets.reserve(rows);
    }

    pub(super) fn push(&mut self, value: &[u8]) -> Result<(), BadValue> {
        let mut cursor = Cursor::new(value);
        let mut number = || cursor.i32().ok_or(BadValue::Length);
        let (dimensions, _has_null, _oid) = (number()?, number()?, number()?);
        let length = match dimensions {
            0 => 0,
            1 => {
                let (length, _lower_bound) = (number()?, number()?);
                usize::try_from(length).map_err(|_| BadValue::Malformed)?
            }
            2.. => return Err(BadValue::Dimensions),
            _ => return Err(BadValue::Malformed),
        };
        // The length may be a lie: every element takes bytes, so the loop ends with these.
        for _ in 0..length {
            match cursor.field().map_err(|_| BadValue::Length)? {
                Some(element) => self.elements.push(element)?,
                None => self.elements.push_null()?,
            }
        }
        if cursor.left() > 0 {
            return Err(BadValue::Length);
        }
        let end = self.elements.len();
        self.offsets.push(i32::try_from(end).map_err(|_| BadValue::TooLong)?);
        Ok(())
    }

    pub(super) fn push_null(&mut self) {
        // The cast is exact, because `push` keeps the length within an i32.
        self.offsets.push(self.elements.len() as i32);
    }

    /// The lists; the builder is empty again.
    pub(super) fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<ListArray, BadRow> {
        let offsets: OffsetBuffer<i32> = OffsetBuffer::new(mem::replace(&mut self.offsets, vec![0]).into());
        // An element is in the list before the first that begins after it.
        let list = |element: usize| offsets.partition_point(|begin| *begin as usize <= element).saturating_sub(1);
        let elements =
            self.elements.finish().map_err(|BadRow { index, wrong }| BadRow { index: list(index), wrong })?;
        Ok(ListArray::new(self.field.clone(), offsets, elements, nulls))
    }
}
