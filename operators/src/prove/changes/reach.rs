//! Waits until the lake has passed a place in PostgreSQL's log.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Table;
use super::lake::Pinned;
use super::server::confirmed;
use crate::error::Stop;
use crate::postgres::{Location, Lsn};
use crate::run::clock::Stopwatch;
use crate::source::kafka::kind::name_of;
use crate::source::kafka::look::Watch;
use crate::source::kafka::supply::Sight;

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// Whoever waits longer than this is told.
const LONG: Duration = Duration::from_secs(5);

/// A broker that is away hides partitions. What is not there for longer than this is gone.
const GONE: Duration = Duration::from_secs(15);

/// What is waited for, and how long.
pub(super) struct Reaching<'s> {
    pub(super) location: &'s Location,
    pub(super) slot: &'s str,
    /// How long each wait may take.
    pub(super) patience: Duration,
    /// Partitions that were read, and that Kafka does not have any more.
    pub(super) gone: BTreeSet<String>,
}

impl Reaching<'_> {
    /// Waits until each table has what Kafka has at this moment, and pins it.
    pub(super) async fn landed(
        &mut self,
        watch: &mut Watch,
        pipeline: &str,
        tables: &[Table<'_>],
    ) -> Result<Vec<Pinned>, Stop> {
        let (begun, mut is_told) = (Stopwatch::start(), false);
        let mut ends = None;
        loop {
            let (mut pins, mut behind) = (Vec::new(), 0);
            for table in tables {
                pins.push(Pinned::newest(table, pipeline).await?);
            }
            if ends.is_none() {
                ends = self.whole(watch.look().await?, &pins, begun.elapsed() > GONE);
            }
            if let Some(ends) = &ends {
                behind = pins.iter().map(|pinned| lag(pinned, ends)).max().unwrap_or(0);
                if behind == 0 {
                    return Ok(pins);
                }
            }
            if begun.elapsed() >= self.patience {
                let Some(_) = ends else {
                    return Err(Stop::Refused(
                        "a partition of Kafka has no leader at the moment, so nobody knows what the lake should have: prove \
                         again once it has one"
                            .to_owned(),
                    ));
                };
                return Err(Stop::Refused(format!(
                    "the lake has not landed {behind} records of Kafka yet, so nothing can be compared: see that a run is alive, \
                     or wait longer with --timeout"
                )));
            }
            if begun.elapsed() > LONG && !std::mem::replace(&mut is_told, true) {
                tracing::warn!(
                    records = behind,
                    "the tables do not say yet that they have all that Kafka has, which quiet ones say later: prove waits"
                );
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What was seen, if it is all of what was read. What is not there is gone if it `may_be`.
    fn whole(&mut self, sights: Vec<Sight>, pins: &[Pinned], may_be: bool) -> Option<Ends> {
        let has_leaders = sights.iter().all(|sight| sight.has_leader);
        let ends: Ends = sights.into_iter().map(|sight| (name_of(&sight.topic, sight.partition), sight)).collect();
        let partitions = pins.iter().flat_map(|pinned| pinned.recorded.standing.offsets.partitions.keys());
        let missing = partitions.map(|id| &id.name).filter(|name| !ends.contains_key(*name));
        let missing: BTreeSet<String> = missing.filter(|name| !self.gone.contains(*name)).cloned().collect();
        let is_whole = missing.is_empty() || may_be;
        if may_be {
            self.gone.extend(missing);
        }
        (has_leaders && is_whole).then_some(ends)
    }

    /// Waits until each table has what PostgreSQL's log has up to `lsn`, and pins it.
    pub(super) async fn passed(
        &mut self,
        watch: &mut Watch,
        pipeline: &str,
        tables: &[Table<'_>],
        lsn: Lsn,
    ) -> Result<Vec<Pinned>, Stop> {
        let (begun, mut is_told) = (Stopwatch::start(), false);
        loop {
            let confirmed = confirmed(self.location, self.slot).await?;
            if confirmed.is_some_and(|confirmed| confirmed >= lsn) {
                return self.landed(watch, pipeline, tables).await;
            }
            let Some(confirmed) = confirmed else {
                return Err(Stop::Refused(format!(
                    "rows differ, and PostgreSQL has no replication slot {:?} that would tell whether their changes are still on \
                     their way: name the connector's slot in postgres.slot, or register the connector",
                    self.slot
                )));
            };
            if begun.elapsed() >= self.patience {
                return Err(Stop::Refused(format!(
                    "rows differ, but their changes may still be on their way: the connector has confirmed PostgreSQL's log up \
                     to {confirmed}, and not to {lsn} yet. See with lakefront debezium status that it runs, or wait longer with \
                     --timeout: workers of Connect confirm every offset.flush.interval.ms, which is a minute unless it is set"
                )));
            }
            if begun.elapsed() > LONG && !std::mem::replace(&mut is_told, true) {
                tracing::warn!(%lsn, %confirmed, "rows differ so far: prove waits until the connector has confirmed them");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// What Kafka has of partitions, by their names.
type Ends = BTreeMap<String, Sight>;

/// Records that Kafka had, and the table has not.
fn lag(pinned: &Pinned, ends: &Ends) -> u64 {
    let partitions = &pinned.recorded.standing.offsets.partitions;
    let next = |name: &String, sight: &Sight| match partitions.iter().rfind(|(id, _)| id.name == *name) {
        // Another topic of the same name, of which nothing is read yet.
        Some((_, mark)) if is_other(&mark.topic_id, &sight.topic_id) => sight.earliest,
        Some((_, mark)) => mark.next,
        None => sight.earliest,
    };
    ends.iter().map(|(name, sight)| sight.end.saturating_sub(next(name, sight))).sum()
}

fn is_other(ours: &str, theirs: &str) -> bool {
    !ours.is_empty() && !theirs.is_empty() && ours != theirs
}
