//! The kind of `pg_logs`: bytes of growing files, and the settings by which their lines become
//! rows. A position is the sum of all bytes consumed.
//!
//! Each type of the protocol has its name here, for this kind.

use serde::{Deserialize, Serialize};

use crate::format::logs::settings::{ROWS_VERSION, RowSettings};
use crate::position::Position;
use crate::protocol::kind::{self, Kind, TooNew};
use crate::protocol::offsets::{PartitionId, Partitions};
use crate::protocol::sums::Totals;
use crate::protocol::{account, claim, commit, cut, document, intent, ledger, offsets, offsets_files, queue, standing};
use crate::source::files::identity::Identity;

/// Bytes of files, in lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines;

/// Where the next read of each file starts.
pub type Offsets = offsets::Offsets<Lines>;
/// A cut of lines.
pub type Cut = cut::Cut<Lines>;
/// What `plan` tells the tables.
pub type Control = cut::Control<Lines>;
/// Where a table of lines stands.
pub type Standing = standing::Standing<Lines>;
/// What a table of lines has recorded.
pub type Recorded = document::Recorded<Lines>;
/// What a table of lines holds.
pub type Account = account::Account<Lines>;
/// The offsets files of a table of lines.
pub type OffsetsFiles = offsets_files::OffsetsFiles<Lines>;
/// A claimed table of lines.
pub type Claimed = claim::Claimed<Lines>;
/// What a run wants from its tables of lines.
pub type Intent<'a> = intent::Intent<'a, Lines>;
/// Commits the cuts of a table of lines.
pub type Committer = commit::Committer<Lines>;
/// The queue of a table's cuts of lines.
pub type CommitQueue = queue::CommitQueue<Lines>;
/// A commit of lines.
pub type Job = queue::Job<Lines>;
/// The positions of tables of lines.
pub type Ledger = ledger::Ledger<Lines>;

/// How far one file has been consumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Where the next read starts, in bytes.
    pub offset: u64,
    /// Which file this is.
    #[serde(flatten)]
    pub identity: Identity,
    /// The last line was landed without a newline: the bytes after `offset` start a new line.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub landed_tail: bool,
    /// Its file is known to exist no more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
}

/// The retired partitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retired {
    /// Bytes consumed of them, in total.
    pub bytes: u64,
    /// Files created before this instant (the store's clock, milliseconds since 1970) that are not
    /// among the partitions are done: consumed and retired, or excluded. Zero means none.
    pub before_ms: u64,
}

impl kind::Mark for Mark {
    fn precedes(&self, later: &Mark) -> bool {
        self.offset <= later.offset
    }
}

impl Kind for Lines {
    const NAME: &'static str = "lines";
    type Mark = Mark;
    type Retired = Retired;
    type Settings = RowSettings;

    fn sum(partitions: &Partitions<Mark>, retired: &Retired) -> Option<Position> {
        Some(Position(retired.bytes + partitions.values().map(|at| at.offset).sum::<u64>()))
    }

    fn adds_up(lower: &Offsets, higher: &Offsets) -> bool {
        let gone = lower.partitions.iter().filter(|(id, _)| !higher.partitions.contains_key(*id));
        lower.retired.bytes + gone.map(|(_, at)| at.offset).sum::<u64>() == higher.retired.bytes
    }

    fn check(settings: &RowSettings) -> Result<(), TooNew> {
        match settings.rows_version {
            version if version > ROWS_VERSION => Err(TooNew { version, known: ROWS_VERSION }),
            _ => Ok(()),
        }
    }
}

impl Offsets {
    /// Offsets of these partitions, at the position that they add up to.
    pub fn summed(partitions: Partitions<Mark>, retired: Retired) -> Offsets {
        let position = Lines::sum(&partitions, &retired).unwrap_or_default();
        Offsets::new(position, partitions, retired)
    }

    /// Where the next read of `partition` starts.
    pub fn at(&self, partition: &PartitionId) -> u64 {
        self.partitions.get(partition).map_or(0, |at| at.offset)
    }
}

impl Recorded {
    /// The rows of the table: each table of lines is a group of its own.
    pub fn totals(&self) -> &Totals {
        self.account.of(&self.origin.role)
    }
}

impl FromIterator<(PartitionId, Mark)> for Offsets {
    fn from_iter<I: IntoIterator<Item = (PartitionId, Mark)>>(entries: I) -> Self {
        Offsets::summed(entries.into_iter().collect(), Retired::default())
    }
}

#[cfg(test)]
mod tests;
