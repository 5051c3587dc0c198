//! A crash at every step: each fail point in the sources is met at its first time, and at later ones.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::{fs, thread};

use crate::support::{Lines, Pipeline};

/// The times at which a point fails. A run that does not come so far ends the point's sweep.
const TIMES: [usize; 7] = [1, 2, 3, 4, 6, 9, 14];
/// Log checkpoints are rare: they have stories of their own.
pub(crate) const RARE: &str = "log-checkpoint-";
/// Fewer would mean that the sources are not searched as they should be.
const LEAST_POINTS: usize = 15;

/// The names of all fail points, from the one place in which they are: the sources.
pub(crate) fn points() -> BTreeSet<String> {
    fn search(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                search(&path, found);
                continue;
            }
            let text = fs::read_to_string(&path).expect("sources are text");
            let calls = text.split("fail_point!(\"").skip(1);
            found.extend(calls.filter_map(|call| call.split('"').next()).map(str::to_owned));
        }
    }
    let mut found = BTreeSet::new();
    for folder in ["src", "operators/src", "topologies/src"] {
        search(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    }
    assert!(found.len() >= LEAST_POINTS, "only {found:?}");
    found
}

/// Does `work` for every common point, on as many threads as there are cores.
fn for_every_point(work: impl Fn(&str) + Sync) {
    let points = Mutex::new(points().into_iter().filter(|point| !point.starts_with(RARE)));
    let next = || points.lock().expect("no thread panics with the lock").next();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| std::iter::from_fn(next).for_each(|point| work(&point)));
        }
    });
}

/// Three files whose lines go to all three tables, in about ten cuts.
fn pipeline() -> Pipeline {
    let (pipeline, mut lines) = (Pipeline::new(), Lines::new(7));
    for name in ["a.json", "b.json", "c.json"] {
        pipeline.write(name, lines.take(25));
    }
    pipeline
}

/// Lets the run fail when it meets `point` for the `time`th time; whether it did.
pub(crate) fn fails_at(pipeline: &Pipeline, point: &str, time: usize) -> bool {
    let ended = pipeline.run_failing(&format!("{point}={}*off->panic", time - 1));
    match ended.code {
        Some(0) => false,
        Some(3) if ended.stderr.contains(&format!("failpoint {point} panic")) => true,
        _ => panic!("{point}, time {time}: {ended:?}"),
    }
}

#[test]
fn a_crash_at_any_step_loses_and_doubles_nothing() {
    for_every_point(|point| {
        for (round, time) in TIMES.into_iter().enumerate() {
            let pipeline = pipeline();
            let failed = fails_at(&pipeline, point, time);
            assert!(failed || round > 0, "{point} is never met");
            pipeline.land();
            pipeline.is_exact();
            if !failed {
                break;
            }
        }
    });
}

#[test]
fn a_crash_at_any_step_of_a_catch_up_loses_and_doubles_nothing() {
    for_every_point(|point| {
        for time in TIMES.into_iter().take(3) {
            let pipeline = torn_apart();
            // Not every step is met again: folders are there already, and old offsets files may be.
            let failed = fails_at(&pipeline, point, time);
            pipeline.land();
            pipeline.is_exact();
            if !failed {
                break;
            }
        }
    });
}

/// A pipeline that crashed when one table had committed what another had not.
fn torn_apart() -> Pipeline {
    let crash =
        |time| Some(pipeline()).filter(|pipeline| fails_at(pipeline, "commit-done", time) && stand_apart(pipeline));
    // Commits are made side by side: now and then all tables have come equally far.
    (1..10).rev().find_map(crash).expect("ten crashes leave tables apart")
}

fn stand_apart(pipeline: &Pipeline) -> bool {
    let status = pipeline.status();
    let tables = status["tables"].as_object().expect("tables");
    let positions: BTreeSet<_> = tables.values().map(|table| table["position"].as_u64()).collect();
    positions.len() > 1
}

#[test]
fn crash_upon_crash_loses_and_doubles_nothing() {
    let pipeline = pipeline();
    for point in points() {
        fails_at(&pipeline, &point, 1);
    }
    pipeline.land();
    pipeline.is_exact();
}
