//! The dictionary of a column chunk: each value once, as its page has it, and an index to find it
//! again.

use xxhash_rust::xxh3::xxh3_64;

/// A dictionary's page takes at most this many bytes.
const MOST_BYTES: usize = 1 << 20;
/// A dictionary has at most this many values: an index fits 16 bits, with one to spare.
const MOST_VALUES: usize = u16::MAX as usize;
/// A value is looked for in at most this many slots, so that nobody can write a log that makes
/// lookups slow.
const MOST_STEPS: usize = 128;
/// No value has this index.
pub(super) const NONE: u16 = u16::MAX;

/// How a page stores a value.
#[derive(Clone, Copy)]
pub(super) enum Layout {
    /// With its length before it, in 4 bytes.
    Sized,
    /// Without a length, because all values have the same length.
    Bare,
}

pub(super) struct Dictionary {
    layout: Layout,
    page: Vec<u8>,
    entries: Vec<Entry>,
    /// Indices by their values' hashes; at least twice as many as there are values.
    slots: Vec<u16>,
}

struct Entry {
    hash: u32,
    /// Where the value lies in the page.
    start: u32,
    end: u32,
}

impl Dictionary {
    pub(super) fn new(layout: Layout) -> Self {
        Dictionary { layout, page: Vec::new(), entries: Vec::new(), slots: Vec::new() }
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The page, not compressed.
    pub(super) fn page(&self) -> &[u8] {
        &self.page
    }

    /// The value at `index`.
    pub(super) fn value(&self, index: u16) -> &[u8] {
        let entry = &self.entries[usize::from(index)];
        &self.page[entry.start as usize..entry.end as usize]
    }

    /// All values, in the order of their indices.
    pub(super) fn values(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.entries.len()).map(|index| self.value(index as u16))
    }

    /// The index of `value`, which is added if it is new; none if there is no room for it.
    pub(super) fn index(&mut self, value: &[u8]) -> Option<u16> {
        if self.slots.len() < 2 * (self.entries.len() + 1) {
            self.grow();
        }
        let hash = xxh3_64(value) as u32;
        let mut slot = hash as usize & (self.slots.len() - 1);
        for _ in 0..MOST_STEPS {
            let index = self.slots[slot];
            if index == NONE {
                let index = self.add(value, hash)?;
                self.slots[slot] = index;
                return Some(index);
            }
            if self.entries[usize::from(index)].hash == hash && self.value(index) == value {
                return Some(index);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        None
    }

    fn add(&mut self, value: &[u8], hash: u32) -> Option<u16> {
        if self.entries.len() == MOST_VALUES || self.page.len() + 4 + value.len() > MOST_BYTES {
            return None;
        }
        if let Layout::Sized = self.layout {
            self.page.extend_from_slice(&(value.len() as u32).to_le_bytes());
        }
        let start = self.page.len() as u32;
        self.page.extend_from_slice(value);
        self.entries.push(Entry { hash, start, end: self.page.len() as u32 });
        Some((self.entries.len() - 1) as u16)
    }

    fn grow(&mut self) {
        let length = (2 * self.slots.len()).max(16);
        self.slots.clear();
        self.slots.resize(length, NONE);
        for (index, entry) in self.entries.iter().enumerate() {
            let mut slot = entry.hash as usize & (length - 1);
            while self.slots[slot] != NONE {
                slot = (slot + 1) & (length - 1);
            }
            self.slots[slot] = index as u16;
        }
    }

    /// Memory in use, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.page.capacity() + self.entries.capacity() * size_of::<Entry>() + 2 * self.slots.capacity()
    }
}
