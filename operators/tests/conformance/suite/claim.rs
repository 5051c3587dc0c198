//! Claim and genesis: who may begin, where, and who is refused.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use lakefront_operators::position::Position;
use lakefront_operators::protocol::document::Standing;

use crate::faults::{Call, Fault};
use crate::harness::{Sink, Start, World, offsets, refusal, settings};

pub(crate) async fn the_first_claim_resolves_the_start_once_and_copies_it<S: Sink>(world: Arc<World<S>>) {
    world.cold_start.store(7, Ordering::SeqCst);

    let run = world.start().await.unwrap();

    assert_eq!(run.positions(), [7, 7, 7]);
    assert_eq!(world.resolved.load(Ordering::SeqCst), 1);
    for table in 0..3 {
        assert_eq!((world.position(table).await, world.rows(table).await), (Some(7), vec![]));
    }
}

pub(crate) async fn a_run_that_died_between_two_tables_leaves_one_start_for_all<S: Sink>(world: Arc<World<S>>) {
    for (call, fault) in [
        (Call::WriteOffsets, Fault::Crash),
        (Call::WriteOffsets, Fault::CrashAfter),
        (Call::Put, Fault::Crash),
        (Call::Put, Fault::CrashAfter),
    ] {
        let world = World::<S>::new();
        world.cold_start.store(7, Ordering::SeqCst);
        world.scripts[1].on(call, fault);
        world.start().await.map(drop).unwrap_err();
        world.cold_start.store(99, Ordering::SeqCst);

        let run = world.start().await.unwrap();

        assert_eq!(run.positions(), [7, 7, 7]);
        assert_eq!(world.resolved.load(Ordering::SeqCst), 1);
    }
    drop(world);
}

pub(crate) async fn a_later_claim_keeps_position_and_settings<S: Sink>(world: Arc<World<S>>) {
    let mut first = world.start().await.unwrap();
    world.land(&mut first, 0, 10, &[1, 2]).await.unwrap();

    let second = world.start_with(Start { settings: settings(5), ..Start::default() }).await.unwrap();

    assert_eq!(second.positions(), [10, 0, 0]);
    assert_eq!(second.0[0].standing.settings, settings(1000), "today's settings hold from the common position on");
    assert_eq!(second.number().0, first.number().0 + 1);
    assert_eq!(world.rows(0).await, [1, 2]);
}

pub(crate) async fn a_table_without_position_beside_tables_with_rows_refuses<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    world.land(&mut run, 0, 10, &[1]).await.unwrap();
    world.sink.drop_table(1);

    let text = refusal(world.start().await);

    assert!(text.contains("\"table-1\" holds no position"), "{text}");
    assert_eq!(world.position(1).await, None);
}

pub(crate) async fn a_table_without_position_before_a_table_with_rows_refuses<S: Sink>(_: Arc<World<S>>) {
    for deleted in [0, 1] {
        let world = World::<S>::new();
        let mut run = world.start().await.unwrap();
        world.land(&mut run, 2, 10, &[1]).await.unwrap();
        world.sink.drop_table(deleted);

        let text = refusal(world.start().await);

        assert!(text.contains(&format!("\"table-{deleted}\" holds no position")), "{text}");
        assert_eq!(world.position(deleted).await, None);
    }
}

pub(crate) async fn another_pipeline_over_the_same_source_refuses<S: Sink>(world: Arc<World<S>>) {
    world.start().await.unwrap();

    let text = refusal(world.start_with(Start { pipeline: "second", ..Start::default() }).await);

    assert!(text.contains("through pipeline \"pg-logs\""), "{text}");
    assert_eq!(world.sink.held(0, "second").await, None);
}

pub(crate) async fn another_pipeline_over_another_source_is_welcome<S: Sink>(world: Arc<World<S>>) {
    let mut first = world.start().await.unwrap();
    let other = Start { pipeline: "second", source: "file:/other/", ..Start::default() };
    let mut second = world.start_with(other).await.unwrap();

    world.land(&mut first, 0, 10, &[1]).await.unwrap();
    world.land(&mut second, 0, 20, &[2]).await.unwrap();

    assert_eq!(world.rows(0).await, [1, 2]);
    assert_eq!(world.position(0).await, Some(10));
    assert_eq!(world.sink.held(0, "second").await.map(|held| held.position), Some(Position(20)));
}

pub(crate) async fn another_source_refuses<S: Sink>(world: Arc<World<S>>) {
    world.start().await.unwrap();
    let text = refusal(world.start_with(Start { source: "file:/other/", ..Start::default() }).await);
    assert!(text.contains("but source.url is file:/other/"), "{text}");
}

pub(crate) async fn another_role_refuses<S: Sink>(world: Arc<World<S>>) {
    world.start().await.unwrap();
    let swapped = Start { roles: ["replica", "primary", "rejects"], ..Start::default() };
    let text = refusal(world.start_with(swapped).await);
    assert!(text.contains("is the pipeline's table for \"primary\""), "{text}");
}

pub(crate) async fn a_state_file_ahead_of_the_tables_refuses<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    world.land(&mut run, 0, 10, &[1]).await.unwrap();
    let text = refusal(world.start_with(Start { known: Some(Position(1)), ..Start::default() }).await);
    assert!(text.contains("the state file says position 1, but table \"table-1\" stands at 0"), "{text}");
}

pub(crate) async fn a_state_file_behind_the_tables_says_nothing<S: Sink>(world: Arc<World<S>>) {
    world.cold_start.store(7, Ordering::SeqCst);
    world.start().await.unwrap();
    let run = world.start_with(Start { known: Some(Position(3)), ..Start::default() }).await.unwrap();
    assert_eq!(run.positions(), [7, 7, 7]);
}

pub(crate) async fn tables_of_two_histories_refuse<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    for (table, entries) in [(0, [("a", 5), ("b", 0)]), (1, [("a", 0), ("b", 9)])] {
        let standing = Standing { offsets: Arc::new(offsets(&entries)), settings: settings(1000), since: Position(0) };
        run.0[table].committer.land(&standing, Vec::new(), &[]).await.unwrap();
    }
    let text = refusal(world.start().await);
    assert!(text.contains("were not written by one pipeline"), "{text}");
}
