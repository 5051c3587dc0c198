//! A text column of a batch, for whoever reads it.

use arrow_array::cast::AsArray;
use arrow_array::types::UInt16Type;
use arrow_array::{Array, StringArray, UInt16Array};

/// The text of a column: as it is, or by its dictionary.
#[derive(Clone, Copy)]
pub(crate) enum TextColumn<'a> {
    Text(&'a StringArray),
    Keys(&'a UInt16Array, &'a StringArray),
}

impl<'a> TextColumn<'a> {
    /// None if `array` is of another type.
    pub(crate) fn of(array: &'a dyn Array) -> Option<Self> {
        if let Some(texts) = array.as_string_opt::<i32>() {
            return Some(TextColumn::Text(texts));
        }
        let dictionary = array.as_dictionary_opt::<UInt16Type>()?;
        Some(TextColumn::Keys(dictionary.keys(), dictionary.values().as_string_opt::<i32>()?))
    }

    /// The text in a row; none if it is null.
    pub(crate) fn get(self, row: usize) -> Option<&'a str> {
        match self {
            TextColumn::Text(texts) => texts.is_valid(row).then(|| texts.value(row)),
            TextColumn::Keys(keys, values) => keys.is_valid(row).then(|| values.value(keys.value(row).into())),
        }
    }
}
