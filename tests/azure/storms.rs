//! Many random faults: rows stay exact, and requests few.

use crate::support::lines::ONE_FOR_EACH_TABLE;
use crate::support::proxy::Fault::*;
use crate::support::proxy::Kind;
use crate::support::{Lines, Proxy, Random};
use crate::world::World;

/// Makes about one in twenty requests fail.
pub(crate) fn one_in_twenty(proxy: &Proxy) {
    let any = [TooManyRequests(None), InternalError(None), ServerBusy(None), ModifiedWhileReading, Reset];
    let cut = [Truncated, LostReply];
    for kind in [Kind::List, Kind::Read, Kind::Head] {
        any.into_iter().chain(cut).for_each(|fault| proxy.chance(kind, 180, fault));
    }
    // A service that denies a blob twice, to the read and to the look that follows, is believed. So
    // only reads are denied.
    [NotFound, InvalidRange, EmptyPart].into_iter().for_each(|fault| proxy.chance(Kind::Read, 180, fault));
}

/// Lands many blobs, some of which have many chunks; they are the same for every seed.
fn backfill(seed: u64, stormy: bool) -> World {
    let mut world = World::with_seed(seed);
    world.pipeline.set("source", "chunk", "16 KiB").set("commit", "bytes", "512 KiB");
    for i in 0..60_u64 {
        let lines = if i % 10 == 0 { 250 } else { 20 };
        world.write(&format!("h={:02}/{i}.json", i % 24), Lines::new(i).take(lines));
    }
    if stormy {
        one_in_twenty(&world.proxy);
    }
    let report = world.pipeline.land();
    assert_eq!(report["bytes"], world.bytes());
    let retries = report["retries"]["source"].as_u64().expect("a number");
    assert_eq!(retries > 0, stormy, "seed {seed}: {retries} retries");
    world
}

#[test]
fn a_backfill_in_a_storm_is_exact_and_takes_few_requests_more() {
    let calm = backfill(0, false).requests();
    println!("a calm backfill: {calm:?}");
    for seed in 1..=3 {
        let world = backfill(seed, true);
        let (stormy, failed) = (world.requests(), world.proxy.count(|seen| seen.fault.is_some()));
        println!("seed {seed}: {stormy:?}, of which {failed} failed, for {} bytes", world.bytes());
        assert!(failed * 40 > stormy.all(), "seed {seed}: {failed} of {} failed", stormy.all());
        assert!(stormy.all() * 2 <= calm.all() * 3, "seed {seed}: {stormy:?}, and {calm:?} when it is calm");
        world.is_exact();
    }
}

#[test]
fn a_tail_in_a_storm_is_exact() {
    for seed in 1..=2 {
        let mut world = World::with_seed(seed);
        world.pipeline.set("source", "chunk", "16 KiB").set("commit", "interval", "30ms");
        one_in_twenty(&world.proxy);
        let (mut random, mut lines) = (Random::new(seed), Lines::new(seed));
        let mut tail = world.pipeline.tail();
        let names = ["0.json", "1.json", "2.json", "h=07/3.json", "h=08/4.json"];
        names.iter().for_each(|name| world.write(name, ""));
        for round in 1..=150 {
            let some = usize::try_from(random.below(1..15)).expect("a small number");
            let name = *random.pick(&names);
            world.append(name, lines.take(some));
            if round % 15 == 0 {
                // The blob that is planned last, so that the last cut has a row for each table.
                world.append(names[names.len() - 1], ONE_FOR_EACH_TABLE);
                tail.until("kept up", || world.pipeline.position() == world.bytes());
            }
        }
        tail.stop();
        let failed = world.proxy.count(|seen| seen.fault.is_some());
        println!("seed {seed}: {:?}, of which {failed} failed, for {} bytes", world.requests(), world.bytes());
        assert!(failed > 3, "seed {seed}: {failed} requests failed");
        world.is_exact();
    }
}
