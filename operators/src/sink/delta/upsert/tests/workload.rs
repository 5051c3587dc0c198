//! Changes at random.

use std::collections::BTreeSet;

use super::model::{Change, Model, Row, TOASTED, Truncation};
use super::{Operation, Order};

/// Numbers that look random, the same ones for the same seed (SplitMix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(super) fn one_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }
}

/// How many partitions the topic gets.
const PARTITIONS: usize = 4;
/// An LSN is behind by less than this.
const BEHIND: u64 = 5;

/// Makes changes, each at a place of its own.
pub(super) struct Workload {
    pub(super) random: Random,
    at: u64,
    /// By partition, the offset that is next.
    offsets: Vec<u64>,
}

impl Workload {
    pub(super) fn new(seed: u64) -> Workload {
        Workload { random: Random(seed), at: 0, offsets: vec![1_000] }
    }

    /// The topic may get a partition more, and keys move.
    fn grow(&mut self) {
        if self.offsets.len() < PARTITIONS && self.random.one_in(150) {
            self.offsets.push(0);
            self.part_lsns();
        }
    }

    /// All LSNs from now on are above those before.
    fn part_lsns(&mut self) {
        self.at += BEHIND;
    }

    /// The next place for a change of the key with `id`. LSNs may go back within a partition.
    fn order(&mut self, id: i64) -> Order {
        self.grow();
        let partition = id as usize % self.offsets.len();
        self.at += 1;
        self.offsets[partition] += 1 + self.random.below(3);
        let lsn = self.at + BEHIND - self.random.below(BEHIND);
        Order { partition: partition as u32, offset: self.offsets[partition], lsn }
    }

    fn row(&mut self, id: i64) -> Row {
        let random = &mut self.random;
        let text = |n: u64| format!("text {n} {}", "ü".repeat(n as usize % 5));
        Row {
            id,
            part: (id % 5 != 0).then(|| format!("part {}", id % 3)),
            amount: (!random.one_in(6)).then(|| random.below(1_000) as f64 / 8.0),
            note: (!random.one_in(5)).then(|| text(random.below(50))),
            at: (!random.one_in(5)).then(|| 1_700_000_000_000_000 + random.below(1 << 40) as i64),
            blob: (!random.one_in(5)).then(|| random.next().to_le_bytes().to_vec()),
            local: (!random.one_in(5)).then(|| 1_600_000_000_000_000 + random.below(1 << 40) as i64),
            tags: (!random.one_in(4))
                .then(|| (0..random.below(3)).map(|_| (!random.one_in(3)).then(|| text(random.below(9)))).collect()),
        }
    }

    /// The table may be truncated, once or more.
    pub(super) fn truncations(&mut self) -> Vec<Truncation> {
        let mut truncations = Vec::new();
        while self.random.one_in(8) {
            self.part_lsns();
            let order = self.order(truncations.len() as i64);
            truncations.push(Truncation { order, at: self.at });
            self.part_lsns();
        }
        truncations
    }

    /// The changes of a cut, over so many keys, and truncations among them.
    pub(super) fn truncated_cut(&mut self, model: &Model, changes: u64, keys: u64) -> (Vec<Change>, Vec<Truncation>) {
        let first = self.random.below(changes + 1);
        let before = self.cut(model, first, keys);
        let truncations = self.truncations();
        let after = self.cut(model, changes - first, keys);
        // They come by several ways.
        let mut all = [before, after].concat();
        for at in (1..all.len()).rev() {
            all.swap(at, self.random.below(at as u64 + 1) as usize);
        }
        (all, truncations)
    }

    /// The changes of a cut, over so many keys.
    fn cut(&mut self, model: &Model, changes: u64, keys: u64) -> Vec<Change> {
        let mut cut = Vec::new();
        while (cut.len() as u64) < changes {
            let id = self.random.below(keys) as i64;
            let row = self.row(id);
            match self.random.below(10) {
                0 | 1 => self.push(&mut cut, row, Operation::Delete, &[]),
                2 => self.push(&mut cut, row, Operation::Insert, &[]),
                3..=5 => self.push(&mut cut, row, Operation::Update, &[]),
                6 => self.push(&mut cut, row, Operation::Update, &TOASTED[..1]),
                7 => self.push(&mut cut, row, Operation::Update, &TOASTED),
                8 => {
                    // Another key: the row goes, and comes back as another.
                    self.push(&mut cut, row.clone(), Operation::Delete, &[]);
                    let id = self.random.below(keys) as i64;
                    let moved = Row { id, ..self.row(id) };
                    self.push(&mut cut, moved, Operation::Insert, &[]);
                }
                _ => {
                    // What it is already.
                    let same = model.0.get(&row.key()).cloned().unwrap_or(row);
                    self.push(&mut cut, same, Operation::Update, &[]);
                }
            }
        }
        cut
    }

    fn push(&mut self, cut: &mut Vec<Change>, mut row: Row, operation: Operation, unavailable: &[usize]) {
        let order = self.order(row.id);
        let unavailable: BTreeSet<usize> = unavailable.iter().copied().collect();
        if unavailable.contains(&TOASTED[0]) {
            row.note = Some("__debezium_unavailable_value".to_owned());
        }
        if operation == Operation::Delete {
            row = Row { id: row.id, part: row.part, ..Row::default() };
        }
        cut.push(Change { row, operation, unavailable, order, at: self.at });
    }
}
