//! Compares all rows of a table: sums of sets of keys first, and the keys of the sets that differ.

use std::collections::{HashMap, HashSet};

use super::columns::Plan;
use super::lake::Pinned;
use super::rows::{Row, Side, Sides, pick, rows};
use super::server::Snapshot;
use crate::error::Stop;
use crate::prove::Progress;

/// Into how many sets keys are divided, by the upper bits of their hashes.
const SETS: usize = 1 << 16;
/// Rows of sets that differ that are looked at one by one.
const MOST: u64 = 1 << 20;
/// Keys that are looked at again.
const MOST_SUSPECTS: usize = 100_000;

/// What a comparison of all rows has found.
pub(super) struct Compared {
    /// Rows of the lake.
    pub(super) ours: u64,
    /// Rows of PostgreSQL.
    pub(super) theirs: u64,
    pub(super) suspects: Suspects,
}

/// Keys whose rows differed when they were read.
#[derive(Default)]
pub(super) struct Suspects {
    pub(super) keys: HashSet<u128>,
    /// What the lake had of keys that PostgreSQL did not have, when they were looked at again.
    pub(super) seen: HashMap<u128, u128>,
    /// How many rows may differ beyond these, at most.
    pub(super) more: u64,
}

/// Rows and sums of sets of keys.
struct Sums(Vec<Side>);

impl Sums {
    fn new() -> Sums {
        Sums(vec![Side::default(); SETS])
    }

    fn add(&mut self, row: Row) {
        let side = &mut self.0[set(row.key)];
        side.rows += 1;
        side.sum = side.sum.wrapping_add(row.values);
    }

    fn rows(&self) -> u64 {
        self.0.iter().map(|side| side.rows).sum()
    }
}

fn set(key: u128) -> usize {
    (key >> 112) as usize
}

/// Compares the lake's table with PostgreSQL's.
pub(super) async fn all(
    plan: &Plan,
    pinned: &Pinned,
    snapshot: &Snapshot,
    progress: &Progress,
) -> Result<Compared, Stop> {
    let (mut theirs, mut ours) = (Sums::new(), Sums::new());
    snapshot.rows(plan, |batch| rows(plan, batch).into_iter().for_each(|row| theirs.add(row))).await?;
    pinned.rows(plan, progress, |batch| rows(plan, batch).into_iter().for_each(|row| ours.add(row))).await?;
    let (chosen, mut more) = chosen(&ours.0, &theirs.0);
    let mut suspects = HashSet::new();
    if !chosen.is_empty() {
        let is_sought = |key: u128| chosen.contains(&set(key));
        let (mut left, mut right) = (Sides::new(), Sides::new());
        snapshot.rows(plan, |batch| pick(plan, batch, is_sought, &mut left, None)).await?;
        pinned.rows(plan, &Progress::default(), |batch| pick(plan, batch, is_sought, &mut right, None)).await?;
        for key in differing(&left, &right) {
            match suspects.len() < MOST_SUSPECTS {
                true => drop(suspects.insert(key)),
                false => more += 1,
            }
        }
    }
    Ok(Compared {
        ours: ours.rows(),
        theirs: theirs.rows(),
        suspects: Suspects { keys: suspects, seen: HashMap::new(), more },
    })
}

/// The sets that differ, as far as they have room, and how many rows the others have.
fn chosen(ours: &[Side], theirs: &[Side]) -> (HashSet<usize>, u64) {
    let (mut chosen, mut taken, mut more) = (HashSet::new(), 0, 0);
    for (set, (ours, theirs)) in ours.iter().zip(theirs).enumerate().filter(|(_, (ours, theirs))| !ours.is_like(theirs))
    {
        let rows = ours.rows + theirs.rows;
        match taken + rows <= MOST || chosen.is_empty() {
            true => {
                taken += rows;
                chosen.insert(set);
            }
            false => more += ours.rows.max(theirs.rows),
        }
    }
    (chosen, more)
}

/// The keys that do not have the same rows on both sides, in no order.
fn differing(left: &Sides, right: &Sides) -> Vec<u128> {
    let none = Side::default();
    let differs = |key: &&u128, a: &HashMap<u128, Side>, b: &HashMap<u128, Side>| {
        !a.get(*key).unwrap_or(&none).is_like(b.get(*key).unwrap_or(&none))
    };
    let of_left = left.keys().filter(|key| differs(key, left, right));
    let of_right = right.keys().filter(|key| !left.contains_key(*key));
    of_left.chain(of_right).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(rows: u64, sum: u128) -> Side {
        Side { rows, sum, place: 0 }
    }

    #[test]
    fn keys_that_one_side_lacks_differ() {
        let left = Sides::from([(1, side(1, 5)), (2, side(1, 6)), (3, side(1, 7))]);
        let right = Sides::from([(1, side(1, 5)), (2, side(1, 60)), (4, side(2, 8))]);
        let mut keys = differing(&left, &right);
        keys.sort_unstable();
        assert_eq!(keys, [2, 3, 4]);
    }

    #[test]
    fn too_many_rows_are_counted_and_not_looked_at() {
        let (mut ours, theirs) = (vec![Side::default(); 4], vec![Side::default(); 4]);
        (ours[1], ours[2], ours[3]) = (side(MOST, 1), side(7, 1), side(9, 1));
        let (chosen, more) = chosen(&ours, &theirs);
        assert_eq!((chosen, more), (HashSet::from([1]), 16));
    }
}
