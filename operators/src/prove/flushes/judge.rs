//! Compares what was noted of each commit with what was found of its rows.
//!
//! ```text
//!  noted == found where its own snapshot put them, deleted or not             ─▶ proved
//!  noted == that and what later snapshots have put elsewhere                  ─▶ proved
//!  fewer: others may have removed some, and the snapshot has expired          ─▶ not verifiable
//!  anything else                                                              ─▶ it differs
//! ```

use std::collections::{BTreeMap, BTreeSet};

use super::units::{Parts, Unit, Units, whole};
use crate::protocol::sums::Sum;
use crate::sink::ducklake::History;

/// What became of the rows of one range of one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// They are what landed.
    Proved,
    /// Others may have changed some, and what they were has expired.
    Unverifiable,
    /// They are not.
    Differs,
}

/// Rows that are not what landed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// Which commit's; `None` if only many together are known to differ.
    pub(super) unit: Option<usize>,
    /// Which range of its sequences; `None` if that is not known.
    pub(super) part: Option<u64>,
    /// What landed.
    pub(super) noted: Sum,
    /// What was found.
    pub(super) found: Sum,
}

/// The verdict on a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// What differs, in the order of the commits.
    pub(super) wrong: Vec<Wrong>,
    /// Rows that cannot be verified.
    pub(super) unverifiable: u64,
    /// The first range with such rows.
    pub(super) first_unverifiable: Option<(u64, Option<u64>)>,
    /// Rows that others have deleted, or that we have replaced.
    pub(super) deleted: u64,
    /// Rows that others have changed.
    pub(super) changed: u64,
    /// How many ranges of commits were proved, cannot be verified, and differ.
    pub(super) ranges: [u64; 3],
}

impl Units {
    /// The commits whose rows are not all where their own snapshots put them: what was there before
    /// has to be looked at. `total` is what all commits together have brought.
    pub(super) fn suspects(&self, total: Sum) -> BTreeSet<usize> {
        let unsummed_agree = self.unsummed_agree(total);
        let agrees = |unit: &Unit| match unit.is_summed() {
            true => unit.in_place == unit.noted.sums || unit.anywhere() == unit.noted.sums,
            false => unsummed_agree && whole(&unit.in_place).rows == unit.rows(),
        };
        self.all.iter().enumerate().filter(|(_, unit)| !agrees(unit)).map(|(at, _)| at).collect()
    }

    /// Compares all commits with what was found.
    pub(super) fn judge(&mut self, total: Sum, history: &History, table: i64) -> Verdict {
        let (mut verdict, last_removal) = (Verdict::default(), history.last_removal(table));
        for at in 0..self.all.len() {
            let unit = &mut self.all[at];
            let may_be_removed = last_removal > unit.snapshot;
            let is_known = history.is_there(unit.snapshot) || !may_be_removed;
            if unit.is_summed() && unit.anywhere() == unit.noted.sums {
                unit.settle_moved();
            }
            let fates = unit.fates(is_known);
            verdict.add(at, unit, &fates);
            let gone = unit.rows().saturating_sub(unit.there());
            let is_proved = fates.values().all(|(fate, ..)| *fate == Fate::Proved);
            match may_be_removed {
                _ if !is_proved => {}
                true => verdict.deleted += gone,
                // Nobody has deleted them, and yet no reader sees them.
                false if gone > 0 => {
                    let (noted, found) = (unit.whole_sum(), Sum { rows: unit.there(), checksum: 0 });
                    verdict.wrong.push(Wrong { unit: Some(at), part: None, noted, found });
                    verdict.ranges[2] += 1;
                }
                false => {}
            }
            // Of rows that cannot be verified nobody knows whether they were changed or only moved.
            verdict.changed += if is_proved { unit.changed } else { 0 };
        }
        self.judge_unsummed(total, &mut verdict);
        verdict
    }

    /// Commits without sums of their own are compared together.
    fn judge_unsummed(&self, total: Sum, verdict: &mut Verdict) {
        let is_settled = verdict.unverifiable > 0 || !verdict.wrong.is_empty();
        let found: Sum = self.unsummed().map(Unit::found).sum();
        let noted = self.unsummed_total(total);
        if self.unsummed().next().is_some() && !is_settled && found != noted {
            verdict.wrong.push(Wrong { unit: None, part: None, noted, found });
            verdict.ranges[2] += 1;
        }
    }

    fn unsummed(&self) -> impl Iterator<Item = &Unit> {
        self.all.iter().filter(|unit| !unit.is_summed())
    }

    /// What the commits without sums have brought: what is left of the total.
    fn unsummed_total(&self, total: Sum) -> Sum {
        let summed: Sum = self.all.iter().map(|unit| whole(&unit.noted.sums)).sum();
        Sum { rows: total.rows.wrapping_sub(summed.rows), checksum: total.checksum.wrapping_sub(summed.checksum) }
    }

    fn unsummed_agree(&self, total: Sum) -> bool {
        self.unsummed().map(|unit| whole(&unit.in_place)).sum::<Sum>() == self.unsummed_total(total)
    }

    /// Whether the commits add up to the running total; what they add up to. Without their sums
    /// only their numbers are compared.
    pub(super) fn adds_up(&self, total: Sum) -> (bool, Sum) {
        let rows = self.all.iter().map(Unit::rows).sum();
        let summed: Sum = self.all.iter().map(|unit| whole(&unit.noted.sums)).sum();
        match self.all.iter().all(Unit::is_summed) {
            true => (summed == total && rows == total.rows, summed),
            false => (rows == total.rows, Sum { rows, checksum: total.checksum }),
        }
    }
}

/// Of each range, what became of its rows, what was noted and what was found; the range is `None`
/// if all are judged together.
type Fates = BTreeMap<Option<u64>, (Fate, Sum, Sum)>;

impl Unit {
    /// `is_known`: what its own snapshot saw can be read, or nobody has removed anything since.
    fn fates(&self, is_known: bool) -> Fates {
        let anywhere = self.anywhere();
        if !self.is_summed() {
            let (noted, found) = (Sum { rows: self.rows(), checksum: 0 }, whole(&self.in_place));
            let is_whole = found.rows == noted.rows || whole(&anywhere).rows == noted.rows;
            let fate = if is_whole { Fate::Proved } else { fewer(noted, found, is_known) };
            return [(None, (fate, noted, found))].into();
        }
        if anywhere == self.noted.sums {
            return self.noted.sums.iter().map(|(part, sum)| (Some(*part), (Fate::Proved, *sum, *sum))).collect();
        }
        let of = |parts: &Parts, part: u64| parts.get(&part).copied().unwrap_or_default();
        let parts: BTreeSet<u64> = self.noted.sums.keys().chain(self.in_place.keys()).copied().collect();
        let fate = |part: u64| {
            let (noted, found) = (of(&self.noted.sums, part), of(&self.in_place, part));
            let fate = match found == noted || of(&anywhere, part) == noted {
                true => Fate::Proved,
                false => fewer(noted, found, is_known),
            };
            (Some(part), (fate, noted, found))
        };
        parts.into_iter().map(fate).collect()
    }

    /// Nobody has changed what was moved, whoever moved it. Inlined rows are not among that: they
    /// are changed ones.
    fn settle_moved(&mut self) {
        let unchanged = whole(&self.moved).rows.saturating_sub(self.rearranged).min(self.changed);
        self.changed -= unchanged;
        self.rearranged += unchanged;
    }

    /// All of its rows, as they landed, where they were found.
    fn found(&self) -> Sum {
        let in_place = whole(&self.in_place);
        if in_place.rows == self.rows() { in_place } else { whole(&self.anywhere()) }
    }

    /// All of its rows, as they were noted.
    fn whole_sum(&self) -> Sum {
        Sum { rows: self.rows(), checksum: whole(&self.noted.sums).checksum }
    }
}

/// The fate of rows that are not what landed: only missing ones may be somebody else's doing.
fn fewer(noted: Sum, found: Sum, is_known: bool) -> Fate {
    match found.rows < noted.rows && !is_known {
        true => Fate::Unverifiable,
        false => Fate::Differs,
    }
}

impl Verdict {
    fn add(&mut self, at: usize, unit: &Unit, fates: &Fates) {
        for (part, (fate, noted, found)) in fates {
            match fate {
                Fate::Proved => self.ranges[0] += 1,
                Fate::Unverifiable => {
                    self.ranges[1] += 1;
                    self.unverifiable += noted.rows;
                    self.first_unverifiable.get_or_insert((unit.position, *part));
                }
                Fate::Differs => {
                    self.ranges[2] += 1;
                    self.wrong.push(Wrong { unit: Some(at), part: *part, noted: *noted, found: *found });
                }
            }
        }
    }

    /// Whether the numbers of rows agree.
    pub(super) fn rows_ok(&self) -> bool {
        self.wrong.iter().all(|wrong| wrong.noted.rows == wrong.found.rows)
    }
}

#[cfg(test)]
mod tests;
