//! What a run has done so far, counted as it becomes durable.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::position::Position;
use crate::record::TableId;

/// Counters of one run.
#[derive(Debug)]
pub struct Metrics {
    cuts: AtomicU64,
    acknowledged: AtomicU64,
    tables: Vec<TableMetrics>,
}

/// Counters of one table.
#[derive(Debug, Default)]
pub struct TableMetrics {
    rows: AtomicU64,
    commits: AtomicU64,
    position: AtomicU64,
}

impl Metrics {
    /// Counters for tables that stand at `positions`.
    pub fn new(positions: &[Position]) -> Self {
        let table = |p: &Position| TableMetrics { position: AtomicU64::new(p.0), ..Default::default() };
        Metrics {
            cuts: AtomicU64::new(0),
            acknowledged: AtomicU64::new(positions.iter().min().map_or(0, |p| p.0)),
            tables: positions.iter().map(table).collect(),
        }
    }

    /// A cut was closed.
    pub(crate) fn cut(&self) {
        self.cuts.fetch_add(1, Relaxed);
    }

    /// A table's transaction moved.
    pub(crate) fn committed(&self, table: TableId, rows: u64, position: Position) {
        let table = &self.tables[table.0];
        table.rows.fetch_add(rows, Relaxed);
        table.commits.fetch_add(1, Relaxed);
        table.position.store(position.0, Relaxed);
    }

    /// The checkpoint moved.
    pub(crate) fn acknowledged(&self, position: Position) {
        self.acknowledged.store(position.0, Relaxed);
    }

    /// How many cuts were closed.
    pub fn cuts(&self) -> u64 {
        self.cuts.load(Relaxed)
    }

    /// What every table's transaction holds.
    pub fn position(&self) -> Position {
        Position(self.acknowledged.load(Relaxed))
    }

    /// A table's counters.
    pub fn table(&self, table: TableId) -> &TableMetrics {
        &self.tables[table.0]
    }
}

impl TableMetrics {
    /// Rows committed by this run.
    pub fn rows(&self) -> u64 {
        self.rows.load(Relaxed)
    }

    /// Commits made by this run, claims left out.
    pub fn commits(&self) -> u64 {
        self.commits.load(Relaxed)
    }

    /// The position that the table's transaction holds.
    pub fn position(&self) -> Position {
        Position(self.position.load(Relaxed))
    }
}
