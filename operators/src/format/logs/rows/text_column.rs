//! A text column of a batch, as its readers see it.

use arrow_array::cast::AsArray;
use arrow_array::types::UInt16Type;
use arrow_array::{Array, StringArray, UInt16Array};

/// The text of a column: plain, or as keys of a dictionary.
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

    /// How many [places](TextColumn::place) there are; none if the texts are not known to repeat.
    pub(crate) fn places(self) -> Option<usize> {
        match self {
            TextColumn::Text(_) => None,
            TextColumn::Keys(_, values) => Some(1 + values.len()),
        }
    }

    /// A number that rows of the same text share; 0 if the text is null, or if the texts are not
    /// known to repeat.
    pub(crate) fn place(self, row: usize) -> usize {
        match self {
            TextColumn::Keys(keys, _) if keys.is_valid(row) => 1 + usize::from(keys.value(row)),
            TextColumn::Keys(..) | TextColumn::Text(_) => 0,
        }
    }

    /// The text in a row; none if it is null.
    pub(crate) fn get(self, row: usize) -> Option<&'a str> {
        match self {
            TextColumn::Text(texts) => texts.is_valid(row).then(|| texts.value(row)),
            TextColumn::Keys(keys, values) => keys.is_valid(row).then(|| values.value(keys.value(row).into())),
        }
    }
}
