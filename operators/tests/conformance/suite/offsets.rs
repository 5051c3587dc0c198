//! Offsets files: what a position means survives crashes, many partitions and many commits, and takes little space.

use std::sync::Arc;

use lakefront_operators::position::Position;
use lakefront_operators::protocol::document::Standing;
use lakefront_operators::protocol::table::{Held, OffsetsName, RunId};

use crate::faults::{Call, Fault};
use crate::harness::{PIPELINE, Sink, World, offsets, refusal, settings};

pub(crate) async fn a_crash_before_the_commit_leaves_an_orphan_that_is_tidied_later<S: Sink>(world: Arc<World<S>>) {
    let mut first = world.start().await.unwrap();
    world.scripts[0].on(Call::Put, Fault::Crash);
    world.land(&mut first, 0, 10, &[1]).await.unwrap_err();
    assert_eq!(world.offsets_files(0).await, [(0, 1), (10, 1)]);

    let mut second = world.start().await.unwrap();
    assert_eq!(second.positions(), [0, 0, 0]);
    world.land(&mut second, 0, 10, &[1]).await.unwrap();

    assert_eq!(world.offsets_files(0).await, [(0, 2), (10, 1), (10, 2)], "the orphan's name is not ours");
    world.land(&mut second, 0, 20, &[2]).await.unwrap();
    assert_eq!(world.offsets_files(0).await, [(0, 2), (20, 2)]);
    assert_eq!(world.rows(0).await, [1, 2]);
}

/// Many files, of which every commit moves a few.
fn moving(commit: u64) -> Standing {
    let names: Vec<String> = (0..300).map(|n| format!("server/h={n:03}/PT1H.json")).collect();
    let moves = |n: u64| (0..=commit).filter(|step| (step * 7) % 300 <= n && n < (step * 7) % 300 + 7).count() as u64;
    let entries: Vec<_> = names.iter().zip(0..).map(|(name, n)| (name.as_str(), 10 + moves(n))).collect();
    Standing { offsets: Arc::new(offsets(&entries)), settings: settings(1000), since: Position(0) }
}

pub(crate) async fn many_partitions_survive_many_commits<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    for commit in 0..60 {
        run.0[0].committer.land(&moving(commit), Vec::new()).await.unwrap();
        if commit % 20 == 19 {
            run = world.start().await.unwrap();
            assert_eq!(run.0[0].standing, moving(commit), "after commit {commit}");
        }
    }
}

pub(crate) async fn a_commit_writes_what_changed<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    let tables = world.sink.open(PIPELINE).await.unwrap();
    let length = async |position: Position| {
        let name = OffsetsName(Held { position, run: RunId(1) });
        tables[0].read_offsets(name).await.unwrap().unwrap().len()
    };
    // The first file after a claim of nothing holds all 300 entries, and is the base of those that follow.
    run.0[0].committer.land(&moving(0), Vec::new()).await.unwrap();
    let full = length(moving(0).position()).await;

    run.0[0].committer.land(&moving(1), Vec::new()).await.unwrap();

    let delta = length(moving(1).position()).await;
    assert!(delta * 10 < full, "{delta} bytes for 7 of 300 entries, which take {full}");
}

pub(crate) async fn only_files_below_the_commit_are_tidied_and_never_the_base<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    let tables = world.sink.open(PIPELINE).await.unwrap();
    let name = |position, run| OffsetsName(Held { position: Position(position), run: RunId(run) });
    // Left by runs that died: one below what is to be committed, one at it, one above.
    for (position, died) in [(5, 1), (10, 1), (15, 1)] {
        tables[0].write_offsets(name(position, died), b"{}").await.unwrap();
    }
    run = {
        drop(run);
        world.start().await.unwrap()
    };

    world.land(&mut run, 0, 10, &[1]).await.unwrap();

    assert_eq!(world.offsets_files(0).await, [(0, 2), (10, 1), (10, 2), (15, 1)]);
    assert_eq!(world.start().await.unwrap().positions(), [10, 0, 0]);
}

fn own(position: u64) -> OffsetsName {
    OffsetsName(Held { position: Position(position), run: RunId(1) })
}

pub(crate) async fn a_missing_offsets_file_refuses<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    world.land(&mut run, 0, 10, &[1]).await.unwrap();
    world.sink.tamper(0, PIPELINE, own(10), None);
    let text = refusal(world.start().await);
    assert!(text.contains("its offsets file 10.1.json is gone"), "{text}");
}

pub(crate) async fn a_damaged_offsets_file_refuses<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    world.land(&mut run, 0, 10, &[1]).await.unwrap();
    let tables = world.sink.open(PIPELINE).await.unwrap();
    let content = tables[0].read_offsets(own(10)).await.unwrap().unwrap();
    let damaged = String::from_utf8(content).unwrap().replace("\"offset\": 10", "\"offset\": 11");
    world.sink.tamper(0, PIPELINE, own(10), Some(damaged.as_bytes()));
    let text = refusal(world.start().await);
    assert!(text.contains("its offsets add up to 11"), "{text}");
}
