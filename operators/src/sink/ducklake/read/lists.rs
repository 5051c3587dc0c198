//! Lists as DuckDB 1.5.5 prints them: `[1, 2, NULL]`, `['x,y', 'it\'s', plain, NULL, 'NULL', '']`.
//!
//! An element is in quotes if it could not be told apart without them: if it is empty, begins or
//! ends with a blank, looks like null or has a bracket, comma, colon or quote. Within quotes a
//! backslash stands before a quote or a backslash; without them it is one like other characters.

use std::sync::Arc;

use arrow_array::{ArrayRef, ListArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::DataType;

use super::texts;
use crate::sink::ducklake::types::LakeType;

/// Lists of elements of type `of`; their Arrow type is `to`. None if one of them cannot be read.
pub(super) fn array(values: &[Option<&str>], of: &LakeType, to: &DataType) -> Option<ArrayRef> {
    // The text of a blob has several readings, and a list in a list has no type of ours.
    let (DataType::List(field), false) = (to, matches!(of, LakeType::Blob | LakeType::List(_))) else { return None };
    let (mut elements, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new());
    for value in values {
        let list = match value {
            Some(text) => split(text)?,
            None => Vec::new(),
        };
        lengths.push(list.len());
        valid.push(value.is_some());
        elements.extend(list);
    }
    // Offsets have 32 bits.
    i32::try_from(elements.len()).ok()?;
    let elements: Vec<Option<&[u8]>> = elements.iter().map(|text| text.as_deref().map(str::as_bytes)).collect();
    let elements = texts::array(&elements, of, field.data_type())?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    let list = ListArray::try_new(field.clone(), offsets, elements, Some(NullBuffer::from(valid)));
    Some(Arc::new(list.ok()?))
}

/// The texts of a list's elements; none for null.
pub(super) fn split(text: &str) -> Option<Vec<Option<String>>> {
    let (mut rest, mut all) = (text.strip_prefix('[')?, Vec::new());
    if rest == "]" {
        return Some(all);
    }
    loop {
        let (element, after) = element(rest)?;
        all.push(element);
        rest = match after.strip_prefix(", ") {
            Some(rest) => rest,
            None => return (after == "]").then_some(all),
        };
    }
}

/// The first element of `text`, and what comes after it.
fn element(text: &str) -> Option<(Option<String>, &str)> {
    let Some(quoted) = text.strip_prefix('\'') else {
        let (plain, rest) = text.split_at(text.find([',', ']'])?);
        return Some(((plain != "NULL").then(|| plain.to_owned()), rest));
    };
    let (mut value, mut rest) = (String::new(), quoted.chars());
    loop {
        match rest.next()? {
            '\'' => return Some((Some(value), rest.as_str())),
            '\\' => value.push(rest.next()?),
            plain => value.push(plain),
        }
    }
}
