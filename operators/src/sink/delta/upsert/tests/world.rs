//! A table on a disk, its shards, and the commits of their cuts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use uuid::Uuid;

use super::super::files::Files;
use super::super::{Changes, Counts, Merged, Shard, Sharding, UpsertSpec, UpsertTable, open};
use super::model::{self, Change, Row, Truncation, schema};
use crate::error::StoreError;
use crate::position::Position;
use crate::protocol::Pending;
use crate::protocol::clock::Clock;
use crate::protocol::group::{Commit, Created, Group};
use crate::protocol::names::{Held, RunId, TableId, Version};
use crate::protocol::staged::Staged;
use crate::run::clock::SystemClock;
use crate::sink::delta::TableSpec;
use crate::sink::delta::pinned::Pinned;
use crate::sink::files::Place;

/// How many changes come at a time.
const PART: usize = 23;

pub(in crate::sink::delta::upsert) const PIPELINE: &str = "shop-cdc";

/// The machine's clocks, ahead of what they are.
#[derive(Default)]
pub(in crate::sink::delta::upsert) struct Ahead(AtomicU64);

impl Ahead {
    pub(in crate::sink::delta::upsert) fn advance(&self, ms: u64) {
        self.0.fetch_add(ms, Relaxed);
    }
}

impl Clock for Ahead {
    fn now_ms(&self) -> u64 {
        SystemClock.now_ms() + self.0.load(Relaxed)
    }

    fn steady_ms(&self) -> u64 {
        SystemClock.steady_ms() + self.0.load(Relaxed)
    }

    fn pause(&self, ms: u64) -> Pending<'_, ()> {
        SystemClock.pause(ms)
    }
}

pub(in crate::sink::delta::upsert) struct World {
    pub(in crate::sink::delta::upsert) clock: Arc<Ahead>,
    pub(in crate::sink::delta::upsert) folder: tempfile::TempDir,
    /// Where shards keep their indexes.
    pub(in crate::sink::delta::upsert) kept: tempfile::TempDir,
    pub(in crate::sink::delta::upsert) spec: UpsertSpec,
    pub(in crate::sink::delta::upsert) table: Arc<UpsertTable>,
    pub(in crate::sink::delta::upsert) shards: Vec<Shard>,
    pub(in crate::sink::delta::upsert) version: Version,
    next: Position,
    /// Where the pipeline stands.
    pub(in crate::sink::delta::upsert) held: Held,
}

/// What the shards made of a cut, not committed yet.
pub(in crate::sink::delta::upsert) struct Cut {
    pub(in crate::sink::delta::upsert) upper: Position,
    pub(in crate::sink::delta::upsert) merged: Vec<Merged>,
}

impl Cut {
    pub(in crate::sink::delta::upsert) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.merged.iter().for_each(|merged| counts += merged.counts);
        counts
    }

    /// Where the changes stand that could not be made; they have come back with their origins.
    pub(in crate::sink::delta::upsert) fn gaps(&self) -> Vec<super::Order> {
        let gaps = || self.merged.iter().flat_map(|merged| &merged.gaps);
        gaps().for_each(|gap| assert_eq!(gap.origin, model::origin(gap.order)));
        model::by_place(gaps().map(|gap| gap.order).collect())
    }
}

impl World {
    pub(in crate::sink::delta::upsert) async fn new(shards: usize, feed: bool) -> World {
        let folder = tempfile::tempdir().unwrap();
        let (place, name) = (Place::Disk(folder.path().to_owned()), "shop.public.orders".to_owned());
        let table = TableSpec { place, name, schema: schema(), partition: None };
        let spec = UpsertSpec { table, key: vec!["id".to_owned(), "part".to_owned()], feed };
        let opened = open(std::slice::from_ref(&spec), PIPELINE, Arc::new(SystemClock), |_| Ok(())).await.unwrap();
        let table = opened.into_iter().next().unwrap();
        let kept = tempfile::tempdir().unwrap();
        let (version, next, held) = (Version(0), Position(0), Held { position: Position(0), run: RunId(1) });
        let clock = Arc::new(Ahead::default());
        let mut world = World { clock, folder, kept, spec, table, shards: Vec::new(), version, next, held };
        world.open_shards(shards).await;
        world
    }

    /// Opens the table anew.
    pub(in crate::sink::delta::upsert) async fn open_table(&mut self) {
        let opened = open(std::slice::from_ref(&self.spec), PIPELINE, Arc::new(SystemClock), |_| Ok(())).await;
        self.table = opened.unwrap().remove(0);
    }

    /// Drops what the shards know, and opens them anew.
    pub(in crate::sink::delta::upsert) async fn open_shards(&mut self, shards: usize) {
        self.shards.clear();
        for shard in 0..shards {
            let sharding = Sharding { shard, shards };
            let (spec, kept) = (self.spec.clone(), Some(self.kept.path()));
            let shard = Shard::open(spec, (PIPELINE, self.held), sharding, kept, self.clock.clone()).await;
            self.shards.push(shard.unwrap());
        }
    }

    /// No slice of a cut has more changes from now on, and none meets more rows.
    pub(in crate::sink::delta::upsert) fn slice(&mut self, most: usize) {
        self.shards.iter_mut().for_each(|shard| (shard.slice, shard.most) = (most, most));
    }

    pub(in crate::sink::delta::upsert) fn place(&self) -> &Place {
        &self.spec.table.place
    }

    /// Stages the changes of the next cut.
    pub(in crate::sink::delta::upsert) async fn stage(&mut self, changes: &[Change]) -> Cut {
        self.stage_all(changes, &[]).await
    }

    /// Stages the changes of the next cut, in which the table is truncated.
    pub(in crate::sink::delta::upsert) async fn stage_all(
        &mut self,
        changes: &[Change],
        truncations: &[Truncation],
    ) -> Cut {
        let all = model::changes(changes);
        // They come in any number of parts, and over the wire.
        let firsts = (0..changes.len() as u32).step_by(PART);
        let mut came: Vec<Changes> = firsts
            .map(|first| (first..(changes.len() as u32).min(first + PART as u32)).collect::<Vec<_>>())
            .map(|rows| all.take(&rows).unwrap())
            .collect();
        // What is told of truncations may have no rows.
        let truncated = truncations.iter().map(|truncation| truncation.order).collect();
        came.insert(came.len() / 2, Changes { truncations: truncated, ..all.take(&[]).unwrap() });
        let sent = came.iter().map(|part| serde_json::to_string(part).unwrap());
        self.staged(sent.map(|text| serde_json::from_str(&text).unwrap()).collect()).await
    }

    /// Stages the changes of the next cut as they come.
    pub(in crate::sink::delta::upsert) async fn staged(&mut self, came: Vec<Changes>) -> Cut {
        let mut parts = vec![Vec::new(); self.shards.len()];
        for part in came {
            for (shard, part) in part.by_shard(&self.spec, self.shards.len()).unwrap() {
                parts[shard].push(part);
            }
        }
        let mut merged = Vec::new();
        for (shard, parts) in self.shards.iter_mut().zip(parts) {
            merged.extend(shard.merge(self.next, parts).await.unwrap());
        }
        self.next = Position(self.next.0 + 10);
        Cut { upper: self.next, merged }
    }

    /// Commits a cut, as a committer does: past whatever others have committed.
    pub(in crate::sink::delta::upsert) async fn commit(&mut self, cut: Cut) {
        self.try_commit(cut).await.unwrap();
    }

    pub(in crate::sink::delta::upsert) async fn try_commit(&mut self, cut: Cut) -> Result<(), StoreError> {
        let held = Held { position: cut.upper, ..self.held };
        let files = cut.merged.into_iter().map(|merged| Staged { table: TableId(0), file: merged.staged }).collect();
        let commit = Commit { id: Uuid::new_v4(), held, files, sums: Vec::new() };
        loop {
            let version = self.version.next();
            match self.table.put(version, &commit).await? {
                Created::Void => unreachable!("no commit here is void"),
                Created::Yes => {
                    (self.version, self.held) = (version, held);
                    return Ok(());
                }
                Created::No => self.version = version,
            }
        }
    }

    pub(in crate::sink::delta::upsert) async fn truncate(
        &mut self,
        changes: &[Change],
        truncations: &[Truncation],
    ) -> Counts {
        let cut = self.stage_all(changes, truncations).await;
        let counts = cut.counts();
        self.commit(cut).await;
        counts
    }

    pub(in crate::sink::delta::upsert) async fn land(&mut self, changes: &[Change]) -> Counts {
        let cut = self.stage(changes).await;
        let counts = cut.counts();
        self.commit(cut).await;
        counts
    }

    /// The newest version of the log.
    pub(in crate::sink::delta::upsert) async fn newest(&self) -> Version {
        Files::load(self.place(), None).await.unwrap().version
    }

    /// The rows that the Delta kernel sees, by their keys.
    pub(in crate::sink::delta::upsert) async fn rows(&self) -> Vec<Row> {
        let pinned = Pinned::newest(self.place(), "").await.unwrap().unwrap();
        let mut batches = pinned.rows(|_| true).await.unwrap();
        let mut rows = Vec::new();
        while let Some(batch) = batches.recv().await {
            rows.extend(model::rows(&batch.unwrap()));
        }
        rows.sort_by_key(Row::key);
        rows
    }

    /// The actions of a version.
    pub(in crate::sink::delta::upsert) fn actions(&self, version: u64) -> Vec<serde_json::Value> {
        let file = self.folder.path().join(format!("_delta_log/{version:020}.json"));
        let content = std::fs::read_to_string(file).unwrap();
        content.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
