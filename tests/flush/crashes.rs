//! A crash at every step of a flush.

use crate::support::crashes::points;
use crate::world::World;

/// Steps of other pipelines, and of places that this one has not.
const ELSEWHERE: [&str; 3] = ["log-checkpoint-", "delta-", "s3-"];

/// The runs that were to die.
#[derive(Default)]
pub(crate) struct Crashes {
    /// How many there were.
    pub(crate) runs: i64,
    /// The steps at which they died.
    died: Vec<String>,
}

impl Crashes {
    /// Lets runs die at each step, when they come to it for the first time and for the second.
    /// `before` is done before each, with its number and the step, and `after` after it.
    pub(crate) fn at_each_step(
        world: &World,
        mut before: impl FnMut(i64, &str),
        mut after: impl FnMut(i64),
    ) -> Crashes {
        let mut all = Crashes::default();
        for point in points() {
            if ELSEWHERE.iter().any(|prefix| point.starts_with(prefix)) {
                continue;
            }
            for time in 1..3 {
                all.runs += 1;
                before(all.runs, &point);
                let ended = world.run_with(&format!("{point}={}*off->panic", time - 1)).end();
                match ended.code {
                    Some(0) => {}
                    Some(3) if ended.stderr.contains(&format!("failpoint {point} panic")) => {
                        all.died.push(point.clone());
                    }
                    _ => panic!("{point}, time {time}: {ended:?}"),
                }
                after(all.runs);
            }
        }
        all
    }

    /// A run has died at each of these steps.
    #[track_caller]
    pub(crate) fn came_to(&self, steps: &[&str], also: &[&str]) {
        for step in steps.iter().chain(also) {
            assert!(self.died.iter().any(|point| point == *step), "no run died at {step}: {:?}", self.died);
        }
    }
}

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
         CREATE TABLE effects (ledger_sequence bigint, n bigint)",
    );
    world.apart();
    story(&world, &["flush-forget", "flush-forgotten"]);
}

fn story(world: &World, also: &[&str]) {
    let before = |sequence: i64, point: &str| {
        world.psql(&format!(
            "INSERT INTO ledgers VALUES ({sequence}, '{point}');
             INSERT INTO effects SELECT {sequence}, {sequence} * 10 + i FROM generate_series(0, 4) i"
        ));
    };
    let crashes = Crashes::at_each_step(world, before, |_| {});
    let sequence = crashes.runs;
    world.flush();
    let mut duck = world.duck();
    let counted = "SELECT count(*), count(DISTINCT sequence), max(sequence) FROM lake.bronze.ledgers";
    assert_eq!(duck.lines(counted), [format!("{sequence}|{sequence}|{sequence}")]);
    let counted = "SELECT count(*), count(DISTINCT n) FROM lake.bronze.effects";
    assert_eq!(duck.lines(counted), [format!("{0}|{0}", sequence * 5)]);
    world.proves();
    let steps = [
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
    ];
    crashes.came_to(&steps, also);
}
