//! A pipeline that is killed again and again while others write: each table holds every change
//! once.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::world::{Cdc, UNSENT, event};
use crate::support::random::Random;
use crate::support::wait;

/// Kills of a run.
const KILLS: usize = 25;
const PARTITIONS: u64 = 3;

/// The rows of a table as PostgreSQL would have them, and who changes them.
struct Model {
    table: &'static str,
    rows: BTreeMap<u64, (u64, String)>,
}

impl Model {
    /// Writes one change, and makes it.
    fn change(&mut self, cdc: &Cdc, random: &mut Random, lsn: u64) {
        let id = random.below(0..200);
        let partition = i32::try_from(id % PARTITIONS).expect("a partition");
        let send = |op: &str, row: &Value| {
            cdc.write(self.table, partition, json!({"id": id}), Some(&event(self.table, op, lsn, row)));
        };
        let big = || format!("{lsn}-{}", "x".repeat(300));
        match (self.rows.get(&id).cloned(), random.below(0..10)) {
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
    }

    fn rows(&self) -> Vec<Value> {
        let mut rows: Vec<Value> =
            self.rows.iter().map(|(id, (n, big))| json!({"id": id, "n": n, "big": big})).collect();
        rows.sort_by_key(|row| row["id"].as_u64());
        rows
    }
}

#[test]
fn a_run_that_is_killed_again_and_again_loses_and_doubles_no_change() {
    let mut cdc = Cdc::new("kills");
    cdc.pipeline.set("commit", "rows", 300).set("commit", "interval", "30ms");
    let mut random = Random::new(16);
    let mut models = ["a", "b"].map(|table| Model { table, rows: BTreeMap::new() });
    models.iter().for_each(|model| cdc.create(model.table, PARTITIONS as i32));
    let mut lsn = 0;
    for kill in 0..KILLS {
        for _ in 0..300 {
            lsn += 1;
            let table = random.below(0..2) as usize;
            models[table].change(&cdc, &mut random, lsn);
        }
        cdc.writer.flush();
        let mut running = cdc.tail();
        running.until_it_says("claimed the tables");
        wait::pause(Duration::from_millis(random.below(0..600)));
        let ended = running.kill();
        assert!(ended.code.is_none(), "it ended by itself at kill {kill}:\n{}", ended.stderr);
    }
    cdc.pipeline.set("source", "mode", "backfill");
    cdc.pipeline.run().exits_with(0);
    for model in &models {
        let mut rows = cdc.rows(model.table);
        rows.sort_by_key(|row| row["id"].as_u64());
        assert_eq!(rows, model.rows(), "table {}", model.table);
    }
    assert_eq!(cdc.rejects(), [] as [Value; 0]);
}
