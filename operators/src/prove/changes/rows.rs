//! Rows of either side: what tells them apart, and what their values add up to.

use std::collections::{BTreeMap, HashMap};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;

use super::columns::Plan;
use crate::prove::shown::shown;
use crate::totals::hash::{self, PartitionHash};

/// A row: the hash of its key, and that of all its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) key: u128,
    pub(super) values: u128,
}

/// All rows of one key on one side; more than one is a fault of the lake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Side {
    pub(super) rows: u64,
    pub(super) sum: u128,
    /// Where it is on PostgreSQL's disk; zero on the lake's side.
    pub(super) place: u128,
}

/// The most letters of a value that are shown.
const SHOWN: usize = 200;

/// Rows of the keys that are looked for.
pub(super) type Sides = HashMap<u128, Side>;

/// Keys as people read them.
pub(super) type Keys = HashMap<u128, BTreeMap<String, String>>;

impl Side {
    /// Whether both sides have the same rows.
    pub(super) fn is_like(&self, other: &Side) -> bool {
        (self.rows, self.sum) == (other.rows, other.sum)
    }
}

/// The rows of a batch that has the plan's columns first, in the plan's order.
pub(super) fn rows(plan: &Plan, batch: &RecordBatch) -> Vec<Row> {
    let compared: Vec<usize> = (0..plan.names.len()).collect();
    let of = |columns: &[usize]| hash::keys(&batch.project(columns).expect("the plan's columns are there"));
    let (keys, values) = (of(&plan.key), of(&compared));
    // The values of a row add up to the same in any order. Rows do not: values that have changed
    // places between rows must not go unnoticed.
    let row = PartitionHash::new("");
    keys.into_iter().zip(values).map(|(key, sum)| Row { key: row.row(0, key), values: row.row(0, sum) }).collect()
}

/// Adds the rows of a batch whose keys are looked for to `sides`, and shows their keys in `keys`.
pub(super) fn pick(
    plan: &Plan,
    batch: &RecordBatch,
    is_sought: impl Fn(u128) -> bool,
    sides: &mut Sides,
    keys: Option<&mut Keys>,
) {
    let mut keys = keys;
    let places = batch.column_by_name("").map(|column| column.as_string::<i32>());
    for (at, row) in rows(plan, batch).into_iter().enumerate().filter(|(_, row)| is_sought(row.key)) {
        let side = sides.entry(row.key).or_default();
        side.rows += 1;
        side.sum = side.sum.wrapping_add(row.values);
        if let Some(places) = places {
            side.place = side.place.wrapping_add(xxhash_rust::xxh3::xxh3_128(places.value(at).as_bytes()));
        }
        if let Some(keys) = &mut keys {
            let value = |column: &usize| {
                (plan.names[*column].clone(), shown(batch.column(*column), at).chars().take(SHOWN).collect())
            };
            keys.entry(row.key).or_insert_with(|| plan.key.iter().map(value).collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int32Array, StringArray};
    use arrow_schema::{DataType, Field};

    use super::*;
    use crate::source::postgres::HotColumn;

    fn plan() -> Plan {
        let column = |name: &str, of: &str| HotColumn {
            name: name.to_owned(),
            shown: of.to_owned(),
            of: of.to_owned(),
            modifier: -1,
            element: None,
            is_enum: false,
            nullable: true,
        };
        let field = |name: &str, of: DataType| Arc::new(Field::new(name, of, true));
        let fields = [field("id", DataType::Int32), field("name", DataType::Utf8)];
        Plan::new("t".to_owned(), &[column("id", "int4"), column("name", "text")], &fields, &["id".to_owned()])
    }

    fn batch(ids: [i32; 2], names: [&str; 2]) -> RecordBatch {
        let (ids, names) = (Int32Array::from(ids.to_vec()), StringArray::from(names.to_vec()));
        RecordBatch::try_from_iter([("id", Arc::new(ids) as _), ("name", Arc::new(names) as _)]).expect("a batch")
    }

    #[test]
    fn rows_add_up_to_the_same_in_any_order_but_not_with_values_of_each_other() {
        let sum = |ids, names| {
            rows(&plan(), &batch(ids, names)).iter().fold(0, |sum: u128, row| sum.wrapping_add(row.values))
        };
        assert_eq!(sum([1, 2], ["a", "b"]), sum([2, 1], ["b", "a"]));
        assert_ne!(sum([1, 2], ["a", "b"]), sum([1, 2], ["b", "a"]));
    }

    #[test]
    fn rows_of_keys_are_picked_and_shown() {
        let (plan, batch) = (plan(), batch([1, 2], ["a", "b"]));
        let sought = rows(&plan, &batch)[1].key;
        let (mut sides, mut keys) = (Sides::new(), Keys::new());
        for _ in 0..2 {
            pick(&plan, &batch, |key| key == sought, &mut sides, Some(&mut keys));
        }
        assert_eq!(sides.len(), 1);
        assert_eq!((sides[&sought].rows, sides[&sought].place), (2, 0));
        assert_eq!(keys[&sought]["id"], "2");
    }
}
