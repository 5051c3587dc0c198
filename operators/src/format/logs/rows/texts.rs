//! Text columns: a column whose values repeat becomes keys of a dictionary, any other stays text.
//!
//! This is found out by trying: a column consists of keys until its values are too many, too long,
//! or mostly new, and is then text for some batches. A dictionary is kept from batch to batch, so
//! that consumers can reuse what they hold for each of its values; it only grows, or begins anew.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{ArrayBuilder, StringBuilder};
use arrow_array::{Array, ArrayRef, DictionaryArray, StringArray, UInt16Array};
use arrow_buffer::{BooleanBuffer, NullBuffer};

/// A dictionary has at most this many values,
const MOST_VALUES: usize = 2_048;
/// which take at most this many bytes.
const MOST_BYTES: usize = 64 << 10;
/// In a batch with this many values or more, at most half may be new.
const ENOUGH_TO_JUDGE: usize = 64;
/// Stands for null among the keys of a batch; no value has this key.
const NULL: u16 = u16::MAX;
/// For this many batches a column stays text before keys are tried again.
const BATCHES_AS_TEXT: u32 = 64;
/// How many JSON texts are remembered with their keys; a power of two.
const RECENT: usize = 64;
/// The length of the longest JSON text that is remembered, in bytes.
const LONGEST_RECENT: usize = 512;

/// The most that the dictionary of one column takes, in bytes: its values, in the map of keys and
/// as an array, all in buffers that grow by doubling, and the remembered texts.
pub(crate) const DICTIONARY: u64 = (4 * MOST_BYTES + MOST_VALUES * 96 + RECENT * (2 * LONGEST_RECENT + 32)) as u64;

/// The values of a text column so far.
pub(super) struct Texts {
    rows: Collected,
    dictionary: Dictionary,
    /// How many of the next batches stay text.
    as_text: u32,
}

enum Collected {
    Keys(Vec<u16>),
    Text(StringBuilder),
}

#[derive(Default)]
struct Dictionary {
    values: StringBuilder,
    keys: HashMap<Box<str>, u16>,
    /// The values as they were at the end of the last batch.
    array: Option<Arc<StringArray>>,
    /// How many values were added since then.
    new: usize,
    /// JSON texts, quotes included, indexed by [`glance`].
    recent: Vec<Recent>,
    /// The index in `recent` of the text that was looked up last.
    last: usize,
}

#[derive(Clone, Default)]
struct Recent {
    raw: Vec<u8>,
    key: u16,
}

impl Texts {
    pub(super) fn new() -> Self {
        Texts { rows: Collected::Keys(Vec::new()), dictionary: Dictionary::default(), as_text: 0 }
    }

    /// The JSON text that was looked up last; empty if there is none.
    pub(super) fn last(&self) -> &[u8] {
        self.dictionary.recent.get(self.dictionary.last).map_or(&[], |recent| &recent.raw)
    }

    /// The key of [`last`](Texts::last).
    pub(super) fn last_key(&self) -> u16 {
        self.dictionary.recent[self.dictionary.last].key
    }

    /// The key of a value with the JSON text `raw`, if it is remembered.
    pub(super) fn find(&mut self, raw: &str) -> Option<u16> {
        let place = glance(raw.as_bytes());
        let recent = self.dictionary.recent.get(place).filter(|recent| recent.raw == raw.as_bytes())?;
        self.dictionary.last = place;
        Some(recent.key)
    }

    pub(super) fn append_key(&mut self, key: u16) {
        match &mut self.rows {
            Collected::Keys(keys) => keys.push(key),
            Collected::Text(_) => unreachable!("keys are remembered only while the column consists of keys"),
        }
    }

    /// Appends `text`, which the JSON text `raw` stands for.
    pub(super) fn append(&mut self, text: &str, raw: &str) {
        if let Collected::Keys(keys) = &mut self.rows {
            match self.dictionary.key(text, raw) {
                Some(key) => return keys.push(key),
                None => self.give_up(),
            }
        }
        if let Collected::Text(texts) = &mut self.rows {
            texts.append_value(text);
        }
    }

    /// Appends nulls until there are `rows`.
    #[inline]
    pub(super) fn pad(&mut self, rows: usize) {
        match &mut self.rows {
            Collected::Keys(keys) => keys.resize(rows, NULL),
            Collected::Text(texts) => texts.append_nulls(rows - texts.len()),
        }
    }

    /// The values so far: keys of a dictionary, or text.
    pub(super) fn finish(&mut self) -> ArrayRef {
        match &mut self.rows {
            Collected::Keys(keys) => {
                let rows = keys.len();
                let keys = finished(std::mem::replace(keys, Vec::with_capacity(rows)));
                let values = self.dictionary.array();
                if !self.dictionary.repeats(rows - keys.null_count()) {
                    self.give_up();
                }
                Arc::new(DictionaryArray::new(keys, values))
            }
            Collected::Text(texts) => {
                let array = Arc::new(texts.finish());
                self.as_text = self.as_text.saturating_sub(1);
                if self.as_text == 0 {
                    *self = Texts::new();
                }
                array
            }
        }
    }

    /// Turns the column into text.
    fn give_up(&mut self) {
        if let Collected::Keys(keys) = &mut self.rows {
            let values = self.dictionary.array();
            let mut texts = StringBuilder::new();
            let text = |key: u16| (key != NULL).then(|| values.value(key.into()));
            keys.iter().for_each(|key| texts.append_option(text(*key)));
            self.rows = Collected::Text(texts);
            self.dictionary = Dictionary::default();
            self.as_text = BATCHES_AS_TEXT;
        }
    }
}

impl Dictionary {
    /// The key of `text`, which is added if it is new; none if there is no room for it.
    fn key(&mut self, text: &str, raw: &str) -> Option<u16> {
        let key = match self.keys.get(text) {
            Some(key) => *key,
            None => {
                let key = self.keys.len();
                if key >= MOST_VALUES || self.values.values_slice().len() + text.len() > MOST_BYTES {
                    return None;
                }
                let key = u16::try_from(key).ok()?;
                self.values.append_value(text);
                self.keys.insert(text.into(), key);
                self.new += 1;
                key
            }
        };
        if raw.len() <= LONGEST_RECENT {
            self.recent.resize(RECENT, Recent::default());
            self.last = glance(raw.as_bytes());
            let recent = &mut self.recent[self.last];
            recent.raw.clear();
            recent.raw.extend_from_slice(raw.as_bytes());
            recent.key = key;
        }
        Some(key)
    }

    fn array(&mut self) -> Arc<StringArray> {
        match &self.array {
            Some(array) if self.new == 0 => array.clone(),
            _ => self.array.insert(Arc::new(self.values.finish_cloned())).clone(),
        }
    }

    /// Whether at least half of a batch's `values` were there before. A dictionary that is more
    /// than half full begins anew.
    fn repeats(&mut self, values: usize) -> bool {
        let new = std::mem::take(&mut self.new);
        if self.keys.len() > MOST_VALUES / 2 || self.values.values_slice().len() > MOST_BYTES / 2 {
            *self = Dictionary::default();
        }
        values < ENOUGH_TO_JUDGE || new * 2 <= values
    }
}

/// Keys as an array.
fn finished(mut keys: Vec<u16>) -> UInt16Array {
    if !keys.contains(&NULL) {
        return UInt16Array::new(keys.into(), None);
    }
    let valid = NullBuffer::new(BooleanBuffer::collect_bool(keys.len(), |row| keys[row] != NULL));
    // A key under a null must be in bounds, for readers that do not check for nulls.
    keys.iter_mut().filter(|key| **key == NULL).for_each(|key| *key = 0);
    UInt16Array::new(keys.into(), Some(valid))
}

/// A number below [`RECENT`] from the length, the first and the last bytes of `raw`. Texts with the
/// same number displace one another.
fn glance(raw: &[u8]) -> usize {
    let word = |bytes: &[u8]| {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(word)
    };
    let first = raw.first_chunk::<8>().map_or_else(|| word(raw), |first| u64::from_le_bytes(*first));
    let last = raw.last_chunk::<8>().map_or(0, |last| u64::from_le_bytes(*last));
    // Fibonacci hashing: the upper bits depend on all bits.
    let mixed = (first ^ last.rotate_left(23) ^ raw.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> (64 - RECENT.ilog2())) as usize
}

#[cfg(test)]
mod tests;
