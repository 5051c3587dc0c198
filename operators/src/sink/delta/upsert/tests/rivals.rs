//! What other writers do at the worst moment.

use std::sync::Arc;

use super::Operation::{Delete, Insert, Update};
use super::foreign::Rewrite;
use super::model::changes;
use super::plain::{change, row};
use super::world::World;
use crate::error::chain;
use crate::position::Position;
use crate::sink::delta::checkpoint;
use crate::sink::delta::upsert::changes::Changes;

/// Milliseconds of a month and a day, for which no log is kept.
const MONTH_MS: u64 = 32 * 24 * 60 * 60 * 1_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_was_idle_while_the_log_was_cleaned_up_begins_anew() {
    let mut world = World::new(1, true).await;
    world.land(&[change(1, "one", Insert, 1), change(2, "two", Insert, 2)]).await;
    let idle = world.version;
    world.version = world.rewrite(Rewrite::Compact).await;
    world.append(&[row(3, "theirs")]).await;
    world.version = world.newest().await;
    checkpoint::write(world.place(), world.version).await.unwrap();
    // What is older than the newest version is gone, also the one that the shard would read next.
    for version in 0..=idle.0 + 1 {
        std::fs::remove_file(world.folder.path().join(format!("_delta_log/{version:020}.json"))).unwrap();
    }
    world.open_table().await;
    world.clock.advance(MONTH_MS);
    let counts =
        world.land(&[change(1, "uno", Update, 3), change(2, "", Delete, 4), change(3, "ours", Update, 5)]).await;
    assert_eq!((counts.updated, counts.deleted), (2, 1));
    assert_eq!(world.rows().await, [row(1, "uno"), row(3, "ours")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_others_compact_before_a_runs_first_change_are_found() {
    let mut world = World::new(1, true).await;
    world.land(&[change(1, "one", Insert, 1), change(2, "two", Insert, 2)]).await;
    world.open_table().await;
    // A run claims the table with a commit that changes nothing.
    world.land(&[]).await;
    world.open_shards(1).await;
    let cut = world.stage(&[change(1, "uno", Update, 3)]).await;
    world.version = world.rewrite(Rewrite::Compact).await;
    world.commit(cut).await;
    assert_eq!(world.rows().await, [row(1, "uno"), row(2, "two")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_others_lose_is_missed_even_if_another_is_there_twice() {
    let mut world = World::new(1, true).await;
    world.land(&[change(1, "one", Insert, 1), change(2, "two", Insert, 2)]).await;
    let cut = world.stage(&[change(1, "uno", Update, 3), change(2, "dos", Update, 4)]).await;
    // It says that it has changed nothing.
    world.replace(&[row(1, "one"), row(1, "one")], false).await;
    let error = chain(&world.try_commit(cut).await.unwrap_err());
    assert!(error.contains("rows of 1 keys are in no file"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_are_none_of_the_tables_or_of_the_shard_are_refused() {
    let mut world = World::new(2, true).await;
    let good = |note: &str| changes(&[change(1, note, Insert, 1), change(2, note, Insert, 2)]);
    let narrow = Changes { rows: good("").rows.project(&[0]).unwrap(), ..good("") };
    let (short, long) = (good("").order[..1].to_vec(), [good("").order, vec![super::Order::default()]].concat());
    let shorter = Changes { order: short, ..good("") };
    let longer = Changes { order: long, ..good("") };
    for (bad, why) in [
        (vec![good(""), narrow], "other columns"),
        (vec![shorter, longer], "without an operation and a place"),
        (
            vec![changes(&(0..20).map(|id| change(id, "", Insert, 1)).collect::<Vec<_>>())],
            "of shard 1 came to shard 0 of 2",
        ),
    ] {
        let error = chain(&world.shards[0].merge(Position(0), bad).await.unwrap_err());
        assert!(error.contains(why), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_an_odd_name_is_refused_whenever_it_comes() {
    let mut world = World::new(1, true).await;
    world.land(&[change(1, "one", Insert, 1)]).await;
    let add = serde_json::json!({"path": "part%201.parquet", "partitionValues": {}, "size": 9, "modificationTime": 1,
        "dataChange": true});
    world.foreign(&[serde_json::json!({"add": add})]).await;
    let next = || vec![changes(&[change(1, "uno", Update, 2)])];
    let live = chain(&world.shards[0].merge(Position(10), next()).await.unwrap_err());
    assert!(live.contains("part%201.parquet") && live.contains("INSERT OVERWRITE"), "{live}");
    let opened = super::super::files::Files::load(world.place(), None).await.map(drop).unwrap_err();
    assert!(chain(&opened).contains("INSERT OVERWRITE"), "{}", chain(&opened));
}

/// More files at once than the store of a disk has threads for.
#[test]
fn reading_many_files_does_not_take_the_threads_that_it_needs() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(8)
        .max_blocking_threads(80)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut world = World::new(1, true).await;
        world.land(&[change(1, "one", Insert, 1)]).await;
        let add = world.actions(1).iter().find_map(|action| action.get("add").cloned()).unwrap();
        let path = add["path"].as_str().unwrap().to_owned();
        let target = super::super::read::Target { path, size: add["size"].as_u64().unwrap() };
        let reader = super::super::read::Reader::of(&world.spec, Arc::new(crate::run::clock::SystemClock)).unwrap();
        let reads = (0..4_000).map(|_| {
            let (reader, target) = (reader.clone(), target.clone());
            tokio::spawn(async move { reader.rows(target, vec![0], [0].into_iter().collect()).await })
        });
        let all = futures::future::join_all(reads.collect::<Vec<_>>());
        let all =
            tokio::time::timeout(std::time::Duration::from_secs(60), all).await.expect("they do not wait for ever");
        assert!(all.into_iter().all(|rows| rows.unwrap().unwrap()[0].num_rows() == 1));
    });
}
