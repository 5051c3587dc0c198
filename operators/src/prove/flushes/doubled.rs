//! Looks for primary keys that two rows of ours have.
//!
//! Hashes of keys are sorted, and equal ones are then read again as a whole. There are as many
//! passes over the key's columns as keep no more than [`PER_PASS`] hashes in memory: 128 MiB. The
//! first pass is the one that counts all rows.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::RecordBatch;

use super::count::{Counting, is_kept, owners};
use super::definitions::sequences;
use super::shown::shown;
use crate::error::StoreError;
use crate::prove::Progress;
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
    /// The least sequence of its rows.
    pub(super) sequence: Option<u64>,
    /// Its columns and their values.
    pub(super) key: BTreeMap<String, String>,
    rows: u64,
}

impl Keys {
    /// The first pass over the keys of `table`, whose files have `rows` rows; `None` if the lake
    /// lacks a column of the key.
    pub(super) fn new(table: &Table, key: &[String], rows: u64) -> Option<Keys> {
        let found = key_columns(table, key)?;
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

/// The columns of the key, which need not have values in every file.
fn key_columns(table: &Table, key: &[String]) -> Option<Vec<Column>> {
    let column = |name: &String| {
        let column = table.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))?;
        Some(Column { nullable: true, ..column.clone() })
    };
    key.iter().map(column).collect()
}

fn short(key: u128) -> u64 {
    (key >> 64) as u64 ^ key as u64
}

impl Counting<'_> {
    /// Ends the first pass over `keys`, makes the others, and names the first key that rows of ours
    /// have more than once.
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
        let mut columns = key_columns(self.table, key).unwrap_or_default();
        let number = self.table.columns.iter().find(|column| column.name.eq_ignore_ascii_case(sequence));
        let number = number.filter(|number| number.field().is_some());
        columns.extend(number.map(|column| Column { nullable: true, ..column.clone() }));
        let refused = |why: String| StoreError::definite("name a doubled key", why);
        let read = Columns::new(&columns.iter().collect::<Vec<_>>()).map_err(refused)?;
        let ids: Vec<i64> = columns.iter().map(|column| column.id).collect();
        let mut found: BTreeMap<u128, DoubledKey> = BTreeMap::new();
        let mut each = |traced: &Traced, is_kept: &dyn Fn(usize) -> bool| {
            add(&mut found, &read.of_file(&traced.batch)?, key.len(), |hash| keys.doubled.contains(&hash), is_kept)
        };
        self.kept(files, &ids, progress, &mut each).await?;
        let twice = found.into_values().filter(|key| key.rows > 1);
        Ok(twice.min_by(|a, b| (a.sequence, &a.key).cmp(&(b.sequence, &b.key))))
    }

    /// Calls `each` with all rows of `files`, and which of them are ours as they landed.
    async fn kept(
        &self,
        files: &[TracedFile],
        fields: &[i64],
        progress: &Progress,
        each: &mut (dyn FnMut(&Traced, &dyn Fn(usize) -> bool) -> Result<(), Fault> + Send),
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

/// Adds the rows of `rows` whose keys may be doubled. The key's columns are the first `width`; a
/// sequence may follow.
fn add(
    found: &mut BTreeMap<u128, DoubledKey>,
    rows: &RecordBatch,
    width: usize,
    is_doubled: impl Fn(u64) -> bool,
    is_kept: impl Fn(usize) -> bool,
) -> Result<(), Fault> {
    let key = rows.project(&(0..width).collect::<Vec<_>>())?;
    let numbers = rows.columns().get(width).and_then(sequences);
    for (row, hash) in hash::keys(&key).into_iter().enumerate() {
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
        let of = found.entry(hash).or_insert_with(|| DoubledKey { sequence, key: named(), rows: 0 });
        of.rows += 1;
        of.sequence = of.sequence.min(sequence);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int64Array, StringArray};
    use arrow_schema::{DataType, Field, Schema};

    use super::*;

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
    fn the_first_doubled_key_is_named() {
        let schema = Schema::new(vec![
            Field::new("name", DataType::Utf8, false),
            Field::new("sequence", DataType::Int64, false),
        ]);
        let names = Arc::new(StringArray::from(vec!["a", "b", "a", "c"]));
        let rows = RecordBatch::try_new(Arc::new(schema), vec![names, Arc::new(Int64Array::from(vec![9, 8, 7, 6]))]);
        let mut found = BTreeMap::new();
        add(&mut found, &rows.expect("rows"), 1, |_| true, |row| row != 3).expect("they are added");
        let twice: Vec<_> = found.into_values().filter(|key| key.rows > 1).collect();
        let key = BTreeMap::from([("name".to_owned(), "a".to_owned())]);
        assert_eq!(twice, [DoubledKey { sequence: Some(7), key, rows: 2 }]);
    }
}
