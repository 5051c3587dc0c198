//! A crash at every step of a run into a bucket.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::crashes::{fails_at, for_every_point};
use crate::support::{Gateway, Lines};
use crate::world::World;

#[test]
fn a_crash_at_any_step_loses_and_doubles_nothing() {
    if Gateway::shared().is_none() {
        return;
    }
    let met = AtomicUsize::new(0);
    for_every_point(|point| {
        for time in [1, 3] {
            let world = World::new().expect("a server, which was looked for before");
            let mut lines = Lines::new(7);
            ["a.json", "b.json"].iter().for_each(|name| world.pipeline.write(name, lines.take(15)));
            // Only a lake on a disk passes all points.
            if !fails_at(&world.pipeline, point, time) {
                break;
            }
            met.fetch_add(1, Ordering::Relaxed);
            world.pipeline.land();
            world.is_exact();
        }
    });
    let met = met.into_inner();
    assert!(met > 15, "only {met} crashes");
}
