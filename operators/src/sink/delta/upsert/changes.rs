//! The changes of one table and one cut, as rows of Arrow.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::{Array, BinaryArray, RecordBatch, UInt32Array};
use arrow_buffer::BooleanBuffer;
use arrow_select::take;
use serde::{Deserialize, Serialize};

use super::definition::UpsertSpec;
use super::keys::shard_of;
use super::order::Order;
use crate::error::StoreError;

/// What a change does to the row of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// The row is new, or was read by a snapshot. If there is one of its key, it is replaced.
    Insert,
    /// The row is another now. If there is none of its key, it is inserted.
    Update,
    /// The row is gone. If there is none of its key, nothing happens.
    Delete,
}

/// Changes of one table: what its rows are after them.
#[derive(Clone, Debug)]
pub struct Changes {
    /// A row for each change, with the columns of the table in their order. Of a deleted row, only
    /// the key is looked at.
    pub rows: RecordBatch,
    /// What each does.
    pub operations: Vec<Operation>,
    /// By column, the rows whose value the source has not sent because it did not change: the old
    /// value stays. Columns of which all values were sent may be left out. No column of the key can
    /// be among them.
    pub unavailable: BTreeMap<usize, BooleanBuffer>,
    /// Where each stands. Of two that stand at the same place, the later row counts.
    pub order: Vec<Order>,
    /// By row, what the pipeline wants back if the change cannot be made because a value is
    /// unavailable, such as the record that it is from: [`Gap`](super::Gap) has it. None if it
    /// wants nothing of any of them.
    pub origins: Option<BinaryArray>,
    /// The places at which all rows of the table went; usually, there are none. Every shard is to
    /// know of each of them, whether or not it has changes.
    pub truncations: Vec<Order>,
}

impl Changes {
    /// Refuses what is not in the form that is promised; that would be a bug of whoever made it.
    pub(super) fn check(&self, spec: &UpsertSpec) -> Result<(), StoreError> {
        let refuse = |cause: String| StoreError::definite(format!("change {}", spec.table.shown()), cause);
        let rows = self.rows.num_rows();
        let types = |schema: &arrow_schema::Schema| {
            schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect::<Vec<_>>()
        };
        if types(&self.rows.schema()) != types(&spec.table.schema) {
            return Err(refuse("the changes have other columns than the table".to_owned()));
        }
        if self.operations.len() != rows || self.order.len() != rows {
            return Err(refuse(format!("{rows} rows came without an operation and a place for each")));
        }
        if self.origins.as_ref().is_some_and(|origins| origins.len() != rows) {
            return Err(refuse(format!("{rows} rows came without an origin for each, or without any")));
        }
        for (column, unavailable) in &self.unavailable {
            if unavailable.len() != rows || spec.key_columns().contains(column) {
                return Err(refuse(format!("column {column} cannot be unavailable where the changes say so")));
            }
        }
        Ok(())
    }

    /// The changes at `rows`, in that order, and all truncations.
    pub fn take(&self, rows: &[u32]) -> Result<Changes, StoreError> {
        let failed = |e| StoreError::definite("part the changes of a cut", e);
        let at = UInt32Array::from(rows.to_vec());
        let rows_of = |of: &BooleanBuffer| rows.iter().map(|row| of.value(*row as usize)).collect();
        let origins =
            self.origins.as_ref().map(|origins| take::take(origins, &at, None)).transpose().map_err(failed)?;
        Ok(Changes {
            rows: take::take_record_batch(&self.rows, &at).map_err(failed)?,
            operations: rows.iter().map(|row| self.operations[*row as usize]).collect(),
            unavailable: self.unavailable.iter().map(|(column, of)| (*column, rows_of(of))).collect(),
            order: rows.iter().map(|row| self.order[*row as usize]).collect(),
            // Most changes have all of their values.
            origins: origins.filter(|taken| taken.null_count() < taken.len()).map(|taken| taken.as_binary().clone()),
            truncations: self.truncations.clone(),
        })
    }

    /// The changes by the shard, of so many, of their keys. Shards without changes are left out,
    /// unless the table was truncated.
    pub fn by_shard(&self, spec: &UpsertSpec, shards: usize) -> Result<Vec<(usize, Changes)>, StoreError> {
        if shards == 1 {
            return Ok(vec![(0, self.clone())]);
        }
        let mut rows = vec![Vec::new(); shards];
        for (row, shard) in (0_u32..).zip(shard_of(spec, &self.rows, shards)?) {
            rows[shard].push(row);
        }
        let parts = rows.iter().enumerate().filter(|(_, rows)| !rows.is_empty() || !self.truncations.is_empty());
        parts.map(|(shard, rows)| Ok((shard, self.take(rows)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, StringArray};

    use super::*;
    use crate::error::chain;
    use crate::sink::delta::TableSpec;
    use crate::sink::files::Place;

    fn changes(ids: &[i64]) -> (Changes, UpsertSpec) {
        let texts = Arc::new(StringArray::from_iter_values(ids.iter().map(i64::to_string))) as ArrayRef;
        let columns = [("id", Arc::new(Int64Array::from(ids.to_vec())) as ArrayRef), ("text", texts)];
        let rows = RecordBatch::try_from_iter(columns).unwrap();
        let (place, name) = (Place::Disk("lake".into()), "orders".to_owned());
        let table = TableSpec { place, name, schema: rows.schema(), partition: None };
        let spec = UpsertSpec { table, key: vec!["id".to_owned()], feed: true };
        let unavailable = BTreeMap::from([(1, ids.iter().map(|id| id % 2 == 0).collect())]);
        let order = ids.iter().map(|id| Order { partition: 0, offset: *id as u64, lsn: 1 }).collect();
        let origin = |id: &i64| (id % 2 == 0).then(|| id.to_le_bytes());
        let origins = Some(ids.iter().map(origin).collect());
        (
            Changes {
                rows,
                operations: vec![Operation::Update; ids.len()],
                unavailable,
                order,
                origins,
                truncations: vec![],
            },
            spec,
        )
    }

    #[test]
    fn shards_have_all_changes_and_one_each_key() {
        let ids: Vec<i64> = (0..100).chain(0..100).collect();
        let (changes, spec) = changes(&ids);
        let mut seen = BTreeMap::new();
        for (shard, part) in changes.by_shard(&spec, 3).unwrap() {
            part.check(&spec).unwrap();
            for (row, order) in part.order.iter().enumerate() {
                let (is_even, origins) = (order.offset % 2 == 0, part.origins.as_ref().unwrap());
                assert_eq!((part.unavailable[&1].value(row), origins.is_valid(row)), (is_even, is_even));
                assert!(!is_even || origins.value(row) == order.offset.to_le_bytes());
                seen.entry(order.offset).or_insert_with(Vec::new).push(shard);
            }
        }
        assert!(seen.len() == 100 && seen.values().all(|of| of.len() == 2 && of[0] == of[1]));
        assert!(seen.values().any(|of| of[0] == 0) && seen.values().any(|of| of[0] == 2));
    }

    #[test]
    fn origins_are_carried_where_there_are_any() {
        let (changes, _) = changes(&[1, 2, 3]);
        assert!(changes.take(&[1]).unwrap().origins.is_some());
        assert!(changes.take(&[0, 2]).unwrap().origins.is_none());
    }

    #[test]
    fn every_shard_knows_of_a_truncation() {
        let (mut changes, spec) = changes(&[7]);
        assert_eq!(changes.by_shard(&spec, 4).unwrap().len(), 1);
        changes.truncations = vec![Order { partition: 3, offset: 9, lsn: 5 }];
        let parts = changes.by_shard(&spec, 4).unwrap();
        assert_eq!(parts.iter().map(|(shard, _)| *shard).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert!(parts.iter().all(|(_, part)| part.truncations == changes.truncations && part.check(&spec).is_ok()));
        assert_eq!(parts.iter().map(|(_, part)| part.rows.num_rows()).sum::<usize>(), 1);
    }

    #[test]
    fn what_is_not_in_the_form_is_refused() {
        let (good, spec) = changes(&[1, 2]);
        good.check(&spec).unwrap();
        let of_key = BTreeMap::from([(0, BooleanBuffer::new_unset(2))]);
        let short = BTreeMap::from([(1, BooleanBuffer::new_unset(1))]);
        for bad in [
            Changes { order: vec![], ..good.clone() },
            Changes { operations: vec![], ..good.clone() },
            Changes { unavailable: of_key, ..good.clone() },
            Changes { unavailable: short, ..good.clone() },
            Changes { origins: Some(BinaryArray::new_null(1)), ..good.clone() },
            Changes { rows: good.rows.project(&[0]).unwrap(), ..good.clone() },
        ] {
            let error = chain(&bad.check(&spec).unwrap_err());
            assert!(error.starts_with("could not change table \"orders\": "), "{error}");
        }
    }
}
