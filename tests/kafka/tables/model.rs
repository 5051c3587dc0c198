//! Tables as PostgreSQL would have them, and who changes them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::world::{Cdc, UNSENT, event};
use crate::support::random::Random;

/// Partitions of each topic.
const PARTITIONS: u64 = 3;
/// The table without a key.
const VISITS: &str = "visits";

/// Two tables whose rows are inserted, updated and deleted, with values that are not sent, and one
/// without a key.
pub(super) struct Models {
    random: Random,
    lsn: u64,
    models: [Model; 2],
    /// The rows of the table without a key.
    visits: Vec<Value>,
    /// The LSNs of changes that keep a value which nobody has.
    gaps: Vec<u64>,
}

impl Models {
    /// Makes their topics.
    pub(super) fn create(cdc: &Cdc, seed: u64) -> Models {
        let models = ["a", "b"].map(|table| Model { table, rows: BTreeMap::new() });
        models.iter().map(|model| model.table).chain([VISITS]).for_each(|table| cdc.create(table, PARTITIONS as i32));
        Models { random: Random::new(seed), lsn: 0, models, visits: Vec::new(), gaps: Vec::new() }
    }

    /// Writes so many changes, and makes them.
    pub(super) fn change(&mut self, cdc: &Cdc, count: usize) {
        for _ in 0..count {
            self.lsn += 1;
            if self.random.one_in(4) {
                let (row, partition) = (json!({"page": self.random.below(0..9)}), self.random.below(0..PARTITIONS));
                cdc.write_keyless(VISITS, partition as i32, &event(VISITS, "c", self.lsn, &row));
                self.visits.push(row);
                continue;
            }
            let model = &mut self.models[usize::from(self.random.one_in(2))];
            if !model.change(cdc, &mut self.random, self.lsn) {
                self.gaps.push(self.lsn);
            }
        }
        cdc.writer.flush();
    }

    /// Compares the tables of the lake with these.
    #[track_caller]
    pub(super) fn are_those_of(&self, cdc: &Cdc, when: &str) {
        for model in &self.models {
            let mut rows = cdc.rows(model.table);
            rows.sort_by_key(|row| row["id"].as_u64());
            assert_eq!(rows, model.rows(), "table {}, {when}", model.table);
        }
        let mut visits = self.visits.clone();
        visits.sort_by_key(|row| row["page"].as_u64());
        assert_eq!(cdc.rows(VISITS), visits, "rows without a key, {when}");
        let lsn = |reject: &Value| {
            assert_eq!(reject["reason"], "toast_gap", "{when}: {reject}");
            let event: Value = serde_json::from_str(reject["value"].as_str().expect("a value")).expect("an event");
            event["source"]["lsn"].as_u64().expect("an LSN")
        };
        let mut gaps: Vec<u64> = cdc.rejects().iter().map(lsn).collect();
        gaps.sort_unstable();
        assert_eq!(gaps, self.gaps, "each gap is kept once, {when}");
    }
}

/// One of them.
struct Model {
    table: &'static str,
    rows: BTreeMap<u64, (u64, String)>,
}

impl Model {
    /// Returns whether the change can be made.
    fn change(&mut self, cdc: &Cdc, random: &mut Random, lsn: u64) -> bool {
        // A gap is of a key that nothing else changes: a later change of its cut would make it
        // good.
        let is_gap = random.one_in(12);
        let id = if is_gap { 1_000 + lsn } else { random.below(0..200) };
        let partition = i32::try_from(id % PARTITIONS).expect("a partition");
        let send = |op: &str, row: &Value| {
            cdc.write(self.table, partition, json!({"id": id}), Some(&event(self.table, op, lsn, row)));
        };
        let big = || format!("{lsn}-{}", "x".repeat(300));
        match (self.rows.get(&id).cloned(), random.below(0..10)) {
            (None, _) if is_gap => {
                send("u", &json!({"id": id, "n": lsn, "big": UNSENT}));
                return false;
            }
            (None, _) => {
                let row = (lsn, big());
                send("c", &json!({"id": id, "n": row.0, "big": row.1}));
                self.rows.insert(id, row);
            }
            (Some(_), 0 | 1) => {
                send("d", &json!({"id": id}));
                cdc.write(self.table, partition, json!({"id": id}), None);
                self.rows.remove(&id);
            }
            (Some((_, kept)), 2..=6) => {
                send("u", &json!({"id": id, "n": lsn, "big": UNSENT}));
                self.rows.insert(id, (lsn, kept));
            }
            (Some(_), _) => {
                let row = (lsn, big());
                send("u", &json!({"id": id, "n": row.0, "big": row.1}));
                self.rows.insert(id, row);
            }
        }
        true
    }

    fn rows(&self) -> Vec<Value> {
        let mut rows: Vec<Value> =
            self.rows.iter().map(|(id, (n, big))| json!({"id": id, "n": n, "big": big})).collect();
        rows.sort_by_key(|row| row["id"].as_u64());
        rows
    }
}
