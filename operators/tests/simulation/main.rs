//! The commit protocol as a seeded, deterministic simulation: the production code in worlds that
//! crash, race and forget.
//!
//! It is played with three kinds: `lines` is the one of `pg_logs`, in tables that each are a group
//! of their own; `records` is a log that forgets what was acknowledged, in groups of several
//! tables; `flushes` is the one of `pg_flush`, whose commits may be void, in one group.
//!
//! Each schedule is one seed. `LAKEFRONT_SCHEDULES=n` plays n of them; `LAKEFRONT_SEED=n` replays
//! one with its trace (`LAKEFRONT_WITHOUT=rule` with that rule taken away); `LAKEFRONT_ABLATION=n`
//! counts, for each rule, how many of n schedules fail without it. `LAKEFRONT_KIND=kind` plays only
//! that kind.
//!
//! Assumed, not tested: nobody restores a table while a run is alive or a write is under way; no
//! pause within one PUT exceeds half the retention; an unterminated last line is left, never
//! landed; no file is written anew in its place between the listing and the look into it; a file
//! that was deleted before it was read need not land, whether or not it is brought back.

mod actors;
mod check;
mod flow;
mod flushes;
mod foreign;
mod group;
mod kind;
mod lake;
mod lines;
mod operator;
mod plan;
mod records;
mod rng;
mod run;
mod saboteur;
mod schedule;
mod take;
mod world;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use lakefront_operators::format::logs::lines::Lines;
use lakefront_operators::protocol::kind::Kind;
use lakefront_operators::source::postgres::Flushes;

use kind::SimKind;
use records::Records;
use saboteur::Rule;
use schedule::{Outcome, play};

const SCHEDULES: u64 = 20_000;
/// The most schedules until one fails without a rule; for most rules a few hundred suffice.
const ABLATION: u64 = 400_000;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|v| v.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Whether this kind is to be played.
fn is_asked_for<K: SimKind>() -> bool {
    let Ok(kind) = std::env::var("LAKEFRONT_KIND") else { return true };
    assert!([Lines::NAME, Records::NAME, Flushes::NAME].contains(&&*kind), "no kind {kind}");
    kind == K::NAME
}

/// Plays one schedule. If production code panics, the schedule fails like any other.
fn attempt<K: SimKind>(seed: u64, without: Option<Rule>, traced: bool) -> Outcome {
    catch_unwind(AssertUnwindSafe(|| play::<K>(seed, without, traced))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned().or(panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        Outcome { violation: Some(format!("PANIC: {}", text.unwrap_or_default())), trace: Vec::new() }
    })
}

/// Plays seeds `0..n` on all cores, until `enough` have failed, and returns those that failed.
fn search<K: SimKind>(n: u64, without: Option<Rule>, enough: usize) -> Vec<(u64, String)> {
    let (next, stop, failed) = (AtomicU64::new(0), AtomicBool::new(false), Mutex::new(Vec::new()));
    let cores = std::thread::available_parallelism().map_or(1, |c| c.get());
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while !stop.load(Relaxed) {
                    let seed = next.fetch_add(1, Relaxed);
                    if seed >= n {
                        return;
                    }
                    if let Some(violation) = attempt::<K>(seed, without, false).violation {
                        let mut failed = failed.lock().expect("no panic holds it");
                        failed.push((seed, violation));
                        stop.fetch_or(failed.len() >= enough, Relaxed);
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().expect("no panic holds it");
    failed.sort();
    failed
}

/// The failing schedule that is quickest to read.
fn shortest<K: SimKind>(failed: &[(u64, String)], without: Option<Rule>) -> (u64, Outcome) {
    let traced = failed.iter().take(300).map(|(seed, _)| (*seed, attempt::<K>(*seed, without, true)));
    traced.min_by_key(|(_, o)| o.trace.len()).expect("some failed")
}

fn counts(failed: &[(u64, String)]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for (_, text) in failed {
        *counts.entry(text.split(':').next().unwrap_or_default()).or_default() += 1;
    }
    counts
}

/// No schedule fails while all rules hold.
fn all_rules_hold<K: SimKind>() {
    if !is_asked_for::<K>() {
        return;
    }
    let without = std::env::var("LAKEFRONT_WITHOUT").ok();
    let without = without.map(|name| {
        K::rules().find(|r| format!("{r:?}").eq_ignore_ascii_case(&name)).unwrap_or_else(|| panic!("no rule {name}"))
    });
    if let Some(seed) = setting("LAKEFRONT_SEED") {
        let outcome = attempt::<K>(seed, without, true);
        println!("{}", outcome.trace.join("\n"));
        assert_eq!(outcome.violation, None, "seed {seed}");
        return;
    }
    let n = setting("LAKEFRONT_SCHEDULES").unwrap_or(SCHEDULES);
    let failed = search::<K>(n, without, usize::MAX);
    println!("{n} schedules of {}, {} failed {:?}", K::NAME, failed.len(), counts(&failed));
    if !failed.is_empty() {
        for what in counts(&failed).keys() {
            let others: Vec<_> = failed.iter().filter(|(_, text)| text.starts_with(what)).cloned().collect();
            let (seed, outcome) = shortest::<K>(&others, without);
            println!("seed {seed}: {}", outcome.violation.unwrap_or_default());
        }
        let (seed, outcome) = shortest::<K>(&failed, without);
        println!("seed {seed}\n{}", outcome.trace.join("\n"));
        panic!(
            "{} of {n} schedules of {} fail, the shortest is LAKEFRONT_SEED={seed}: {:?}",
            failed.len(),
            K::NAME,
            outcome.violation
        );
    }
}

/// Without any one of the rules, some schedule fails.
fn each_rule_is_needed<K: SimKind>() {
    if !is_asked_for::<K>() {
        return;
    }
    let counted = setting("LAKEFRONT_ABLATION");
    let mut unneeded = Vec::new();
    for rule in K::rules() {
        let failed = search::<K>(counted.unwrap_or(ABLATION), Some(rule), counted.map_or(1, |_| usize::MAX));
        if let Some(n) = counted {
            println!("{} without {rule:?}: {} of {n} {:?}", K::NAME, failed.len(), counts(&failed));
        }
        if failed.is_empty() {
            unneeded.push(rule);
        }
    }
    assert!(unneeded.is_empty(), "no schedule of {} misses {unneeded:?}", K::NAME);
}

#[test]
fn all_rules_hold_for_lines() {
    all_rules_hold::<Lines>();
}

#[test]
fn all_rules_hold_for_records() {
    all_rules_hold::<Records>();
}

#[test]
fn all_rules_hold_for_flushes() {
    all_rules_hold::<Flushes>();
}

#[test]
fn each_rule_is_needed_for_lines() {
    each_rule_is_needed::<Lines>();
}

#[test]
fn each_rule_is_needed_for_records() {
    each_rule_is_needed::<Records>();
}

#[test]
fn each_rule_is_needed_for_flushes() {
    each_rule_is_needed::<Flushes>();
}
