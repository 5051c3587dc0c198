//! A crash at every step: each fail point in the sources fails the first time it is met, and at
//! later times.

use std::collections::BTreeSet;

use crate::support::crashes::{fails_at, for_every_point, points};
use crate::support::{Lines, Pipeline};

/// The times at which a point fails: 1 is the first time it is met. A run that does not come that
/// far ends the point's sweep.
const TIMES: [usize; 7] = [1, 2, 3, 4, 6, 9, 14];
/// Three files whose lines go to all three tables, in about ten cuts.
fn pipeline() -> Pipeline {
    let (pipeline, mut lines) = (Pipeline::new(), Lines::new(7));
    for name in ["a.json", "b.json", "c.json"] {
        pipeline.write(name, lines.take(25));
    }
    pipeline
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
            // Not every step is met again: folders exist already, and old offsets files may.
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
    // Commits are made in parallel: now and then all tables have come equally far.
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
