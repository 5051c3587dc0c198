//! Which hot tables are flushed, how, and when.

use std::sync::Arc;
use std::time::Duration;

use super::gate::Gate;
use super::late::Late;
use crate::postgres::Pool;

/// Which hot tables are flushed, and how.
pub struct BufferSettings {
    /// Sessions of the database.
    pub sessions: Arc<Pool>,
    /// The schema that has the tables.
    pub schema: String,
    /// The table and the column whose highest value a flush goes up to.
    pub watermark: (String, String),
    /// The tables, in the order of the lake's.
    pub tables: Vec<BufferTable>,
    /// Connections that copy; one more holds the snapshot.
    pub connections: usize,
    /// About how many rows a flush has at most.
    pub max_rows: u64,
    /// Whoever has to confirm rows before they are deleted; none if nobody has.
    pub gate: Option<Arc<Gate>>,
    /// After so many flushes the tables are vacuumed; never if zero.
    pub vacuum_every: u64,
}

/// A hot table, and what becomes of its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BufferTable {
    /// Its name.
    pub name: String,
    /// What numbers its rows.
    pub sequence: String,
    /// What happens to rows that come back.
    pub late: Late,
    /// Whether its rows stay hot once the lake has them.
    pub retain: bool,
}

/// When flushes are made.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// From the beginning of one to the beginning of the next.
    pub interval: Duration,
    /// Whether the run ends after a flush, or after several if one did not take all that waited.
    pub once: bool,
}
