//! Looks for primary keys that two rows of ours have with the same sequence.
//!
//! The same key with another sequence is no double: the row was written again above the watermark,
//! and the lake keeps its later state beside the earlier one.
//!
//! Hashes of keys are sorted, and the rows of equal ones are then looked up. There are as many
//! passes over the files as keep no more than about [`PER_PASS`] hashes in memory: 128 MiB. Each
//! pass reads each file whole, one after another, but decodes only the columns that it compares.
//! The first pass is the one that counts all rows.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::RecordBatch;

use super::count::{Counting, is_kept, owners};
use super::definitions::sequences;
use crate::error::StoreError;
use crate::prove::Progress;
use crate::prove::shown::shown;
use crate::sink::ducklake::{Column, Columns, Fault, Table, Traced, TracedFile};
use crate::totals::hash;

/// How many hashes are in memory at a time.
const PER_PASS: u64 = 1 << 24;
/// How many doubled keys are looked at to find the first.
const MOST: usize = 1 << 16;

/// The keys of one pass.
pub(super) struct Keys {
    columns: Columns,
    ids: Vec<i64>,
    pass: u64,
    passes: u64,
    hashes: Vec<u64>,
    /// Hashes that were there twice, of all passes.
    doubled: BTreeSet<u64>,
}

/// A key that rows of ours have more than once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DoubledKey {
    /// The sequence of its rows.
    pub(super) sequence: Option<u64>,
    /// Its columns and their values.
    pub(super) key: BTreeMap<String, String>,
    rows: u64,
}

impl Keys {
    /// The first pass over the keys of `table`, whose files have `rows` rows; `None` if the lake
    /// lacks a column of the key, or the sequence.
    pub(super) fn new(table: &Table, (key, sequence): (&[String], &str), rows: u64) -> Option<Keys> {
        let found = compared(&table.columns, key, sequence)?;
        let columns = Columns::new(&found.iter().collect::<Vec<_>>()).ok()?;
        let ids = found.iter().map(|column| column.id).collect();
        let passes = rows.div_ceil(PER_PASS).max(1);
        Some(Keys { columns, ids, pass: 0, passes, hashes: Vec::new(), doubled: BTreeSet::new() })
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = i64> {
        self.ids.iter().copied()
    }

    /// Adds the rows of `traced` that `is_kept` names.
    pub(super) fn add(&mut self, traced: &Traced, is_kept: impl Fn(usize) -> bool) -> Result<(), Fault> {
        for (row, key) in hash::keys(&self.columns.of_file(&traced.batch)?).into_iter().enumerate() {
            let hash = short(key);
            if hash % self.passes == self.pass && is_kept(row) {
                self.hashes.push(hash);
            }
        }
        Ok(())
    }

    /// Ends a pass. Whether there is another one.
    fn go_on(&mut self) -> bool {
        self.hashes.sort_unstable();
        let twice = self.hashes.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
        let room = MOST.saturating_sub(self.doubled.len());
        self.doubled.extend(twice.take(room));
        self.hashes.clear();
        self.pass += 1;
        self.pass < self.passes
    }
}

/// The columns in which two rows must agree: those of the key, and then the sequence if it is none
/// of them. They need not have values in every file.
fn compared(columns: &[Column], key: &[String], sequence: &str) -> Option<Vec<Column>> {
    let column = |name: &str| {
        let column = columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))?;
        Some(Column { nullable: true, ..column.clone() })
    };
    let is_apart = !key.iter().any(|name| name.eq_ignore_ascii_case(sequence));
    key.iter().map(String::as_str).chain(is_apart.then_some(sequence)).map(column).collect()
}

fn short(key: u128) -> u64 {
    (key >> 64) as u64 ^ key as u64
}

impl Counting<'_> {
    /// Ends the first pass over `keys`, makes the others, and names the first key that rows of ours
    /// have more than once with the same sequence.
    pub(super) async fn doubled(
        &mut self,
        mut keys: Keys,
        (key, sequence): (&[String], &str),
        files: &[TracedFile],
        progress: &Progress,
    ) -> Result<Option<DoubledKey>, StoreError> {
        while keys.go_on() {
            let ids = keys.ids.clone();
            let mut each = |traced: &Traced, is_kept: &dyn Fn(usize) -> bool| keys.add(traced, is_kept);
            self.kept(files, &ids, progress, &mut each).await?;
        }
        if keys.doubled.is_empty() {
            return Ok(None);
        }
        let columns = compared(&self.table.columns, key, sequence).unwrap_or_default();
        let number = columns.iter().position(|column| column.name.eq_ignore_ascii_case(sequence));
        let places = (key.len(), number);
        let mut found: BTreeMap<u128, DoubledKey> = BTreeMap::new();
        let mut each = |traced: &Traced, is_kept: &dyn Fn(usize) -> bool| {
            let rows = keys.columns.of_file(&traced.batch)?;
            add(&mut found, &rows, places, |hash| keys.doubled.contains(&hash), is_kept)
        };
        self.kept(files, &keys.ids, progress, &mut each).await?;
        let twice = found.into_values().filter(|key| key.rows > 1);
        Ok(twice.min_by(|a, b| (a.sequence, &a.key).cmp(&(b.sequence, &b.key))))
    }

    /// Calls `each` with all rows of `files`, and which of them are ours as they landed.
    async fn kept(
        &self,
        files: &[TracedFile],
        fields: &[i64],
        progress: &Progress,
        each: &mut (impl FnMut(&Traced, &dyn Fn(usize) -> bool) -> Result<(), Fault> + Send),
    ) -> Result<(), StoreError> {
        let (units, rearranging) = (&self.units, &self.rearranging);
        for file in files {
            let mut rows = |traced: Traced| {
                progress.count(traced.row_ids.len() as u64);
                let owners = owners(units, &traced);
                each(&traced, &|row| is_kept(&owners, &traced, row, rearranging))
            };
            // What cannot be read was said of it before.
            let _ = self.pinned.trace(self.table, file, fields, &mut rows).await?;
        }
        Ok(())
    }
}

/// Adds the rows of `rows` that may be doubled: with others that agree in all of its columns. The
/// key's are the first `width`, and the sequence is at `number`.
fn add(
    found: &mut BTreeMap<u128, DoubledKey>,
    rows: &RecordBatch,
    (width, number): (usize, Option<usize>),
    is_doubled: impl Fn(u64) -> bool,
    is_kept: impl Fn(usize) -> bool,
) -> Result<(), Fault> {
    let key = rows.project(&(0..width).collect::<Vec<_>>())?;
    let numbers = number.and_then(|at| sequences(rows.column(at)));
    for (row, hash) in hash::keys(rows).into_iter().enumerate() {
        if !is_doubled(short(hash)) || !is_kept(row) {
            continue;
        }
        let sequence = numbers.as_ref().map(|numbers| numbers[row].cast_unsigned());
        let named = || {
            let schema = key.schema();
            let value = |(at, field): (usize, &std::sync::Arc<arrow_schema::Field>)| {
                (field.name().clone(), shown(key.column(at), row))
            };
            schema.fields().iter().enumerate().map(value).collect()
        };
        found.entry(hash).or_insert_with(|| DoubledKey { sequence, key: named(), rows: 0 }).rows += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int64Array, StringArray};
    use arrow_schema::{DataType, Field, Schema};

    use super::*;
    use crate::sink::ducklake::LakeType;

    fn keys(pass: u64, passes: u64) -> Keys {
        let columns = Columns::new(&[]).expect("no columns");
        Keys { columns, ids: Vec::new(), pass, passes, hashes: Vec::new(), doubled: BTreeSet::new() }
    }

    #[test]
    fn hashes_that_are_there_twice_are_found_pass_by_pass() {
        let mut keys = keys(0, 2);
        keys.hashes = vec![4, 2, 8, 2, 2];
        assert!(keys.go_on());
        keys.hashes = vec![5, 5, 3];
        assert!(!keys.go_on());
        assert_eq!(keys.doubled, [2, 5].into());
    }

    #[test]
    fn a_key_is_doubled_only_with_its_sequence() {
        let schema = Schema::new(vec![
            Field::new("name", DataType::Utf8, false),
            Field::new("sequence", DataType::Int64, false),
        ]);
        let names = Arc::new(StringArray::from(vec!["a", "b", "a", "b", "c", "c"]));
        let numbers = Arc::new(Int64Array::from(vec![9, 8, 7, 8, 6, 6]));
        let rows = RecordBatch::try_new(Arc::new(schema), vec![names, numbers]);
        let mut found = BTreeMap::new();
        add(&mut found, &rows.expect("rows"), (1, Some(1)), |_| true, |row| row != 5).expect("they are added");
        let twice: Vec<_> = found.into_values().filter(|key| key.rows > 1).collect();
        let key = BTreeMap::from([("name".to_owned(), "b".to_owned())]);
        assert_eq!(twice, [DoubledKey { sequence: Some(8), key, rows: 2 }]);
    }

    #[test]
    fn the_sequence_is_compared_once() {
        let column = |name: &str| Column {
            id: 1,
            name: name.to_owned(),
            of: LakeType::Int64,
            nullable: false,
            element: None,
            defaults: (None, None),
        };
        let columns = ["id", "Sequence"].map(column);
        let compared = |key: &[&str], sequence: &str| {
            let key: Vec<String> = key.iter().map(|name| (*name).to_owned()).collect();
            let found = compared(&columns, &key, sequence)?;
            Some(found.into_iter().map(|column| column.name).collect::<Vec<_>>())
        };
        let both = Some(vec!["id".to_owned(), "Sequence".to_owned()]);
        assert_eq!(compared(&["ID"], "sequence"), both);
        assert_eq!(compared(&["id", "sequence"], "SEQUENCE"), both);
        assert_eq!(compared(&["id"], "ledger"), None);
    }
}
