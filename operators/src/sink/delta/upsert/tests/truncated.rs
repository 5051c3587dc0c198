//! Tables that lose all of their rows.

use super::Operation::{Delete, Insert, Update};
use super::Order;
use super::feed::Folded;
use super::foreign::Rewrite;
use super::model::{Truncation, changes};
use super::plain::{change, row};
use super::world::World;
use crate::position::Position;
use crate::sink::delta::upsert::Changes;

/// All rows go at `at`, of the same partition as [`change`]s.
fn truncation(at: u64) -> Truncation {
    Truncation { order: Order { partition: 0, offset: at, lsn: 0 }, at }
}

/// A table of so many rows, in two files.
async fn filled(shards: usize, feed: bool, rows: i64) -> World {
    let mut world = World::new(shards, feed).await;
    let of = |ids: std::ops::Range<i64>| ids.map(|id| change(id, "old", Insert, 1)).collect::<Vec<_>>();
    world.land(&of(0..rows / 3)).await;
    world.land(&of(rows / 3..rows)).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_truncated_has_what_came_after_and_its_feed_tells_what_went() {
    for shards in [1, 3] {
        let mut world = filled(shards, true, 10).await;
        let mut kept = change(4, "", Update, 9);
        kept.unavailable.insert(3);
        let changes = [
            change(1, "before", Update, 3),
            change(20, "before", Insert, 4),
            change(1, "after", Update, 6),
            change(3, "", Delete, 7),
            change(21, "after", Insert, 8),
            kept,
        ];
        let cut = world.stage_all(&changes, &[truncation(2), truncation(5)]).await;
        let counts = cut.counts();
        assert_eq!((counts.truncated, counts.changes, counts.superseded), (10, 6, 2));
        assert_eq!((counts.inserted, counts.updated_nothing, counts.deleted_nothing), (2, 1, 1));
        assert_eq!((counts.deleted, counts.updated, cut.gaps().len()), (0, 0, 1));
        world.commit(cut).await;
        let rows = world.rows().await;
        assert_eq!(rows, [row(1, "after"), row(21, "after")]);
        let mut folded = Folded::default();
        (1..=3).for_each(|version| folded.follow(world.folder.path(), &world.actions(version)));
        assert_eq!(folded.rows(), rows);
        assert!(world.actions(3).iter().all(|action| action["add"]["deletionVector"].is_null()), "whole files went");
        world.land(&[change(1, "later", Update, 10), change(21, "", Delete, 11)]).await;
        assert_eq!(world.rows().await, [row(1, "later")]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncation_alone_is_a_cut_also_of_an_empty_table() {
    for feed in [true, false] {
        let mut world = World::new(2, feed).await;
        let cut = world.stage_all(&[], &[truncation(1)]).await;
        assert_eq!((cut.merged.len(), cut.counts()), (2, Default::default()));
        world.commit(cut).await;
        assert!(world.actions(1).iter().all(|action| action.get("remove").is_none() && action.get("cdc").is_none()));
        world.land(&[change(1, "one", Insert, 2), change(2, "two", Insert, 3)]).await;
        assert_eq!(world.truncate(&[], &[truncation(4)]).await.truncated, 2);
        assert!(world.rows().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_without_rows_and_truncations_are_nothing() {
    let mut world = World::new(1, true).await;
    let nothing: Vec<Changes> = vec![changes(&[]), changes(&[])];
    assert!(world.shards[0].merge(Position(0), nothing).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_feed_nothing_is_read() {
    let mut world = filled(2, false, 100).await;
    let files = std::fs::read_dir(world.folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let data = files.filter(|path| path.extension().is_some_and(|extension| extension == "parquet"));
    data.for_each(|path| std::fs::remove_file(path).unwrap());
    assert_eq!(world.truncate(&[], &[truncation(2)]).await.truncated, 100);
    assert!(world.rows().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_go_are_told_batch_by_batch() {
    let mut world = filled(1, true, 30_000).await;
    world.land(&[change(7, "new", Update, 2)]).await;
    assert_eq!(world.truncate(&[change(7, "newer", Insert, 4)], &[truncation(3)]).await.truncated, 30_000);
    let mut folded = Folded::default();
    (1..=4).for_each(|version| folded.follow(world.folder.path(), &world.actions(version)));
    assert_eq!(folded.rows(), [row(7, "newer")]);
    assert_eq!(world.rows().await, [row(7, "newer")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_others_move_meanwhile_go_as_well() {
    for feed in [true, false] {
        let mut world = filled(2, feed, 50).await;
        let ahead = world.stage(&[change(3, "new", Update, 2), change(99, "new", Insert, 3)]).await;
        let cut = world.stage_all(&[change(5, "after", Insert, 5)], &[truncation(4)]).await;
        assert_eq!(cut.counts().truncated, 51);
        world.rewrite(Rewrite::Compact).await;
        world.commit(ahead).await;
        world.rewrite(Rewrite::Compact).await;
        world.commit(cut).await;
        assert_eq!(world.rows().await, [row(5, "after")]);
        world.land(&[change(3, "again", Update, 6)]).await;
        assert_eq!(world.rows().await, [row(3, "again"), row(5, "after")]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncation_that_does_not_land_is_made_anew() {
    let mut world = filled(1, true, 20).await;
    world.shards[0].keep().await;
    drop(world.stage_all(&[change(1, "lost", Insert, 3)], &[truncation(2)]).await);
    // What is kept is ahead of the table.
    world.shards[0].keep().await;
    world.open_shards(1).await;
    assert_eq!(world.shards[0].files_read(), 2, "rows that were to die are alive");
    world.land(&[change(1, "found", Update, 3)]).await;
    assert_eq!(world.rows().await.len(), 20, "none is there twice");
    assert_eq!(world.truncate(&[], &[truncation(4)]).await.truncated, 20);
    world.shards[0].keep().await;
    world.open_shards(1).await;
    assert_eq!(world.shards[0].files_read(), 0);
    assert_eq!(world.land(&[change(1, "new", Insert, 5)]).await.inserted, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_another_partition_the_lsn_says_what_was_before() {
    let mut world = World::new(1, true).await;
    let at = |id, partition, offset, lsn| {
        let change = change(id, "new", Insert, id as u64);
        super::model::Change { order: Order { partition, offset, lsn }, ..change }
    };
    let truncation = Truncation { order: Order { partition: 1, offset: 10, lsn: 500 }, at: 1 };
    let changes = [at(1, 0, 1, 499), at(2, 0, 2, 501), at(3, 1, 9, 501), at(4, 1, 11, 499), at(5, 2, 99, 0)];
    let counts = world.truncate(&changes, &[truncation]).await;
    assert_eq!((counts.inserted, counts.superseded, counts.truncated), (2, 3, 0));
    assert_eq!(world.rows().await, [row(2, "new"), row(4, "new")]);
}
