//! A crash at every step of a flush.

use crate::support::crashes::points;
use crate::world::World;

/// Steps of other pipelines, and of places that this one has not.
pub(crate) const ELSEWHERE: [&str; 3] = ["log-checkpoint-", "delta-", "s3-"];

#[test]
fn a_crash_at_any_step_loses_and_doubles_nothing() {
    let world = World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text);
         CREATE TABLE effects (ledger_sequence bigint, n bigint)",
    );
    story(&world, &[]);
}

#[test]
fn a_crash_at_any_step_between_two_databases_loses_and_doubles_nothing() {
    let mut world = World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text);
         CREATE TABLE effects (ledger_sequence bigint, n bigint PRIMARY KEY)",
    );
    world.apart();
    story(&world, &["flush-forget", "flush-forgotten"]);
}

fn story(world: &World, also: &[&str]) {
    let (mut crashed, mut sequence) = (Vec::new(), 0_i64);
    for point in points() {
        if ELSEWHERE.iter().any(|prefix| point.starts_with(prefix)) {
            continue;
        }
        for time in 1..3 {
            sequence += 1;
            world.psql(&format!(
                "INSERT INTO ledgers VALUES ({sequence}, '{point}');
                 INSERT INTO effects SELECT {sequence}, {sequence} * 10 + i FROM generate_series(0, 4) i"
            ));
            let ended = world.run_with(&format!("{point}={}*off->panic", time - 1)).end();
            match ended.code {
                Some(0) => {}
                Some(3) if ended.stderr.contains(&format!("failpoint {point} panic")) => crashed.push(point.clone()),
                _ => panic!("{point}, time {time}: {ended:?}"),
            }
        }
    }
    world.flush();
    let mut duck = world.duck();
    let counted = "SELECT count(*), count(DISTINCT sequence), max(sequence) FROM lake.bronze.ledgers";
    assert_eq!(duck.lines(counted), [format!("{sequence}|{sequence}|{sequence}")]);
    let counted = "SELECT count(*), count(DISTINCT n) FROM lake.bronze.effects";
    assert_eq!(duck.lines(counted), [format!("{0}|{0}", sequence * 5)]);
    world.proves();
    for step in [
        "ducklake-lock",
        "ducklake-written",
        "ducklake-committed",
        "commit-offsets-written",
        "stage-synced",
        "fetch-done",
        "acknowledge",
        "checkpoint-written",
        "state-rename",
        "claim-offsets-written",
        "commit-done",
    ]
    .iter()
    .chain(also)
    {
        assert!(crashed.iter().any(|point| point == *step), "no run died at {step}: {crashed:?}");
    }
}
