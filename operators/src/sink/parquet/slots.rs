//! The slots of a leaf in a batch: its values, and all places where there is none.
//!
//! A leaf that is not within a list has a slot in each row. Within lists, it has one for each
//! element, and one for each list that is null or empty, or is not there because something around
//! it is null. A slot's levels tell these apart: the *definition level* counts how far down its way
//! there is something, the *repetition level* counts the lists that go on from the slot before.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;
use parquet::errors::ParquetError;

use super::arrays::{digits_fit, with_short_offsets};
use super::leaf::{Leaf, Next, Node};
use super::walk::Walk;

/// The slots of a leaf in one array.
pub(super) struct Slots {
    /// A value per slot, arbitrary where there is none.
    pub(super) values: ArrayRef,
    /// The slots without a value; none if all slots have one.
    pub(super) nulls: Option<NullBuffer>,
    /// The levels, unless they follow from `nulls`.
    pub(super) levels: Option<SlotLevels>,
}

/// Two levels per slot.
pub(super) struct SlotLevels {
    pub(super) repetition: Vec<u16>,
    pub(super) definition: Vec<u16>,
}

impl Leaf {
    /// The slots of this leaf in `array`, an array of the field that it belongs to.
    pub(super) fn slots(&self, array: &ArrayRef) -> Result<Slots, ParquetError> {
        let mut slots = match &self.nodes[..] {
            [Node { nullable, .. }] => {
                let nulls = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
                if !nullable && nulls.is_some() {
                    return Err(self.mismatch("it must not be null, and is"));
                }
                Slots { values: array.clone(), nulls, levels: None }
            }
            _ => self.walk(array)?,
        };
        if !is_of(slots.values.data_type(), &self.data_type) {
            let (ours, theirs) = (&self.data_type, slots.values.data_type());
            return Err(self.mismatch(&format!("an array of {theirs} does not match its type, {ours}")));
        }
        if !digits_fit(&slots.values, slots.nulls.as_ref()) {
            return Err(self.mismatch("a value has more digits than its type"));
        }
        let short = with_short_offsets(&slots.values);
        slots.values = short.ok_or_else(|| self.mismatch("a batch has more than 2 GiB of it"))?;
        Ok(slots)
    }

    /// Goes down to the leaf, and from slots for rows to slots for elements on the way.
    fn walk(&self, array: &ArrayRef) -> Result<Slots, ParquetError> {
        let mut array = array.clone();
        let mut walk = Walk::new(array.len());
        for node in &self.nodes {
            let nulls = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
            if !walk.enter(nulls.as_ref(), node.nullable) {
                return Err(self.mismatch("something in it must not be null, and is"));
            }
            array = match node.next {
                Next::Leaf => break,
                Next::Field(index) => {
                    let fields = array.as_struct_opt().filter(|fields| index < fields.num_columns());
                    fields.ok_or_else(|| self.mismatch("there is no such field in a batch"))?.column(index).clone()
                }
                Next::Items => {
                    if let Some(list) = array.as_list_opt::<i32>() {
                        let offsets = list.value_offsets();
                        walk.open(|at| (offsets[at] as usize, offsets[at + 1] as usize));
                        list.values().clone()
                    } else if let Some(list) = array.as_list_opt::<i64>() {
                        let offsets = list.value_offsets();
                        walk.open(|at| (offsets[at] as usize, offsets[at + 1] as usize));
                        list.values().clone()
                    } else {
                        return Err(self.mismatch("there is no such list in a batch"));
                    }
                }
            };
        }
        walk.slots(array).map_err(|cause| self.mismatch(&cause))
    }
}

/// Whether a column of type `ours` takes arrays of `theirs`: the zone of a moment is only for
/// people, and texts may come with a dictionary.
fn is_of(theirs: &DataType, ours: &DataType) -> bool {
    match (theirs, ours) {
        (DataType::Timestamp(theirs, _), DataType::Timestamp(ours, _)) => theirs == ours,
        (DataType::Dictionary(keys, values), DataType::Utf8 | DataType::Binary) => {
            **keys == DataType::UInt16 && **values == *ours
        }
        _ => theirs == ours,
    }
}
