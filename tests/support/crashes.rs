//! Crashes on demand: every fail point in the sources, and a run that fails at one of them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::{fs, thread};

use super::Pipeline;

/// Log checkpoints are rare, so they have their own stories.
pub(crate) const RARE: &str = "log-checkpoint-";
/// Steps of `pg_flush`, which has its own stories in `tests/flush`.
const OF_FLUSHES: [&str; 2] = ["ducklake-", "flush-"];
/// Fewer would mean that the sources are not searched properly.
const LEAST_POINTS: usize = 15;

/// The names of all fail points, taken from the only place that has them: the sources.
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

/// Does `work` for every common point of `pg_logs`, on as many threads as there are cores.
pub(crate) fn for_every_point(work: impl Fn(&str) + Sync) {
    let points = Mutex::new(
        points()
            .into_iter()
            .filter(|point| ![&[RARE][..], &OF_FLUSHES].concat().iter().any(|other| point.starts_with(other))),
    );
    let next = || points.lock().expect("no thread panics with the lock").next();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| std::iter::from_fn(next).for_each(|point| work(&point)));
        }
    });
}

/// Lets the run fail when it meets `point` for the `time`th time. Returns whether it did.
pub(crate) fn fails_at(pipeline: &Pipeline, point: &str, time: usize) -> bool {
    let ended = pipeline.run_failing(&format!("{point}={}*off->panic", time - 1));
    match ended.code {
        Some(0) => false,
        Some(3) if ended.stderr.contains(&format!("failpoint {point} panic")) => true,
        _ => panic!("{point}, time {time}: {ended:?}"),
    }
}
