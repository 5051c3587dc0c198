//! The values of a text or binary column.
//!
//! A chunk begins with a dictionary. It is given up when the first values show that they do not
//! repeat, or when it is full. What follows is plain, and so is the current page if it is the first
//! and the dictionary does not pay.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{BinaryType, ByteArrayType, UInt16Type, Utf8Type};
use arrow_array::{Array, ArrayRef, GenericByteArray};
use parquet::basic::Encoding;
use parquet::file::statistics::Statistics;

use super::bounds::TextBounds;
use super::chunk::PAGE_BYTES;
use super::dictionary::{Layout, NONE};
use super::indices::{Indices, RowRange};

/// This many values show whether they repeat. Values that come as keys are known to.
const TRIAL: usize = 16 << 10;
/// Room for the definition levels before the plain values, in bytes: those of a page without nulls
/// take eight.
pub(super) const GAP: usize = 4 << 10;

/// An array of texts as a batch brings it.
#[derive(Clone, Copy)]
pub(super) enum TextArray<'a> {
    Plain(Slices<'a>),
    /// Keys into an array of values that is recognized by its address.
    Keyed(&'a [u16], &'a ArrayRef, Slices<'a>),
}

impl<'a> TextArray<'a> {
    /// None if `array` holds no texts.
    pub(super) fn of(array: &'a dyn Array) -> Option<Self> {
        if let Some(keyed) = array.as_dictionary_opt::<UInt16Type>() {
            return Some(TextArray::Keyed(keyed.keys().values(), keyed.values(), Slices::of(keyed.values())?));
        }
        Slices::of(array).map(TextArray::Plain)
    }

    fn value(&self, row: usize) -> &'a [u8] {
        match self {
            TextArray::Plain(values) => values.get(row),
            TextArray::Keyed(keys, _, values) => values.get(usize::from(keys[row])),
        }
    }
}

/// The values of an array of texts or binaries.
#[derive(Clone, Copy)]
pub(super) struct Slices<'a> {
    offsets: &'a [i32],
    bytes: &'a [u8],
}

impl<'a> Slices<'a> {
    fn of(array: &'a dyn Array) -> Option<Self> {
        fn slices<T: ByteArrayType<Offset = i32>>(array: &GenericByteArray<T>) -> Slices<'_> {
            Slices { offsets: array.value_offsets(), bytes: array.value_data() }
        }
        let texts = array.as_bytes_opt::<Utf8Type>().map(slices);
        texts.or_else(|| array.as_bytes_opt::<BinaryType>().map(slices))
    }

    fn get(self, at: usize) -> &'a [u8] {
        &self.bytes[self.offsets[at] as usize..self.offsets[at + 1] as usize]
    }

    fn len(self) -> usize {
        self.offsets.len() - 1
    }
}

/// The values of one chunk, and of its current page.
pub(super) struct Texts {
    utf8: bool,
    state: State,
    indices: Indices,
    /// Whether pages refer to the dictionary.
    referred: bool,
    /// How many values the trial has had so far, and how many bytes they would take without a
    /// dictionary.
    tried: (usize, usize),
    /// The index of each value of the last keyed array, [`NONE`] if it has none yet.
    known: Vec<u16>,
    known_of: Option<ArrayRef>,
    /// The page's values, each with its length, after [`GAP`] bytes; empty while there are none.
    plain: Vec<u8>,
    /// The bounds of the plain values. Those of the dictionary are added when the chunk is closed.
    bounds: TextBounds,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// It is not known yet whether the values repeat.
    Trial,
    /// The values repeat.
    Indexed,
    /// The current page is the last one of indices.
    Full,
    /// The values do not repeat: the current page is the first, still of indices, and is to be
    /// written plain.
    Refuted,
    Plain,
}

impl Texts {
    /// The values of a column of UTF-8, or of any bytes.
    pub(super) fn new(utf8: bool) -> Self {
        Texts {
            utf8,
            state: State::Trial,
            indices: Indices::new(Layout::Sized),
            referred: false,
            tried: (0, 0),
            known: Vec::new(),
            known_of: None,
            plain: Vec::new(),
            bounds: TextBounds::default(),
        }
    }

    /// Takes rows, and returns how many: zero only if the page [has to end](Texts::page_ends).
    pub(super) fn take(&mut self, array: TextArray<'_>, rows: RowRange<'_>) -> usize {
        match self.state {
            State::Trial => {
                let taken = self.take_indices(array, rows.first(TRIAL - self.tried.0));
                if self.state == State::Trial && self.tried.0 == TRIAL {
                    self.state = match array {
                        TextArray::Plain(_) if !self.dictionary_pays() => self.given_up(),
                        _ => State::Indexed,
                    };
                }
                taken
            }
            State::Indexed => self.take_indices(array, rows),
            State::Plain => self.take_plain(array, rows),
            State::Full | State::Refuted => 0,
        }
    }

    /// Whether the current page can take no more.
    pub(super) fn page_ends(&self) -> bool {
        matches!(self.state, State::Full | State::Refuted) || self.plain.len() >= PAGE_BYTES
    }

    /// The current page after its `levels`: in `out`, or in a buffer of its own. `last` means that
    /// it is the last of its chunk.
    pub(super) fn page<'a>(&'a mut self, levels: &[u8], last: bool, out: &'a mut Vec<u8>) -> (Encoding, &'a [u8]) {
        if self.state == State::Trial && last && !self.dictionary_pays() {
            self.state = self.given_up();
        }
        if self.state == State::Refuted {
            self.make_plain();
        }
        // A page counts as plain if there are no values yet.
        let indexed = self.state != State::Plain && self.indices.dictionary.len() > 0;
        if self.state == State::Full {
            self.state = State::Plain;
            self.forget_keys();
        }
        if indexed {
            out.extend_from_slice(levels);
            self.indices.finish(out);
            self.referred = true;
            return (Encoding::RLE_DICTIONARY, out);
        }
        self.plain.resize(self.plain.len().max(GAP), 0);
        if levels.len() > GAP {
            // Those of lists may be long.
            out.extend_from_slice(levels);
            out.extend_from_slice(&self.plain[GAP..]);
            return (Encoding::PLAIN, out);
        }
        let start = GAP - levels.len();
        self.plain[start..GAP].copy_from_slice(levels);
        (Encoding::PLAIN, &self.plain[start..])
    }

    /// Begins the next page.
    pub(super) fn next_page(&mut self) {
        self.plain.clear();
        // A long value must not keep its memory for ever.
        self.plain.shrink_to(2 * PAGE_BYTES);
    }

    /// The dictionary's values and how many they are, if pages refer to them.
    pub(super) fn dictionary(&self) -> Option<(usize, &[u8])> {
        let dictionary = &self.indices.dictionary;
        self.referred.then(|| (dictionary.len(), dictionary.page()))
    }

    /// The statistics of the chunk, all of whose pages are closed.
    pub(super) fn statistics(&mut self, nulls: u64) -> Statistics {
        self.indices.dictionary.values().for_each(|value| self.bounds.widen(value));
        self.bounds.statistics(nulls, self.utf8)
    }

    /// Memory in use, in bytes. The values of the last keyed array are counted, because their owner
    /// may have dropped them.
    pub(super) fn memory(&self) -> usize {
        let keyed = self.known_of.as_ref().map_or(0, |values| values.get_array_memory_size());
        self.indices.memory() + 2 * self.known.capacity() + keyed + self.plain.capacity() + self.bounds.memory()
    }

    /// Whether the trial's values take at least twice the bytes of the dictionary. If not, they fit
    /// a page or two without it.
    fn dictionary_pays(&self) -> bool {
        2 * self.indices.dictionary.page().len() <= self.tried.1
    }

    /// The state in which the dictionary grows no more. Only values that the trial has seen may be
    /// rewritten as plain: how long later values are without the dictionary is not known.
    fn given_up(&self) -> State {
        let kept = self.state == State::Indexed || self.referred || self.dictionary_pays();
        if kept { State::Full } else { State::Refuted }
    }

    fn take_indices(&mut self, array: TextArray<'_>, rows: RowRange<'_>) -> usize {
        let taken = match array {
            TextArray::Plain(values) => self.indices.take(rows, |row| values.get(row)),
            TextArray::Keyed(keys, of, values) => self.take_keys(keys, of, values, rows),
        };
        if self.state == State::Trial {
            for row in rows.first(taken).values() {
                self.tried.0 += 1;
                self.tried.1 += 4 + array.value(row).len();
            }
        }
        if taken < rows.count {
            self.state = self.given_up();
        }
        taken
    }

    fn take_keys(&mut self, keys: &[u16], of: &ArrayRef, values: Slices<'_>, rows: RowRange<'_>) -> usize {
        if !self.known_of.as_ref().is_some_and(|known| Arc::ptr_eq(known, of)) {
            self.known.clear();
            self.known.resize(values.len(), NONE);
            self.known_of = Some(of.clone());
        }
        let (known, indices) = (&mut self.known, &mut self.indices);
        let mut taken = rows.count;
        for row in rows.values() {
            let key = usize::from(keys[row]);
            if known[key] == NONE {
                let Some(index) = indices.dictionary.index(values.get(key)) else {
                    taken = row - rows.from;
                    break;
                };
                known[key] = index;
            }
            indices.page.push(known[key]);
        }
        taken
    }

    fn take_plain(&mut self, array: TextArray<'_>, rows: RowRange<'_>) -> usize {
        for row in rows.values() {
            append_plain(&mut self.plain, &mut self.bounds, array.value(row));
            if self.plain.len() >= PAGE_BYTES {
                return row - rows.from + 1;
            }
        }
        rows.count
    }

    /// Turns the page of indices into one of plain values, and drops the dictionary.
    fn make_plain(&mut self) {
        let indices = std::mem::replace(&mut self.indices, Indices::new(Layout::Sized));
        for index in indices.page {
            append_plain(&mut self.plain, &mut self.bounds, indices.dictionary.value(index));
        }
        self.state = State::Plain;
        self.forget_keys();
    }

    fn forget_keys(&mut self) {
        self.known = Vec::new();
        self.known_of = None;
    }
}

fn append_plain(plain: &mut Vec<u8>, bounds: &mut TextBounds, value: &[u8]) {
    if plain.is_empty() {
        plain.resize(GAP, 0);
    }
    plain.extend_from_slice(&(value.len() as u32).to_le_bytes());
    plain.extend_from_slice(value);
    bounds.widen(value);
}
