//! The sink that changes rows by key, under the same stories: to it, a new row is a change like any
//! other. What other writers do, and what readers see, is as with tables that only grow.

use std::collections::BTreeMap;
use std::sync::Arc;

use lakefront_operators::error::Stop;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::group::Group;
use lakefront_operators::protocol::names::{Held, OffsetsName, RunId, TableId};
use lakefront_operators::protocol::staged::Staged;
use lakefront_operators::sink::delta::upsert::{Changes, Operation, Order, Shard, Sharding, UpsertSpec, open};

use crate::delta::{DeltaSink, batch};
use crate::harness::{Foreign, PIPELINE, Sink, TestClock};
use crate::lake::Lake;

/// Three tables in a lake, whose rows are told apart by their `_offset`.
pub(crate) struct UpsertSink<L> {
    tables: DeltaSink<L>,
    clock: Arc<TestClock>,
}

impl<L: Lake> UpsertSink<L> {
    fn specs(&self) -> Vec<UpsertSpec> {
        let spec = |table: &_| UpsertSpec { table: Clone::clone(table), key: vec!["_offset".to_owned()], feed: true };
        self.tables.specs.iter().map(spec).collect()
    }

    /// Stages `rows` as a worker of a run that has just begun.
    async fn merge(&self, table: usize, rows: &[u64]) -> Vec<Staged> {
        let changes = Changes {
            rows: batch(rows),
            operations: vec![Operation::Insert; rows.len()],
            unavailable: BTreeMap::new(),
            order: rows.iter().map(|row| Order { partition: 0, offset: *row, lsn: 0 }).collect(),
            origins: None,
            truncations: Vec::new(),
        };
        let (spec, all) = (self.specs().remove(table), Sharding { shard: 0, shards: 1 });
        let held = Held { position: Position(0), run: RunId(1) };
        let mut shard = Shard::open(spec, (PIPELINE, held), all, None, self.clock.clone()).await.unwrap();
        let merged = shard.merge(Position(0), vec![changes]).await.unwrap();
        merged.into_iter().map(|merged| Staged { table: TableId(table), file: merged.staged }).collect()
    }
}

impl<L: Lake> Sink for UpsertSink<L> {
    type Kind = <DeltaSink<L> as Sink>::Kind;

    fn new(clock: Arc<TestClock>) -> Self {
        UpsertSink { tables: DeltaSink::new(clock.clone()), clock }
    }

    fn open<'a>(&'a self, pipeline: &'a str) -> Pending<'a, Result<Vec<Arc<dyn Group>>, Stop>> {
        Box::pin(async move {
            let tables = open(&self.specs(), pipeline, self.clock.clone(), |_| Ok(())).await?;
            Ok(tables.into_iter().map(|table| table as Arc<dyn Group>).collect())
        })
    }

    fn stage<'a>(&'a self, table: usize, rows: &'a [u64]) -> Pending<'a, Vec<Staged>> {
        Box::pin(self.merge(table, rows))
    }

    fn rows(&self, table: usize) -> Pending<'_, Vec<u64>> {
        self.tables.rows(table)
    }

    fn held<'a>(&'a self, table: usize, pipeline: &'a str) -> Pending<'a, Option<Held>> {
        self.tables.held(table, pipeline)
    }

    fn foreign(&self, table: usize, what: Foreign) -> Pending<'_, ()> {
        self.tables.foreign(table, what)
    }

    fn clean_log(&self, table: usize) -> Pending<'_, ()> {
        self.tables.clean_log(table)
    }

    fn drop_group(&self, table: usize) {
        self.tables.drop_group(table);
    }

    fn tamper(&self, table: usize, pipeline: &str, name: OffsetsName, content: Option<&[u8]>) {
        self.tables.tamper(table, pipeline, name, content);
    }
}
