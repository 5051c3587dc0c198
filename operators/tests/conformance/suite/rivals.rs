//! Two runs at once, and what an older run left under way: the newest claim wins, and no row lands
//! twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lakefront_operators::position::Position;
use lakefront_operators::protocol::names::{Held, OffsetsName};

use crate::faults::{Call, Fault};
use crate::harness::{Foreign, PIPELINE, Sink, Start, World, is_fenced};
use crate::kinds::StoryKind;

pub(crate) async fn the_newer_run_wins_and_the_older_is_fenced<S: Sink>(world: Arc<World<S>>) {
    let mut older = world.start().await.unwrap();
    let mut newer = world.start().await.unwrap();
    assert!(newer.number() > older.number());

    let late = world.land(&mut older, 0, 10, &[1]).await;
    world.land(&mut newer, 0, 10, &[1]).await.unwrap();

    assert!(is_fenced(&late), "{late:?}");
    assert_eq!((world.rows(0).await, world.position(0).await), (vec![1], Some(10)));
}

pub(crate) async fn a_rival_is_met_at_whatever_position_it_stands<S: Sink>(_: Arc<World<S>>) {
    for position in [5, 10, 20] {
        let world = World::<S>::new();
        let mut older = world.start().await.unwrap();
        let mut newer = world.start().await.unwrap();
        world.land(&mut newer, 0, position, &[1]).await.unwrap();

        let late = world.land(&mut older, 0, 10, &[1]).await;

        assert!(is_fenced(&late), "rival at {position}: {late:?}");
        assert_eq!((world.rows(0).await, world.position(0).await), (vec![1], Some(position)));
    }
}

pub(crate) async fn a_rival_that_claims_in_between_fences_the_claim<S: Sink>(_: Arc<World<S>>) {
    for (table, call) in [(1, Call::Load), (1, Call::WriteOffsets), (1, Call::Put), (2, Call::Put)] {
        let world = World::<S>::new();
        world.start().await.unwrap();
        let rival = world.clone();
        // The first load of a table is before any claim; the rival waits for the second.
        if call == Call::Load {
            world.scripts[table].first(Call::Load, async {});
        }
        world.scripts[table - 1].first(Call::Put, {
            let script = world.scripts[table].clone();
            async move { script.first(call, async move { assert_eq!(rival.start().await.unwrap().number().0, 3) }) }
        });

        let claim = world.start().await.map(|run| run.number());

        assert!(is_fenced(&claim), "at {call:?} of table {table}: {claim:?}");
        let mut next = world.start().await.unwrap();
        world.land(&mut next, 0, 10, &[1]).await.unwrap();
    }
}

pub(crate) async fn two_claims_of_one_number_are_told_apart<S: Sink>(_: Arc<World<S>>) {
    for call in [Call::Load, Call::WriteOffsets, Call::Put] {
        let world = World::<S>::new();
        let (rival, number) = (world.clone(), Arc::new(AtomicU64::new(0)));
        let rivals = number.clone();
        world.scripts[0].first(call, async move {
            rivals.store(rival.start().await.unwrap().number().0, Ordering::SeqCst);
        });

        let run = world.start().await.unwrap();

        assert!(run.number().0 > number.load(Ordering::SeqCst), "a rival claimed before {call:?}");
        assert_eq!(world.sink.held(0, PIPELINE).await.map(|held| held.run), Some(run.number()));
    }
}

pub(crate) async fn a_zombie_commit_after_a_claim_is_seen_by_nobody<S: Sink>(world: Arc<World<S>>) {
    let mut older = world.start().await.unwrap();
    let rival = world.clone();
    world.scripts[0].on(Call::Put, Fault::Late);
    world.scripts[0].first(Call::Read, async move { drop(rival.start().await.unwrap()) });

    let late = world.land(&mut older, 0, 10, &[1]).await;
    world.scripts[0].deliver().await;

    assert!(is_fenced(&late), "{late:?}");
    assert_eq!((world.rows(0).await, world.position(0).await), (vec![], Some(0)));
    let mut next = world.start().await.unwrap();
    world.land(&mut next, 0, 10, &[1]).await.unwrap();
    assert_eq!((world.rows(0).await, world.position(0).await), (vec![1], Some(10)));
}

pub(crate) async fn a_zombie_commit_before_a_claim_counts<S: Sink>(world: Arc<World<S>>) {
    let mut older = world.start().await.unwrap();
    let script = world.scripts[0].clone();
    world.scripts[0].on(Call::Put, Fault::Late);
    world.scripts[0].on(Call::Read, Fault::Crash);
    world.land(&mut older, 0, 10, &[1]).await.unwrap_err();
    // The commit arrives while the next run claims the table: after its load, before its claim.
    world.scripts[0].first(Call::Put, async move { script.deliver().await });

    let newer = world.start().await.unwrap();

    assert_eq!(newer.positions(), [10, 0, 0]);
    assert_eq!((world.rows(0).await, world.position(0).await), (vec![1], Some(10)));
}

pub(crate) async fn a_zombie_offsets_file_harms_nobody<S: Sink>(world: Arc<World<S>>) {
    let mut older = world.start().await.unwrap();
    world.scripts[0].on(Call::WriteOffsets, Fault::Late);
    world.scripts[0].on(Call::WriteOffsets, Fault::Crash);
    world.land(&mut older, 0, 10, &[1]).await.unwrap_err();
    let mut newer = world.start().await.unwrap();
    world.land(&mut newer, 0, 10, &[1]).await.unwrap();

    world.scripts[0].deliver().await;

    world.land(&mut newer, 0, 20, &[2]).await.unwrap();
    assert_eq!(world.start().await.unwrap().positions(), [20, 0, 0]);
    assert_eq!(world.rows(0).await, [1, 2]);
}

pub(crate) async fn an_older_run_that_tidies_does_not_stop_the_newer_claim<S: Sink>(world: Arc<World<S>>) {
    let mut older = world.start().await.unwrap();
    world.land(&mut older, 0, 10, &[1]).await.unwrap();
    let rival = world.clone();
    // The newer run has seen position 10. Before it reads the offsets there, the older one lands 20
    // and deletes them.
    world.scripts[0].first(Call::ReadOffsets, async move {
        rival.land(&mut older, 0, 20, &[2]).await.unwrap();
    });

    let newer = world.start().await.unwrap();

    assert_eq!(newer.positions(), [20, 0, 0]);
}

pub(crate) async fn a_dead_claim_of_the_same_number_is_not_taken_for_ours<S: Sink>(world: Arc<World<S>>) {
    // The dead claim wrote its offsets file: the number is free, but the file's name is taken.
    world.scripts[0].on(Call::Put, Fault::Crash);
    world.start().await.map(drop).unwrap_err();

    let run = world.start_with(Start { settings: 5, ..Start::default() }).await.unwrap();

    assert_eq!(run.number().0, 2);
    assert_eq!(
        *world.start().await.unwrap().0[0].standing.settings,
        S::Kind::settings(5),
        "what the table holds is ours"
    );
}

pub(crate) async fn an_offsets_file_under_our_name_that_is_not_ours_fences<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    let held = Held { position: Position(10), run: run.number() };
    let tables = world.sink.open(PIPELINE).await.unwrap();
    tables[0].write_offsets(OffsetsName(held), b"{}").await.unwrap();

    let landed = world.land(&mut run, 0, 10, &[1]).await;

    assert!(is_fenced(&landed), "{landed:?}");
    assert_eq!((world.rows(0).await, world.position(0).await), (vec![], Some(0)));
}

pub(crate) async fn a_run_without_work_notices_that_it_was_taken_over<S: Sink>(_: Arc<World<S>>) {
    for long in [false, true] {
        let world = World::<S>::new();
        let mut older = world.start().await.unwrap();
        world.land(&mut older, 0, 10, &[1]).await.unwrap();
        for table in &mut older.0 {
            table.committer.look().await.unwrap();
        }
        world.start().await.unwrap();
        if long {
            let retention = world.sink.open(PIPELINE).await.unwrap()[0].load().await.unwrap().retention;
            world.sink.clean_log(0).await;
            world.clock.advance(retention.log_ms / 2 + 1);
        }

        for table in &mut older.0 {
            let looked = table.committer.look().await;
            assert!(is_fenced(&looked), "after a long silence: {long}: {looked:?}");
        }
    }
}

pub(crate) async fn a_run_that_looks_meets_others_and_goes_on<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    let retention = world.sink.open(PIPELINE).await.unwrap()[0].load().await.unwrap().retention;
    world.sink.foreign(0, Foreign::Append(&[100])).await;
    run.0[0].committer.look().await.unwrap();
    world.sink.foreign(0, Foreign::AddColumn).await;
    world.scripts[0].on(Call::Read, Fault::Lost);
    run.0[0].committer.look().await.unwrap();
    assert!(world.scripts[0].is_played());
    world.land(&mut run, 0, 10, &[1]).await.unwrap();

    world.sink.foreign(0, Foreign::Retype).await;
    assert!(run.0[0].committer.look().await.is_err());
    world.clock.advance(retention.log_ms / 2 + 1);
    assert!(run.0[0].committer.look().await.is_err(), "it is read again and still does not fit");
    let landed = world.land(&mut run, 0, 20, &[2]).await;
    assert!(landed.is_err(), "the look did not step over the change that does not fit");
    assert_eq!(world.position(0).await, Some(10));
}

pub(crate) async fn a_table_that_is_looked_at_is_not_read_again_after_a_long_silence<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    let retention = world.sink.open(PIPELINE).await.unwrap()[0].load().await.unwrap().retention;
    for _ in 0..3 {
        world.clock.advance(retention.log_ms / 3);
        run.0[0].committer.look().await.unwrap();
    }
    // A load would play this fault.
    world.scripts[0].on(Call::Load, Fault::Lost);
    world.land(&mut run, 0, 10, &[1]).await.unwrap();
    assert!(!world.scripts[0].is_played());
}
