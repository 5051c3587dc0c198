//! One commit: rows and position together, exactly once, whatever the store answers.

use std::sync::Arc;

use lakefront_operators::error::Stop;

use crate::faults::{Call, Fault};
use crate::harness::{Sink, World, refusal};

pub(crate) async fn rows_and_position_appear_together<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    let staged = world.sink.stage(0, &[1, 2, 3]).await;
    assert_eq!(world.rows(0).await, [0; 0], "staged rows are not visible");

    run.0[0].committer.land(&crate::kinds::standing(10), staged, &[]).await.unwrap();

    assert_eq!((world.rows(0).await, world.position(0).await), (vec![1, 2, 3], Some(10)));
    assert_eq!((world.rows(1).await, world.position(1).await), (vec![], Some(0)));
}

pub(crate) async fn a_cut_that_is_held_already_is_refused_as_a_bug<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    world.land(&mut run, 0, 10, &[1]).await.unwrap();
    for position in [10, 9] {
        let again = world.land(&mut run, 0, position, &[1]).await;
        assert!(matches!(again, Err(Stop::Bug(_))), "{again:?}");
    }
    assert_eq!((world.rows(0).await, world.position(0).await), (vec![1], Some(10)));
}

pub(crate) async fn an_empty_cut_moves_the_position_alone<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    world.land(&mut run, 0, 10, &[1]).await.unwrap();
    world.land(&mut run, 0, 20, &[]).await.unwrap();
    assert_eq!((world.rows(0).await, world.position(0).await), (vec![1], Some(20)));
}

pub(crate) async fn a_lost_reply_lands_the_cut_once<S: Sink>(_: Arc<World<S>>) {
    for faults in lost_replies() {
        let world = World::<S>::new();
        let mut run = world.start().await.unwrap();
        let told = format!("{:?}", faults.iter().map(|(call, _)| call).collect::<Vec<_>>());
        faults.into_iter().for_each(|(call, fault)| world.scripts[0].on(call, fault));

        world.land(&mut run, 0, 10, &[1, 2]).await.unwrap();
        world.land(&mut run, 0, 20, &[3]).await.unwrap();

        assert!(world.scripts[0].is_played(), "{told}");
        assert_eq!((world.rows(0).await, world.position(0).await), (vec![1, 2, 3], Some(20)), "{told}");
    }
}

/// Sequences of lost replies, each of which one commit must survive.
fn lost_replies() -> Vec<Vec<(Call, Fault)>> {
    vec![
        vec![(Call::WriteOffsets, Fault::Lost)],
        vec![(Call::WriteOffsets, Fault::ReplyLost)],
        vec![(Call::WriteOffsets, Fault::Late), (Call::WriteOffsets, Fault::ReplyLost)],
        vec![(Call::Put, Fault::Lost)],
        vec![(Call::Put, Fault::ReplyLost)],
        vec![(Call::Put, Fault::Lost), (Call::Read, Fault::Lost)],
        vec![(Call::Put, Fault::ReplyLost), (Call::Read, Fault::Lost)],
        vec![(Call::Put, Fault::Lost), (Call::Put, Fault::ReplyLost)],
        vec![(Call::Put, Fault::ReplyLost), (Call::Read, Fault::Lost), (Call::Put, Fault::ReplyLost)],
    ]
}

pub(crate) async fn a_lost_reply_claims_once<S: Sink>(_: Arc<World<S>>) {
    let looks = [vec![(Call::Load, Fault::Lost)], vec![(Call::ReadOffsets, Fault::Lost)]];
    for faults in lost_replies().into_iter().chain(looks) {
        for table in [0, 2] {
            let world = World::<S>::new();
            let mut first = world.start().await.unwrap();
            world.land(&mut first, table, 10, &[1]).await.unwrap();
            let told = format!("{:?}", faults.iter().map(|(call, _)| call).collect::<Vec<_>>());
            let again = faults.iter().map(|(call, fault)| (*call, fault.again()));
            again.for_each(|(call, fault)| world.scripts[table].on(call, fault));

            let mut second = world.start().await.unwrap();
            world.land(&mut second, table, 20, &[2]).await.unwrap();

            assert!(world.scripts[table].is_played(), "{told}");
            assert_eq!(second.number().0, first.number().0 + 1, "{told}");
            assert_eq!((world.rows(table).await, world.position(table).await), (vec![1, 2], Some(20)), "{told}");
        }
    }
}

pub(crate) async fn a_store_that_stays_silent_stops_the_run<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    for _ in 0..30 {
        world.scripts[0].on(Call::Put, Fault::Lost);
    }
    let landed = world.land(&mut run, 0, 10, &[1]).await;
    assert!(matches!(&landed, Err(Stop::Store(error)) if error.is_transient()), "{landed:?}");
    assert_eq!((world.rows(0).await, world.position(0).await), (vec![], Some(0)));
}

pub(crate) async fn what_an_unknown_outcome_left_behind_is_found_by_the_next_run<S: Sink>(_: Arc<World<S>>) {
    for (fault, stands_at) in [(Fault::Crash, 0), (Fault::CrashAfter, 10)] {
        let world = World::<S>::new();
        let mut first = world.start().await.unwrap();
        world.scripts[0].on(Call::Put, fault);
        world.land(&mut first, 0, 10, &[1]).await.unwrap_err();

        let mut second = world.start().await.unwrap();

        assert_eq!(second.positions(), [stands_at, 0, 0]);
        if stands_at < 10 {
            world.land(&mut second, 0, 10, &[1]).await.unwrap();
        }
        assert_eq!(world.rows(0).await, [1]);
    }
}

pub(crate) async fn files_staged_too_long_ago_are_refused<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    let tables = world.sink.open(crate::harness::PIPELINE).await.unwrap();
    let retention = tables[0].load().await.unwrap().retention;
    let young = world.sink.stage(0, &[1]).await;
    world.clock.advance(retention.files_ms / 2);
    run.0[0].committer.land(&crate::kinds::standing(10), young, &[]).await.unwrap();

    let old = world.sink.stage(0, &[2]).await;
    world.clock.advance(retention.files_ms / 2 + 1);
    let text = refusal(run.0[0].committer.land(&crate::kinds::standing(20), old, &[]).await);

    assert!(text.contains("was staged so long ago"), "{text}");
    assert_eq!((world.rows(0).await, world.position(0).await), (vec![1], Some(10)));
}

pub(crate) async fn a_table_deleted_under_the_run_takes_no_rows<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    let staged = world.sink.stage(0, &[1]).await;
    world.sink.drop_group(0);
    let landed = run.0[0].committer.land(&crate::kinds::standing(10), staged, &[]).await;
    assert!(matches!(&landed, Err(Stop::Store(error)) if !error.is_transient()), "{landed:?}");
}

pub(crate) async fn a_table_replaced_under_the_run_takes_no_rows<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    world.sink.drop_group(0);
    world.sink.open("another pipeline").await.unwrap();
    let landed = world.land(&mut run, 0, 10, &[1]).await;
    assert!(matches!(&landed, Err(Stop::Store(error)) if !error.is_transient()), "{landed:?}");
    assert_eq!((world.rows(0).await, world.position(0).await), (vec![], None));
}
