//! What a proof finds, and its progress.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::difference::Difference;
use super::extent::Unverifiable;
use super::subject::Other;
use super::there::There;
use crate::format::logs::lines::{Mark, Standing};
use crate::position::Position;
use crate::protocol::names::Version;
use crate::sink::delta::Lost;
use crate::source::files::{ByteSource, Listed};

/// How far a proof has come, for display.
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

    /// Sets how many bytes are to be read in all.
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

/// The result for one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Its name.
    pub name: String,
    /// Its position.
    pub position: Position,
    /// The version that was read.
    pub version: Version,
    /// Rows that the source yields.
    pub source_rows: u64,
    /// Rows that the table's totals count.
    pub totals_rows: u64,
    /// Rows that the table holds, without those of other pipelines.
    pub lake_rows: u64,
    /// Whether the numbers of rows agree, as far as they can be verified.
    pub rows_ok: bool,
    /// Whether the checksums agree, as far as they can be verified.
    pub checksum_ok: bool,
    /// The first row that differs.
    pub first_difference: Option<Difference>,
    /// What can no longer be read from the source.
    pub unverifiable: Vec<Unverifiable>,
    /// What is in the source but not proved, because it has not landed.
    pub not_landed: NotLanded,
    /// The other pipelines that land in the table.
    pub others: Vec<Other>,
    /// Rows that no pipeline has landed, if the pipeline was told to land alongside them.
    pub foreign_rows: u64,
    /// Files of the table that cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<Lost>,
    /// What only rows have that were flushed.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub flushed: Option<Flushed>,
    /// What only tables have that follow those of PostgreSQL.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub followed: Option<Followed>,
}

/// What a proof tells of a table whose rows were flushed, beside the rest. Its `source_rows` are
/// those that the flushes have copied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Flushed {
    /// Rows that are still hot.
    pub hot_rows: u64,
    /// How many of these the lake has too, by their primary keys: the next flush deals with them.
    /// `None` if the table has no key to find them by.
    pub hot_landed: Option<u64>,
    /// Rows that landed and that others have deleted; at least so many, if some were replaced.
    pub deleted_rows: u64,
    /// Rows that landed and that others have changed.
    pub changed_rows: u64,
    /// Rows that later ones with the same key have replaced.
    pub replaced_rows: u64,
    /// Who has deleted or changed rows; null for whoever does not say.
    pub changed_by: Vec<Option<String>>,
    /// Rows that others have inserted, by the author of the snapshot.
    pub foreign: Vec<Foreign>,
    /// The ranges of sequences that were compared.
    pub ranges: Ranges,
}

/// What a proof tells of a table that follows one of PostgreSQL, beside the rest. Its `source_rows`
/// are those of PostgreSQL, and `totals_rows` the changes that have landed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Followed {
    /// The place in PostgreSQL's log of the snapshot in which all rows were read.
    pub lsn: String,
    /// Rows that differ.
    pub differing_rows: u64,
}

/// Rows of somebody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Foreign {
    /// The author of their snapshots; null if these do not say, or have expired.
    pub author: Option<String>,
    /// How many.
    pub rows: u64,
}

/// How many ranges of sequences were compared, of each flush its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ranges {
    /// How many sequences a range has.
    pub width: u64,
    /// Those that are as they landed.
    pub proved: u64,
    /// Those of which nobody can say that any more.
    pub unverifiable: u64,
    /// Those that are not.
    pub differ: u64,
}

/// Bytes of the source beyond a table's offsets, unfinished lines included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NotLanded {
    /// How many.
    pub bytes: u64,
    /// In how many files.
    pub files: u64,
    /// The first of these files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
}

impl Proof {
    /// Whether nothing differs.
    pub fn is_ok(&self) -> bool {
        self.rows_ok && self.checksum_ok && self.others.iter().all(|other| other.twice.is_none())
    }

    /// How many rows can be neither proved nor found wrong.
    pub fn unverifiable_rows(&self) -> u64 {
        self.unverifiable.iter().map(|part| part.rows).sum()
    }
}

impl NotLanded {
    /// Counts what `there` holds beyond the offsets of `standing`.
    pub(super) fn of(standing: &Standing, there: &There<'_>, source: &dyn ByteSource) -> NotLanded {
        let offsets = &standing.offsets;
        // A renamed file is recognized by its creation.
        let by_creation = offsets.partitions.values().filter(|_| source.has_links());
        let renamed: BTreeMap<&str, &Mark> = by_creation.map(|at| (at.identity.created.as_str(), at)).collect();
        let known = |file: &Listed| {
            renamed.get(file.created.as_str()).copied().or_else(|| offsets.newest(&file.name).map(|(_, at)| at))
        };
        let behind = |file: &Listed| match known(file) {
            Some(at) => file.length.saturating_sub(at.offset),
            None if source.created_ms(&file.created).is_some_and(|at| at < offsets.retired.before_ms) => 0,
            None => file.length,
        };
        let mut all = NotLanded::default();
        for (file, bytes) in there.files().map(|file| (file, behind(file))).filter(|(_, bytes)| *bytes > 0) {
            all.bytes += bytes;
            all.files += 1;
            all.first.get_or_insert_with(|| file.name.clone());
        }
        all
    }
}
