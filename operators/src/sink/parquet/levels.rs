//! The levels of a page: which of its slots have a value, and for nested columns what the others
//! lack, and where lists begin.

use arrow_array::builder::BooleanBufferBuilder;
use arrow_buffer::NullBuffer;

use super::hybrid;
use super::leaf::Leaf;
use super::slots::{SlotLevels, Slots};

/// The levels of the current page.
pub(super) enum Levels {
    Flat(Flat),
    Nested(Nested),
}

impl Levels {
    /// The levels of a leaf's pages.
    pub(super) fn new(leaf: &Leaf) -> Self {
        let most = |level: i16| u16::try_from(level).unwrap_or_default();
        match &leaf.nodes[..] {
            [node] => Levels::Flat(Flat::new(node.nullable)),
            _ => Levels::Nested(Nested::new(most(leaf.column.max_rep_level()), most(leaf.column.max_def_level()))),
        }
    }

    /// Appends the `count` slots from `from` on.
    pub(super) fn append(&mut self, slots: &Slots, from: usize, count: usize) {
        match (self, &slots.levels) {
            (Levels::Flat(flat), _) => flat.append(slots.nulls.as_ref(), from, count),
            (Levels::Nested(nested), levels) => nested.append(levels.as_ref(), from, count),
        }
    }

    /// How many slots there are.
    pub(super) fn slots(&self) -> usize {
        match self {
            Levels::Flat(flat) => flat.valid.len(),
            Levels::Nested(nested) => nested.definition.len(),
        }
    }

    /// How many of them have no value.
    pub(super) fn nulls(&self) -> usize {
        match self {
            Levels::Flat(flat) => flat.nulls,
            Levels::Nested(nested) => nested.nulls,
        }
    }

    /// Appends the levels to `out`, each kind with its length before it, and begins anew.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        match self {
            Levels::Flat(flat) => flat.finish(out),
            Levels::Nested(nested) => nested.finish(out),
        }
    }

    /// Memory in use, in bytes.
    pub(super) fn memory(&self) -> usize {
        match self {
            Levels::Flat(flat) => flat.valid.capacity() / 8,
            Levels::Nested(nested) => 2 * (nested.repetition.capacity() + nested.definition.capacity()),
        }
    }
}

/// Which rows are null: definition levels of one bit, or none if no row may be.
pub(super) struct Flat {
    valid: BooleanBufferBuilder,
    nulls: usize,
    nullable: bool,
}

impl Flat {
    fn new(nullable: bool) -> Self {
        Flat { valid: BooleanBufferBuilder::new(0), nulls: 0, nullable }
    }

    /// Without `nulls`, no row is null.
    fn append(&mut self, nulls: Option<&NullBuffer>, from: usize, count: usize) {
        match nulls {
            None => self.valid.append_n(count, true),
            Some(nulls) => {
                let rows = nulls.slice(from, count);
                self.nulls += rows.null_count();
                self.valid.append_buffer(rows.inner());
            }
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        let rows = self.valid.len();
        if self.nullable {
            with_length(out, |out| match self.nulls {
                0 => hybrid::run(1, 1, rows, out),
                nulls if nulls == rows => hybrid::run(0, 1, rows, out),
                _ => hybrid::bits(self.valid.as_slice(), rows, out),
            });
        }
        self.valid.truncate(0);
        self.nulls = 0;
    }
}

/// Both levels of every slot.
pub(super) struct Nested {
    repetition: Vec<u16>,
    definition: Vec<u16>,
    nulls: usize,
    most_repetition: u16,
    most_definition: u16,
}

impl Nested {
    fn new(most_repetition: u16, most_definition: u16) -> Self {
        Nested { repetition: Vec::new(), definition: Vec::new(), nulls: 0, most_repetition, most_definition }
    }

    fn append(&mut self, levels: Option<&SlotLevels>, from: usize, count: usize) {
        let Some(levels) = levels else { return };
        let definition = &levels.definition[from..from + count];
        self.nulls += definition.iter().filter(|level| **level < self.most_definition).count();
        self.definition.extend_from_slice(definition);
        self.repetition.extend_from_slice(&levels.repetition[from..from + count]);
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        for (levels, most) in [(&self.repetition, self.most_repetition), (&self.definition, self.most_definition)] {
            if most > 0 {
                with_length(out, |out| hybrid::indices(levels, hybrid::width(most), out));
            }
        }
        self.repetition.clear();
        self.definition.clear();
        self.nulls = 0;
    }
}

/// Appends what `write` does, with its length in four bytes before it.
fn with_length(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let length = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}
