//! Words for what becomes of flushes and of late rows, and for the work that flushes are.

use std::time::Duration;

/// A flush that has landed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// How many rows it had.
    pub rows: u64,
    /// How long it took, from the beginning of its snapshot.
    pub took: Duration,
}

/// Why a flush is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Void {
    /// It could not begin.
    NotBegun,
    /// Rows could not be copied.
    NotCopied,
    /// Copied rows could not be deleted: somebody has changed them, or holds a lock.
    Changed,
    /// Another writer of the lake was first.
    Conflict,
    /// A connection was lost.
    Disconnected,
    /// What waited was gone when it came to be copied.
    Empty,
}

impl Void {
    /// All of them.
    pub const ALL: [Void; 6] =
        [Void::NotBegun, Void::NotCopied, Void::Changed, Void::Conflict, Void::Disconnected, Void::Empty];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Void::NotBegun => "not_begun",
            Void::NotCopied => "not_copied",
            Void::Changed => "changed",
            Void::Conflict => "conflict",
            Void::Disconnected => "disconnected",
            Void::Empty => "empty",
        }
    }
}

/// What becomes of rows at or below their table's watermark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LateRows {
    /// The lake has their keys: they are only deleted.
    Skipped,
    /// They land, and others with their keys may be there.
    Appended,
    /// They land, and the rows of the lake that had their keys are gone. Counted are those.
    Replaced,
}

impl LateRows {
    /// All of them.
    pub const ALL: [LateRows; 3] = [LateRows::Skipped, LateRows::Appended, LateRows::Replaced];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            LateRows::Skipped => "skipped",
            LateRows::Appended => "appended",
            LateRows::Replaced => "replaced",
        }
    }
}

/// Work of a flush that is done table by table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Late rows are compared with the lake, and deleted if that has them.
    Late,
    /// Rows are copied out of PostgreSQL.
    Copy,
    /// They become Arrow columns, and these become Parquet.
    Encode,
    /// Files are made durable: synced on a disk, uploaded to Azure or S3.
    Upload,
    /// Rows are deleted from PostgreSQL.
    Delete,
    /// The table is vacuumed.
    Vacuum,
}

impl Work {
    /// All of it, in the order in which it is done.
    pub const ALL: [Work; 6] = [Work::Late, Work::Copy, Work::Encode, Work::Upload, Work::Delete, Work::Vacuum];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Work::Late => "late",
            Work::Copy => "copy",
            Work::Encode => "encode",
            Work::Upload => "upload",
            Work::Delete => "delete",
            Work::Vacuum => "vacuum",
        }
    }
}
