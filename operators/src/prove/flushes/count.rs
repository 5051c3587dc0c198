//! Reads the files of a table, and counts each row where it belongs: to a commit of ours, or to
//! somebody else.
//!
//! Files are read one after another, each of them whole. Beside the sums of each commit only hashes
//! of primary keys are kept, a bounded number at a time: for the keys of a large table its files
//! are read several times.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;

use super::definitions::Definition;
use super::doubled::Keys;
use super::units::{Owned, Units};
use crate::error::StoreError;
use crate::protocol::sums::Sum;
use crate::prove::Progress;
use crate::sink::delta::Lost;
use crate::sink::ducklake::{Fault, Kept, PinnedLake, Table, Traced, TracedFile};
use crate::source::postgres::RANGE;

/// What is counted of one table.
pub(super) struct Counting<'p> {
    pub(super) pinned: &'p PinnedLake,
    pub(super) table: &'p Table,
    pub(super) definitions: Vec<Definition>,
    pub(super) units: Units,
    /// The snapshots that have only rearranged rows.
    pub(super) rearranging: BTreeSet<i64>,
    /// Rows of others that a reader sees, by the snapshot that added them.
    pub(super) foreign: BTreeMap<i64, u64>,
    /// Files that cannot be read.
    pub(super) lost: Vec<Lost>,
}

impl Counting<'_> {
    /// The field ids that are read: of all columns that rows of ours have ever had.
    pub(super) fn fields(&self) -> Vec<i64> {
        let all: BTreeSet<i64> = self.definitions.iter().flat_map(Definition::ids).copied().collect();
        all.into_iter().collect()
    }

    /// Counts the rows of `files` and those that are inlined. A first part of our keys goes to
    /// `keys`.
    pub(super) async fn count(
        &mut self,
        files: &[TracedFile],
        inlined: &[(i64, i64)],
        mut keys: Option<&mut Keys>,
        progress: &Progress,
    ) -> Result<(), StoreError> {
        let mut fields = self.fields();
        fields.extend(keys.iter().flat_map(|keys| keys.fields()));
        for file in files {
            let (units, definitions, foreign) = (&mut self.units, &self.definitions, &mut self.foreign);
            let rearranging = &self.rearranging;
            let mut each = |traced: Traced| {
                progress.count(traced.row_ids.len() as u64);
                let owners = owners(units, &traced);
                if let Some(keys) = keys.as_deref_mut() {
                    keys.add(&traced, |row| is_kept(&owners, &traced, row, rearranging))?;
                }
                let mut rows = Rows { units: &mut *units, foreign: &mut *foreign, rearranging };
                rows.add(&traced, &owners, definitions)
            };
            let kept = self.pinned.trace(self.table, file, &fields, &mut each).await?;
            self.lose(file, kept);
        }
        for (row_id, since) in inlined {
            match self.units.owner(*row_id, *since) {
                // What is inlined was inserted or changed by somebody else.
                Some(Owned::InPlace(at) | Owned::Moved(at)) => self.units.all[at].changed += 1,
                None => *self.foreign.entry(*since).or_default() += 1,
            }
        }
        Ok(())
    }

    /// Adds what the files before had of those commits that `wanted` names: what their own
    /// snapshots see of them there.
    pub(super) async fn count_ended(
        &mut self,
        wanted: &BTreeSet<usize>,
        progress: &Progress,
    ) -> Result<(), StoreError> {
        let fields = self.fields();
        for file in self.pinned.ended(self.table).await? {
            let sees = |snapshot: i64| file.begin <= snapshot && file.end.is_none_or(|end| snapshot < end);
            if !wanted.iter().any(|at| sees(self.units.all[*at].snapshot)) {
                continue;
            }
            let (units, definitions) = (&mut self.units, &self.definitions);
            let mut each = |traced: Traced| {
                progress.count(traced.row_ids.len() as u64);
                let mut owners = owners(units, &traced);
                for owner in &mut owners {
                    let is_wanted = matches!(owner, Some(Owned::InPlace(at)) if wanted.contains(at) && sees(units.all[*at].snapshot));
                    *owner = owner.filter(|_| is_wanted);
                }
                for own in own_rows(&traced.batch, &owners, definitions, units)? {
                    *units.all[own.unit].in_place.entry(own.part()).or_default() += own.sum();
                }
                Ok(())
            };
            let kept = self.pinned.trace(self.table, &file, &fields, &mut each).await?;
            self.lose(&file, kept);
        }
        Ok(())
    }

    fn lose(&mut self, file: &TracedFile, kept: Kept) {
        if let Kept::Not(reason) = kept {
            self.lost.push(Lost { path: file.shown(), rows: Some(file.rows), reason });
        }
    }
}

/// Whose each row is.
pub(super) fn owners(units: &Units, traced: &Traced) -> Vec<Option<Owned>> {
    traced.row_ids.iter().zip(&traced.since).map(|(row_id, since)| units.owner(*row_id, *since)).collect()
}

/// Whether a row is one of ours, as it landed, that a reader sees.
pub(super) fn is_kept(owners: &[Option<Owned>], traced: &Traced, row: usize, rearranging: &BTreeSet<i64>) -> bool {
    is_left(traced, row)
        && match owners[row] {
            Some(Owned::InPlace(_)) => true,
            Some(Owned::Moved(_)) => rearranging.contains(&traced.since[row]),
            None => false,
        }
}

/// Whether a row was not deleted.
pub(super) fn is_left(traced: &Traced, row: usize) -> bool {
    traced.left.as_ref().is_none_or(|left| left.value(row))
}

/// Where rows are counted.
struct Rows<'c> {
    units: &'c mut Units,
    foreign: &'c mut BTreeMap<i64, u64>,
    rearranging: &'c BTreeSet<i64>,
}

impl Rows<'_> {
    fn add(&mut self, traced: &Traced, owners: &[Option<Owned>], definitions: &[Definition]) -> Result<(), Fault> {
        for (row, _) in owners.iter().enumerate().filter(|(row, owner)| owner.is_none() && is_left(traced, *row)) {
            *self.foreign.entry(traced.since[row]).or_default() += 1;
        }
        for own in own_rows(&traced.batch, owners, definitions, self.units)? {
            let (unit, is_left) = (&mut self.units.all[own.unit], is_left(traced, own.row));
            match owners[own.row] {
                Some(Owned::InPlace(_)) => {
                    *unit.in_place.entry(own.part()).or_default() += own.sum();
                    unit.visible += u64::from(is_left);
                }
                Some(Owned::Moved(_)) if is_left => {
                    *unit.moved.entry(own.part()).or_default() += own.sum();
                    match self.rearranging.contains(&traced.since[own.row]) {
                        true => unit.rearranged += 1,
                        false => unit.changed += 1,
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// A row of ours.
pub(super) struct OwnRow {
    /// Which commit's.
    pub(super) unit: usize,
    /// Its place in the batch.
    pub(super) row: usize,
    pub(super) sequence: u64,
    pub(super) checksum: u128,
}

impl OwnRow {
    fn part(&self) -> u64 {
        self.sequence / RANGE
    }

    fn sum(&self) -> Sum {
        Sum::row(self.checksum)
    }
}

/// The rows of `batch` that have an owner.
pub(super) fn own_rows(
    batch: &RecordBatch,
    owners: &[Option<Owned>],
    definitions: &[Definition],
    units: &Units,
) -> Result<Vec<OwnRow>, Fault> {
    let unit = |owner: &Option<Owned>| owner.map(|(Owned::InPlace(at) | Owned::Moved(at))| at);
    let of = |owner: &Option<Owned>| unit(owner).map(|at| units.all[at].definition);
    let used: BTreeSet<usize> = owners.iter().filter_map(of).collect();
    let mut all = Vec::new();
    for definition in used {
        let is_of = |owner: &Option<Owned>| of(owner) == Some(definition);
        let rows: Vec<usize> = (0..owners.len()).filter(|row| is_of(&owners[*row])).collect();
        let sums = match rows.len() == owners.len() {
            true => definitions[definition].sums(batch)?,
            false => {
                let mask: BooleanArray = owners.iter().map(|owner| Some(is_of(owner))).collect();
                definitions[definition].sums(&filter_record_batch(batch, &mask)?)?
            }
        };
        debug_assert_eq!(sums.len(), rows.len());
        let own = |(row, (sequence, checksum)): (usize, (u64, u128))| {
            Some(OwnRow { unit: unit(&owners[row])?, row, sequence, checksum })
        };
        all.extend(rows.into_iter().zip(sums).filter_map(own));
    }
    Ok(all)
}
