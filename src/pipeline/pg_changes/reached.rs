//! How far each table is, by the records around the place where the lake stands in each partition:
//! the last ones that have landed, and the first that has not.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt, stream};
use lakefront_operators::events::{Last, last};
use lakefront_operators::fetch::Reader;
use lakefront_operators::format::debezium::Decoder;
use lakefront_operators::protocol::offsets::PartitionId;
use lakefront_operators::run::memory::Budget;
use lakefront_operators::source::kafka::kind::{Mark, Offsets, Settings, name_of};
use lakefront_operators::source::kafka::range::Range;
use lakefront_operators::source::kafka::records::Records;
use lakefront_operators::source::kafka::sizes::Sizes;
use lakefront_operators::source::kafka::supply::Sight;

use super::{Changes, find};

/// How many records are looked at that have landed: the last may be one that changes no row.
const LANDED: u64 = 8;
/// Room for them, in bytes; a longer record has it alone.
const ROOM: u64 = 1 << 20;
/// How many partitions are looked at at a time.
const AT_A_TIME: usize = 8;

/// How far a table is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reached {
    /// The highest LSN that has landed; 0 if events do not tell.
    pub(super) lsn: u64,
    /// Whether what landed last is from a snapshot.
    pub(super) is_snapshot: bool,
    /// Offsets that have not landed.
    pub(super) records: u64,
    /// About how many bytes their records have, by those that were looked at.
    pub(super) bytes: u64,
    /// When the oldest of them was written, in milliseconds since 1970.
    pub(super) waits_since_ms: Option<i64>,
}

/// What was seen of one partition.
struct Seen {
    role: String,
    reached: Reached,
}

/// How far each table is, by role, where the lake stands at `offsets`. What cannot be read is left
/// out.
pub(super) async fn reached(changes: &Changes, offsets: &Offsets, sights: &[Sight]) -> BTreeMap<String, Reached> {
    let looks = sights.iter().filter(|sight| sight.has_leader).filter_map(|sight| {
        let name = name_of(&sight.topic, sight.partition);
        let (id, mark) = offsets.partitions.iter().rfind(|(id, _)| id.name == name)?;
        Some(partition(changes, (id, mark), sight))
    });
    let looks: Vec<_> = looks.collect();
    let mut seen = stream::iter(looks).buffer_unordered(AT_A_TIME);
    let mut all: BTreeMap<String, Reached> = BTreeMap::new();
    while let Some(seen) = seen.next().await {
        let Some(Seen { role, reached }) = seen else { continue };
        let of = all.entry(role).or_default();
        of.is_snapshot = if reached.lsn >= of.lsn { reached.is_snapshot } else { of.is_snapshot };
        of.lsn = of.lsn.max(reached.lsn);
        of.records += reached.records;
        of.bytes += reached.bytes;
        of.waits_since_ms = of.waits_since_ms.into_iter().chain(reached.waits_since_ms).min();
    }
    all
}

/// Looks at the records of one partition; none if they tell of no table.
async fn partition(changes: &Changes, (id, mark): (&PartitionId, &Mark), sight: &Sight) -> Option<Seen> {
    let landed = read(changes, (id, mark), mark.next.saturating_sub(LANDED).max(sight.earliest)..mark.next).await;
    let waiting = read(changes, (id, mark), mark.next..sight.end.min(mark.next + 1)).await;
    let (tables, mut decoder) = (find::known_tables(changes, Vec::new()), Decoder::default());
    let mut last_of = |records: &Option<Records>| records.as_ref().and_then(|of| last(of, &tables, &mut decoder));
    let (of_landed, of_waiting) = (last_of(&landed), last_of(&waiting));
    let role = of_landed.as_ref().or(of_waiting.as_ref())?.role.clone();
    let looked: Vec<&Records> = landed.iter().chain(&waiting).collect();
    let (bytes, count) = looked.iter().fold((0, 0), |(bytes, count), of| (bytes + of.bytes(), count + of.len() as u64));
    let records = sight.end.saturating_sub(mark.next);
    let (lsn, is_snapshot) = of_landed.map_or((0, false), |Last { lsn, is_snapshot, .. }| (lsn, is_snapshot));
    let waits_since_ms = waiting.as_ref().and_then(|of| of.iter().next()?.timestamp_ms());
    let bytes = records.saturating_mul(bytes.checked_div(count).unwrap_or_default());
    Some(Seen { role, reached: Reached { lsn, is_snapshot, records, bytes, waits_since_ms } })
}

/// The records at these offsets; none if there are none, or they cannot be read.
async fn read(changes: &Changes, (id, mark): (&PartitionId, &Mark), offsets: std::ops::Range<u64>) -> Option<Records> {
    if offsets.is_empty() {
        return None;
    }
    let parts = changes.config.parts(1, 1);
    let budget = Budget::new(parts.usual(), parts);
    let sizes = Arc::new(Sizes::default());
    let reader = changes.reader(sizes);
    let range = Range {
        partition: id.clone(),
        topic_id: mark.topic_id.clone(),
        from: offsets.start,
        to: offsets.end,
        bytes: ROOM,
        follows: false,
        is_lost: false,
        settings: Arc::new(Settings::default()),
        catch_up: false,
    };
    reader.read(&range, &budget).await.ok().map(|read| read.block)
}
