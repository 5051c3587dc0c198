//! Names the first row that differs, as far as the lake still tells which it is.
//!
//! A doubled row is there to be shown. A missing one is not: its sequence is known if the table is
//! keyed by that, and the range of sequences in any case. Of altered rows the range is known.

use std::collections::{BTreeMap, BTreeSet};

use super::count::{Counting, OwnRow, own_rows, owners};
use super::judge::Wrong;
use super::units::Owned;
use crate::error::StoreError;
use crate::prove::compare::Odd;
use crate::prove::difference::{Difference, What};
use crate::prove::shown::shown;
use crate::sink::ducklake::{Column, Columns, Fault, Traced, TracedFile};
use crate::source::postgres::{HotTable, RANGE};

/// To name a row, at most this many are held in memory, of 24 bytes each.
const MOST_ROWS: u64 = 1 << 22;

/// A row that is named.
type Named = (u64, Option<BTreeMap<String, String>>);

/// What `wrong` alone says of the first row that differs.
pub(super) fn around(wrong: &Wrong, position: Option<u64>, table: &str) -> Difference {
    let range = wrong.part.map(|part| [part * RANGE.get(), (part + 1) * RANGE.get()]);
    let what = match wrong.found.rows.cmp(&wrong.noted.rows) {
        std::cmp::Ordering::Less => What::Missing,
        std::cmp::Ordering::Greater => What::Unexpected,
        std::cmp::Ordering::Equal => What::Altered,
    };
    Difference { what: Some(what), range, flush: position, odd: Some(Odd::Table), ..Difference::of(table) }
}

impl Counting<'_> {
    /// Names the first row that differs, where `wrong` says that one does.
    pub(super) async fn name(
        &self,
        wrong: &Wrong,
        hot: &HotTable,
        files: &[TracedFile],
    ) -> Result<Difference, StoreError> {
        let position = wrong.unit.map(|at| self.units.all[at].position);
        let around = around(wrong, position, &hot.name);
        let Some(unit) = wrong.unit.filter(|_| wrong.part.is_some() && wrong.found.rows <= MOST_ROWS) else {
            return Ok(around);
        };
        let mut rows: Vec<(u128, u64)> = Vec::new();
        let mut each = |own: &OwnRow, _: &Traced| {
            rows.push((own.checksum, own.sequence));
            Ok(())
        };
        self.rows_of((unit, wrong.part), files, &mut each).await?;
        match around.what {
            Some(What::Unexpected) => {
                let doubled = self.show(doubled(rows), (unit, wrong.part), hot, files).await?;
                let what = if doubled.is_some() { What::Doubled } else { What::Unexpected };
                Ok(with(Difference { what: Some(what), ..around }, doubled))
            }
            Some(What::Altered) if rows.len() == 1 => {
                let only = self.show(rows.pop(), (unit, wrong.part), hot, files).await?;
                Ok(with(around, only))
            }
            Some(What::Missing) if hot.key.len() == 1 && hot.key[0] == hot.sequence => {
                let there = rows.into_iter().map(|(_, sequence)| sequence).collect();
                let first = first_absent(&there, wrong.noted.rows);
                let key = |sequence: u64| [(hot.sequence.clone(), sequence.to_string())].into();
                Ok(with(around, first.map(|sequence| (sequence, Some(key(sequence))))))
            }
            _ => Ok(around),
        }
    }

    /// The sequence and the key of the row with this checksum.
    async fn show(
        &self,
        row: Option<(u128, u64)>,
        of: (usize, Option<u64>),
        hot: &HotTable,
        files: &[TracedFile],
    ) -> Result<Option<Named>, StoreError> {
        let Some((checksum, sequence)) = row else { return Ok(None) };
        let column = |name: &String| self.table.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name));
        let key: Option<Vec<Column>> = hot.key.iter().map(|name| column(name).cloned()).collect();
        let key: Vec<Column> = key.unwrap_or_default();
        let nullable: Vec<Column> = key.into_iter().map(|column| Column { nullable: true, ..column }).collect();
        let Ok(columns) = Columns::new(&nullable.iter().collect::<Vec<_>>()) else { return Ok(Some((sequence, None))) };
        let mut named: BTreeMap<String, String> = BTreeMap::new();
        let mut each = |own: &OwnRow, traced: &Traced| {
            if own.checksum == checksum && named.is_empty() {
                let values = columns.of_file(&traced.batch.slice(own.row, 1))?;
                let value = |(column, array): (&Column, _)| (column.name.clone(), shown(array, 0));
                named = nullable.iter().zip(values.columns()).map(value).collect();
            }
            Ok(())
        };
        self.rows_of(of, files, &mut each).await?;
        Ok(Some((sequence, Some(named).filter(|key| !key.is_empty()))))
    }

    /// Calls `each` with the rows of one range of one commit that are where its snapshot put them.
    async fn rows_of(
        &self,
        (unit, part): (usize, Option<u64>),
        files: &[TracedFile],
        each: &mut (dyn FnMut(&OwnRow, &Traced) -> Result<(), Fault> + Send),
    ) -> Result<(), StoreError> {
        let fields = self.fields();
        for file in files.iter().filter(|file| file.begin <= self.units.all[unit].snapshot) {
            let mut rows = |traced: Traced| {
                let own = |owner: Option<Owned>| owner.filter(|owner| *owner == Owned::InPlace(unit));
                let owners: Vec<_> = owners(&self.units, &traced).into_iter().map(own).collect();
                let own = own_rows(&traced.batch, &owners, &self.definitions, &self.units)?;
                let mut within = own.iter().filter(|own| part.is_none_or(|part| own.sequence / RANGE == part));
                within.try_for_each(|own| each(own, &traced))
            };
            // What cannot be read is said elsewhere.
            let _ = self.pinned.trace(self.table, file, &fields, &mut rows).await?;
        }
        Ok(())
    }
}

fn with(difference: Difference, named: Option<Named>) -> Difference {
    match named {
        Some((sequence, key)) => Difference { offset: Some(sequence), range: None, key, ..difference },
        None => difference,
    }
}

/// The row with the least sequence among those that are there twice.
fn doubled(mut rows: Vec<(u128, u64)>) -> Option<(u128, u64)> {
    rows.sort_unstable();
    let twice = rows.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[0]);
    twice.min_by_key(|(_, sequence)| *sequence)
}

/// The first sequence that is not `there` between the least and the greatest, if all of those that
/// are missing of `rows` are between them.
fn first_absent(there: &BTreeSet<u64>, rows: u64) -> Option<u64> {
    let (first, last) = (*there.first()?, *there.last()?);
    let absent = (last - first + 1).checked_sub(there.len() as u64)?;
    let is_known = absent > 0 && there.len() as u64 + absent == rows;
    is_known.then(|| (first..=last).find(|sequence| !there.contains(sequence))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::sums::Sum;

    #[test]
    fn a_gap_names_the_missing_row_only_if_it_is_the_only_way() {
        let there = |all: &[u64]| all.iter().copied().collect::<BTreeSet<u64>>();
        assert_eq!(first_absent(&there(&[3, 4, 6, 7]), 5), Some(5));
        assert_eq!(first_absent(&there(&[3, 4, 6, 8]), 6), Some(5));
        assert_eq!(first_absent(&there(&[3, 4, 6]), 5), None, "one may be before or behind");
        assert_eq!(first_absent(&there(&[3, 4]), 3), None);
        assert_eq!(first_absent(&there(&[]), 3), None);
    }

    #[test]
    fn the_first_doubled_row_is_found() {
        assert_eq!(doubled(vec![(9, 1), (7, 5), (9, 1), (7, 5), (3, 0)]), Some((9, 1)));
        assert_eq!(doubled(vec![(9, 1), (7, 1)]), None);
    }

    #[test]
    fn numbers_say_what_is_wrong() {
        let of = |noted, found| {
            let sum = |rows| Sum { rows, checksum: 1 };
            let wrong = Wrong { unit: None, part: Some(3), noted: sum(noted), found: sum(found) };
            around(&wrong, Some(2), "effects")
        };
        assert_eq!(of(5, 4).what, Some(What::Missing));
        assert_eq!(of(5, 6).what, Some(What::Unexpected));
        let altered = of(5, 5);
        assert_eq!((altered.what, altered.range), (Some(What::Altered), Some([30_000, 40_000])));
        assert_eq!((altered.source.as_deref(), altered.flush), (Some("effects"), Some(2)));
    }
}
