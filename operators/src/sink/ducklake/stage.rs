//! What is DuckLake's own about staged files: their names, their partitions, and what the catalog
//! says of them.
//!
//! Rows come with the fields of their lake columns, field ids included, and `_offset` beside them,
//! which stays here.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch};
use arrow_schema::SchemaRef;
use uuid::Uuid;

use super::bounds;
use super::detail::{Detail, LeafDetail};
use super::hive;
use super::partition;
use super::read::default_of;
use super::tables::{Column, Table, Tables};
use super::types::LakeType;
use crate::error::StoreError;
use crate::protocol::clock::Clock;
use crate::protocol::names::TableId;
use crate::sink::files::Place;
use crate::sink::parquet::{Bound, Finished, LeafStatistics};
use crate::sink::staging::{FileStage, Shape};
use crate::sink::{Stage, StageWriter};
use crate::totals::hash::{OFFSET, SOURCE};

/// Begins Parquet files of one table.
pub struct LakeStage {
    table: TableId,
    tables: Arc<Tables>,
    clock: Arc<dyn Clock>,
}

impl LakeStage {
    /// Stages into `table` as `tables` define it when a cut begins.
    pub fn new(table: TableId, tables: Arc<Tables>, clock: Arc<dyn Clock>) -> LakeStage {
        LakeStage { table, tables, clock }
    }
}

impl Stage for LakeStage {
    fn begin(&self) -> Result<Box<dyn StageWriter>, StoreError> {
        let table = self.tables.get(self.table);
        let table = table.ok_or_else(|| StoreError::definite("stage rows", "their table is not defined"))?;
        FileStage::new(Staged { table }, self.clock.clone()).begin()
    }
}

struct Staged {
    table: Arc<Table>,
}

/// The values of a partition's keys, as the catalog has them; none for null.
type Values = Vec<Option<String>>;

impl Shape for Staged {
    type Key = Values;

    fn place(&self) -> &Place {
        &self.table.place
    }

    fn schema(&self, part: &RecordBatch) -> SchemaRef {
        part.schema()
    }

    fn parts(&self, batch: &RecordBatch) -> Result<Vec<(Values, RecordBatch)>, StoreError> {
        let failed = |e| StoreError::definite(format!("stage rows of table {:?}", self.table.name), e);
        let schema = batch.schema();
        let kept =
            schema.fields().iter().enumerate().filter(|(_, field)| ![OFFSET, SOURCE].contains(&field.name().as_str()));
        let batch = batch.project(&kept.map(|(i, _)| i).collect::<Vec<_>>()).map_err(failed)?;
        let Some(partition) = &self.table.partition else { return Ok(vec![(Vec::new(), batch)]) };
        let mut rows: BTreeMap<Values, Vec<usize>> = BTreeMap::new();
        let keys = partition.keys.iter().map(|(id, transform)| {
            let column = self.table.columns.iter().find(|column| column.id == *id);
            let column = column.ok_or_else(|| odd(&self.table, "a column that is not there"))?;
            partition::refuse(transform, &column.of).map_err(|of| odd(&self.table, &of))?;
            let array = match batch.column_by_name(&column.name) {
                Some(array) => array.clone(),
                None => self.left_out(column, batch.num_rows())?,
            };
            Ok((column, array, transform))
        });
        let keys = keys.collect::<Result<Vec<_>, StoreError>>()?;
        for row in 0..batch.num_rows() {
            let value = |(column, array, transform): &(&Column, ArrayRef, &String)| {
                partition::value(array, row, &column.of, transform)
            };
            let values = keys.iter().map(value).collect::<Values>();
            rows.entry(values).or_default().push(row);
        }
        if rows.len() == 1 {
            return Ok(rows.into_keys().map(|values| (values, batch.clone())).collect());
        }
        let part = |(values, rows): (Values, Vec<usize>)| {
            let mut mask = vec![false; batch.num_rows()];
            rows.iter().for_each(|row| mask[*row] = true);
            let part = arrow_select::filter::filter_record_batch(&batch, &BooleanArray::from(mask)).map_err(failed)?;
            Ok((values, part))
        };
        rows.into_iter().map(part).collect()
    }

    fn path(&self, values: &Values) -> String {
        format!("{}lakefront-{}.parquet", hive::folder(&self.table, values), Uuid::new_v4())
    }

    fn detail(&self, values: &Values, file: &Finished<File>) -> Result<String, StoreError> {
        let columns = self.table.columns.iter().map(|column| (column.id, column.of.name())).collect();
        let leaf = |leaf: &LeafStatistics| self.leaf(leaf);
        Detail {
            table: self.table.id,
            columns,
            partition: self.table.partition.as_ref().map(|partition| partition.id),
            values: values.clone(),
            footer: file.footer_length,
            leaves: file.leaves.iter().map(leaf).collect::<Result<_, _>>()?,
        }
        .note()
    }
}

impl Staged {
    /// What readers see in a column that files leave out.
    fn left_out(&self, column: &Column, rows: usize) -> Result<ArrayRef, StoreError> {
        let of = column.of.arrow().ok_or_else(|| odd(&self.table, "a column of a type without values"))?;
        default_of(column, &of, rows).map_err(|_| {
            let name = &column.name;
            odd(&self.table, &format!("column {name:?}, which PostgreSQL lacks and whose default it cannot read"))
        })
    }

    fn leaf(&self, leaf: &LeafStatistics) -> Result<LeafDetail, StoreError> {
        let column = leaf.field_id.map(i64::from).ok_or_else(|| odd(&self.table, "a column without a number"))?;
        let of = self.table.columns.iter().find_map(|known| match &known.of {
            of if known.id == column => Some(of),
            LakeType::List(of) if known.element == Some(column) => Some(&**of),
            _ => None,
        });
        let of = of.ok_or_else(|| odd(&self.table, "a column that is not there"))?;
        let text = |bound: &Option<Bound>, is_max| bound.as_ref().and_then(|bound| bounds::text(bound, of, is_max));
        Ok(LeafDetail {
            column,
            is_listed: leaf.is_listed,
            bytes: leaf.bytes,
            values: leaf.values,
            nulls: leaf.nulls,
            min: text(&leaf.min, false),
            max: text(&leaf.max, true),
            nan: matches!(of, LakeType::Float32 | LakeType::Float64).then_some(leaf.has_nan),
        })
    }
}

fn odd(table: &Table, what: &str) -> StoreError {
    let why = format!("it is partitioned by {what}, which lakefront cannot write");
    StoreError::definite(format!("stage rows of table {:?}", table.name), why)
}
