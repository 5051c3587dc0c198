//! Blobs that grow while they are read: torn lines, the turn of the hour, late lines in old blobs.

use azure_core::time::{Duration, OffsetDateTime};

use crate::support::lines::ONE_FOR_EACH_TABLE;
use crate::support::proxy::Kind;
use crate::support::{Lines, Random};
use crate::world::{World, below};

/// The blob of the hour that was `ago` hours ago.
fn hour(server: &str, ago: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(crate::support::wait::now() as i64).expect("a time");
    let at = at - Duration::hours(ago);
    let (year, month, day, hour) = (at.year(), u8::from(at.month()), at.day(), at.hour());
    format!("resourceId=/{server}/y={year}/m={month:02}/d={day:02}/h={hour:02}/m=00/PT1H.json")
}

#[test]
fn blobs_that_grow_by_torn_lines_while_they_are_read_land_exactly() {
    let mut world = World::new();
    world.pipeline.set("commit", "interval", "30ms").set("source", "poll", "10ms").set("source", "chunk", "16 KiB");
    let names = ["a.json", "b/c.json"];
    names.iter().for_each(|name| world.write(name, ""));
    let mut tail = world.pipeline.tail();
    let (mut random, mut rest) = (Random::new(1), names.map(|name| (name, Lines::new(name.len() as u64).take(250))));
    for _ in 0..200 {
        let (name, rest) = &mut rest[usize::from(random.one_in(2))];
        let piece = usize::try_from(random.below(1..2000)).expect("a small number").min(rest.len());
        // Cut anywhere: in the middle of a line, an escape, or a character.
        let piece: Vec<u8> = rest.drain(..piece).collect();
        if !piece.is_empty() {
            world.append(name, piece);
        }
    }
    for (name, rest) in rest {
        world.append(name, [&rest[..], ONE_FOR_EACH_TABLE.as_bytes()].concat());
    }
    tail.until("landed it all", || world.pipeline.position() == world.bytes());
    tail.stop();
    let cuts = world.proxy.count(|seen| seen.kind == Kind::Read);
    assert!(cuts > 50, "it was read while it grew: {cuts} reads");
    world.is_exact();
}

#[test]
fn the_turn_of_the_hour_leaves_nothing_behind() {
    let mut world = World::new();
    world.pipeline.set("commit", "interval", "30ms");
    let (old, new) = (hour("A", 1), hour("A", 0));
    world.write(&old, Lines::new(1).take(30));
    let mut tail = world.pipeline.tail();
    for round in 0..6 {
        if round == 2 {
            world.write(&new, Lines::new(2).take(3));
        }
        // The old hour's blob goes on growing, because its lines come late.
        let grows = if round < 2 { vec![&old] } else { vec![&new, &old] };
        for name in grows {
            world.append(name, Lines::new(round + 10).take(5));
            world.append(name, ONE_FOR_EACH_TABLE);
        }
        tail.until("landed it all", || world.pipeline.position() == world.bytes());
    }
    tail.stop();
    world.is_exact();
}

#[test]
fn of_many_blobs_only_the_folders_of_the_last_hours_are_listed_until_all_are() {
    let mut world = World::new();
    world.pipeline.set("commit", "interval", "30ms").set("source", "poll", "50ms").set("commit", "bytes", "1 MiB");
    world.pipeline.set("source.azure", "page", 10).set("source.azure", "relist", "4s");
    for ago in 0..110 {
        world.write(&hour("A", ago), ONE_FOR_EACH_TABLE);
    }
    let now = hour("A", 0);
    let mut tail = world.pipeline.tail();
    let prefix = |prefix: &str| world.proxy.count(|seen| seen.kind == Kind::List && seen.name == prefix);
    tail.until("landed it all", || world.pipeline.position() == world.bytes());

    // A late line in an old blob is found when all blobs are listed.
    let (all, recent) = (prefix(&below("")), world.requests().lists - prefix(&below("")));
    world.append(&hour("A", 100), ONE_FOR_EACH_TABLE);
    tail.until("found a late line", || world.pipeline.position() == world.bytes());
    let (all, recent) = (prefix(&below("")) - all, world.requests().lists - prefix(&below("")) - recent);
    assert!((11..=33).contains(&all), "all blobs, ten a page, were listed once or twice: {all} requests");
    assert!(recent >= 4, "in between, only the last folders were listed: {recent} and {all} requests");

    // A line of this hour needs no listing of all blobs.
    let before = prefix(&below(""));
    world.append(&now, ONE_FOR_EACH_TABLE);
    tail.until("found a line of this hour", || world.pipeline.position() == world.bytes());
    assert!(prefix(&below("")) - before < 11, "it was found in its folder");
    tail.stop();
    let folders = |ago: i64| below(hour("A", ago).trim_end_matches("m=00/PT1H.json"));
    let known = [below(""), folders(0), folders(1), folders(2)];
    let strange = world.proxy.count(|seen| seen.kind == Kind::List && !known.contains(&seen.name));
    assert_eq!(strange, 0, "nothing else is listed");
    world.is_exact();
}
