//! The Delta sink under test. The `deltalake` crate and Parquet's reader read it back; other
//! writers' commits are written by hand.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use azure_core::Bytes;
use lakefront_operators::error::Stop;
use lakefront_operators::format::logs::lines::Lines;
use lakefront_operators::format::logs::record::{Reason, Reject};
use lakefront_operators::format::logs::rows::{rejects_batch, rejects_schema};
use lakefront_operators::position::Position;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::group::Group;
use lakefront_operators::protocol::names::{Held, OffsetsName, RunId, TableId};
use lakefront_operators::protocol::staged::Staged;
use lakefront_operators::sink::Stage;
use lakefront_operators::sink::delta::{self, DeltaStage, TableSpec};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Foreign, GROUPS, Sink, TestClock};
use crate::lake::Lake;

/// Three Delta tables in a lake.
pub(crate) struct DeltaSink<L> {
    pub(crate) lake: L,
    pub(crate) specs: [TableSpec; GROUPS],
    clock: Arc<TestClock>,
}

/// A table's folder in the lake.
pub(crate) fn folder(table: usize) -> String {
    format!("lake/table-{table}")
}

impl<L: Lake> DeltaSink<L> {
    pub(crate) fn log(&self, table: usize) -> Log<'_, L> {
        Log { lake: &self.lake, folder: format!("{}/_delta_log", folder(table)) }
    }

    /// The files that the newest version refers to, relative to the table.
    pub(crate) async fn visible_files(&self, table: usize) -> Vec<String> {
        let folder = folder(table);
        if self.lake.files(&folder).is_empty() {
            return Vec::new();
        }
        let table = self.lake.open(&folder).await;
        let uris = table.get_file_uris().unwrap();
        let within = |uri: String| uri.rsplit_once(&format!("/{folder}/")).unwrap().1.to_owned();
        uris.map(within).collect()
    }

    /// The content of a table's file.
    pub(crate) fn read_file(&self, table: usize, path: &str) -> Vec<RecordBatch> {
        let content = Bytes::from(self.lake.read(&format!("{}/{path}", folder(table))));
        let reader = ParquetRecordBatchReaderBuilder::try_new(content).unwrap().build().unwrap();
        reader.map(Result::unwrap).collect()
    }

    async fn read_rows(&self, table: usize) -> Vec<u64> {
        let mut rows = Vec::new();
        for path in self.visible_files(table).await {
            for batch in self.read_file(table, &path) {
                let offsets = batch["_offset"].as_primitive::<Int64Type>().values().to_vec();
                rows.extend(offsets.into_iter().map(|offset| u64::try_from(offset).unwrap()));
            }
        }
        rows.sort();
        rows
    }

    async fn append_by_hand(&self, table: usize, what: Foreign) {
        let add = |rows: &[u64], data_change: bool| {
            let path = format!("foreign-{}.parquet", Uuid::new_v4());
            let mut writer = ArrowWriter::try_new(Vec::new(), rejects_schema(), None).unwrap();
            writer.write(&batch(rows)).unwrap();
            let content = writer.into_inner().unwrap();
            self.lake.write(&format!("{}/{path}", folder(table)), &content);
            json!({"add": {"path": path, "partitionValues": {}, "size": content.len(), "modificationTime": 0, "dataChange": data_change}})
        };
        let remove = |path: String, data_change: bool| json!({"remove": {"path": path, "deletionTimestamp": 0, "dataChange": data_change}});
        let actions = match what {
            Foreign::Append(rows) => vec![add(rows, true)],
            Foreign::Compact => {
                let rows = self.read_rows(table).await;
                let removed = self.visible_files(table).await.into_iter().map(|path| remove(path, false));
                removed.chain([add(&rows, false)]).collect()
            }
            Foreign::Delete => self.visible_files(table).await.into_iter().map(|path| remove(path, true)).collect(),
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

impl<L: Lake> Sink for DeltaSink<L> {
    type Kind = Lines;

    fn new(clock: Arc<TestClock>) -> Self {
        let lake = L::new();
        let spec = |index: usize| {
            let name = format!("table-{index}");
            let place = lake.place().join("lake").join(&name);
            TableSpec { place, name, schema: rejects_schema(), partition: None }
        };
        let specs = std::array::from_fn(spec);
        DeltaSink { lake, specs, clock }
    }

    fn open<'a>(&'a self, pipeline: &'a str) -> Pending<'a, Result<Vec<Arc<dyn Group>>, Stop>> {
        Box::pin(async move {
            let tables = delta::open(&self.specs, pipeline, self.clock.clone(), |_| Ok(())).await?;
            Ok(tables.into_iter().map(|table| table as Arc<dyn Group>).collect())
        })
    }

    fn stage<'a>(&'a self, table: usize, rows: &'a [u64]) -> Pending<'a, Vec<Staged>> {
        Box::pin(stage(&self.specs, table, self.clock.clone(), vec![batch(rows)]))
    }

    fn rows(&self, table: usize) -> Pending<'_, Vec<u64>> {
        Box::pin(self.read_rows(table))
    }

    fn held<'a>(&'a self, table: usize, pipeline: &'a str) -> Pending<'a, Option<Held>> {
        Box::pin(async move {
            if self.lake.files(&folder(table)).is_empty() {
                return None;
            }
            let table = self.lake.open(&folder(table)).await;
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
            let opened = self.lake.open(&folder(table)).await;
            deltalake::checkpoints::create_checkpoint(&opened, None).await.unwrap();
            let log = self.log(table);
            let head = log.head();
            log.versions().into_iter().filter(|version| *version < head).for_each(|version| log.delete(version));
        })
    }

    fn drop_group(&self, table: usize) {
        self.lake.delete_folder(&folder(table));
    }

    fn tamper(&self, table: usize, pipeline: &str, name: OffsetsName, content: Option<&[u8]>) {
        let path = format!("{}/_lakefront/{pipeline}/{name}", folder(table));
        match content {
            Some(content) => self.lake.write(&path, content),
            None => self.lake.delete(&path),
        }
    }
}

/// A table's `_delta_log`, as another writer handles it.
pub(crate) struct Log<'a, L> {
    lake: &'a L,
    folder: String,
}

impl<L: Lake> Log<'_, L> {
    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    fn commit(&self, version: u64) -> String {
        self.path(&format!("{version:020}.json"))
    }

    pub(crate) fn head(&self) -> u64 {
        self.versions().into_iter().max().unwrap()
    }

    fn versions(&self) -> Vec<u64> {
        let names = self.lake.files(&self.folder);
        let version = |path: &String| path.strip_prefix(&self.path(""))?.strip_suffix(".json")?.parse().ok();
        names.iter().filter_map(version).collect()
    }

    pub(crate) fn delete(&self, version: u64) {
        self.lake.delete(&self.commit(version));
    }

    pub(crate) fn append(&self, actions: &[Value]) {
        let lines: String = actions.iter().map(|action| format!("{action}\n")).collect();
        self.lake.write(&self.commit(self.head() + 1), lines.as_bytes());
    }

    /// All actions of a kind, oldest first.
    pub(crate) fn actions(&self, kind: &str) -> Vec<Value> {
        let mut versions = self.versions();
        versions.sort();
        let lines = versions.into_iter().flat_map(|version| {
            let text = String::from_utf8(self.lake.read(&self.commit(version))).unwrap();
            text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>()
        });
        lines.filter_map(|action| action.get(kind).cloned()).collect()
    }

    pub(crate) fn last(&self, kind: &str) -> Option<Value> {
        self.actions(kind).pop()
    }
}

/// Stages `batches` for a table as one worker does for one cut.
pub(crate) async fn stage(
    specs: &[TableSpec],
    table: usize,
    clock: Arc<TestClock>,
    batches: Vec<RecordBatch>,
) -> Vec<Staged> {
    let durable = {
        let mut writer = DeltaStage::new(specs[table].clone(), clock).begin().unwrap();
        batches.iter().for_each(|batch| writer.write(batch).unwrap());
        writer.finish().unwrap()
    };
    let staged = |file| Staged { table: TableId(table), file };
    durable.await.unwrap().into_iter().map(staged).collect()
}

/// Rows identified by their `_offset`.
pub(crate) fn batch(rows: &[u64]) -> RecordBatch {
    let rejects: Vec<_> = rows.iter().map(|row| Reject::of(b"line", *row, Reason::InvalidJson)).collect();
    rejects_batch(&rejects, "log", 1_000_001)
}
