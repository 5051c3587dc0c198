//! The stories.

use super::feed::Folded;
use super::foreign::Rewrite;
use super::model::{Change, Model, Row, changes};
use super::workload::Workload;
use super::world::{Cut, World};
use super::{Operation, Order};
use crate::error::chain;
use crate::position::Position;
use crate::protocol::group::{Group, Verdict};
use crate::run::clock::SystemClock;
use crate::sink::delta::checkpoint;
use crate::sink::delta::upsert::collapse::collapse;
use crate::sink::delta::upsert::gathered::Gathered;
use crate::sink::delta::upsert::index::Place;
use crate::sink::delta::upsert::keys::Keys;
use crate::sink::delta::upsert::lookup::look;
use crate::sink::delta::upsert::read::{Reader, Target};

pub(super) fn row(id: i64, note: &str) -> Row {
    Row { id, part: None, note: Some(note.to_owned()), ..Row::default() }
}

pub(super) fn change(id: i64, note: &str, operation: Operation, at: u64) -> Change {
    let order = Order { partition: 0, offset: at, lsn: 0 };
    Change { row: row(id, note), operation, unavailable: Default::default(), order, at }
}

use Operation::{Delete, Insert, Update};

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_inserts_updates_and_deletes_at_once() {
    let mut world = World::new(1, true).await;
    world.land(&[change(1, "one", Insert, 1), change(2, "two", Insert, 2), change(3, "three", Insert, 3)]).await;
    assert!(world.actions(1).iter().all(|action| action.get("cdc").is_none()), "new rows alone are told by their file");
    let counts = world
        .land(&[
            change(1, "uno", Update, 4),
            change(2, "", Delete, 5),
            change(4, "four", Update, 6),
            change(9, "", Delete, 7),
        ])
        .await;
    assert_eq!((counts.updated, counts.deleted, counts.inserted), (1, 1, 1));
    assert_eq!((counts.updated_nothing, counts.deleted_nothing), (1, 1));
    let rows = world.rows().await;
    assert_eq!(rows, [row(1, "uno"), row(3, "three"), row(4, "four")]);
    let mut folded = Folded::default();
    (1..=2).for_each(|version| folded.follow(world.folder.path(), &world.actions(version)));
    assert_eq!(folded.rows(), rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_rows_are_all_dead_leaves_the_table() {
    let mut world = World::new(1, true).await;
    world.land(&[change(1, "one", Insert, 1), change(2, "two", Insert, 2)]).await;
    world.land(&[change(1, "uno", Update, 3)]).await;
    world.land(&[change(2, "", Delete, 4)]).await;
    let actions = world.actions(3);
    let removed: Vec<_> = actions.iter().filter_map(|action| action.get("remove")).collect();
    assert_eq!(removed.len(), 1);
    assert!(removed[0]["deletionVector"]["cardinality"] == 1, "it repeats what was dead: {}", removed[0]);
    assert!(actions.iter().all(|action| action.get("add").is_none()));
    assert_eq!(world.rows().await, [row(1, "uno")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_what_it_was_is_not_written() {
    let mut world = World::new(1, true).await;
    world.land(&[change(1, "one", Insert, 1)]).await;
    let counts = world.land(&[change(1, "one", Update, 2)]).await;
    assert_eq!((counts.unchanged, counts.updated), (1, 0));
    assert!(
        world.actions(2).iter().all(|a| a.get("add").is_none() && a.get("remove").is_none() && a.get("cdc").is_none())
    );
    assert_eq!(world.rows().await, [row(1, "one")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_feed_only_the_table_changes() {
    let mut world = World::new(1, false).await;
    world.land(&[change(1, "one", Insert, 1), change(2, "two", Insert, 2)]).await;
    world.land(&[change(1, "uno", Update, 3), change(2, "", Delete, 4)]).await;
    assert!((1..=2).all(|version| world.actions(version).iter().all(|action| action.get("cdc").is_none())));
    assert!(!world.folder.path().join("_change_data").exists());
    assert_eq!(world.rows().await, [row(1, "uno")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_others_delete_meanwhile_end_a_run_with_a_feed() {
    let mut world = World::new(1, true).await;
    world.land(&[change(1, "one", Insert, 1), change(2, "two", Insert, 2)]).await;
    let cut = world.stage(&[change(2, "dos", Update, 3)]).await;
    world.rewrite(Rewrite::DeleteEven).await;
    let error = world.try_commit(cut).await.unwrap_err();
    assert!(chain(&error).contains("start again"), "{}", chain(&error));
    assert_eq!(world.rows().await, [row(1, "one")], "nothing was committed");
    world.open_shards(1).await;
    world.land(&[change(2, "dos", Update, 3)]).await;
    assert_eq!(world.rows().await, [row(1, "one"), row(2, "dos")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_others_delete_meanwhile_are_inserted_where_no_feed_is_wrong() {
    let mut world = World::new(2, false).await;
    world.land(&[change(1, "one", Insert, 1), change(2, "two", Insert, 2), change(3, "three", Insert, 3)]).await;
    let cut = world.stage(&[change(2, "dos", Update, 4), change(3, "tres", Update, 5)]).await;
    world.rewrite(Rewrite::DeleteEven).await;
    world.commit(cut).await;
    assert_eq!(world.rows().await, [row(1, "one"), row(2, "dos"), row(3, "tres")]);
    world.land(&[change(1, "uno", Update, 6), change(2, "", Delete, 7)]).await;
    assert_eq!(world.rows().await, [row(1, "uno"), row(3, "tres")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_others_append_are_found_and_doubles_go() {
    let mut world = World::new(2, true).await;
    world.land(&[change(1, "one", Insert, 1)]).await;
    world.append(&[row(1, "double"), row(2, "theirs")]).await;
    world.land(&[change(1, "uno", Update, 2), change(2, "", Delete, 3)]).await;
    assert_eq!(world.rows().await, [row(1, "uno")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_waits_for_its_cuts_when_others_have_moved_files() {
    let mut world = World::new(1, true).await;
    world.land(&[change(1, "one", Insert, 1), change(2, "two", Insert, 2)]).await;
    let cut = world.stage(&[change(1, "uno", Update, 3)]).await;
    world.rewrite(Rewrite::Compact).await;
    let mut shard = world.shards.remove(0);
    let next = vec![changes(&[change(1, "eins", Update, 4), change(2, "", Delete, 5)])];
    let waiting = tokio::spawn(async move { shard.merge(Position(20), next).await });
    tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    assert!(!waiting.is_finished(), "the log does not have its cut yet");
    world.commit(cut).await;
    let merged = waiting.await.unwrap().unwrap().unwrap();
    world.commit(Cut { upper: Position(30), merged: vec![merged] }).await;
    assert_eq!(world.rows().await, [row(1, "eins")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_whose_key_only_has_the_same_hash_is_no_hit() {
    let mut world = World::new(1, true).await;
    world.land(&[change(1, "one", Insert, 1), change(2, "two", Insert, 2)]).await;
    let add = world.actions(1).iter().find_map(|action| action.get("add").cloned()).unwrap();
    let target = Target { path: add["path"].as_str().unwrap().to_owned(), size: add["size"].as_u64().unwrap() };
    let changes = Gathered::of(vec![changes(&[change(2, "dos", Update, 3)])]).unwrap();
    let by = Keys::of(&world.spec).unwrap();
    let keys = by.of_batches(changes.batches()).unwrap();
    let collapsed = collapse(&changes, &keys);
    let reader = Reader::of(&world.spec, std::sync::Arc::new(SystemClock)).unwrap();
    // The index would say so of two keys of one hash.
    let candidates = (0..2).map(|row| (0, Place { file: 0, row })).collect();
    let found = look((&reader, &by), (&collapsed, &keys), candidates, |_| target.clone(), false).await.unwrap();
    assert_eq!(found.hits.iter().map(|hit| hit.place.row).collect::<Vec<_>>(), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_definition_of_the_table_is_in_the_way() {
    let mut world = World::new(1, true).await;
    world.land(&[change(1, "one", Insert, 1)]).await;
    assert_eq!(world.table.recheck(None).await.unwrap(), Verdict::Harmless);
    let mut metadata = world.actions(0).iter().find_map(|action| action.get("metaData").cloned()).unwrap();
    metadata["configuration"]["delta.enableChangeDataFeed"] = "false".into();
    world.foreign(&[serde_json::json!({"metaData": metadata})]).await;
    let Verdict::Anew(why) = world.table.recheck(None).await.unwrap() else { panic!("it is in the way") };
    assert!(why.contains("delta.enableChangeDataFeed"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_was_kept_saves_the_reading_of_keys() {
    let mut world = World::new(1, true).await;
    world.land(&[change(1, "one", Insert, 1), change(2, "two", Insert, 2), change(3, "three", Insert, 3)]).await;
    world.land(&[change(1, "uno", Update, 4)]).await;
    world.shards[0].keep().await;
    world.land(&[change(2, "dos", Update, 5)]).await;
    world.open_shards(1).await;
    assert_eq!(world.shards[0].files_read(), 1, "only the file that is newer");
    world.land(&[change(1, "eins", Update, 6), change(2, "", Delete, 7), change(3, "drei", Update, 8)]).await;
    assert_eq!(world.rows().await, [row(1, "eins"), row(3, "drei")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_not_kept_before_all_cuts_have_landed() {
    let mut world = World::new(1, true).await;
    world.land(&[change(1, "one", Insert, 1), change(2, "two", Insert, 2)]).await;
    // A run dies with a cut that has not landed. The next one finds the rows that it replaced,
    // which are in its index no more.
    drop(world.stage(&[change(1, "eins", Update, 3), change(2, "dos", Update, 4)]).await);
    world.shards[0].keep().await;
    world.open_shards(1).await;
    world.land(&[change(1, "uno", Update, 5), change(2, "zwei", Update, 6)]).await;
    assert_eq!(world.rows().await, [row(1, "uno"), row(2, "zwei")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_has_moved_goes_by_its_later_partition_and_a_gap_gives_its_origin_back() {
    let mut world = World::new(1, true).await;
    let place = |partition, offset, lsn| Order { partition, offset, lsn };
    let at = |change, order| Change { order, ..change };
    // The key 1 was in partition 5, where its last LSN is one that went back.
    let moved = [
        at(change(1, "new", Update, 4), place(0, 3, 120)),
        at(change(1, "one", Insert, 1), place(5, 70, 110)),
        at(change(1, "old", Update, 2), place(5, 71, 90)),
        at(change(2, "", Delete, 3), place(5, 72, 100)),
    ];
    let mut without = at(change(2, "", Update, 5), place(5, 73, 0));
    without.unavailable.insert(3);
    let cut = world.stage(&[&moved[..], &[without]].concat()).await;
    assert_eq!((cut.counts().superseded, cut.counts().gaps), (2, 1));
    assert_eq!(cut.merged[0].gaps[0].origin, b"the record at 73 of partition 5");
    assert_eq!(cut.gaps(), [place(5, 73, 0)]);
    world.commit(cut).await;
    assert_eq!(world.rows().await, [row(1, "new")]);
}

/// What others do between cuts.
#[derive(Clone, Copy, PartialEq)]
enum Between {
    Nothing,
    Compact,
    Restore,
}

/// Changes a table at random in cuts, and compares it with the model after each commit.
async fn random(seed: u64, feed: bool, between: Between) {
    let mut workload = Workload::new(seed);
    let mut world = World::new(1 + workload.random.below(3) as usize, feed).await;
    let (mut model, mut folded) = (Model::default(), Folded::default());
    let mut told = 0;
    let mut history = vec![(world.version, model.clone())];
    for number in 0..20 {
        // A cut may be staged before the one before it has landed.
        let ahead = 1 + workload.random.below(2);
        let (mut cuts, mut models) = (Vec::new(), Vec::new());
        for _ in 0..ahead {
            let changes = 1 + workload.random.below(60);
            let (changes, truncations) = workload.truncated_cut(&model, changes, 80);
            // Slices may be of any size, and files that are gone are forgotten at any time.
            world.slice(1 + workload.random.below(50) as usize);
            if workload.random.one_in(2) {
                world.shards.iter_mut().for_each(|shard| shard.forget(0));
            }
            let there = model.0.len() as u64;
            let cut = world.stage_all(&changes, &truncations).await;
            assert_eq!(cut.gaps(), model.apply(&changes, &truncations), "seed {seed}, cut {number}");
            let truncated = if truncations.is_empty() { 0 } else { there };
            assert_eq!(cut.counts().truncated, truncated, "seed {seed}, cut {number}");
            assert_eq!(cut.counts().changes, changes.len() as u64);
            cuts.push(cut);
            models.push(model.clone());
        }
        if between == Between::Compact && workload.random.one_in(3) {
            world.rewrite(Rewrite::Compact).await;
        }
        for (cut, model) in cuts.into_iter().zip(models) {
            world.commit(cut).await;
            assert_eq!(world.rows().await, model.rows(), "seed {seed}, cut {number}");
            for version in (told + 1..=world.version.0).filter(|_| feed) {
                folded.follow(world.folder.path(), &world.actions(version));
            }
            told = world.version.0;
            history.push((world.version, model.clone()));
            if feed {
                assert_eq!(folded.rows(), model.rows(), "the feed of seed {seed}, cut {number}");
            }
        }
        if between == Between::Restore && workload.random.one_in(2) {
            let (version, then) = history[workload.random.below(history.len() as u64) as usize].clone();
            world.restore(version).await;
            model = then;
        }
        // Another run opens the table, and reads its log from a checkpoint.
        if workload.random.one_in(5) {
            checkpoint::write(world.place(), world.version).await.unwrap();
            world.open_table().await;
        }
        // What is kept may be of any age, or of another number of shards.
        if workload.random.one_in(4) {
            for shard in &mut world.shards {
                shard.keep().await;
            }
        }
        if workload.random.one_in(5) {
            world.open_shards(1 + workload.random.below(3) as usize).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_random_workload_makes_what_the_model_makes() {
    for seed in 0..3 {
        random(seed, seed != 1, Between::Nothing).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn so_it_does_beside_others_that_compact_the_table() {
    for seed in 100..104 {
        random(seed, seed != 102, Between::Compact).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn so_it_does_beside_others_that_take_the_table_back() {
    for seed in 200..204 {
        random(seed, false, Between::Restore).await;
    }
}
