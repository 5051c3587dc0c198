//! A crash at every step of a run.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::model::Models;
use super::world::Cdc;
use crate::support::crashes::{fails_at, for_every_point};

/// The times at which a point fails: 1 is the first time it is met.
const TIMES: [usize; 3] = [1, 2, 5];
/// Fewer would mean that the run passes no steps.
const LEAST_MET: usize = 10;

#[test]
fn a_crash_at_any_step_loses_and_doubles_no_change() {
    let writer = Cdc::new("crashes");
    let mut models = Models::create(&writer, 18);
    models.change(&writer, 400);
    let stem = &writer.stem;
    let met = Mutex::new(BTreeSet::new());
    for_every_point(|point| {
        for time in TIMES {
            let mut cdc = Cdc::of(stem.clone());
            cdc.pipeline.set("commit", "rows", 60);
            if !fails_at(&cdc.pipeline, point, time) {
                break;
            }
            met.lock().expect("no panic").insert(point.to_owned());
            cdc.pipeline.run().exits_with(0);
            models.are_those_of(&cdc, &format!("after {point}, time {time}"));
        }
    });
    let met = met.into_inner().expect("no panic");
    assert!(met.len() >= LEAST_MET, "only {met:?}");
}
