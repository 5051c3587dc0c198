//! Two workers change one table: changes reach the shard of their keys, whichever worker has read
//! them, and the shards' parts of a cut are one commit.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use lakefront_operators::merge::{Sharded, merge};
use lakefront_operators::position::Position;
use lakefront_operators::protocol::group::{Commit, Created, Group};
use lakefront_operators::protocol::names::{Held, RunId, TableId, Version};
use lakefront_operators::protocol::staged::Staged;
use lakefront_operators::sink::delta::upsert::{
    Changes, Counts, Merged, Operation, Order, Shard, Sharding, UpsertSpec, open,
};
use lakefront_operators::sink::delta::{Pinned, TableSpec};
use lakefront_operators::sink::files::Place;

use timely::dataflow::operators::capture::{Capture, Event};
use timely::dataflow::operators::vec::input::{Handle, Input};
use uuid::Uuid;

use crate::support::Random;

#[allow(dead_code, unreachable_pub, reason = "it is written for examples, which use the rest")]
mod shared {
    include!("../examples/shared.rs");
}

const WORKERS: usize = 2;
const CUTS: u64 = 6;
/// How many positions a cut has.
const CUT: u64 = 10;

fn rows(ids: &[i64], values: &[i64]) -> RecordBatch {
    let column = |numbers: &[i64]| Arc::new(Int64Array::from(numbers.to_vec())) as ArrayRef;
    RecordBatch::try_from_iter([("id", column(ids)), ("value", column(values))]).unwrap()
}

/// What each worker reads of each cut, and what all of it makes of the table, which is truncated now
/// and then.
fn workload(random: &mut Random) -> (Vec<Vec<Changes>>, BTreeMap<i64, i64>) {
    let (mut read, mut table) = (vec![Vec::new(); WORKERS], BTreeMap::new());
    for cut in 0..CUTS {
        let (mut parts, mut truncations) = (vec![Vec::new(); WORKERS], vec![Vec::new(); WORKERS]);
        for at in 0..50 {
            if random.one_in(60) {
                table.clear();
                let order = Order { partition: 0, offset: cut * 1_000 + 10 * at, lsn: 0 };
                truncations[random.below(0..WORKERS as u64) as usize].push(order);
            }
            let (id, value) = (random.below(0..40) as i64, random.below(0..1_000) as i64);
            let operation = if random.one_in(4) { Operation::Delete } else { Operation::Update };
            match operation {
                Operation::Delete => drop(table.remove(&id)),
                _ => drop(table.insert(id, value)),
            }
            let order = Order { partition: 0, offset: cut * 1_000 + 10 * at + 1, lsn: 0 };
            parts[random.below(0..WORKERS as u64) as usize].push((id, value, operation, order));
        }
        for (worker, (part, truncations)) in parts.into_iter().zip(truncations).enumerate() {
            let (ids, values): (Vec<_>, Vec<_>) = part.iter().map(|(id, value, _, _)| (*id, *value)).unzip();
            read[worker].push(Changes {
                rows: rows(&ids, &values),
                operations: part.iter().map(|(_, _, operation, _)| *operation).collect(),
                unavailable: BTreeMap::new(),
                order: part.iter().map(|(_, _, _, order)| *order).collect(),
                origins: None,
                truncations,
            });
        }
    }
    (read, table)
}

/// Runs the workers, and returns what they made of each cut.
fn run(spec: &UpsertSpec, shards: Vec<Shard>, read: Vec<Vec<Changes>>) -> BTreeMap<Position, Vec<Merged>> {
    let env = shared::env();
    let shards: Arc<Mutex<Vec<Option<Shard>>>> = Arc::new(Mutex::new(shards.into_iter().map(Some).collect()));
    let spec = spec.clone();
    let guards = timely::execute(timely::Config::process(WORKERS), move |worker| {
        let index = worker.index();
        let shard = shards.lock().unwrap()[index].take().expect("each worker has its own");
        let mut input = Handle::new();
        let merged = worker.dataflow::<Position, _, _>(|scope| {
            let changes = scope.input_from(&mut input);
            merge(changes, "numbers", shard, Position(0), &env).capture()
        });
        for (cut, changes) in (0..).zip(&read[index]) {
            input.advance_to(Position(cut * CUT));
            for (shard, changes) in changes.by_shard(&spec, WORKERS).unwrap() {
                input.send(Sharded { shard, changes });
            }
            worker.step();
        }
        input.close();
        while worker.step_or_park(None) {}
        merged
    });
    let mut cuts = BTreeMap::<Position, Vec<Merged>>::new();
    for merged in guards.unwrap().join() {
        for event in merged.unwrap() {
            if let Event::Messages(cut, merged) = event {
                cuts.entry(cut).or_default().extend(merged);
            }
        }
    }
    cuts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_workers_change_a_table_as_one_would() {
    let folder = tempfile::tempdir().unwrap();
    let (place, name) = (Place::Disk(folder.path().to_owned()), "numbers".to_owned());
    let table = TableSpec { place: place.clone(), name, schema: rows(&[], &[]).schema(), partition: None };
    let spec = UpsertSpec { table, key: vec!["id".to_owned()], feed: true };
    let clock = shared::env().clock;
    let table = open(std::slice::from_ref(&spec), "numbers", clock.clone(), |_| Ok(())).await.unwrap().remove(0);
    let (mut shards, mut keeping) = (Vec::new(), Vec::new());
    let kept = tempfile::tempdir().unwrap();
    for shard in 0..WORKERS {
        let sharding = Sharding { shard, shards: WORKERS };
        let run = ("numbers", Held { position: Position(0), run: RunId(1) });
        let opened = Shard::open(spec.clone(), run, sharding, Some(kept.path()), clock.clone()).await.unwrap();
        keeping.push(opened.keeping());
        shards.push(opened);
    }
    let (read, wanted) = workload(&mut Random::new(3));

    // All cuts are staged before the first is committed.
    let of = spec.clone();
    let cuts = tokio::task::spawn_blocking(move || run(&of, shards, read)).await.unwrap();
    for keeping in keeping {
        keeping.at_rest().await;
    }

    assert_eq!(cuts.len() as u64, CUTS);
    let mut version = Version(0);
    for (lower, merged) in cuts {
        let mut counts = Counts::default();
        merged.iter().for_each(|merged| counts += merged.counts);
        assert_eq!((counts.changes, merged.len()), (50, WORKERS));
        let held = Held { position: Position(lower.0 + CUT), run: RunId(1) };
        let files = merged.into_iter().map(|merged| Staged { table: TableId(0), file: merged.staged }).collect();
        let commit = Commit { id: Uuid::new_v4(), held, files, sums: Vec::new() };
        version = version.next();
        assert_eq!(table.put(version, &commit).await.unwrap(), Created::Yes);
    }
    let mut batches = Pinned::newest(&place, "").await.unwrap().unwrap().rows(|_| true).await.unwrap();
    let mut there = BTreeMap::new();
    while let Some(batch) = batches.recv().await {
        let batch = batch.unwrap();
        let column = |name: &str| batch[name].as_primitive::<Int64Type>().values().to_vec();
        for (id, value) in column("id").into_iter().zip(column("value")) {
            assert_eq!(there.insert(id, value), None, "{id} is there once");
        }
    }
    assert_eq!(there, wanted);
    // What the shards have kept at their end, before their cuts landed, is all that there is.
    for shard in 0..WORKERS {
        let (sharding, held) =
            (Sharding { shard, shards: WORKERS }, Held { position: Position(CUTS * CUT), run: RunId(1) });
        let next = Shard::open(spec.clone(), ("numbers", held), sharding, Some(kept.path()), clock.clone()).await;
        // A file is read if it is the other shard's alone.
        let read = next.unwrap().files_read();
        assert!(read <= CUTS as usize, "{read} files");
    }
}
