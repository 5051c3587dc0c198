//! What the protocol stores, compares and hands back of a log of numbered records.

use lakefront_operators::error::Stop;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::document::{Origin, Recorded};
use lakefront_operators::protocol::kind::{Kind, Mark, TooNew};
use lakefront_operators::protocol::neighbours::Reading;
use lakefront_operators::protocol::offsets::{Offsets, Partitions};
use serde::{Deserialize, Serialize};

use crate::kind::SimKind;

/// Numbered records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Records;

/// The number of the next record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Next {
    pub(crate) next: u64,
}

/// The retired partitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Left {
    /// How many records they had.
    pub(crate) records: u64,
    /// Partitions below this number that are not among the offsets are retired.
    pub(crate) before: u64,
    /// Whether the position is the sum of all records; otherwise the log counts by flushes.
    pub(crate) is_sum: bool,
}

/// Which table a record goes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Routing {
    pub(crate) route: u32,
}

impl Mark for Next {
    fn precedes(&self, later: &Next) -> bool {
        self.next <= later.next
    }
}

impl Kind for Records {
    const NAME: &'static str = "records";
    type Mark = Next;
    type Retired = Left;
    type Settings = Routing;

    fn sum(partitions: &Partitions<Next>, left: &Left) -> Option<Position> {
        left.is_sum.then(|| Position(left.records + partitions.values().map(|at| at.next).sum::<u64>()))
    }

    fn adds_up(lower: &Offsets<Records>, higher: &Offsets<Records>) -> bool {
        let gone = lower.partitions.iter().filter(|(id, _)| !higher.partitions.contains_key(*id));
        lower.retired.records + gone.map(|(_, at)| at.next).sum::<u64>() == higher.retired.records
    }

    fn check(settings: &Routing) -> Result<(), TooNew> {
        let known = Records::ROUTES as u32 - 1;
        if settings.route <= known { Ok(()) } else { Err(TooNew { version: settings.route, known }) }
    }
}

/// A log, by its name.
pub(crate) struct Named(pub(crate) &'static str);

impl Reading<Records> for Named {
    fn source(&self) -> &str {
        self.0
    }

    fn root(&self) -> &str {
        if self.0 == Records::TYPO { self.0 } else { Records::SOURCE[0] }
    }

    fn continues(&self, origin: &Origin) -> Result<(), String> {
        if origin.source == self.0 { Ok(()) } else { Err(String::new()) }
    }

    fn shared<'a>(&'a self, others: &'a [Recorded<Records>]) -> Pending<'a, Result<Vec<Option<String>>, Stop>> {
        let is_one = |other: &Recorded<Records>| other.origin.root.as_deref() == Some(self.root());
        let shared = others.iter().map(|other| is_one(other).then(|| "the log".to_owned())).collect();
        Box::pin(async { Ok(shared) })
    }
}
