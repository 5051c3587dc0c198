//! The kind of `pg_logs`: bytes of growing files, and the settings by which their lines become
//! rows. A position is the sum of all bytes consumed.
//!
//! Each type of the protocol has its name here, for this kind.

use serde::{Deserialize, Serialize};

use crate::position::Position;
use crate::protocol::kind::{self, Kind, TooNew};
use crate::protocol::offsets::{PartitionId, Partitions};
use crate::protocol::sums::Totals;
use crate::protocol::{claim, commit, cut, document, ledger, offsets, offsets_files, queue};
use crate::settings::{ROWS_VERSION, RowSettings};
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
pub type Standing = document::Standing<Lines>;
/// What a table of lines has recorded.
pub type Recorded = document::Recorded<Lines>;
/// What a table of lines holds.
pub type Account = document::Account<Lines>;
/// The offsets files of a table of lines.
pub type OffsetsFiles = offsets_files::OffsetsFiles<Lines>;
/// A claimed table of lines.
pub type Claimed = claim::Claimed<Lines>;
/// What a run wants from its tables of lines.
pub type Intent<'a> = claim::Intent<'a, Lines>;
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
mod tests {
    use super::*;
    use crate::protocol::offsets::Delta;

    fn offsets(entries: &[(&str, u32, u64)]) -> Offsets {
        let entry = |&(name, generation, offset): &(&str, u32, u64)| {
            let at = Mark { offset, identity: Identity::default(), landed_tail: false, gone: false };
            (PartitionId { name: name.into(), generation }, at)
        };
        entries.iter().map(entry).collect()
    }

    /// The same, with `bytes` retired.
    fn retired(entries: &[(&str, u32, u64)], bytes: u64) -> Offsets {
        Offsets::summed(offsets(entries).partitions, Retired { bytes, before_ms: 1 })
    }

    #[test]
    fn the_position_is_the_sum_over_all_generations() {
        assert_eq!(offsets(&[("a", 1, 10), ("a", 2, 5), ("b", 1, 7)]).position(), Position(22));
    }

    #[test]
    fn no_two_partitions_look_the_same() {
        let shown = |name: &str, generation| PartitionId { name: name.into(), generation }.to_string();
        assert_eq!((shown("a.json", 1), shown("a.json", 2)), ("a.json".to_owned(), "a.json#2".to_owned()));
        assert_eq!((shown("a.json#2", 1), shown("a.json#2", 2)), ("a.json#2#1".to_owned(), "a.json#2#2".to_owned()));
        assert_eq!((shown("a#b", 1), shown("a#", 1), shown("#7", 1)), ("a#b".into(), "a#".into(), "#7#1".into()));
    }

    #[test]
    fn offsets_survive_json_even_where_a_name_looks_like_a_generation() {
        let before = offsets(&[("a", 2, 10), ("a#2", 1, 5)]);
        let json = serde_json::to_string(&before).expect("offsets are JSON");
        assert_eq!(serde_json::from_str::<Offsets>(&json).expect("our own JSON"), before);
    }

    #[test]
    fn changed_entries_and_their_base_give_the_offsets_back() {
        let base = offsets(&[("a", 1, 10), ("b", 1, 7)]);
        let now = offsets(&[("a", 1, 10), ("b", 1, 9), ("c", 1, 1)]);
        assert_eq!(now.since(&base), Delta { changed: offsets(&[("b", 1, 9), ("c", 1, 1)]), gone: Vec::new() });
        assert_eq!(base.clone().updated(now.since(&base)), now);
        let later = retired(&[("b", 1, 9)], 11);
        assert_eq!(now.clone().updated(later.since(&now)), later);
    }

    #[test]
    fn a_partition_that_leaves_goes_on_counting() {
        let (before, after) = (offsets(&[("a", 1, 10), ("b", 1, 7)]), retired(&[("b", 1, 7)], 10));
        assert_eq!(before.position(), after.position());
        assert!(before.precede(&after) && !after.precede(&before));
        let json = serde_json::to_string(&after).expect("offsets are JSON");
        assert_eq!(serde_json::from_str::<Offsets>(&json).expect("our own JSON"), after);
    }

    #[test]
    fn offsets_that_lack_a_part_of_what_has_left_lead_nowhere() {
        let after = retired(&[("b", 1, 7)], 10);
        assert!(!offsets(&[("a", 1, 9), ("b", 1, 7)]).precede(&after), "a was not read to its end");
        assert!(!offsets(&[("b", 1, 7)]).precede(&after), "a was not read at all");
    }

    #[test]
    fn the_newest_generation_is_found_by_name_alone() {
        let now = offsets(&[("a", 1, 10), ("a", 3, 1), ("ab", 1, 7)]);
        assert_eq!(now.newest("a").map(|(id, _)| id.generation), Some(3));
        assert_eq!(now.newest("c"), None);
    }
}
