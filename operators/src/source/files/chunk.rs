//! A byte range of one file: the work of a source of lines.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::format::logs::settings::RowSettings;
use crate::protocol::offsets::PartitionId;
use crate::source::files::identity::Identity;

/// A byte range of one partition, handed to one worker. It owns the lines that *start* in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chunk {
    /// The piece of the source.
    pub partition: PartitionId,
    /// The file that was there when the chunk was planned: a read of any other is refused.
    pub identity: Identity,
    /// The first byte.
    pub start: u64,
    /// The byte after the last.
    pub end: u64,
    /// No line that starts before `end` goes on beyond this byte.
    pub limit: u64,
    /// A line starts at `start`, whatever byte is before it.
    pub line_start: bool,
    /// The settings by which its rows are made.
    pub settings: Arc<RowSettings>,
    /// Part of a catch-up: tables that stand here or further hold these rows, and theirs are not
    /// staged again.
    pub catch_up: bool,
}

impl Chunk {
    /// How many bytes it covers.
    pub fn len(&self) -> u64 {
        self.end - self.start
    }

    /// Whether it covers nothing; no such chunk is planned.
    pub fn is_empty(&self) -> bool {
        self.end == self.start
    }
}
