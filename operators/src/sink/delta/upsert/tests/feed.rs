//! The change feed, as its readers are to read it: of a version with `cdc` actions, those alone;
//! else what its data files add.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use super::model::{Key, Row, rows};

/// What the feed adds up to, version by version.
#[derive(Default)]
pub(in crate::sink::delta::upsert) struct Folded(pub(in crate::sink::delta::upsert) BTreeMap<Key, Row>);

impl Folded {
    /// Goes on by the feed of a version, and panics where it contradicts what was told before.
    pub(in crate::sink::delta::upsert) fn follow(&mut self, table: &Path, actions: &[Value]) {
        let paths = |kind: &str| -> Vec<String> {
            let of = actions.iter().filter_map(|action| action.get(kind));
            of.filter(|of| kind == "cdc" || of["dataChange"] == true)
                .map(|of| of["path"].as_str().unwrap().to_owned())
                .collect()
        };
        let told = paths("cdc");
        if told.is_empty() {
            assert!(paths("remove").is_empty(), "rows that die are told");
            let added = paths("add").into_iter().flat_map(|path| read(&table.join(path)));
            added.for_each(|batch| rows(&batch).into_iter().for_each(|row| self.add(row)));
            return;
        }
        let batches: Vec<RecordBatch> = told.iter().flat_map(|path| read(&table.join(path))).collect();
        let changes = batches.iter().flat_map(|batch| {
            let kinds = batch.column_by_name("_change_type").unwrap().as_string::<i32>().clone();
            rows(batch).into_iter().enumerate().map(move |(at, row)| {
                assert!(kinds.is_valid(at));
                (kinds.value(at).to_owned(), row)
            })
        });
        let (gone, new): (Vec<_>, Vec<_>) =
            changes.partition(|(kind, _)| ["delete", "update_preimage"].contains(&kind.as_str()));
        for (_, row) in &gone {
            let was = self.0.remove(&row.key());
            assert_eq!(was.as_ref(), Some(row), "what a row was is what it had become");
        }
        let pairs = |kind: &str, of: &[(String, Row)]| of.iter().filter(|(of, _)| of == kind).count();
        assert_eq!(pairs("update_preimage", &gone), pairs("update_postimage", &new), "updates come in pairs");
        assert_eq!(pairs("insert", &new) + pairs("update_postimage", &new), new.len());
        new.into_iter().for_each(|(_, row)| self.add(row));
    }

    fn add(&mut self, row: Row) {
        let was = self.0.insert(row.key(), row);
        assert_eq!(was, None, "a row is new, or its old form was told");
    }

    pub(in crate::sink::delta::upsert) fn rows(&self) -> Vec<Row> {
        self.0.values().cloned().collect()
    }
}

pub(in crate::sink::delta::upsert) fn read(file: &Path) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(file).unwrap()).unwrap().build().unwrap();
    reader.map(|batch| batch.unwrap()).collect()
}
