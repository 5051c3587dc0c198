//! What is Delta's own about staged files: their names, their partitions by day, and what the log
//! says of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::SchemaRef;
use uuid::Uuid;

use super::{Detail, TableSpec, stats};
use crate::error::StoreError;
use crate::protocol::clock::Clock;
use crate::sink::files::Place;
use crate::sink::parquet::Finished;
use crate::sink::staging::{FileStage, Shape};
use crate::sink::{Stage, StageWriter};

/// Begins Parquet files in a Delta table's folder.
pub struct DeltaStage(FileStage<TableSpec>);

impl DeltaStage {
    /// Stages into the table of `spec`.
    pub fn new(spec: TableSpec, clock: Arc<dyn Clock>) -> Self {
        DeltaStage(FileStage::new(spec, clock))
    }
}

impl Stage for DeltaStage {
    fn begin(&self) -> Result<Box<dyn StageWriter>, StoreError> {
        self.0.begin()
    }
}

impl Shape for TableSpec {
    /// Days since 1970; none for rows of the null partition, and for all rows of an unpartitioned
    /// table.
    type Key = Option<i32>;

    fn place(&self) -> &Place {
        &self.place
    }

    fn schema(&self, _part: &RecordBatch) -> SchemaRef {
        self.schema.clone()
    }

    fn parts(&self, batch: &RecordBatch) -> Result<Vec<(Option<i32>, RecordBatch)>, StoreError> {
        let Some(partition) = self.partition else { return Ok(vec![(None, batch.clone())]) };
        let days = (partition.of)(batch);
        let first = days.iter().next().flatten();
        if days.iter().all(|day| day == first) {
            return Ok(vec![(first, batch.clone())]);
        }
        let distinct: BTreeSet<Option<i32>> = days.iter().collect();
        let part = |day| {
            let mask: BooleanArray = days.iter().map(|d| Some(d == day)).collect();
            let part = arrow_select::filter::filter_record_batch(batch, &mask)
                .map_err(|e| StoreError::definite(format!("stage rows of table {:?}", self.name), e))?;
            Ok((day, part))
        };
        distinct.into_iter().map(part).collect()
    }

    fn path(&self, day: &Option<i32>) -> String {
        let name = format!("part-{}.snappy.parquet", Uuid::new_v4());
        match (self.partition, day) {
            (None, _) => name,
            (Some(by), None) => format!("{}=__HIVE_DEFAULT_PARTITION__/{name}", by.column),
            (Some(by), Some(day)) => format!("{}={}/{name}", by.column, stats::date((*day).into())),
        }
    }

    fn detail(&self, day: &Option<i32>, file: &Finished<File>) -> Result<String, StoreError> {
        let value = |by: super::DayPartition| (by.column.to_owned(), day.map(|day| stats::date(day.into())));
        let partition_values: BTreeMap<_, _> = self.partition.map(value).into_iter().collect();
        Detail { partition_values, stats: stats::of(file.rows, &file.leaves) }.note()
    }
}
