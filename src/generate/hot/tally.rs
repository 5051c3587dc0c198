//! What was written, for people or as a JSON object.

use std::fmt::Write as _;
use std::time::Duration;

use lakefront_operators::shown::one_line;
use serde_json::{Map, Value, json};

use super::course::Batch;

/// What was written.
pub(super) struct Tally {
    /// By table, in their order.
    tables: Vec<(String, Counts)>,
    first: i64,
    ledgers: u64,
    transactions: u64,
}

/// What was written into one table.
#[derive(Clone, Copy, Default)]
struct Counts {
    /// Rows, each counted once.
    rows: u64,
    /// Those of them that came after the watermark had passed their ledger.
    late: u64,
    /// Rows that had been written before.
    replays: u64,
}

impl Tally {
    /// Of tables with these names, from the ledger `first` on.
    pub(super) fn new(names: impl Iterator<Item = String>, first: i64) -> Tally {
        let tables = names.map(|name| (name, Counts::default())).collect();
        Tally { tables, first, ledgers: 0, transactions: 0 }
    }

    /// Counts a transaction that has committed.
    pub(super) fn add(&mut self, batch: &Batch) {
        self.transactions += 1;
        self.ledgers += u64::from(!batch.is_again);
        for ((_, counts), part) in self.tables.iter_mut().zip(&batch.parts) {
            match batch.is_again {
                true => counts.replays += part.rows,
                false => (counts.rows, counts.late) = (counts.rows + part.rows, counts.late + part.late),
            }
        }
    }

    /// Rows, each counted once.
    pub(super) fn rows(&self) -> u64 {
        self.sum(|counts| counts.rows)
    }

    /// Rows that were written, those that came again included.
    pub(super) fn written(&self) -> u64 {
        self.sum(|counts| counts.rows + counts.replays)
    }

    fn sum(&self, of: impl Fn(&Counts) -> u64) -> u64 {
        self.tables.iter().map(|(_, counts)| of(counts)).sum()
    }

    fn last(&self) -> i64 {
        self.first + self.ledgers.cast_signed() - 1
    }

    pub(super) fn json(&self, took: Duration) -> Value {
        let table = |(name, Counts { rows, late, replays }): &(String, Counts)| {
            (name.clone(), json!({"rows": rows, "late": late, "replays": replays}))
        };
        let tables: Map<String, Value> = self.tables.iter().map(table).collect();
        json!({
            "first": self.first, "last": self.last(), "ledgers": self.ledgers, "transactions": self.transactions,
            "rows": self.rows(), "late": self.sum(|counts| counts.late), "replays": self.sum(|counts| counts.replays),
            "seconds": took.as_secs_f64(), "tables": tables,
        })
    }

    pub(super) fn text(&self, took: Duration) -> String {
        let mut text = format!(
            "{} rows of {} ledgers, {} to {}, in {:.1} s: {} of them late; {} written again\n",
            self.rows(),
            self.ledgers,
            self.first,
            self.last(),
            took.as_secs_f64(),
            self.sum(|counts| counts.late),
            self.sum(|counts| counts.replays)
        );
        let widest = self.tables.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, Counts { rows, late, replays }) in &self.tables {
            let name = one_line(name);
            let _ = writeln!(text, "  {name:<widest$} {rows:>10} rows, {late:>6} late, {replays:>8} again");
        }
        text
    }
}
