//! The DuckLake sink under test: each group is a lake of its own, with two tables. DuckDB reads it
//! back, and is the other writer.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once, OnceLock};

use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use lakefront_operators::error::{Stop, StoreError};
use lakefront_operators::position::Position;
use lakefront_operators::postgres::Location;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::group::Group;
use lakefront_operators::protocol::names::{Held, OffsetsName, RunId, TableId};
use lakefront_operators::protocol::staged::Staged;
use lakefront_operators::sink::Stage;
use lakefront_operators::sink::ducklake::{
    Lake, LakeGroup, LakeSpec, LakeStage, LakeType, OwnTransactions, Table, Tables, Transactions, Wanted,
};
use lakefront_operators::sink::files::Place;
use lakefront_operators::totals::hash::OFFSET;
use tokio::task::block_in_place;

use crate::ducklake_foreign::statements;
use crate::ducklake_group::Called;
use crate::harness::{Foreign, GROUPS, Sink, TestClock, table_of};
use crate::kinds::Records;
use crate::support::duck::Duck;
use crate::support::postgres::Server;

/// The tables of each lake: one has the rows with even numbers, the other the rest.
pub(crate) const TABLES: [&str; 2] = ["even", "odd"];

/// Readers that wait for the next sink, because DuckDB takes a second to start.
static IDLE: Mutex<Vec<Duck>> = Mutex::new(Vec::new());

/// Three lakes, whose catalogs are schemas of one database.
pub(crate) struct DuckLakeSink {
    folder: tempfile::TempDir,
    database: String,
    is_made: Once,
    /// As the newest run knows them.
    lakes: Mutex<[Arc<Lake>; GROUPS]>,
    /// The tables of each lake, as its stages see them since it was last opened.
    tables: [Arc<Tables>; GROUPS],
    clock: Arc<TestClock>,
    reader: Mutex<Reader>,
}

/// DuckDB, once it was needed, and the group whose lake it has attached.
#[derive(Default)]
struct Reader {
    duck: Option<Duck>,
    attached: Option<usize>,
}

/// The server of all catalogs. Each story has some ten connections, and as many stories run at once
/// as the machine has cores.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    block_in_place(|| SERVER.get_or_init(|| Server::with(&[("max_connections", "500")])))
}

/// The schema of a group's catalog.
fn schema(group: usize) -> String {
    format!("g{group}")
}

/// Every table has the number of a row, and a small number that may be missing.
pub(crate) fn wanted() -> [Wanted; 2] {
    TABLES.map(|name| Wanted {
        name: name.to_owned(),
        columns: vec![("n".to_owned(), LakeType::Int64, false), ("small".to_owned(), LakeType::Int32, true)],
        partition_by: Vec::new(),
    })
}

impl DuckLakeSink {
    /// A group's lake.
    pub(crate) fn lake(&self, group: usize) -> Arc<Lake> {
        self.lakes.lock().unwrap()[group].clone()
    }

    /// The tables of a group's lake.
    pub(crate) fn tables(&self, group: usize) -> &Arc<Tables> {
        &self.tables[group]
    }

    /// Opens a group, and makes what is missing of its lake.
    pub(crate) async fn group(
        &self,
        group: usize,
        pipeline: &str,
        transactions: Arc<dyn Transactions>,
    ) -> Result<LakeGroup, StoreError> {
        self.is_made.call_once(|| block_in_place(|| server().create_database(&self.database)));
        let (lake, tables) = (self.lake(group), &self.tables[group]);
        lake.make().await?;
        tables.set(lake.define(&wanted()).await?);
        let opened = LakeGroup::new(lake.clone(), pipeline, "cut", tables.clone(), transactions);
        opened.prepare().await?;
        Ok(opened)
    }

    /// Statements in the catalogs' database.
    #[track_caller]
    pub(crate) fn psql(&self, sql: &str) -> String {
        block_in_place(|| server().psql(&self.database, sql))
    }

    /// Lets DuckDB work on a group's lake, which it knows as `lake`.
    pub(crate) fn duck<R>(&self, group: usize, work: impl FnOnce(&mut Duck) -> R) -> R {
        block_in_place(|| {
            let mut reader = self.reader.lock().unwrap();
            let Reader { duck, attached } = &mut *reader;
            let idle = || IDLE.lock().unwrap().pop().unwrap_or_else(Duck::start);
            let duck = duck.get_or_insert_with(idle);
            if attached.replace(group) != Some(group) {
                let catalog = server().conninfo(&self.database);
                duck.attach_again(&catalog, "", &schema(group), &[]).unwrap();
            }
            work(duck)
        })
    }

    /// Where a group's table has a file.
    pub(crate) fn path(&self, group: usize, table: &str, file: &str) -> PathBuf {
        self.folder.path().join(schema(group)).join("bronze").join(table).join(file)
    }

    async fn stage_rows(&self, group: usize, rows: &[u64]) -> Vec<Staged> {
        let mut all = Vec::new();
        for (index, id) in (0..TABLES.len()).map(|index| (index, TableId(group * TABLES.len() + index))) {
            let own = rows.iter().filter(|row| table_of::<Self>(group, **row) == id);
            let own: Vec<_> = own.map(|row| (i64::try_from(*row).unwrap(), i32::try_from(*row).ok())).collect();
            if own.is_empty() {
                continue;
            }
            // A lake knows only its own tables, and counts them from zero.
            let (tables, local) = (&self.tables[group], TableId(index));
            let batch = batch(&tables.get(local).unwrap(), &own);
            let staged = stage(tables, local, self.clock.clone(), &batch).await.unwrap();
            all.extend(staged.into_iter().map(|staged| Staged { table: id, ..staged }));
        }
        all
    }
}

/// Stages rows as one worker does for one cut.
pub(crate) async fn stage(
    tables: &Arc<Tables>,
    table: TableId,
    clock: Arc<TestClock>,
    batch: &RecordBatch,
) -> Result<Vec<Staged>, StoreError> {
    let durable = {
        let mut writer = LakeStage::new(table, tables.clone(), clock).begin()?;
        writer.write(batch)?;
        writer.finish()?
    };
    Ok(durable.await?.into_iter().map(|file| Staged { table, file }).collect())
}

/// Rows: their numbers, and the small ones.
pub(crate) type Rows = [(i64, Option<i32>)];

/// Rows as they are staged into a table.
pub(crate) fn batch(table: &Table, rows: &Rows) -> RecordBatch {
    let field = |name| table.column(name).unwrap().field().unwrap();
    let fields = vec![field("n"), field("small"), Field::new(OFFSET, DataType::Int64, false)];
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|(n, _)| *n)));
    let small = rows.iter().map(|(_, small)| *small);
    let small: ArrayRef = match fields[1].data_type() {
        // Another writer has made it wider.
        DataType::Int64 => Arc::new(small.map(|small| small.map(i64::from)).collect::<Int64Array>()),
        _ => Arc::new(small.collect::<Int32Array>()),
    };
    RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![numbers.clone(), small, numbers]).unwrap()
}

impl Sink for DuckLakeSink {
    type Kind = Records;
    const TABLES: usize = TABLES.len();

    fn new(clock: Arc<TestClock>) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let database = format!("lake{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = tempfile::tempdir().unwrap();
        let catalog = Location::parse(&server().url(&database)).unwrap();
        let lake = |group| {
            let data = folder.path().join(schema(group));
            Lake::new(LakeSpec {
                catalog: catalog.clone(),
                metadata_schema: schema(group),
                schema: "bronze".to_owned(),
                data_path: format!("{}/", data.display()),
                data: Place::Disk(data),
                create: true,
            })
        };
        let lakes = Mutex::new(std::array::from_fn(lake));
        let (tables, reader) = (Default::default(), Mutex::default());
        DuckLakeSink { folder, database, is_made: Once::new(), lakes, tables, clock, reader }
    }

    fn open<'a>(&'a self, pipeline: &'a str) -> Pending<'a, Result<Vec<Arc<dyn Group>>, Stop>> {
        Box::pin(async move {
            let mut groups: Vec<Arc<dyn Group>> = Vec::new();
            for group in 0..GROUPS {
                // Each run has its own transactions, and knows nothing of those before, as if it
                // were a process of its own.
                let fresh = Lake::new(self.lake(group).spec().clone());
                self.lakes.lock().unwrap()[group] = fresh;
                let transactions = Arc::new(OwnTransactions::new(self.lake(group)));
                let opened = self.group(group, pipeline, transactions).await?;
                groups.push(Arc::new(Called { group: opened, name: format!("table-{group}") }));
            }
            Ok(groups)
        })
    }

    fn stage<'a>(&'a self, group: usize, rows: &'a [u64]) -> Pending<'a, Vec<Staged>> {
        Box::pin(self.stage_rows(group, rows))
    }

    fn rows(&self, group: usize) -> Pending<'_, Vec<u64>> {
        Box::pin(async move {
            let each = TABLES.map(|table| format!("SELECT '{table}', n FROM lake.bronze.{table}"));
            let sql = format!("{} ORDER BY n", each.join(" UNION ALL "));
            let row = |line: String| {
                let (table, row) = line.split_once('|').unwrap();
                let row: u64 = row.parse().unwrap();
                assert_eq!(
                    table,
                    TABLES[usize::try_from(row).unwrap() % TABLES.len()],
                    "row {row} is in another table"
                );
                row
            };
            self.duck(group, |duck| duck.lines(&sql)).into_iter().map(row).collect()
        })
    }

    fn held<'a>(&'a self, group: usize, pipeline: &'a str) -> Pending<'a, Option<Held>> {
        Box::pin(async move {
            let held = self.psql(&format!(
                "SELECT position, run FROM {}.lakefront_commits WHERE pipeline = '{pipeline}' \
                 ORDER BY version DESC LIMIT 1",
                schema(group)
            ));
            let (position, run) = held.split_once('|')?;
            Some(Held { position: Position(position.parse().unwrap()), run: RunId(run.parse().unwrap()) })
        })
    }

    fn foreign(&self, group: usize, what: Foreign) -> Pending<'_, ()> {
        Box::pin(async move {
            self.duck(group, |duck| statements(what).iter().for_each(|sql| drop(duck.rows(sql))));
        })
    }

    fn clean_log(&self, _group: usize) -> Pending<'_, ()> {
        // There is nothing to clean: rows of commits stay for good, whatever DuckLake expires.
        Box::pin(async {})
    }

    fn drop_group(&self, group: usize) {
        self.psql(&format!("DROP SCHEMA {} CASCADE", schema(group)));
        // There are no files as long as nothing was staged.
        let _ = fs::remove_dir_all(self.folder.path().join(schema(group)));
        // DuckDB remembers the definitions of the lake that it has attached.
        self.reader.lock().unwrap().attached = None;
    }

    fn tamper(&self, group: usize, pipeline: &str, name: OffsetsName, content: Option<&[u8]>) {
        let (m, Held { position, run }) = (schema(group), name.0);
        let is_it = format!("pipeline = '{pipeline}' AND position = {} AND run = {}", position.0, run.0);
        self.psql(&match content {
            Some(content) => {
                let hex: String = content.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("UPDATE {m}.lakefront_offsets SET content = decode('{hex}', 'hex') WHERE {is_it}")
            }
            None => format!("DELETE FROM {m}.lakefront_offsets WHERE {is_it}"),
        });
    }
}

impl Drop for DuckLakeSink {
    fn drop(&mut self) {
        // After a panic the reader may owe an answer, and the database is there to be looked at.
        if std::thread::panicking() {
            return;
        }
        let duck = self.reader.get_mut().ok().and_then(|reader| reader.duck.take());
        IDLE.lock().unwrap().extend(duck);
        if self.is_made.is_completed() {
            // Its connections end with it.
            let sql = format!(r#"DROP DATABASE "{}" WITH (FORCE)"#, self.database);
            let _ = server().try_psql("postgres", &sql);
        }
    }
}
