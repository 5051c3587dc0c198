//! What is counted of a flush while it is under way. It is told once the flush has landed, because
//! the rows of a void one are counted again by the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;

use super::delete::Deleted;
use super::discover::HotTable;
use super::late::Marks;
use super::types::Plan;
use crate::protocol::names::TableId;
use crate::run::clock::Stopwatch;
use crate::run::metrics::FlushMetrics;
use crate::run::metrics::flushes::LateRows;
use crate::sink::ducklake::{Places, Replaced};
use crate::totals::hash::OFFSET;

/// The rows of a flush.
pub(super) struct Counts {
    pub(super) metrics: Arc<FlushMetrics>,
    begun: Stopwatch,
    tables: Vec<Rows>,
}

/// The rows of one table.
struct Rows {
    /// Up to where the table was flushed before.
    mark: Option<i64>,
    all: AtomicU64,
    late: AtomicU64,
}

impl Counts {
    /// Nothing is copied yet of `tables`, which were flushed up to their `marks`.
    pub(super) fn begin(
        metrics: Arc<FlushMetrics>,
        begun: Stopwatch,
        tables: &[(HotTable, Plan)],
        marks: &Marks,
    ) -> Counts {
        let rows = |(table, _): &(HotTable, Plan)| Rows {
            mark: marks.get(&table.name).copied(),
            all: AtomicU64::new(0),
            late: AtomicU64::new(0),
        };
        Counts { metrics, begun, tables: tables.iter().map(rows).collect() }
    }

    /// These rows of a table were copied.
    pub(super) fn copied(&self, table: TableId, rows: &RecordBatch) {
        let Some(of) = self.tables.get(table.0) else { return };
        of.all.fetch_add(rows.num_rows() as u64, Relaxed);
        let Some((mark, numbers)) = of.mark.zip(rows.column_by_name(OFFSET)) else { return };
        let numbers = numbers.as_primitive::<Int64Type>().values();
        let late = numbers.iter().filter(|number| **number <= mark).count();
        of.late.fetch_add(late as u64, Relaxed);
    }

    /// The flush has landed. What it has deleted is `gone`; none if it is still there. `replaced`
    /// are the rows of the lake that went.
    pub(super) fn landed(&self, gone: Option<&Deleted>, replaced: &Replaced) {
        for (i, of) in self.tables.iter().enumerate() {
            let replaced = replaced.get(&TableId(i)).map_or(0, Places::rows);
            self.metrics.late(TableId(i), LateRows::Replaced, replaced);
            self.metrics.late(TableId(i), LateRows::Appended, of.late.load(Relaxed).saturating_sub(replaced));
        }
        if let Some(Ok(gone)) = gone {
            gone.iter().for_each(|(table, gone)| self.metrics.deleted(*table, gone.deleted));
        }
        let rows = self.tables.iter().map(|of| of.all.load(Relaxed)).sum();
        self.metrics.landed(rows, self.begun.elapsed());
    }
}
