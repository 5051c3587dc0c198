//! The Delta sink under test. It is read back by the `deltalake` crate and Parquet's reader; other writers' commits are written by hand.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use deltalake::DeltaTable;
use lakefront_operators::error::Stop;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::table::{Held, OffsetsName, Pending, RunId, StagedFile, Table};
use lakefront_operators::record::{Reason, Reject};
use lakefront_operators::rows::{rejects_batch, rejects_schema};
use lakefront_operators::sink::Stage;
use lakefront_operators::sink::delta::{self, DeltaStage, TableSpec};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use crate::harness::{Foreign, Sink, TABLES, TestClock};

/// Three Delta tables in a temporary folder.
pub(crate) struct DeltaSink {
    pub(crate) lake: tempfile::TempDir,
    pub(crate) specs: [TableSpec; TABLES],
    clock: Arc<TestClock>,
}

impl DeltaSink {
    pub(crate) fn log(&self, table: usize) -> Log {
        Log(self.specs[table].directory.join("_delta_log"))
    }

    async fn read_rows(&self, table: usize) -> Vec<u64> {
        let mut rows = Vec::new();
        for path in visible_files(&self.specs[table].directory).await {
            for batch in read_parquet(&path) {
                let offsets = batch["_offset"].as_primitive::<Int64Type>().values().to_vec();
                rows.extend(offsets.into_iter().map(|offset| u64::try_from(offset).unwrap()));
            }
        }
        rows.sort();
        rows
    }

    async fn append_by_hand(&self, table: usize, what: Foreign) {
        let directory = &self.specs[table].directory;
        let add = |rows: &[u64], data_change: bool| {
            let path = format!("foreign-{}.parquet", Uuid::new_v4());
            let mut writer =
                ArrowWriter::try_new(fs::File::create(directory.join(&path)).unwrap(), rejects_schema(), None).unwrap();
            writer.write(&batch(rows)).unwrap();
            writer.close().unwrap();
            let size = fs::metadata(directory.join(&path)).unwrap().len();
            json!({"add": {"path": path, "partitionValues": {}, "size": size, "modificationTime": 0, "dataChange": data_change}})
        };
        let remove = |path: PathBuf, data_change: bool| {
            let path = path.strip_prefix(directory).unwrap().to_str().unwrap().to_owned();
            json!({"remove": {"path": path, "deletionTimestamp": 0, "dataChange": data_change}})
        };
        let actions = match what {
            Foreign::Append(rows) => vec![add(rows, true)],
            Foreign::Compact => {
                let rows = self.read_rows(table).await;
                let removed = visible_files(directory).await.into_iter().map(|path| remove(path, false));
                removed.chain([add(&rows, false)]).collect()
            }
            Foreign::Delete => visible_files(directory).await.into_iter().map(|path| remove(path, true)).collect(),
            Foreign::AddColumn => vec![json!({"metaData": self.changed_schema(table, |columns| {
                columns.push(json!({"name": "note", "type": "string", "nullable": true, "metadata": {}}));
            })})],
            Foreign::Retype => vec![json!({"metaData": self.changed_schema(table, |columns| {
                let offset = columns.iter_mut().find(|column| column["name"] == "_offset").unwrap();
                offset["type"] = "string".into();
            })})],
        };
        self.log(table).append(&actions);
    }

    fn changed_schema(&self, table: usize, change: impl FnOnce(&mut Vec<Value>)) -> Value {
        let mut metadata = self.log(table).last("metaData").unwrap();
        let mut schema: Value = serde_json::from_str(metadata["schemaString"].as_str().unwrap()).unwrap();
        change(schema["fields"].as_array_mut().unwrap());
        metadata["schemaString"] = schema.to_string().into();
        metadata
    }
}

impl Sink for DeltaSink {
    fn new(clock: Arc<TestClock>) -> Self {
        let lake = tempfile::tempdir().unwrap();
        let spec = |index: usize| {
            let name = format!("table-{index}");
            TableSpec {
                directory: lake.path().join("lake").join(&name),
                name,
                schema: rejects_schema(),
                partition: None,
            }
        };
        let specs = std::array::from_fn(spec);
        DeltaSink { lake, specs, clock }
    }

    fn open<'a>(&'a self, pipeline: &'a str) -> Pending<'a, Result<Vec<Arc<dyn Table>>, Stop>> {
        Box::pin(async move {
            let tables = delta::open(&self.specs, pipeline, self.clock.clone()).await?;
            Ok(tables.into_iter().map(|table| table as Arc<dyn Table>).collect())
        })
    }

    fn stage<'a>(&'a self, table: usize, rows: &'a [u64]) -> Pending<'a, Vec<StagedFile>> {
        Box::pin(stage(&self.specs[table], self.clock.clone(), vec![batch(rows)]))
    }

    fn rows(&self, table: usize) -> Pending<'_, Vec<u64>> {
        Box::pin(self.read_rows(table))
    }

    fn held<'a>(&'a self, table: usize, pipeline: &'a str) -> Pending<'a, Option<Held>> {
        Box::pin(async move {
            let directory = &self.specs[table].directory;
            if !directory.exists() {
                return None;
            }
            let table = open_table(directory).await;
            let version = async |app: &str| {
                let log_store = table.log_store();
                let version = table.snapshot().unwrap().transaction_version(&*log_store, app).await.unwrap();
                version.map(|version| u64::try_from(version).unwrap())
            };
            let position = version(pipeline).await.map(Position)?;
            version(&format!("{pipeline}/run")).await.map(|run| Held { position, run: RunId(run) })
        })
    }

    fn foreign(&self, table: usize, what: Foreign) -> Pending<'_, ()> {
        Box::pin(self.append_by_hand(table, what))
    }

    fn clean_log(&self, table: usize) -> Pending<'_, ()> {
        Box::pin(async move {
            let opened = open_table(&self.specs[table].directory).await;
            deltalake::checkpoints::create_checkpoint(&opened, None).await.unwrap();
            let log = self.log(table);
            (0..log.head()).for_each(|version| log.delete(version));
        })
    }

    fn drop_table(&self, table: usize) {
        fs::remove_dir_all(&self.specs[table].directory).unwrap();
    }

    fn tamper(&self, table: usize, pipeline: &str, name: OffsetsName, content: Option<&[u8]>) {
        let path = self.specs[table].directory.join("_lakefront").join(pipeline).join(name.to_string());
        match content {
            Some(content) => fs::write(path, content).unwrap(),
            None => fs::remove_file(path).unwrap(),
        }
    }
}

/// A table's `_delta_log`, as another writer handles it.
pub(crate) struct Log(pub(crate) PathBuf);

impl Log {
    fn path(&self, version: u64) -> PathBuf {
        self.0.join(format!("{version:020}.json"))
    }

    pub(crate) fn head(&self) -> u64 {
        self.versions().into_iter().max().unwrap()
    }

    fn versions(&self) -> Vec<u64> {
        let names = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter_map(|name| name.strip_suffix(".json")?.parse().ok()).collect()
    }

    pub(crate) fn delete(&self, version: u64) {
        let _ = fs::remove_file(self.path(version));
    }

    pub(crate) fn append(&self, actions: &[Value]) {
        let lines: String = actions.iter().map(|action| format!("{action}\n")).collect();
        fs::write(self.path(self.head() + 1), lines).unwrap();
    }

    /// All actions of a kind, oldest first.
    pub(crate) fn actions(&self, kind: &str) -> Vec<Value> {
        let mut versions = self.versions();
        versions.sort();
        let lines = versions.into_iter().flat_map(|version| {
            let text = fs::read_to_string(self.path(version)).unwrap();
            text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>()
        });
        lines.filter_map(|action| action.get(kind).cloned()).collect()
    }

    pub(crate) fn last(&self, kind: &str) -> Option<Value> {
        self.actions(kind).pop()
    }
}

/// Stages `batches` as one worker does for one cut.
pub(crate) async fn stage(spec: &TableSpec, clock: Arc<TestClock>, batches: Vec<RecordBatch>) -> Vec<StagedFile> {
    let durable = {
        let mut writer = DeltaStage::new(spec.clone(), clock).begin().unwrap();
        batches.iter().for_each(|batch| writer.write(batch).unwrap());
        writer.finish().unwrap()
    };
    durable.await.unwrap()
}

/// Rows that are known by their `_offset`.
pub(crate) fn batch(rows: &[u64]) -> RecordBatch {
    let rejects: Vec<_> = rows.iter().map(|row| Reject::of(b"line", *row, Reason::InvalidJson)).collect();
    rejects_batch(&rejects, "log", 1_000_001)
}

pub(crate) async fn open_table(directory: &Path) -> DeltaTable {
    deltalake::open_table(Url::from_directory_path(directory).unwrap()).await.unwrap()
}

/// The files that the newest version refers to.
pub(crate) async fn visible_files(directory: &Path) -> Vec<PathBuf> {
    if !directory.exists() {
        return Vec::new();
    }
    let table = open_table(directory).await;
    let files = table.get_file_uris().unwrap();
    files.map(|uri| PathBuf::from(uri.strip_prefix("file://").unwrap_or(&uri))).collect()
}

pub(crate) fn read_parquet(path: &Path) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path).unwrap()).unwrap().build().unwrap();
    reader.map(Result::unwrap).collect()
}
