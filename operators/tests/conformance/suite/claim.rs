//! Claim and genesis: who may begin, where, and who is refused.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use lakefront_operators::error::Stop;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::document::Origin;
use lakefront_operators::protocol::offsets_files::OffsetsFiles;

use crate::faults::{Call, Fault};
use crate::harness::{Foreign, PIPELINE, Run, Sink, Start, World, is_fenced, refusal};
use crate::kinds::{StoryKind, offsets, standing_at};

/// Where a claim of one group can die.
const CRASHES: [(Call, Fault); 4] = [
    (Call::WriteOffsets, Fault::Crash),
    (Call::WriteOffsets, Fault::CrashAfter),
    (Call::Put, Fault::Crash),
    (Call::Put, Fault::CrashAfter),
];

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
    for (call, fault) in CRASHES {
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

    let second = world.start_with(Start { settings: 5, ..Start::default() }).await.unwrap();

    assert_eq!(second.positions(), [10, 0, 0]);
    assert_eq!(
        *second.0[0].standing.settings,
        S::Kind::settings(1000),
        "today's settings hold from the common position on"
    );
    assert_eq!(second.number().0, first.number().0 + 1);
    assert_eq!(world.rows(0).await, [1, 2]);
}

pub(crate) async fn a_table_without_position_beside_tables_with_rows_refuses<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    world.land(&mut run, 0, 10, &[1]).await.unwrap();
    world.sink.drop_group(1);

    let text = refusal(world.start().await);

    assert!(text.contains("\"table-1\" holds no position"), "{text}");
    assert_eq!(world.position(1).await, None);
}

pub(crate) async fn a_table_without_position_before_a_table_with_rows_refuses<S: Sink>(_: Arc<World<S>>) {
    for deleted in [0, 1] {
        let world = World::<S>::new();
        let mut run = world.start().await.unwrap();
        world.land(&mut run, 2, 10, &[1]).await.unwrap();
        world.sink.drop_group(deleted);

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
    world.land(&mut first, 0, 10, &[1]).await.unwrap();
    let other = Start { pipeline: "second", source: "file:/other", ..Start::default() };
    let mut second = world.start_with(other).await.unwrap();

    world.land(&mut second, 0, 20, &[2]).await.unwrap();

    assert_eq!(world.rows(0).await, [1, 2]);
    assert_eq!(world.position(0).await, Some(10));
    assert_eq!(world.sink.held(0, "second").await.map(|held| held.position), Some(Position(20)));
}

pub(crate) async fn another_source_refuses<S: Sink>(world: Arc<World<S>>) {
    landed(&world, 0).await;
    let text = refusal(world.start_with(elsewhere()).await);
    assert!(text.contains("but source.url is file:/other"), "{text}");
}

/// A run that has landed a row in one of its tables.
async fn landed<S: Sink>(world: &World<S>, table: usize) -> Run<S::Kind> {
    let mut run = world.start().await.unwrap();
    world.land(&mut run, table, 10, &[1]).await.unwrap();
    run
}

/// The same pipeline with another source.
fn elsewhere() -> Start {
    Start { source: "file:/other", ..Start::default() }
}

/// The origin in each table's offsets file.
async fn origins<S: Sink>(world: &World<S>) -> Vec<Origin> {
    let mut origins = Vec::new();
    for (index, table) in world.sink.open(PIPELINE).await.unwrap().iter().enumerate() {
        let held = world.sink.held(index, PIPELINE).await.unwrap();
        origins.push(OffsetsFiles::<S::Kind>::read(&**table, held).await.unwrap().origin);
    }
    origins
}

/// Asserts that all tables share one lineage and have this source.
async fn are_of<S: Sink>(world: &World<S>, source: &str) {
    let origins = origins(world).await;
    let is_it = |origin: &Origin| origin.source == source && origin.lineage == origins[0].lineage;
    assert!(origins.iter().all(is_it), "{origins:?}");
}

pub(crate) async fn a_claim_that_has_landed_nothing_gives_way<S: Sink>(world: Arc<World<S>>) {
    let mut mistyped = world.start_with(elsewhere()).await.unwrap();

    let mut mended = world.start().await.unwrap();

    are_of(&world, "file:/logs").await;
    let late = world.land(&mut mistyped, 0, 10, &[1]).await;
    assert!(is_fenced(&late), "{late:?}");
    world.land(&mut mended, 0, 10, &[2]).await.unwrap();
    assert_eq!((world.rows(0).await, world.start().await.unwrap().positions()), (vec![2], vec![10, 0, 0]));
    // A table's role may be corrected too, as long as nothing has landed.
    let world = World::<S>::new();
    world.start_with(Start { roles: ["replica", "primary", "rejects"], ..Start::default() }).await.unwrap();
    world.start().await.unwrap();
    assert_eq!(origins(&world).await.into_iter().map(|origin| origin.role).collect::<Vec<_>>(), Start::default().roles);
}

pub(crate) async fn a_claim_that_gives_way_is_asked_where_to_begin<S: Sink>(world: Arc<World<S>>) {
    world.start_with(elsewhere()).await.unwrap();
    world.cold_start.store(7, Ordering::SeqCst);

    assert_eq!(world.start().await.unwrap().positions(), [7, 7, 7]);

    // Nothing has landed, but the tables stand beyond zero, so what began there is kept.
    let text = refusal(world.start_with(elsewhere()).await);
    assert!(text.contains("but source.url is file:/other"), "{text}");
}

pub(crate) async fn a_run_that_died_while_tables_began_anew_leaves_one_start_for_all<S: Sink>(_: Arc<World<S>>) {
    for (call, fault) in CRASHES {
        let world = World::<S>::new();
        world.start_with(elsewhere()).await.unwrap();
        world.cold_start.store(7, Ordering::SeqCst);
        // All tables are claimed as they are before the first one begins anew.
        world.scripts[2].first(Call::Put, {
            let script = world.scripts[1].clone();
            async move { script.on(call, fault) }
        });
        world.start().await.map(drop).unwrap_err();
        assert_eq!(world.position(0).await, Some(7));
        world.cold_start.store(99, Ordering::SeqCst);

        let mut run = world.start().await.unwrap();

        assert_eq!(run.positions(), [7, 7, 7]);
        are_of(&world, "file:/logs").await;
        world.land(&mut run, 1, 10, &[1]).await.unwrap();
    }
}

pub(crate) async fn what_lands_while_a_claim_is_to_give_way_keeps_its_source<S: Sink>(world: Arc<World<S>>) {
    for table in [1, 2] {
        let world = World::<S>::new();
        let mut alive = world.start().await.unwrap();
        let rival = world.clone();
        world.scripts[0].first(Call::Put, async move {
            rival.land(&mut alive, table, 10, &[1]).await.unwrap();
        });

        let text = refusal(world.start_with(elsewhere()).await);

        assert!(text.contains("but source.url is file:/other"), "{text}");
        are_of(&world, "file:/logs").await;
        let mut next = world.start().await.unwrap();
        world.land(&mut next, 0, 10, &[2]).await.unwrap();
        assert_eq!((world.rows(0).await, world.rows(table).await), (vec![2], vec![1]));
    }
    drop(world);
}

pub(crate) async fn a_narrower_or_wider_glob_is_the_same_source<S: Sink>(world: Arc<World<S>>) {
    landed(&world, 0).await;
    for source in ["file:/logs/**/*.json", "file:/logs/{a,log}*", "file:/logs"] {
        let run = world.start_with(Start { source, ..Start::default() }).await.unwrap();
        assert_eq!(run.positions(), [10, 0, 0], "{source}");
        are_of(&world, source).await;
    }
    let text = refusal(world.start_with(Start { source: "file:/logs/x/*.json", ..Start::default() }).await);
    assert!(text.contains("keep its folder before the glob: file:/logs/{x}/*.json"), "{text}");
    world.start_with(Start { source: "file:/logs/{x}/*.json", ..Start::default() }).await.unwrap();
}

pub(crate) async fn a_start_that_is_refused_writes_nothing<S: Sink>(world: Arc<World<S>>) {
    landed(&world, 0).await;
    let roles = ["replica", "primary", "rejects"];
    let starts = [
        elsewhere(),
        Start { roles, ..Start::default() },
        Start { known: Some(Position(1)), ..Start::default() },
        Start { pipeline: "second", ..Start::default() },
    ];
    for start in starts {
        leaves_no_trace(&world, start).await;
    }
}

/// A refused start writes nothing, however often it is tried.
async fn leaves_no_trace<S: Sink>(world: &World<S>, start: Start) {
    let before = traces(world).await;
    for _ in 0..20 {
        refusal(world.start_with(start.clone()).await);
    }
    assert_eq!(traces(world).await, before);
}

pub(crate) async fn a_start_over_files_that_are_read_writes_nothing<S: Sink>(world: Arc<World<S>>) {
    landed(&world, 0).await;
    let start = Start { pipeline: "second", source: "file:/logs/*.json", ..Start::default() };
    leaves_no_trace(&world, start).await;
}

/// The pipelines' transactions, their offsets files, and the table's head, by table.
async fn traces<S: Sink>(world: &World<S>) -> Vec<String> {
    let mut traces = Vec::new();
    for table in 0..3 {
        for pipeline in [PIPELINE, "second"] {
            let held = world.sink.held(table, pipeline).await;
            let names = world.sink.open(pipeline).await.unwrap()[table].list_offsets().await.unwrap();
            traces.push(format!("{held:?} {names:?}"));
        }
        let head = world.sink.open(PIPELINE).await.unwrap()[table].load().await.unwrap().head;
        traces.push(format!("{head:?}"));
    }
    traces
}

pub(crate) async fn sources_that_overlap_refuse_however_they_are_spelled<S: Sink>(_: Arc<World<S>>) {
    for (one, other) in [
        ("file:/logs", "file:/logs/*.json"),
        ("file:/logs/*.json", "file:/logs"),
        ("file:/logs/**/*.json", "file:/logs/x/*.json"),
        ("az://account/logs/x", "az://account/logs/**"),
    ] {
        let world = World::<S>::new();
        world.start_with(Start { source: one, ..Start::default() }).await.unwrap();
        let second = Start { pipeline: "second", source: other, ..Start::default() };
        let text = refusal(world.start_with(second).await);
        assert!(text.contains("through pipeline \"pg-logs\"") && text.contains("_lakefront/pg-logs"), "{text}");
    }
}

pub(crate) async fn a_file_that_another_pipeline_reads_refuses<S: Sink>(_: Arc<World<S>>) {
    // The first pipeline has read "log", whose creation is "once".
    let second = |source, files| Start { pipeline: "second", source, files, ..Start::default() };
    for (start, what) in [
        (second("file:/links", &[("x", "once")][..]), Some("file:/links/x (there file:/logs/log)")),
        (second("file:/links", &[("log", "twice")]), None),
        (second("file:/logs/?og", &[]), Some("file:/logs/log")),
        (second("file:/logs/a*", &[("apl", "twice")]), Some("file:/logs/apl")),
        (second("file:/logs/a*", &[("a", "twice")]), None),
    ] {
        let world = World::<S>::new();
        let source = Start { source: "file:/logs/*l*", ..Start::default() };
        let mut run = world.start_with(source).await.unwrap();
        world.land(&mut run, 0, 10, &[1]).await.unwrap();
        let second = world.start_with(start).await;
        match what {
            Some(what) => assert!(refusal(second).contains(what), "{what}"),
            None => drop(second.unwrap()),
        }
    }
}

pub(crate) async fn of_two_overlapping_pipelines_that_claim_at_once_one_sees_the_other<S: Sink>(_: Arc<World<S>>) {
    // The second begins before this call of the first.
    for (call, refused) in
        [(Call::Load, [true, false]), (Call::WriteOffsets, [true, false]), (Call::Put, [false, true])]
    {
        let world = World::<S>::new();
        let rival = world.clone();
        let second = Arc::new(Mutex::new(None));
        let seconds = second.clone();
        world.scripts[0].first(call, async move {
            let start = Start { pipeline: "second", source: "file:/logs/**", ..Start::default() };
            *seconds.lock().unwrap() = Some(rival.start_with(start).await.map(drop));
        });

        let first = world.start().await.map(drop);

        let second = second.lock().unwrap().take().unwrap();
        let is_refused = |run: &Result<(), Stop>| matches!(run, Err(Stop::Refused(_)));
        assert_eq!([&first, &second].map(is_refused), refused, "at {call:?}: {first:?} {second:?}");
    }
}

pub(crate) async fn rows_of_others_are_adopted_if_that_is_asked_for<S: Sink>(world: Arc<World<S>>) {
    world.sink.open(PIPELINE).await.unwrap();
    world.sink.foreign(1, Foreign::Append(&[100, 101])).await;
    let before = traces(&world).await;

    let text = refusal(world.start().await);

    assert!(
        text.contains("\"table-1\" holds 2 rows that no pipeline has landed") && text.contains("--adopt"),
        "{text}"
    );
    assert_eq!(traces(&world).await, before);
    world.start_with(Start { adopt: true, ..Start::default() }).await.unwrap();
    let mut run = world.start().await.unwrap();
    world.land(&mut run, 1, 10, &[1]).await.unwrap();
    assert_eq!(world.rows(1).await, [1, 100, 101]);
    let adopted: Vec<_> = origins(&world).await.into_iter().map(|origin| origin.adopted).collect();
    assert_eq!(adopted, [None, Some(2), None], "remembered only for the table with such rows");
    // Rows that come later are adopted later, and no run needs `adopt` for them.
    world.sink.foreign(0, Foreign::Append(&[102])).await;
    world.start().await.unwrap();
    world.start_with(Start { adopt: true, ..Start::default() }).await.unwrap();
    assert_eq!(origins(&world).await[0].adopted, Some(1));
}

pub(crate) async fn rows_of_another_pipeline_are_no_strangers<S: Sink>(world: Arc<World<S>>) {
    let mut first = landed(&world, 0).await;
    let start = || Start { pipeline: "second", source: "file:/other", ..Start::default() };
    let mut second = world.start_with(start()).await.unwrap();
    world.land(&mut second, 0, 20, &[2, 3]).await.unwrap();
    world.land(&mut first, 0, 20, &[4]).await.unwrap();
    world.start_with(Start { pipeline: "third", source: "file:/third", ..Start::default() }).await.unwrap();
    world.sink.foreign(0, Foreign::Append(&[100])).await;
    world.start_with(start()).await.unwrap();
    let text = refusal(world.start_with(Start { pipeline: "fourth", source: "file:/4", ..Start::default() }).await);
    assert!(text.contains("holds 1 row that no pipeline"), "{text}");
}

pub(crate) async fn another_role_refuses<S: Sink>(world: Arc<World<S>>) {
    landed(&world, 2).await;
    let swapped = Start { roles: ["replica", "primary", "rejects"], ..Start::default() };
    let text = refusal(world.start_with(swapped).await);
    assert!(text.contains("is the pipeline's table for \"primary\""), "{text}");
}

pub(crate) async fn a_state_file_ahead_of_the_tables_refuses<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    world.land(&mut run, 0, 10, &[1]).await.unwrap();
    let text = refusal(world.start_with(Start { known: Some(Position(1)), ..Start::default() }).await);
    assert!(text.contains("the state file says position 1, but") && text.contains("\"table-1\" stands at 0"), "{text}");
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
        let standing = standing_at(offsets(&entries));
        run.0[table].committer.land(&standing, Vec::new(), &[]).await.unwrap();
    }
    let text = refusal(world.start().await);
    assert!(text.contains("were not written by one pipeline"), "{text}");
}
