//! A pipeline that is killed again and again while others write: each table holds every change
//! once.

use std::time::Duration;

use super::model::Models;
use super::world::Cdc;
use crate::support::random::Random;
use crate::support::wait;

/// Kills of a run.
const KILLS: usize = 25;

#[test]
fn a_run_that_is_killed_again_and_again_loses_and_doubles_no_change() {
    let mut cdc = Cdc::new("kills");
    cdc.pipeline.set("commit", "rows", 300).set("commit", "interval", "30ms");
    let (mut models, mut random) = (Models::create(&cdc, 16), Random::new(17));
    for kill in 0..KILLS {
        models.change(&cdc, 300);
        let mut running = cdc.tail();
        running.until_it_says("claimed the tables");
        wait::pause(Duration::from_millis(random.below(0..600)));
        let ended = running.kill();
        assert!(ended.code.is_none(), "it ended by itself at kill {kill}:\n{}", ended.stderr);
    }
    cdc.pipeline.set("source", "mode", "backfill");
    cdc.pipeline.run().exits_with(0);
    models.are_those_of(&cdc, "at the end");
}
