//! Maintenance of a lake: small files of the pipeline's tables are merged, old snapshots expired,
//! and files deleted that no snapshot needs.
//!
//! ```text
//! every Nth flush ─▶ candidates ─▶ choose ─▶ merging: one file of many ─▶ swap: one snapshot
//!                 ─▶ expire: snapshots, and what only they needed ─────────────┤
//!                                                                              ▼
//!                 ─▶ clean: after some days ◀───────────────── files that are to be deleted
//! ```
//!
//! Guarantees: nothing changes for readers of a snapshot that stays; neither rows, nor their ids,
//! nor what it has added. A file with deleted rows is left alone. Each change is one transaction
//! under the lock that commits take, which only the pipeline's newest run can make, and which looks
//! at what it changes once more. It may be abandoned at any moment: what is left then are files
//! that no snapshot names.
//!
//! One piece of work at a time, beside the flushes: these wait at most while the lock is held. A
//! failure is a warning, because the next time is due soon.

mod candidates;
mod choose;
mod clean;
mod enter;
mod expire;
mod merging;
mod schedule;
mod swap;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_postgres::Client;

use self::choose::Small;
use self::merging::Merged;
use super::catalog::Lake;
use super::tables::Table;
use crate::error::{StoreError, chain};
use crate::protocol::clock::Clock;

/// A merge ends for now once it has written so many bytes: files that wait for their snapshot may
/// be touched by others meanwhile.
const BYTES_OF_A_SNAPSHOT: i64 = 512 << 20;
/// So many snapshots at most are made by one merge.
const SNAPSHOTS: usize = 100;
/// How long a question waits for somebody's lock, in milliseconds.
const LOCK_WAIT_MS: u32 = 10_000;
/// The server gives up a transaction that says nothing for so long, in milliseconds: it may hold
/// the lock that all writers need, and its process may be gone.
const IDLE_MS: u32 = 60_000;
/// Flushes from one expiry to the next if files are not merged.
const EXPIRE_EVERY: u64 = 6;

/// What is maintained, and how.
pub struct MaintenanceSettings {
    /// The pipeline.
    pub pipeline: String,
    /// The names of its tables.
    pub tables: Vec<String>,
    /// After so many flushes small files are merged; never if zero.
    pub merge_every: u64,
    /// Snapshots older than this are expired; none if it is not given.
    pub expire_older_than: Option<Duration>,
    /// How long a file stays that was merged or expired.
    pub keep_files: Duration,
}

impl MaintenanceSettings {
    /// Whether something is due when flush `number` has landed, and `before` was the last one.
    fn is_due(&self, before: u64, number: u64) -> bool {
        let every = match (self.merge_every, self.expire_older_than) {
            (0, None) => return false,
            (0, Some(_)) => EXPIRE_EVERY,
            (every, _) => every,
        };
        number / every > before / every
    }
}

/// Says when maintenance is due.
pub struct Maintenance {
    settings: Arc<MaintenanceSettings>,
    /// The last flush that has landed, and the last after which something was due.
    wanted: watch::Sender<(u64, u64)>,
    done: watch::Receiver<u64>,
}

/// Does what is due.
pub struct Maintainer {
    keeping: Keeping,
    wanted: watch::Receiver<(u64, u64)>,
    done: watch::Sender<u64>,
}

/// A lake, and what is done to it.
struct Keeping {
    lake: Arc<Lake>,
    settings: Arc<MaintenanceSettings>,
    pipeline: String,
    /// The flush that has landed last when this began. The run that has landed it is this one,
    /// whatever its number is: a run whose flush was void claims the pipeline anew.
    flush: u64,
    clock: Arc<dyn Clock>,
}

impl Maintenance {
    /// Maintenance of `lake`, where flush `at` was the last one.
    pub fn new(
        lake: Arc<Lake>,
        settings: MaintenanceSettings,
        at: u64,
        clock: Arc<dyn Clock>,
    ) -> (Maintenance, Maintainer) {
        let settings = Arc::new(settings);
        let (wanted, told) = watch::channel((at, 0));
        let (tell, done) = watch::channel(0);
        let pipeline = settings.pipeline.clone();
        let keeping = Keeping { lake, settings: settings.clone(), pipeline, flush: at, clock };
        (Maintenance { settings, wanted, done }, Maintainer { keeping, wanted: told, done: tell })
    }

    /// Flush `number` has landed.
    pub fn landed(&self, number: u64) {
        self.wanted.send_if_modified(|(last, due)| {
            let is_due = self.settings.is_due(*last, number);
            *last = number.max(*last);
            if is_due {
                *due = number;
            }
            is_due
        });
    }

    /// Waits until nothing is due any more, or the maintainer is gone.
    pub async fn at_rest(&self) {
        let (_, due) = *self.wanted.borrow();
        // An error is that it is gone.
        let _ = self.done.clone().wait_for(|done| *done >= due).await;
    }
}

impl Maintainer {
    /// Does what is due, as long as somebody says what is. Dropping it abandons what is under way.
    pub async fn run(mut self) {
        while self.wanted.changed().await.is_ok() {
            let (_, due) = *self.wanted.borrow_and_update();
            self.keeping.flush = due;
            self.keeping.tend(due).await;
            self.done.send_replace(due);
        }
    }
}

impl Keeping {
    /// A connection of its own, that waits for no lock without an end.
    async fn connect(&self) -> Result<Client, StoreError> {
        let client = self.lake.connect().await?;
        let set = format!("SET lock_timeout = {LOCK_WAIT_MS}; SET idle_in_transaction_session_timeout = {IDLE_MS}");
        client.batch_execute(&set).await.map_err(|e| self.failed("maintain", e))?;
        Ok(client)
    }

    /// All of it, after flush `number`.
    async fn tend(&self, number: u64) {
        let told =
            |what: &'static str| move |error: StoreError| tracing::warn!(error = %chain(&error), "could not {what}");
        if self.settings.merge_every > 0 {
            let _ = self.merge(number).await.map_err(told("merge small files"));
        }
        if let Some(age) = self.settings.expire_older_than {
            let _ = self.expire(age).await.map_err(told("expire snapshots"));
        }
        let _ = self.clean().await.map_err(told("clean up"));
    }

    /// Merges small files until there are only few of each size.
    async fn merge(&self, number: u64) -> Result<(), StoreError> {
        let (mut count, mut failed) = (0, BTreeSet::new());
        for _ in 0..SNAPSHOTS {
            let merged = self.stage(&mut failed).await?;
            if merged.is_empty() {
                break;
            }
            fail::fail_point!("ducklake-merge-staged");
            match self.swap(merged, number).await? {
                None | Some(0) => break,
                Some(files) => count += files,
            }
        }
        if count > 0 {
            tracing::info!(files = count, "merged small files");
        }
        Ok(())
    }

    /// Writes files for one snapshot. Of a table whose files cannot be merged, that is told, and
    /// the table added to `failed`.
    async fn stage(&self, failed: &mut BTreeSet<i64>) -> Result<Vec<Merged>, StoreError> {
        // Commits ask over the lake's own connection, and must not wait for a long answer there.
        let client = self.connect().await?;
        // A column of a type that cannot be written would be lost.
        let is_whole = |table: &Table| table.columns.iter().all(|column| column.field().is_some());
        let tables = self.lake.tables(&self.settings.tables).await?.into_values().filter(is_whole);
        let tables: BTreeMap<i64, Arc<Table>> = tables.map(|table| (table.id, Arc::new(table))).collect();
        fail::fail_point!("ducklake-merge-looked");
        let ids: Vec<i64> = tables.keys().copied().filter(|id| !failed.contains(id)).collect();
        let chosen = choose::choose(candidates::read(&self.lake, &client, &ids).await?);
        drop(client);
        let (mut merged, mut bytes) = (Vec::new(), 0);
        for sources in chosen {
            let table = sources[0].table;
            let Some(known) = tables.get(&table).filter(|_| !failed.contains(&table)) else { continue };
            bytes += sources.iter().map(|source: &Small| source.bytes).sum::<i64>();
            match merging::merge(&self.lake, known, sources, self.clock.clone()).await {
                Ok(file) => merged.push(file),
                Err(error) => {
                    tracing::warn!(table = known.name, error = %chain(&error), "could not merge small files");
                    failed.insert(table);
                }
            }
            if bytes >= BYTES_OF_A_SNAPSHOT {
                break;
            }
        }
        Ok(merged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(merge_every: u64, expire: bool) -> MaintenanceSettings {
        let expire_older_than = expire.then(|| Duration::from_secs(3600));
        let pipeline = "p".to_owned();
        let (tables, keep_files) = (Vec::new(), Duration::ZERO);
        MaintenanceSettings { pipeline, tables, merge_every, expire_older_than, keep_files }
    }

    #[test]
    fn every_nth_flush_is_one_after_which_it_is_due() {
        let due = |settings: &MaintenanceSettings| (1..=13).filter(|n| settings.is_due(n - 1, *n)).collect::<Vec<_>>();
        assert_eq!(due(&settings(6, false)), [6, 12]);
        assert_eq!(due(&settings(1, true)), (1..=13).collect::<Vec<_>>());
        assert!(due(&settings(0, false)).is_empty());
        assert_eq!(due(&settings(0, true)), [6, 12]);
        // Flushes may be told together, and a restart tells an old one again.
        assert!(settings(6, false).is_due(4, 7));
        assert!(!settings(6, false).is_due(6, 6));
    }
}
