//! Groups that join others: those of a source whose tables are not all known at the start.

use std::sync::Arc;

use lakefront_operators::error::Stop;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::claim::claim;
use lakefront_operators::protocol::group::Group;
use lakefront_operators::protocol::intent::Intent;
use lakefront_operators::protocol::layout::Layout;
use lakefront_operators::protocol::offsets::Offsets;
use lakefront_operators::protocol::standing::Standing;

use crate::harness::{PIPELINE, Run, Sink, World, refusal, sum_by_table};
use crate::kinds::{Records, StoryKind, offsets, standing};
use crate::memory::MemorySink;

type Groups = MemorySink<Records, 1>;

/// Claims the first `count` groups for a pipeline whose settings know them.
async fn claimed(world: &World<Groups>, count: usize) -> Result<Run<Records>, Stop> {
    let groups = world.sink.open(PIPELINE).await?.into_iter().take(count);
    let groups: Vec<Arc<dyn Group>> = groups.map(|group| group as Arc<dyn Group>).collect();
    let cold_start =
        || -> Pending<'_, Result<Offsets<Records>, Stop>> { Box::pin(async { Ok(offsets(&[("log", 0)])) }) };
    let files = || -> Pending<'_, Result<Vec<_>, Stop>> { Box::pin(async { Ok(Vec::new()) }) };
    let reading = Records::reading("topic", &files);
    let intent = Intent {
        pipeline: PIPELINE,
        reading: &*reading,
        adopt: false,
        layout: &Layout::each(&["primary", "replica", "rejects"][..count]),
        settings: Arc::new(count as u64),
        known: None,
        process: None,
        cold_start: &cold_start,
    };
    claim(&groups, world.clock.clone(), &intent).await.map(Run)
}

/// Moves a group to `at` with rows, under settings that know so many groups.
async fn land(world: &World<Groups>, run: &mut Run<Records>, group: usize, at: u64, knows: u64, rows: &[u64]) {
    let since = run.0[group].standing.since;
    let to = Standing { settings: Arc::new(knows), since, ..standing(at) };
    let files = world.sink.stage(group, rows).await;
    run.0[group].committer.land(&to, files, &sum_by_table::<Groups>(group, rows)).await.unwrap();
}

#[tokio::test]
async fn a_group_that_the_others_do_not_know_joins_where_the_furthest_stands() {
    let world = World::<Groups>::new();
    let mut two = claimed(&world, 2).await.unwrap();
    land(&world, &mut two, 0, 10, 2, &[1]).await;
    land(&world, &mut two, 1, 20, 2, &[2]).await;
    let three = claimed(&world, 3).await.unwrap();
    assert_eq!(three.positions(), [10, 20, 20]);
    assert_eq!(world.position(2).await, Some(20));
}

#[tokio::test]
async fn a_group_that_has_joined_and_landed_nothing_joins_again() {
    let world = World::<Groups>::new();
    let mut two = claimed(&world, 2).await.unwrap();
    land(&world, &mut two, 0, 20, 2, &[1]).await;
    land(&world, &mut two, 1, 20, 2, &[2]).await;
    drop(claimed(&world, 3).await.unwrap());
    // The note of the third was lost: a run without it moves the others on, under other settings.
    let mut two = claimed(&world, 2).await.unwrap();
    let later = Standing { settings: Arc::new(2), since: Position(25), ..standing(30) };
    for (group, row) in [(0, 3), (1, 4)] {
        let files = world.sink.stage(group, &[row]).await;
        two.0[group].committer.land(&later, files, &sum_by_table::<Groups>(group, &[row])).await.unwrap();
    }
    assert_eq!(claimed(&world, 3).await.unwrap().positions(), [30, 30, 30]);
}

#[tokio::test]
async fn a_group_that_the_others_know_is_never_begun_beside_them() {
    let world = World::<Groups>::new();
    let mut two = claimed(&world, 2).await.unwrap();
    land(&world, &mut two, 0, 10, 3, &[1]).await;
    land(&world, &mut two, 1, 10, 3, &[2]).await;
    let text = refusal(claimed(&world, 3).await);
    assert!(text.contains("holds no position of pipeline"), "{text}");
}

#[tokio::test]
async fn a_group_that_has_landed_is_no_stranger_although_the_others_have_not_heard_of_it() {
    let world = World::<Groups>::new();
    let mut two = claimed(&world, 2).await.unwrap();
    land(&world, &mut two, 0, 20, 2, &[1]).await;
    land(&world, &mut two, 1, 20, 2, &[2]).await;
    let mut three = claimed(&world, 3).await.unwrap();
    // Only the third has rows in the first cut that knows of it.
    land(&world, &mut three, 2, 30, 3, &[3]).await;
    let three = claimed(&world, 3).await.unwrap();
    assert_eq!((three.positions(), world.rows(2).await), (vec![20, 20, 30], vec![3]));
}
