//! Rows and files that come back: a table that goes back to an older version, by whatever means,
//! is changed as what it is.

use std::path::Path;
use std::time::Duration;

use super::Operation::{Delete, Insert, Update};
use super::model::changes;
use super::plain::{change, row};
use super::world::{Cut, World};
use crate::error::chain;
use crate::position::Position;
use crate::protocol::names::{Held, RunId, Version};

/// A table of three rows in one file, two of which are updated in a second one. The index has no
/// places of what they were, because its second run was merged into the first.
async fn updated(feed: bool) -> World {
    let mut world = World::new(1, feed).await;
    world.land(&[change(1, "one", Insert, 1), change(2, "two", Insert, 2), change(3, "three", Insert, 3)]).await;
    world.land(&[change(1, "uno", Update, 4), change(2, "dos", Update, 5)]).await;
    world
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_newer_than_its_table_doubles_nothing() {
    let mut world = World::new(1, true).await;
    world.land(&[change(1, "one", Insert, 1), change(2, "two", Insert, 2), change(3, "three", Insert, 3)]).await;
    let backup = tempfile::tempdir().unwrap();
    copy(world.folder.path(), backup.path());
    let older = (world.version, world.held);
    world.land(&[change(1, "uno", Update, 4), change(2, "dos", Update, 5)]).await;
    world.shards[0].keep().await;
    // The folder of the table comes back from its backup, that of the index does not.
    std::fs::remove_dir_all(world.folder.path()).unwrap();
    copy(backup.path(), world.folder.path());
    (world.version, world.held) = older;
    world.open_table().await;
    world.open_shards(1).await;
    world.land(&[change(1, "eins", Update, 4), change(2, "", Delete, 5), change(3, "drei", Update, 6)]).await;
    assert_eq!(world.rows().await, [row(1, "eins"), row(3, "drei")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_another_program_replaces_is_made_anew_and_doubles_nothing() {
    let mut world = updated(true).await;
    world.shards[0].keep().await;
    // As Spark does on a disk: its rename takes the place of the commit.
    let log = world.folder.path().join("_delta_log");
    std::fs::write(log.join("00000000000000000002.json"), "{\"commitInfo\":{\"operation\":\"WRITE\"}}\n").unwrap();
    let cut = world.stage(&[change(3, "drei", Update, 6)]).await;
    let error = world.try_commit(cut).await.unwrap_err();
    assert!(chain(&error).contains("start again"), "{}", chain(&error));
    world.open_table().await;
    world.open_shards(1).await;
    world.land(&[change(1, "uno", Update, 4), change(2, "dos", Update, 5), change(3, "drei", Update, 6)]).await;
    assert_eq!(world.rows().await, [row(1, "uno"), row(2, "dos"), row(3, "drei")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_under_a_run_brings_rows_back_to_its_index() {
    for shards in [1, 2] {
        let mut world = updated(false).await;
        world.open_shards(shards).await;
        world.land(&[change(1, "eins", Update, 6), change(2, "zwei", Update, 7)]).await;
        world.land(&[change(3, "drei", Update, 8)]).await;
        // The first file is the table's no more; of the third, two rows are alive. First a file
        // that was retired comes back with a vector, and then it loses it.
        world.restore(Version(2)).await;
        assert_eq!(world.rows().await, [row(1, "uno"), row(2, "dos"), row(3, "three")]);
        world.land(&[change(1, "un", Update, 9), change(2, "deux", Update, 10), change(3, "trois", Update, 11)]).await;
        assert_eq!(world.rows().await, [row(1, "un"), row(2, "deux"), row(3, "trois")]);
        world.restore(Version(3)).await;
        world.land(&[change(1, "", Delete, 12), change(3, "tri", Update, 13)]).await;
        assert_eq!(world.rows().await, [row(2, "zwei"), row(3, "tri")]);
        world.restore(Version(1)).await;
        world.land(&[change(1, "I", Update, 14), change(2, "II", Update, 15)]).await;
        assert_eq!(world.rows().await, [row(1, "I"), row(2, "II"), row(3, "three")]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_may_be_kept_ahead_of_its_table() {
    let mut world = updated(true).await;
    // The last cut of a run may land after its index was kept, or never.
    let cut = world.stage(&[change(1, "eins", Update, 6), change(2, "zwei", Update, 7)]).await;
    let kept = tokio::time::timeout(Duration::from_secs(10), world.shards[0].keep());
    kept.await.expect("it does not wait for the cut");
    world.commit(cut).await;
    world.open_shards(1).await;
    assert_eq!(world.shards[0].files_read(), 0, "the index has all files");
    drop(world.stage(&[change(1, "lost", Update, 8), change(3, "lost", Update, 9)]).await);
    world.shards[0].keep().await;
    world.open_shards(1).await;
    assert_eq!(world.shards[0].files_read(), 2, "those of which rows have not died after all");
    world.land(&[change(1, "un", Update, 8), change(2, "deux", Update, 9), change(3, "trois", Update, 10)]).await;
    assert_eq!(world.rows().await, [row(1, "un"), row(2, "deux"), row(3, "trois")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_cannot_be_kept_costs_the_next_run_time_and_nothing_else() {
    let mut world = updated(true).await;
    let in_the_way = world.kept.path().join("keys-0-of-1.index");
    std::fs::create_dir(&in_the_way).unwrap();
    world.shards[0].keep().await;
    assert!(in_the_way.is_dir());
    world.land(&[change(1, "eins", Update, 6), change(2, "", Delete, 7)]).await;
    world.open_shards(1).await;
    assert_eq!(world.shards[0].files_read(), 2, "the file whose rows are all dead is not the table's");
    world.land(&[change(1, "un", Update, 8), change(3, "trois", Update, 9)]).await;
    assert_eq!(world.rows().await, [row(1, "un"), row(3, "trois")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_at_first_is_not_forgotten() {
    let mut world = World::new(1, true).await;
    world.land(&[change(1, "one", Insert, 1)]).await;
    world.append(&[row(2, "theirs")]).await;
    let version = world.newest().await;
    let added = world.actions(version.0).iter().find_map(|action| action.get("add").cloned()).unwrap();
    let file = world.folder.path().join(added["path"].as_str().unwrap());
    let hidden = file.with_extension("hidden");
    std::fs::rename(&file, &hidden).unwrap();
    let update = || vec![changes(&[change(2, "ours", Update, 2)])];
    world.shards[0].keep().await;
    world.shards[0].merge(Position(10), update()).await.unwrap_err();
    world.shards[0].keep().await;
    std::fs::rename(&hidden, &file).unwrap();
    let merged = world.shards[0].merge(Position(10), update()).await.unwrap().unwrap();
    assert_eq!(merged.counts.updated, 1, "{:?}", merged.counts);
    world.open_shards(1).await;
    world.land(&[change(2, "ours", Update, 2)]).await;
    assert_eq!(world.rows().await, [row(1, "one"), row(2, "ours")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_does_not_take_another_runs_commits_for_its_own() {
    let mut world = World::new(1, true).await;
    world.land(&[change(1, "one", Insert, 1)]).await;
    let ours = world.held;
    // Another run claims the table before this one has read its files, and changes it.
    world.held.run = RunId(2);
    world.land(&[]).await;
    world.held = ours;
    world.open_shards(1).await;
    let cut = world.stage(&[change(1, "uno", Update, 2)]).await;
    drop(cut);
    world.held = Held { run: RunId(2), position: Position(1_000) };
    let (theirs, held) = (Cut { upper: Position(1_000), merged: Vec::new() }, world.held);
    world.commit(theirs).await;
    world.held = held;
    world.append(&[row(2, "two")]).await;
    let next = vec![changes(&[change(1, "eins", Update, 3)])];
    let merged = tokio::time::timeout(Duration::from_millis(300), world.shards[0].merge(Position(2_000), next)).await;
    assert!(merged.is_err(), "its cut has not landed and never will");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_its_writer_has_only_begun_is_waited_for() {
    let mut world = World::new(1, true).await;
    world.land(&[change(1, "one", Insert, 1)]).await;
    world.append(&[row(2, "theirs")]).await;
    let version = world.newest().await;
    let file = world.folder.path().join(format!("_delta_log/{:020}.json", version.0));
    let content = std::fs::read(&file).unwrap();
    std::fs::write(&file, "").unwrap();
    let written = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(150)).await;
        std::fs::write(&file, content).unwrap();
    });
    let counts = world.land(&[change(2, "ours", Update, 2)]).await;
    written.await.unwrap();
    assert_eq!(counts.updated, 1, "{counts:?}");
    assert_eq!(world.rows().await, [row(1, "one"), row(2, "ours")]);
}
