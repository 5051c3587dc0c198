//! A kind for the protocol's own tests: partitions of numbered records, whose position the source
//! counts by itself, and settings that are a number.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::position::Position;
use crate::protocol::kind::{self, Kind, TooNew};
use crate::protocol::last_rows::LastRows;
use crate::protocol::offsets::{self, PartitionId, Partitions};
use crate::protocol::{cut, standing as kept};

/// Numbered records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers;

/// The number of the next record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Next {
    pub(crate) next: u64,
}

impl kind::Mark for Next {
    fn precedes(&self, later: &Next) -> bool {
        self.next <= later.next
    }
}

impl Kind for Numbers {
    const NAME: &'static str = "numbers";
    type Mark = Next;
    type Retired = ();
    type Settings = u32;

    fn sum(_partitions: &Partitions<Next>, _retired: &()) -> Option<Position> {
        None
    }

    fn adds_up(lower: &offsets::Offsets<Numbers>, higher: &offsets::Offsets<Numbers>) -> bool {
        lower.partitions.keys().all(|id| higher.partitions.contains_key(id))
    }

    fn check(settings: &u32) -> Result<(), TooNew> {
        if *settings < 100 { Ok(()) } else { Err(TooNew { version: *settings, known: 99 }) }
    }
}

/// A standing at `position`, with one partition that is as far.
pub(crate) fn standing(position: u64) -> kept::Standing<Numbers> {
    let partitions = [(PartitionId::first("a"), Next { next: position })].into();
    kept::Standing {
        offsets: Arc::new(offsets::Offsets::new(Position(position), partitions, ())),
        settings: Arc::new(1),
        since: Position(0),
        last_rows: LastRows::default(),
    }
}

/// A cut from `lower` to `upper`.
pub(crate) fn cut(lower: u64, upper: u64) -> cut::Cut<Numbers> {
    let kept::Standing { offsets, settings, since, .. } = standing(upper);
    cut::Cut { lower: Position(lower), upper: Position(upper), offsets, settings, since }
}
