//! The way down from rows to the slots of a leaf: one pass over the slots per field on it.

use arrow_array::{ArrayRef, UInt32Array};
use arrow_buffer::{BooleanBuffer, NullBuffer};

use super::slots::{SlotLevels, Slots};

/// Slots, and where in the present array each has its value, if it is there so far.
pub(super) struct Walk {
    repetition: Vec<u16>,
    definition: Vec<u16>,
    at: Vec<Option<usize>>,
    /// How many lists there were on the way.
    lists: u16,
}

impl Walk {
    pub(super) fn new(rows: usize) -> Self {
        let at = (0..rows).map(Some).collect();
        Walk { repetition: vec![0; rows], definition: vec![0; rows], at, lists: 0 }
    }

    /// Looks at what is null in the present array. False if something is that must not be.
    pub(super) fn enter(&mut self, nulls: Option<&NullBuffer>, nullable: bool) -> bool {
        for (at, definition) in self.at.iter_mut().zip(&mut self.definition) {
            let Some(place) = *at else { continue };
            match nulls.is_some_and(|nulls| nulls.is_null(place)) {
                true if !nullable => return false,
                true => *at = None,
                false => *definition += u16::from(nullable),
            }
        }
        true
    }

    /// Goes from lists to their elements, which `range` returns. What is no list or an empty one
    /// keeps its slot.
    pub(super) fn open(&mut self, range: impl Fn(usize) -> (usize, usize)) {
        self.lists += 1;
        let (mut repetition, mut definition, mut at) = (Vec::new(), Vec::new(), Vec::new());
        for ((&first, &defined), &place) in self.repetition.iter().zip(&self.definition).zip(&self.at) {
            let (start, end) = place.map_or((0, 0), &range);
            repetition.push(first);
            if start == end {
                definition.push(defined);
                at.push(None);
                continue;
            }
            repetition.extend(std::iter::repeat_n(self.lists, end - start - 1));
            definition.extend(std::iter::repeat_n(defined + 1, end - start));
            at.extend((start..end).map(Some));
        }
        (self.repetition, self.definition, self.at) = (repetition, definition, at);
    }

    /// The slots, whose values are in `array`.
    pub(super) fn slots(self, array: ArrayRef) -> Result<Slots, String> {
        let there = BooleanBuffer::from_iter(self.at.iter().map(Option::is_some));
        let nulls = Some(NullBuffer::new(there)).filter(|nulls| nulls.null_count() > 0);
        let values = match self.lists {
            // A row each, in their order.
            0 => array,
            _ => gather(&array, &self.at, nulls.is_none())?,
        };
        let levels = Some(SlotLevels { repetition: self.repetition, definition: self.definition });
        Ok(Slots { values, nulls, levels })
    }
}

/// The values of `array` at these places; `whole` if all slots have one.
fn gather(array: &ArrayRef, at: &[Option<usize>], whole: bool) -> Result<ArrayRef, String> {
    if let Some(Some(first)) = at.first().filter(|_| whole)
        && at.iter().zip(*first..).all(|(at, place)| *at == Some(place))
    {
        return Ok(array.slice(*first, at.len()));
    }
    let short = |place: usize| u32::try_from(place).map_err(|_| "a batch has too many values".to_owned());
    let places = at.iter().map(|at| at.map(short).transpose()).collect::<Result<UInt32Array, _>>()?;
    arrow_select::take::take(array, &places, None).map_err(|e| e.to_string())
}
