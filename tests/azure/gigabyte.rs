//! What a gigabyte in one blob takes, in calm and in a storm. Not part of every test run: it is for
//! the figures in notes.

use std::fs;

use crate::storms::one_in_twenty;
use crate::support::{Lines, wait};
use crate::world::World;

const GIB: u64 = 1 << 30;

#[test]
#[ignore = "takes a minute or two: cargo test --test azure -- --ignored --nocapture gigabyte"]
fn a_gigabyte() {
    let mut world = World::with_seed(1);
    let pipeline = &mut world.pipeline;
    pipeline.set("source", "chunk", "8 MiB").set("commit", "bytes", "256 MiB").set("source.retry", "timeout", "30s");
    let mut lines = Lines::new(1);
    world.write("a.json", "");
    while world.bytes() < GIB {
        world.append("a.json", lines.take(40_000));
    }
    for storm in [false, true] {
        if storm {
            one_in_twenty(&world.proxy);
        }
        let (start, before) = (wait::now(), world.requests());
        let mut run = world.pipeline.start(&["run", "p.toml", "--json"]);
        let mut peak = 0;
        assert!(wait::until(|| {
            peak = peak.max(run.peak_memory());
            run.has_ended()
        }));
        let report = run.end().exits_with(0).json();
        let failed = world.proxy.count(|seen| seen.fault.is_some());
        println!(
            "{} bytes, storm {storm}: {:?}, {failed} failed, {:.1} s, peak {} MiB",
            report["bytes"],
            world.requests() - before,
            wait::now() - start,
            peak >> 20
        );
        assert_eq!(report["bytes"], world.bytes());
        // The next run begins anew.
        world.pipeline.forget_state();
        fs::remove_dir_all(world.pipeline.path("lake")).expect("a lake");
    }
}
