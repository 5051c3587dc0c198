//! The kinds of sources that the stories are told of: the lines of `pg_logs`, and numbered records,
//! which share no type with them.

use std::sync::Arc;

use lakefront_operators::error::Stop;
use lakefront_operators::format::logs::lines::{self, Lines};
use lakefront_operators::format::logs::settings::{
    Destination, Envelope, Format, ROWS_VERSION, Roles, RowSettings, UnknownKeys,
};
use lakefront_operators::position::Position;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::document::{Origin, Recorded};
use lakefront_operators::protocol::kind::{Kind, Mark, TooNew};
use lakefront_operators::protocol::last_rows::LastRows;
use lakefront_operators::protocol::neighbours::Reading;
use lakefront_operators::protocol::offsets::{Offsets, PartitionId, Partitions};
use lakefront_operators::protocol::standing::Standing;
use lakefront_operators::source::files::identity::{Fingerprint, Identity};
use lakefront_operators::source::files::reading::{Files, Listed};
use lakefront_operators::source::files::reads::Reads;
use serde::{Deserialize, Serialize};

/// A kind of source, as stories need it.
pub(crate) trait StoryKind: Kind {
    /// The mark of the partition of that name that is read up to `at`. `which` tells apart those
    /// that had the name one after the other.
    fn mark(name: &str, at: u64, which: &str) -> Self::Mark;

    /// What is kept of retired partitions, which were read up to `retired` together. It changes
    /// with `note`.
    fn retired(retired: u64, note: u64) -> Self::Retired;

    /// Settings, by a number.
    fn settings(number: u64) -> Self::Settings;

    /// What the pipeline of `source` reads; `listed` are its files.
    fn reading<'a>(source: &'a str, listed: &'a Listed<'a>) -> Box<dyn Reading<Self> + 'a>;
}

/// The offsets of a source whose partitions are read up to these places.
pub(crate) fn offsets<K: StoryKind>(entries: &[(&str, u64)]) -> Offsets<K> {
    with_retired(entries, 0, 0)
}

/// The same, where others are retired that were read up to `retired` together.
pub(crate) fn with_retired<K: StoryKind>(entries: &[(&str, u64)], retired: u64, note: u64) -> Offsets<K> {
    let entry = |&(name, at): &(&str, u64)| (PartitionId::first(name), K::mark(name, at, "once"));
    let position = retired + entries.iter().map(|(_, at)| at).sum::<u64>();
    Offsets::new(Position(position), entries.iter().map(entry).collect(), K::retired(retired, note))
}

/// Where a table stands that holds everything up to `offsets`, under the usual settings.
pub(crate) fn standing_at<K: StoryKind>(offsets: Offsets<K>) -> Standing<K> {
    let (settings, since) = (Arc::new(K::settings(1000)), Position(0));
    Standing { offsets: Arc::new(offsets), settings, since, last_rows: LastRows::default() }
}

/// A source of one partition, read up to `at`.
pub(crate) fn standing<K: StoryKind>(at: u64) -> Standing<K> {
    standing_at(offsets(&[("log", at)]))
}

impl StoryKind for Lines {
    fn mark(name: &str, at: u64, which: &str) -> lines::Mark {
        let fingerprint = Fingerprint::of(name.as_bytes());
        let identity = Identity { created: which.into(), fingerprint, ..Identity::default() };
        lines::Mark { offset: at, identity, landed_tail: false, gone: false }
    }

    fn retired(retired: u64, note: u64) -> lines::Retired {
        lines::Retired { bytes: retired, before_ms: note }
    }

    fn settings(number: u64) -> RowSettings {
        RowSettings {
            rows_version: ROWS_VERSION,
            format: Format::Azure,
            max_line: number,
            unknown_keys: UnknownKeys::Keep,
            zones: Default::default(),
            raw: RowSettings::usual_raw(),
            envelope: Envelope::None,
            roles: Roles {
                primary: vec!["Primary".into()],
                replica: vec!["*".into()],
                default: Destination::Reject,
                servers: [].into(),
                sources: [].into(),
            },
            tables: vec!["primary".into(), "replica".into(), "rejects".into()],
        }
    }

    fn reading<'a>(source: &'a str, listed: &'a Listed<'a>) -> Box<dyn Reading<Lines> + 'a> {
        Box::new(Files::new(source, Reads::recorded(source, None).root(), listed))
    }
}

/// Numbered records, whose position the source counts by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Records;

/// The next record of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Next {
    next: u64,
    which: String,
}

/// How many records retired partitions had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Left {
    records: u64,
    note: u64,
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
    type Settings = u64;

    fn sum(_partitions: &Partitions<Next>, _retired: &Left) -> Option<Position> {
        None
    }

    fn adds_up(lower: &Offsets<Records>, higher: &Offsets<Records>) -> bool {
        let gone = lower.partitions.iter().filter(|(id, _)| !higher.partitions.contains_key(*id));
        lower.retired.records + gone.map(|(_, at)| at.next).sum::<u64>() == higher.retired.records
    }

    /// As many roles as the number says, of those that stories have, in their order.
    fn has_role(settings: &u64, role: &str) -> bool {
        let at = ["primary", "replica", "rejects"].iter().position(|known| *known == role);
        at.is_none_or(|at| (at as u64) < *settings)
    }

    fn check(_settings: &u64) -> Result<(), TooNew> {
        Ok(())
    }
}

impl StoryKind for Records {
    fn mark(_name: &str, at: u64, which: &str) -> Next {
        Next { next: at, which: which.to_owned() }
    }

    fn retired(retired: u64, note: u64) -> Left {
        Left { records: retired, note }
    }

    fn settings(number: u64) -> u64 {
        number
    }

    fn reading<'a>(source: &'a str, _listed: &'a Listed<'a>) -> Box<dyn Reading<Records> + 'a> {
        Box::new(Topic(source))
    }
}

/// A source that is known by its name.
struct Topic<'a>(&'a str);

impl Reading<Records> for Topic<'_> {
    fn source(&self) -> &str {
        self.0
    }

    fn root(&self) -> &str {
        self.0
    }

    fn continues(&self, origin: &Origin) -> Result<(), String> {
        if origin.source == self.0 { Ok(()) } else { Err(String::new()) }
    }

    fn shared<'a>(&'a self, others: &'a [Recorded<Records>]) -> Pending<'a, Result<Vec<Option<String>>, Stop>> {
        let shared = |theirs: &Recorded<Records>| (theirs.origin.source == self.0).then(|| self.0.to_owned());
        Box::pin(async move { Ok(others.iter().map(shared).collect()) })
    }
}
