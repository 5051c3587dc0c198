//! What the columns of a table were when rows landed: their checksums count names and types of
//! then, whatever others have made of the table since.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};

use super::narrow::narrowed;
use super::units::Units;
use crate::error::StoreError;
use crate::protocol::offsets::PartitionId;
use crate::sink::ducklake::{Column, Columns, Fault, Noted, PinnedLake, Table};
use crate::totals::hash::{self, OFFSET, PartitionHash};

/// The columns of some commits.
pub(super) struct Definition {
    columns: Columns,
    /// Their field ids.
    ids: Vec<i64>,
    /// Their types.
    types: Vec<(i64, DataType)>,
    /// Where the column is that numbers the rows.
    sequence: usize,
    source: PartitionHash,
}

/// Finds the definition of each commit of `units`, which learn its number.
pub(super) async fn read(
    pinned: &PinnedLake,
    table: &Table,
    (name, sequence): (&str, &str),
    units: &mut Units,
) -> Result<Vec<Definition>, StoreError> {
    let changes = pinned.definitions(table).await?;
    let mut known: BTreeMap<(usize, Option<String>, Option<i64>), usize> = BTreeMap::new();
    let mut columns: BTreeMap<usize, Vec<Column>> = BTreeMap::new();
    let mut all = Vec::new();
    for unit in &mut units.all {
        let at = changes.partition_point(|change| *change <= unit.snapshot);
        let key = (at, unit.noted.columns.clone(), unit.noted.sequence);
        if let Some(definition) = known.get(&key) {
            unit.definition = *definition;
            continue;
        }
        let columns = match columns.entry(at) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(entry) => entry.insert(pinned.columns(table, unit.snapshot).await?),
        };
        let defined = Definition::new(columns, &unit.noted, name, sequence);
        let refused = |why: String| StoreError::definite(format!("prove table {name:?}"), why);
        all.push(defined.map_err(refused)?);
        unit.definition = all.len() - 1;
        known.insert(key, unit.definition);
    }
    Ok(all)
}

impl Definition {
    /// The columns of `table` that files had, if that was `noted`, whose hot table is `name`. If it
    /// was not noted which column numbered the rows, it was `sequence`.
    fn new(table: &[Column], noted: &Noted, name: &str, sequence: &str) -> Result<Definition, String> {
        let files = noted.columns();
        let has = |column: &&Column| {
            let is_in =
                |ids: &BTreeSet<i64>| ids.contains(&column.id) || column.element.is_some_and(|id| ids.contains(&id));
            files.as_ref().map_or_else(|| column.field().is_some(), is_in)
        };
        // Whether a value may be missing is not what is proved here.
        let columns = table.iter().filter(has).map(|column| Column { nullable: true, ..column.clone() });
        let columns: Vec<Column> = columns.collect();
        let is_it = |column: &Column| match noted.sequence {
            Some(id) => column.id == id,
            None => column.name.eq_ignore_ascii_case(sequence),
        };
        let at = columns.iter().position(is_it);
        let at = at.ok_or_else(|| format!("the lake had no column {sequence:?} when rows landed"))?;
        Ok(Definition {
            ids: columns.iter().map(|column| column.id).collect(),
            types: columns.iter().filter_map(|column| Some((column.id, column.of.arrow()?))).collect(),
            columns: Columns::new(&columns.iter().collect::<Vec<_>>())?,
            sequence: at,
            source: PartitionHash::new(&PartitionId::first(name).to_string()),
        })
    }

    /// The field ids of its columns.
    pub(super) fn ids(&self) -> &[i64] {
        &self.ids
    }

    /// The sequence and the checksum of each row of `batch`, which has a file's columns.
    pub(super) fn sums(&self, batch: &RecordBatch) -> Result<Vec<(u64, u128)>, Fault> {
        let rows = self.columns.of_file(&narrowed(batch, &self.types)?)?;
        let numbers = sequences(rows.column(self.sequence)).ok_or("its sequences are no integers")?;
        let mut fields: Vec<Arc<Field>> = rows.schema().fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(OFFSET, DataType::Int64, false)));
        let mut arrays = rows.columns().to_vec();
        arrays.push(Arc::new(Int64Array::from(numbers)));
        let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?;
        let (mut scratch, mut sums) = (Vec::new(), Vec::with_capacity(rows.num_rows()));
        hash::rows(&rows, &mut scratch, |offset, values| sums.push((offset, self.source.row(offset, values))));
        Ok(sums)
    }
}

/// The places of rows that have these sequences: a number below zero counts as zero, as when rows
/// are copied. `None` if they are no integers.
pub(super) fn sequences(array: &ArrayRef) -> Option<Vec<i64>> {
    let place = |number: Option<i64>| number.unwrap_or_default().max(0);
    Some(match array.data_type() {
        DataType::Int8 => array.as_primitive::<Int8Type>().iter().map(|n| place(n.map(i64::from))).collect(),
        DataType::Int16 => array.as_primitive::<Int16Type>().iter().map(|n| place(n.map(i64::from))).collect(),
        DataType::Int32 => array.as_primitive::<Int32Type>().iter().map(|n| place(n.map(i64::from))).collect(),
        DataType::Int64 => array.as_primitive::<Int64Type>().iter().map(place).collect(),
        DataType::Decimal128(_, scale) => {
            let one = 10_i128.checked_pow(u32::try_from(*scale).ok()?)?;
            let whole = |digits: i128| i64::try_from(digits / one).ok();
            array.as_primitive::<Decimal128Type>().iter().map(|n| place(n.and_then(whole))).collect()
        }
        DataType::Utf8 => {
            let texts = array.as_string::<i32>();
            let number = |text: Option<&str>| text.unwrap_or("0").parse().ok().map(|number| place(Some(number)));
            texts.iter().map(number).collect::<Option<_>>()?
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use arrow_array::{Decimal128Array, Float64Array, Int16Array, StringArray};

    use super::*;

    #[test]
    fn sequences_are_read_from_any_integer() {
        let read = |array: ArrayRef| sequences(&array);
        assert_eq!(read(Arc::new(Int16Array::from(vec![Some(-7), Some(7), None]))), Some(vec![0, 7, 0]));
        let digits = Decimal128Array::from(vec![1200, 1300]).with_precision_and_scale(9, 2).expect("decimals");
        assert_eq!(read(Arc::new(digits)), Some(vec![12, 13]));
        assert_eq!(read(Arc::new(StringArray::from(vec!["-1", "60000000"]))), Some(vec![0, 60_000_000]));
        assert_eq!(read(Arc::new(StringArray::from(vec!["x"]))), None);
        assert_eq!(read(Arc::new(Float64Array::from(vec![1.0]))), None);
    }
}
