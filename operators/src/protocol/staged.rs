//! What a cut brings a group: files that no reader sees yet, and the sums of their rows.

use serde::{Deserialize, Serialize};

use crate::protocol::clock::Stamp;
use crate::protocol::names::TableId;
use crate::protocol::sums::{Bucket, Sum};

/// A file that is written, durable, and seen by no reader yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StagedFile {
    /// Relative to the table.
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// How many rows it holds.
    pub rows: u64,
    /// What else its commit will say of it, in the sink's own form.
    pub detail: String,
    /// When it was begun.
    pub staged_at: Stamp,
}

/// A staged file, and the table that will have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Staged {
    /// The table.
    pub table: TableId,
    /// The file.
    pub file: StagedFile,
}

/// Rows that were counted on their way to a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counted {
    /// The table.
    pub table: TableId,
    /// The range of the source that they are from.
    pub bucket: Bucket,
    /// How many, and their checksum.
    pub sum: Sum,
}
