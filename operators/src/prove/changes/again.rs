//! Looks again at keys that differed: whether they are still on their way.

use std::collections::HashMap;

use super::compare::Suspects;
use super::judge::{self, Found};
use super::lake::Pinned;
use super::reach::Reaching;
use super::rows::{Keys, Side, Sides, pick};
use super::server::Snapshot;
use super::{Looked, Subject};
use crate::error::Stop;
use crate::prove::Progress;
use crate::prove::difference::What;
use crate::run::clock::Stopwatch;

/// How often a key is looked at again that is changed meanwhile, at most. No look begins once half
/// of the patience is over: it may have to wait for the lake.
const ROUNDS: u32 = 10;
/// So many looks a key needs at most that is not changed.
const NEEDED: u32 = 2;

/// Looks at the suspects of all tables until each is found to be like PostgreSQL's, or not, and
/// says so in the tables' proofs.
pub(super) async fn look(
    subject: &mut Subject<'_>,
    reaching: &mut Reaching<'_>,
    all: &mut [Looked],
    progress: &Progress,
) -> Result<(), Stop> {
    let begun = Stopwatch::start();
    let mut found: Vec<Found> = all.iter().map(|_| Found::default()).collect();
    for round in 0..ROUNDS {
        let is_late = round >= NEEDED && begun.elapsed() > reaching.patience / 2;
        if is_late || all.iter().all(|looked| looked.suspects.keys.is_empty()) {
            break;
        }
        let mut keys = Keys::new();
        let snapshot = Snapshot::take(subject.postgres, &subject.tables).await?;
        let (lsn, before) = (snapshot.lsn, theirs(&snapshot, all, &mut keys).await?);
        drop(snapshot);
        let pins = reaching.passed(&mut subject.watch, subject.pipeline, &subject.tables, lsn).await?;
        let there = ours(&pins, all, &mut keys, progress).await?;
        let snapshot = Snapshot::take(subject.postgres, &subject.tables).await?;
        let after = theirs(&snapshot, all, &mut keys).await?;
        drop(snapshot);
        for (((looked, found), pinned), ((before, there), after)) in
            all.iter_mut().zip(&mut found).zip(&pins).zip(before.iter().zip(&there).zip(&after))
        {
            let Suspects { keys: suspects, seen, .. } = &mut looked.suspects;
            suspects.retain(|key| match verdict(before.get(key), there.get(key), after.get(key)) {
                Verdict::Same => false,
                Verdict::Changing => true,
                // Of a row that is not there, no place tells that it was not there in between.
                Verdict::Differs(What::Unexpected) if !is_seen_again(seen, *key, there.get(key)) => true,
                Verdict::Differs(what) => {
                    found.differ(what, keys.get(key).cloned().unwrap_or_default());
                    false
                }
            });
            judge::stands(&mut looked.proof, pinned);
        }
    }
    for (looked, found) in all.iter_mut().zip(found) {
        judge::ended(&mut looked.proof, found, &looked.suspects);
    }
    Ok(())
}

/// The suspects' rows in a snapshot, by table.
async fn theirs(snapshot: &Snapshot, all: &[Looked], keys: &mut Keys) -> Result<Vec<Sides>, Stop> {
    let mut sides = Vec::new();
    for looked in all {
        let (mut of_table, sought) = (HashMap::new(), &looked.suspects.keys);
        if let Some(plan) = looked.plan.as_ref().filter(|_| !sought.is_empty()) {
            let is_sought = |key: u128| sought.contains(&key);
            snapshot.rows(plan, |batch| pick(plan, batch, is_sought, &mut of_table, Some(&mut *keys))).await?;
        }
        sides.push(of_table);
    }
    Ok(sides)
}

/// The suspects' rows in the lake, by table.
async fn ours(pins: &[Pinned], all: &[Looked], keys: &mut Keys, progress: &Progress) -> Result<Vec<Sides>, Stop> {
    let mut sides = Vec::new();
    for (pinned, looked) in pins.iter().zip(all) {
        let (mut of_table, sought) = (HashMap::new(), &looked.suspects.keys);
        if let Some(plan) = looked.plan.as_ref().filter(|_| !sought.is_empty()) {
            let is_sought = |key: u128| sought.contains(&key);
            pinned.rows(plan, progress, |batch| pick(plan, batch, is_sought, &mut of_table, Some(&mut *keys))).await?;
        }
        sides.push(of_table);
    }
    Ok(sides)
}

/// Whether the lake had these rows of a key in an earlier round too.
fn is_seen_again(seen: &mut HashMap<u128, u128>, key: u128, there: Option<&Side>) -> bool {
    let sum = there.map_or(0, |there| there.sum);
    seen.insert(key, sum) == Some(sum)
}

/// What is known of a key after one round.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// The lake has what PostgreSQL has.
    Same,
    /// PostgreSQL's row was changed meanwhile, and nobody can say what the lake should have had.
    Changing,
    /// PostgreSQL's row has not changed, and the lake has another.
    Differs(What),
}

/// Judges a key: `there` is what the lake had after it had passed the snapshot of `before`, and
/// before that of `after`.
fn verdict(before: Option<&Side>, there: Option<&Side>, after: Option<&Side>) -> Verdict {
    let none = Side::default();
    let (before, there, after) = (before.unwrap_or(&none), there.unwrap_or(&none), after.unwrap_or(&none));
    match () {
        () if there.is_like(before) || there.is_like(after) => Verdict::Same,
        () if before != after => Verdict::Changing,
        // Without a key, there may be several.
        () if there.rows < before.rows => Verdict::Differs(What::Missing),
        () if before.rows == 0 => Verdict::Differs(What::Unexpected),
        () if there.rows > before.rows => Verdict::Differs(What::Doubled),
        () => Verdict::Differs(What::Altered),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(rows: u64, sum: u128, place: u128) -> Option<Side> {
        Some(Side { rows, sum, place })
    }

    #[test]
    fn a_key_is_judged_by_what_postgresql_had_before_and_after() {
        for (before, there, after, expected) in [
            (side(1, 5, 1), side(1, 5, 0), side(1, 6, 2), Verdict::Same),
            (side(1, 5, 1), side(1, 6, 0), side(1, 6, 2), Verdict::Same),
            (side(1, 5, 1), None, None, Verdict::Same),
            (side(1, 5, 1), side(1, 7, 0), side(1, 6, 2), Verdict::Changing),
            // It was changed and changed back: the lake may have seen what was between.
            (side(1, 5, 1), side(1, 7, 0), side(1, 5, 3), Verdict::Changing),
            (side(1, 5, 1), side(1, 7, 0), side(1, 5, 1), Verdict::Differs(What::Altered)),
            (side(1, 5, 1), side(2, 10, 0), side(1, 5, 1), Verdict::Differs(What::Doubled)),
            (side(1, 5, 1), None, side(1, 5, 1), Verdict::Differs(What::Missing)),
            (None, side(1, 5, 0), None, Verdict::Differs(What::Unexpected)),
        ] {
            assert_eq!(verdict(before.as_ref(), there.as_ref(), after.as_ref()), expected);
        }
    }
}
