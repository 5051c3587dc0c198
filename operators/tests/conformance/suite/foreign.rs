//! Other writers in our tables, and tables that nobody has touched for a long time.

use std::sync::Arc;

use lakefront_operators::error::Stop;
use lakefront_operators::protocol::group::Retention;

use crate::faults::{Call, Fault};
use crate::harness::{Foreign, PIPELINE, Sink, World, is_fenced, refusal};

async fn given_rows<S: Sink>(world: &World<S>) -> crate::harness::Run<S::Kind> {
    let mut run = world.start().await.unwrap();
    world.land(&mut run, 0, 10, &[1]).await.unwrap();
    world.land(&mut run, 0, 20, &[2]).await.unwrap();
    run
}

/// Our next cut steps over a foreign commit, after which the table holds `rows`.
async fn stepped_over<S: Sink>(world: &World<S>, what: Foreign, rows: &[u64]) {
    let mut run = given_rows(world).await;
    world.sink.foreign(0, what).await;
    world.land(&mut run, 0, 30, &[3]).await.unwrap();
    assert_eq!((&world.rows(0).await[..], world.position(0).await), (rows, Some(30)));
    assert_eq!(world.start().await.unwrap().positions(), [30, 0, 0]);
}

pub(crate) async fn a_foreign_append_is_stepped_over<S: Sink>(world: Arc<World<S>>) {
    stepped_over(&world, Foreign::Append(&[100, 101]), &[1, 2, 3, 100, 101]).await;
}

pub(crate) async fn a_compaction_is_stepped_over<S: Sink>(world: Arc<World<S>>) {
    stepped_over(&world, Foreign::Compact, &[1, 2, 3]).await;
}

pub(crate) async fn a_foreign_delete_is_stepped_over<S: Sink>(world: Arc<World<S>>) {
    stepped_over(&world, Foreign::Delete, &[3]).await;
}

pub(crate) async fn a_foreign_column_is_stepped_over<S: Sink>(world: Arc<World<S>>) {
    stepped_over(&world, Foreign::AddColumn, &[1, 2, 3]).await;
}

pub(crate) async fn a_foreign_change_that_does_not_fit_stops_the_run<S: Sink>(world: Arc<World<S>>) {
    let mut run = given_rows(&world).await;
    world.sink.foreign(0, Foreign::Retype).await;
    let landed = world.land(&mut run, 0, 30, &[3]).await;
    match &landed {
        Err(Stop::Store(error)) => assert!(!error.is_transient(), "{landed:?}"),
        // The next run is to look at what has become of the table, and does not like it either.
        Err(Stop::Anew(_)) => assert!(matches!(world.start().await, Err(Stop::Refused(_))), "it is as wrong as before"),
        _ => panic!("{landed:?}"),
    }
    assert_eq!(world.position(0).await, Some(20));
}

async fn retention<S: Sink>(world: &World<S>) -> Retention {
    world.sink.open(PIPELINE).await.unwrap()[0].load().await.unwrap().retention
}

/// Lets so much time pass that the log may have been cleaned.
async fn silence<S: Sink>(world: &World<S>) {
    world.clock.advance(retention(world).await.log_ms / 2 + 1);
}

pub(crate) async fn a_quiet_table_is_read_again_and_takes_the_cut<S: Sink>(world: Arc<World<S>>) {
    let mut run = given_rows(&world).await;
    silence(&world).await;
    // This lost load is only played if the table is read again.
    world.scripts[0].on(Call::Load, Fault::Lost);

    world.land(&mut run, 0, 30, &[3]).await.unwrap();

    assert!(world.scripts[0].is_played());
    assert_eq!((world.rows(0).await, world.position(0).await), (vec![1, 2, 3], Some(30)));
}

pub(crate) async fn a_table_whose_log_was_cleaned_takes_the_cut_behind_its_head<S: Sink>(world: Arc<World<S>>) {
    let mut run = given_rows(&world).await;
    for _ in 0..3 {
        world.sink.foreign(0, Foreign::Append(&[100])).await;
    }
    world.sink.clean_log(0).await;
    silence(&world).await;

    world.land(&mut run, 0, 30, &[3]).await.unwrap();

    assert_eq!((world.rows(0).await, world.position(0).await), (vec![1, 2, 3, 100, 100, 100], Some(30)));
}

pub(crate) async fn a_quiet_table_that_another_run_claimed_fences<S: Sink>(world: Arc<World<S>>) {
    let mut older = given_rows(&world).await;
    world.start().await.unwrap();
    world.sink.clean_log(0).await;
    silence(&world).await;

    let landed = world.land(&mut older, 0, 30, &[3]).await;

    assert!(is_fenced(&landed), "{landed:?}");
    assert_eq!((world.rows(0).await, world.position(0).await), (vec![1, 2], Some(20)));
}

pub(crate) async fn a_clock_that_is_set_back_hides_no_silence<S: Sink>(world: Arc<World<S>>) {
    let mut older = given_rows(&world).await;
    let staged = world.sink.stage(0, &[3]).await;
    world.start().await.unwrap();
    world.sink.clean_log(0).await;
    silence(&world).await;
    world.clock.set_back(retention(&world).await.log_ms);
    let landed = world.land(&mut older, 0, 30, &[]).await;
    assert!(is_fenced(&landed), "{landed:?}");

    let mut next = world.start().await.unwrap();
    world.clock.advance(retention(&world).await.files_ms);
    world.clock.set_back(retention(&world).await.files_ms);
    let old = next.0[0].committer.land(&crate::kinds::standing(30), staged, &[]).await;
    assert!(refusal(old).contains("was staged so long ago that a vacuum may have deleted it"));
}

pub(crate) async fn a_commit_that_had_landed_before_a_long_silence_counts<S: Sink>(world: Arc<World<S>>) {
    // An empty cut, because it has no files that could be too old by then.
    let mut run = given_rows(&world).await;
    let asleep = world.clone();
    world.scripts[0].on(Call::Put, Fault::ReplyLost);
    world.scripts[0].first(Call::Read, async move { silence(&asleep).await });
    world.scripts[0].on(Call::Read, Fault::Lost);

    world.land(&mut run, 0, 30, &[]).await.unwrap();

    assert_eq!((world.rows(0).await, world.position(0).await), (vec![1, 2], Some(30)));
    world.land(&mut run, 0, 40, &[4]).await.unwrap();
    assert_eq!((world.rows(0).await, world.position(0).await), (vec![1, 2, 4], Some(40)));

    // A cut with files is given up as too old; the next run finds that it had landed.
    let asleep = world.clone();
    world.scripts[0].on(Call::Put, Fault::ReplyLost);
    world.scripts[0].first(Call::Read, async move { silence(&asleep).await });
    world.scripts[0].on(Call::Read, Fault::Lost);
    refusal(world.land(&mut run, 0, 50, &[5]).await);
    assert_eq!(world.start().await.unwrap().positions(), [50, 0, 0]);
}
