//! What only Delta promises: plain tables that every reader opens, refusals before anything is
//! written, and true statistics.

use std::sync::Arc;

use arrow_array::{BinaryArray, Date32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema};
use lakefront_operators::error::{Stop, StoreError, chain};
use lakefront_operators::format::logs::lines::{Intent, Lines, Offsets};
use lakefront_operators::format::logs::record::{REJECT_RAW_LIMIT, Reason, Reject};
use lakefront_operators::format::logs::rows::{rejects_batch, rejects_schema};
use lakefront_operators::position::Position;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::claim::claim;
use lakefront_operators::protocol::group::{Commit, CommitFacts, Created, Group, GroupState, Retention, Verdict};
use lakefront_operators::protocol::names::{Held, OffsetsName, RunId, TableId, Version};
use lakefront_operators::protocol::offsets_store::{Neighbour, OffsetsStore};
use lakefront_operators::protocol::staged::Staged;
use lakefront_operators::sink::Stage;
use lakefront_operators::sink::delta::{self, DayPartition, DeltaStage, Detail, TableSpec};
use lakefront_operators::source::files::reading::{File, Files};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::delta::{DeltaSink, batch, folder, stage};
use crate::delta_types::{
    a_column_that_delta_has_no_type_for_is_refused_before_anything_is_written,
    every_type_of_delta_is_read_as_it_was_staged,
};
use crate::harness::{Foreign, PIPELINE, Sink, TestClock, World, layout, refusal};
use crate::kinds::{StoryKind, standing};
use crate::lake::Lake;

pub(crate) type DeltaWorld<L> = Arc<World<DeltaSink<L>>>;

/// Runs every story on every lake, each in a world of its own.
macro_rules! on_lakes {
    ([$($lake:ident: $type:ty)*] $stories:tt) => {
        $(mod $lake {
            on_lakes!(@stories $type, $stories);
        })*
    };
    (@stories $type:ty, [$($story:ident)*]) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $story() {
            super::$story(crate::harness::World::<crate::delta::DeltaSink<$type>>::new()).await;
        })*
    };
}

on_lakes!([disk: crate::lake::Disk azure: crate::azure::Azure] [
    a_new_table_has_the_plainest_protocol
    missing_columns_are_added_and_rows_stay
    a_table_that_does_not_fit_refuses_before_anything_is_written_anywhere
    a_table_whose_transactions_expire_is_refused
    whatever_others_set_on_a_table_has_a_stated_outcome
    a_property_that_is_set_under_a_run_stops_it_or_does_not_matter
    a_log_that_is_kept_for_no_time_ends_a_claim
    two_that_create_the_tables_at_once_make_them_once
    a_log_checkpoint_carries_the_table_without_the_commits_below_it
    rows_by_day_lie_in_the_folders_of_their_days
    more_days_than_open_files_land_once
    a_writer_gives_all_its_memory_back_and_loses_no_row
    the_statistics_of_a_file_are_true
    a_column_that_delta_has_no_type_for_is_refused_before_anything_is_written
    every_type_of_delta_is_read_as_it_was_staged
]);

fn columns(metadata: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_str(metadata["schemaString"].as_str().unwrap()).unwrap();
    schema["fields"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap().to_owned()).collect()
}

async fn open<L: Lake>(world: &World<DeltaSink<L>>) -> Result<(), Stop> {
    world.sink.open(PIPELINE).await.map(drop)
}

/// The table of `spec` with other columns.
fn with_columns(spec: &TableSpec, fields: Vec<Field>) -> TableSpec {
    TableSpec { schema: Arc::new(Schema::new(fields)), ..spec.clone() }
}

async fn a_new_table_has_the_plainest_protocol<L: Lake>(world: DeltaWorld<L>) {
    world.start().await.unwrap();
    for table in 0..3 {
        let log = world.sink.log(table);
        assert_eq!(log.actions("protocol"), [json!({"minReaderVersion": 1, "minWriterVersion": 2})]);
        let metadata = log.actions("metaData").pop().unwrap().to_string();
        assert!(!metadata.contains("variantType") && !metadata.contains("timestamp_ntz"), "{metadata}");
        assert!(metadata.contains(r#"\"type\":\"timestamp\""#), "{metadata}");
        world.sink.lake.open(&folder(table)).await;
    }
}

async fn missing_columns_are_added_and_rows_stay<L: Lake>(world: DeltaWorld<L>) {
    let mut fields: Vec<Field> = rejects_schema().fields().iter().map(|field| (**field).clone()).collect();
    let length = fields.remove(4);
    let narrow = with_columns(&world.sink.specs[0], fields);
    delta::open(std::slice::from_ref(&narrow), PIPELINE, world.clock.clone(), |_| Ok(())).await.unwrap();
    assert_eq!(columns(&world.sink.log(0).last("metaData").unwrap()).len(), 7);
    world.sink.foreign(0, Foreign::AddColumn).await;

    let mut run = world.start().await.unwrap();
    world.land(&mut run, 0, 10, &[1]).await.unwrap();

    let widened = columns(&world.sink.log(0).last("metaData").unwrap());
    assert_eq!(
        widened,
        ["_source", "_offset", "reason", "raw", "rejected_at", "detail", "_item", "note", length.name()]
    );
    assert_eq!(world.rows(0).await, [1]);
    let definitions = world.sink.log(0).actions("metaData").len();
    open(&world).await.unwrap();
    assert_eq!(world.sink.log(0).actions("metaData").len(), definitions, "a table that fits is left alone");
}

async fn a_table_that_does_not_fit_refuses_before_anything_is_written_anywhere<L: Lake>(world: DeltaWorld<L>) {
    // The first table lacks a column, the second does not exist, the third has a wrong type.
    let narrow = with_columns(&world.sink.specs[0], vec![Field::new("_offset", DataType::Int64, true)]);
    let wrong = with_columns(&world.sink.specs[2], vec![Field::new("_offset", DataType::Utf8, true)]);
    delta::open(&[narrow, wrong], PIPELINE, world.clock.clone(), |_| Ok(())).await.unwrap();
    let before = world.sink.lake.contents("lake");

    let text = refusal(open(&world).await);

    assert!(text.contains("table \"table-2\"") && text.contains("has column \"_offset\""), "{text}");
    assert_eq!(world.sink.lake.contents("lake"), before);
    assert!(world.sink.lake.files(&folder(1)).is_empty());
}

async fn a_table_whose_transactions_expire_is_refused<L: Lake>(world: DeltaWorld<L>) {
    world.start().await.unwrap();
    let mut metadata = world.sink.log(1).last("metaData").unwrap();
    metadata["configuration"] = json!({"delta.setTransactionRetentionDuration": "interval 1 day"});
    world.sink.log(1).append(&[json!({"metaData": metadata})]);
    let text = refusal(open(&world).await);
    assert!(text.contains("delta.setTransactionRetentionDuration"), "{text}");
}

/// What others set on a table: its properties, its protocol if it is not the usual one, and words
/// of the refusal if it is refused.
type Setting = (Value, Option<Value>, Option<&'static str>);

fn settings_of_others() -> Vec<Setting> {
    let plain = |key: &str, value: &str, refusal| (json!({key: value}), None, refusal);
    let writer = |version: u64| Some(json!({"minReaderVersion": 1, "minWriterVersion": version}));
    let with = |readers: &[&str], writers: &[&str]| {
        Some(json!({
            "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": readers, "writerFeatures": writers
        }))
    };
    let vectors = with(&["deletionVectors"], &["deletionVectors"]);
    let checkpoints = with(&["v2Checkpoint"], &["v2Checkpoint"]);
    let log = "delta.logRetentionDuration";
    let files = "delta.deletedFileRetentionDuration";
    vec![
        plain(log, "interval 0 seconds", Some("delta.logRetentionDuration of 0 s")),
        plain(log, "interval 1 seconds", Some("delta.logRetentionDuration of 1 s")),
        plain(log, "interval 10 milliseconds", Some("delta.logRetentionDuration of 0.01 s")),
        plain(log, "interval 1 minutes", None),
        plain(log, "interval -1 days", None),
        plain(log, "nonsense", None),
        plain(files, "interval 0 seconds", Some("delta.deletedFileRetentionDuration of 0 s")),
        plain(files, "interval 1 seconds", Some("delta.deletedFileRetentionDuration of 1 s")),
        plain(files, "interval 5 minutes", None),
        plain(files, "nonsense", None),
        plain("delta.setTransactionRetentionDuration", "interval 1 days", Some("lets transactions expire")),
        plain("delta.appendOnly", "true", None),
        plain("delta.constraints.c", "_offset > 0", Some("is a constraint")),
        (json!({"delta.constraints.c": "_offset > 0"}), writer(3), Some("is a constraint")),
        (json!({"delta.enableChangeDataFeed": "true"}), writer(4), None),
        plain("delta.columnMapping.mode", "none", None),
        (
            json!({"delta.columnMapping.mode": "name"}),
            with(&["columnMapping"], &["columnMapping"]),
            Some("columnMapping"),
        ),
        (json!({"delta.enableDeletionVectors": "true"}), vectors, None),
        (json!({"delta.checkpointPolicy": "v2"}), checkpoints, None),
        plain("delta.checkpointInterval", "1", None),
        plain("delta.checkpointInterval", "0", None),
        plain("delta.checkpointInterval", "nonsense", None),
        plain("delta.checkpoint.writeStatsAsJson", "false", None),
        plain("delta.isolationLevel", "Serializable", None),
        plain("delta.dataSkippingNumIndexedCols", "0", None),
        plain("delta.randomizeFilePrefixes", "true", None),
        plain("delta.enableIcebergCompatV1", "true", Some("needs more of a commit")),
        plain(
            "delta.coordinatedCommits.commitCoordinator-preview",
            "x",
            Some("somebody else make the table's commits"),
        ),
        plain("somebody.own", "\u{1b}[2J", None),
        (json!({}), writer(5), Some("needs writer version 5")),
        (json!({}), writer(6), Some("needs writer version 6")),
        (json!({}), with(&[], &["rowTracking", "domainMetadata"]), Some("writer feature \"rowTracking\"")),
        (json!({}), with(&[], &["generatedColumns"]), None),
        (json!({}), with(&[], &["tomorrow"]), Some("tomorrow")),
        (json!({}), with(&["tomorrow"], &["tomorrow"]), Some("tomorrow")),
    ]
}

/// Sets it on the first table, as another writer does.
fn set<L: Lake>(world: &World<DeltaSink<L>>, (properties, protocol, _): &Setting) {
    let mut metadata = world.sink.log(0).last("metaData").unwrap();
    metadata["configuration"] = properties.clone();
    let mut actions = vec![json!({"metaData": metadata})];
    actions.extend(protocol.iter().map(|protocol| json!({"protocol": protocol})));
    world.sink.log(0).append(&actions);
}

async fn whatever_others_set_on_a_table_has_a_stated_outcome<L: Lake>(_: DeltaWorld<L>) {
    for setting in settings_of_others() {
        let world: DeltaWorld<L> = World::new();
        let mut run = world.start().await.unwrap();
        world.land(&mut run, 0, 10, &[1]).await.unwrap();
        set(&world, &setting);
        let before = world.sink.lake.contents("lake");

        let next = world.start().await;

        match setting.2 {
            Some(words) => {
                let error = chain(&next.err().expect(words));
                assert!(error.contains(words) && error.contains("table"), "{setting:?}: {error}");
                assert_eq!(world.sink.lake.contents("lake"), before, "{setting:?}");
            }
            None => {
                world.land(&mut next.unwrap(), 0, 20, &[2]).await.unwrap();
                assert_eq!(world.rows(0).await, [1, 2], "{setting:?}");
            }
        }
    }
}

async fn a_property_that_is_set_under_a_run_stops_it_or_does_not_matter<L: Lake>(_: DeltaWorld<L>) {
    for setting in settings_of_others() {
        let world: DeltaWorld<L> = World::new();
        let mut run = world.start().await.unwrap();
        set(&world, &setting);
        let landed = world.land(&mut run, 0, 10, &[1]).await;
        match setting.2 {
            Some(words) => {
                let error = chain(&landed.unwrap_err());
                assert!(error.contains(words), "{setting:?}: {error}");
            }
            None => assert_eq!((landed.is_ok(), world.rows(0).await), (true, vec![1]), "{setting:?}"),
        }
    }
}

async fn a_log_that_is_kept_for_no_time_ends_a_claim<L: Lake>(world: DeltaWorld<L>) {
    let tables = world.sink.open(PIPELINE).await.unwrap();
    let kept: Vec<Arc<dyn Group>> =
        tables.into_iter().map(|table| Arc::new(Forgetful(table, world.clock.clone())) as _).collect();
    let roles = ["primary", "replica", "rejects"];
    let cold_start = || -> Pending<'_, Result<Offsets, Stop>> { Box::pin(async { Ok(Offsets::default()) }) };
    let none = || -> Pending<'_, Result<Vec<File>, Stop>> { Box::pin(async { Ok(Vec::new()) }) };
    let intent = Intent {
        pipeline: PIPELINE,
        reading: &Files::new("file:/logs", "file:/logs", &none),
        layout: &layout::<DeltaSink<L>>(&roles),
        settings: Arc::new(Lines::settings(1000)),
        known: None,
        adopt: false,
        process: None,
        cold_start: &cold_start,
    };
    let text = refusal(claim(&kept, world.clock.clone(), &intent).await);
    assert!(text.contains("raise its log retention"), "{text}");
    assert_eq!(world.position(0).await, None);
}

/// A table whose log is kept for no time. Each load takes a millisecond, as it would in reality.
struct Forgetful(Arc<dyn Group>, Arc<TestClock>);

impl Group for Forgetful {
    fn load(&self) -> Pending<'_, Result<GroupState, StoreError>> {
        Box::pin(async {
            let state = self.0.load().await?;
            self.1.advance(1);
            Ok(GroupState { retention: Retention { log_ms: 0, ..state.retention }, ..state })
        })
    }

    fn put<'a>(&'a self, version: Version, commit: &'a Commit) -> Pending<'a, Result<Created, StoreError>> {
        self.0.put(version, commit)
    }

    fn read(&self, version: Version) -> Pending<'_, Result<Option<CommitFacts>, StoreError>> {
        self.0.read(version)
    }

    fn recheck<'a>(&'a self, commit: Option<&'a Commit>) -> Pending<'a, Result<Verdict, StoreError>> {
        self.0.recheck(commit)
    }

    fn rows(&self) -> Pending<'_, Result<u64, StoreError>> {
        self.0.rows()
    }
}

impl OffsetsStore for Forgetful {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn shown(&self) -> String {
        self.0.shown()
    }

    fn write_offsets<'a>(&'a self, name: OffsetsName, content: &'a [u8]) -> Pending<'a, Result<Created, StoreError>> {
        self.0.write_offsets(name, content)
    }

    fn read_offsets(&self, name: OffsetsName) -> Pending<'_, Result<Option<Vec<u8>>, StoreError>> {
        self.0.read_offsets(name)
    }

    fn list_offsets(&self) -> Pending<'_, Result<Vec<OffsetsName>, StoreError>> {
        self.0.list_offsets()
    }

    fn others(&self) -> Pending<'_, Result<Vec<Neighbour>, StoreError>> {
        self.0.others()
    }

    fn delete_offsets(&self, name: OffsetsName) -> Pending<'_, Result<(), StoreError>> {
        self.0.delete_offsets(name)
    }
}

async fn two_that_create_the_tables_at_once_make_them_once<L: Lake>(_: DeltaWorld<L>) {
    for _ in 0..5 {
        let world: DeltaWorld<L> = World::new();
        let openers: Vec<_> = (0..4)
            .map(|_| {
                let world = world.clone();
                tokio::spawn(async move { open(&world).await })
            })
            .collect();
        for opener in openers {
            opener.await.unwrap().unwrap();
        }
        for table in 0..3 {
            let log = world.sink.log(table);
            assert_eq!((log.head(), log.actions("metaData").len()), (0, 1));
        }
    }
}

async fn a_log_checkpoint_carries_the_table_without_the_commits_below_it<L: Lake>(world: DeltaWorld<L>) {
    let mut run = world.start().await.unwrap();
    let mut landed = 0;
    while world.sink.log(0).head() < 100 {
        landed += 1;
        world.land(&mut run, 0, landed * 10, &[landed]).await.unwrap();
    }
    // The log checkpoint is written in the background, and complete once it is announced.
    let announced = world.sink.log(0).path("_last_checkpoint");
    tokio::time::timeout(std::time::Duration::from_secs(60), async {
        while !world.sink.lake.files(&folder(0)).contains(&announced) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("a log checkpoint");
    let announced: Value = serde_json::from_slice(&world.sink.lake.read(&announced)).unwrap();
    assert_eq!(announced["version"], 100);

    (0..100).for_each(|version| world.sink.log(0).delete(version));

    let mut next = world.start().await.unwrap();
    assert_eq!(next.positions(), [landed * 10, 0, 0]);
    world.land(&mut next, 0, 5000, &[5000]).await.unwrap();
    let rows: Vec<u64> = (1..=landed).chain([5000]).collect();
    assert_eq!(world.rows(0).await, rows);
}

/// The day is in `length`, so that a test can choose it.
fn day_of(batch: &RecordBatch) -> Date32Array {
    let lengths = batch["length"].as_any().downcast_ref::<Int64Array>().unwrap();
    lengths.iter().map(|day| day.map(|day| i32::try_from(day).unwrap())).collect()
}

fn on_days(days: &[Option<i64>]) -> RecordBatch {
    let mut columns = batch(&(0..days.len() as u64).collect::<Vec<_>>()).columns().to_vec();
    columns[4] = Arc::new(Int64Array::from(days.to_vec()));
    RecordBatch::try_new(rejects_schema(), columns).unwrap()
}

async fn rows_by_day_lie_in_the_folders_of_their_days<L: Lake>(world: DeltaWorld<L>) {
    let partition = Some(DayPartition { column: "log_date", of: day_of });
    let spec = TableSpec { partition, ..world.sink.specs[0].clone() };
    let specs = [spec.clone(), world.sink.specs[1].clone(), world.sink.specs[2].clone()];
    delta::open(&specs, PIPELINE, world.clock.clone(), |_| Ok(())).await.unwrap();
    let batches = vec![on_days(&[Some(0), Some(1), None, Some(0)]), on_days(&[Some(1)])];

    let files = stage(&specs, 0, world.clock.clone(), batches).await;

    let partition = |staged: &Staged| Detail::of(&staged.file).unwrap().partition_values.pop_first().unwrap();
    let mut told: Vec<_> =
        files.iter().map(|f| (partition(f), f.file.rows, f.file.path.split('/').next().unwrap())).collect();
    told.sort();
    let day = |value: Option<&str>| ("log_date".to_owned(), value.map(str::to_owned));
    assert_eq!(
        told,
        [
            (day(None), 1, "log_date=__HIVE_DEFAULT_PARTITION__"),
            (day(Some("1970-01-01")), 2, "log_date=1970-01-01"),
            (day(Some("1970-01-02")), 2, "log_date=1970-01-02"),
        ]
    );
    for staged in &files {
        let rows = world.sink.read_file(0, &staged.file.path);
        assert!(rows.iter().all(|batch| batch.column_by_name("log_date").is_none()), "the folder holds the day");
    }
    let table = delta::open(&specs, PIPELINE, world.clock.clone(), |_| Ok(())).await.unwrap().remove(0);
    let next = table.load().await.unwrap().head.next();
    let held = Held { position: Position(10), run: RunId(1) };
    table.put(next, &Commit { id: Uuid::new_v4(), held, files, sums: Vec::new() }).await.unwrap();
    let adds = world.sink.log(0).actions("add");
    let mut values: Vec<_> = adds.iter().map(|add| add["partitionValues"].to_string()).collect();
    values.sort();
    assert_eq!(
        values,
        [r#"{"log_date":"1970-01-01"}"#, r#"{"log_date":"1970-01-02"}"#, r#"{"log_date":null}"#],
        "null stands for no day"
    );
    assert_eq!(world.rows(0).await, [0, 0, 1, 2, 3], "a reader finds the files by these names");
    assert_eq!(world.sink.log(0).last("metaData").unwrap()["partitionColumns"], json!(["log_date"]));
    let text = refusal(open(&world).await);
    assert!(text.contains("is partitioned by [\"log_date\"]"), "an unpartitioned pipeline is refused: {text}");
}

async fn more_days_than_open_files_land_once<L: Lake>(world: DeltaWorld<L>) {
    let partition = Some(DayPartition { column: "log_date", of: day_of });
    let specs = world.sink.specs.clone().map(|spec| TableSpec { partition, ..spec });
    let table = delta::open(&specs, PIPELINE, world.clock.clone(), |_| Ok(())).await.unwrap().remove(0);
    let days: Vec<_> = (0..40).map(Some).collect();

    let files = stage(&specs, 0, world.clock.clone(), vec![on_days(&days), on_days(&days[..3])]).await;

    assert_eq!(files.len(), 43, "a day that was closed is begun again");
    let held = Held { position: Position(10), run: RunId(1) };
    let next = table.load().await.unwrap().head.next();
    table.put(next, &Commit { id: Uuid::new_v4(), held, files, sums: Vec::new() }).await.unwrap();
    let rows: Vec<u64> = (0..3).chain(0..40).collect::<std::collections::BinaryHeap<_>>().into_sorted_vec();
    assert_eq!(world.rows(0).await, rows);
}

async fn a_writer_gives_all_its_memory_back_and_loses_no_row<L: Lake>(world: DeltaWorld<L>) {
    world.start().await.unwrap();
    let specs = &world.sink.specs;
    // Noise, which no encoding makes shorter.
    let mut seed = 1_u64;
    let mut noise = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 56) as u8
    };
    let rejects: Vec<_> = (0..60)
        .map(|row| Reject::of(&(0..REJECT_RAW_LIMIT).map(|_| noise()).collect::<Vec<_>>(), row, Reason::InvalidJson))
        .collect();
    let durable = {
        let mut writer = DeltaStage::new(specs[0].clone(), world.clock.clone()).begin().unwrap();
        assert_eq!(writer.memory(), 0);
        writer.write(&rejects_batch(&rejects, "log", 1_000_001)).unwrap();
        let full = writer.memory();
        writer.relieve().unwrap();
        let open = writer.memory();
        assert!(full > open && open > 0, "the row group of {full} bytes goes first; the file stays open with {open}");
        writer.write(&batch(&[60])).unwrap();
        writer.relieve().unwrap();
        assert_eq!(writer.memory(), 0, "a short row group goes with its file");
        writer.relieve().unwrap();
        writer.write(&batch(&[61])).unwrap();
        writer.finish().unwrap()
    };
    let staged = |file| Staged { table: TableId(0), file };
    let files: Vec<_> = durable.await.unwrap().into_iter().map(staged).collect();
    assert_eq!(files.iter().map(|staged| staged.file.rows).collect::<Vec<_>>(), [61, 1]);
    let table = world.sink.open(PIPELINE).await.unwrap().remove(0);
    let held = Held { position: Position(10), run: RunId(1) };
    let next = table.load().await.unwrap().head.next();
    table.put(next, &Commit { id: Uuid::new_v4(), held, files, sums: Vec::new() }).await.unwrap();
    assert_eq!(world.rows(0).await, (0..62).collect::<Vec<_>>());
}

async fn the_statistics_of_a_file_are_true<L: Lake>(world: DeltaWorld<L>) {
    let mut run = world.start().await.unwrap();
    let long = "ö".repeat(40);
    let rows = RecordBatch::try_new(
        rejects_schema(),
        vec![
            Arc::new(StringArray::from(vec![Some("b"), Some(long.as_str()), None, Some("a")])),
            Arc::new(Int64Array::from(vec![7, -3, 9, 0])),
            Arc::new(StringArray::from(vec![None::<&str>; 4])),
            Arc::new(BinaryArray::from_opt_vec(vec![Some(b"\xff"), None, None, None])),
            Arc::new(Int64Array::from(vec![Some(i64::MAX), None, None, Some(i64::MIN)])),
            Arc::new(TimestampMicrosecondArray::from(vec![Some(-1), Some(1_467_000), None, None]).with_timezone("UTC")),
            Arc::new(StringArray::from(vec![None::<&str>; 4])),
            Arc::new(Int64Array::from(vec![None, None, Some(2), None])),
        ],
    )
    .unwrap();
    let files = stage(&world.sink.specs, 0, world.clock.clone(), vec![rows.slice(0, 1), rows.slice(1, 3)]).await;
    run.0[0].committer.land(&standing(10), files, &[]).await.unwrap();

    let add = world.sink.log(0).last("add").unwrap();
    let stats: Value = serde_json::from_str(add["stats"].as_str().unwrap()).unwrap();
    let path = world.sink.visible_files(0).await.pop().unwrap();
    let size = world.sink.lake.read(&format!("{}/{path}", folder(0))).len() as u64;

    assert_eq!((add["size"].as_u64(), add["dataChange"].as_bool()), (Some(size), Some(true)));
    assert_eq!(stats["numRecords"], 4);
    let nulls = json!({"_source": 1, "_offset": 0, "reason": 4, "raw": 3, "length": 2, "rejected_at": 2, "detail": 4, "_item": 3});
    assert_eq!(stats["nullCount"], nulls);
    let (min, max) = (&stats["minValues"], &stats["maxValues"]);
    assert_eq!((&min["_offset"], &max["_offset"]), (&json!(-3), &json!(9)));
    assert_eq!((&min["length"], &max["length"]), (&json!(i64::MIN), &json!(i64::MAX)));
    assert_eq!(min["rejected_at"], "1969-12-31T23:59:59.999999Z");
    assert_eq!(max["rejected_at"], "1970-01-01T00:00:01.467000Z");
    assert_eq!(min["_source"], "a");
    assert!(max["_source"].as_str().unwrap() >= long.as_str(), "an upper bound is shortened upwards: {max}");
    assert!(min.get("reason").is_none() && min.get("raw").is_none(), "nulls and bytes have no bounds: {min}");
}
