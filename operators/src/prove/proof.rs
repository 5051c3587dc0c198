//! What a proof finds, and how far it is.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::difference::Difference;
use super::extent::Unverifiable;
use crate::position::Position;
use crate::protocol::table::Version;

/// How far a proof is, for whoever watches it.
#[derive(Debug, Default)]
pub struct Progress {
    to_read: AtomicU64,
    bytes: AtomicU64,
    rows: AtomicU64,
}

impl Progress {
    /// Bytes of the source read again, bytes to read in all, rows of tables read.
    pub fn now(&self) -> (u64, u64, u64) {
        let of = |number: &AtomicU64| number.load(Ordering::Relaxed);
        (of(&self.bytes), of(&self.to_read), of(&self.rows))
    }

    /// So many bytes are to be read in all.
    pub(super) fn expect(&self, bytes: u64) {
        self.to_read.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn read(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn count(&self, rows: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
    }
}

/// What was found of one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub position: Position,
    /// The version that was read.
    pub version: Version,
    /// Rows that the source tells.
    pub source_rows: u64,
    /// Rows that its totals count.
    pub totals_rows: u64,
    /// Rows that it holds.
    pub lake_rows: u64,
    /// Whether the numbers of rows agree, as far as they can be verified.
    pub rows_ok: bool,
    /// Whether the checksums agree, as far as they can be verified.
    pub checksum_ok: bool,
    /// The first row that differs.
    pub first_difference: Option<Difference>,
    /// What the source does not tell any more.
    pub unverifiable: Vec<Unverifiable>,
}

impl Proof {
    /// Whether nothing differs.
    pub fn is_ok(&self) -> bool {
        self.rows_ok && self.checksum_ok
    }
}
