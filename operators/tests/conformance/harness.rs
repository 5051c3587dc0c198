//! What a sink must provide to be tested, and the world of the stories: three groups of tables, a
//! clock, and runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use lakefront_operators::error::Stop;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::claim::{Claimed, claim};
use lakefront_operators::protocol::clock::Clock;
use lakefront_operators::protocol::commit::Landed;
use lakefront_operators::protocol::document::Process;
use lakefront_operators::protocol::group::Group;
use lakefront_operators::protocol::intent::Intent;
use lakefront_operators::protocol::layout::Layout;
use lakefront_operators::protocol::names::{Held, OffsetsName, RunId, TableId};
use lakefront_operators::protocol::offsets::{Offsets, PartitionId};
use lakefront_operators::protocol::staged::{Counted, Staged};
use lakefront_operators::protocol::standing::Standing;
use lakefront_operators::protocol::sums::{Bucket, Sum};
use lakefront_operators::source::files::reading::File;

use crate::faults::{Faulty, Script};
use crate::kinds::{StoryKind, offsets, standing};

/// How many groups a pipeline has.
pub(crate) const GROUPS: usize = 3;
/// The pipeline of most stories.
pub(crate) const PIPELINE: &str = "pg-logs";

/// What another writer does to a table.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Foreign {
    /// It appends a file with these rows.
    Append(&'static [u64]),
    /// It rewrites all rows into one file.
    Compact,
    /// It deletes all rows.
    Delete,
    /// It adds a column that may be null.
    AddColumn,
    /// It makes a column of ours another type.
    Retype,
}

/// A sink under test. A row is identified by one number, its `_offset`.
pub(crate) trait Sink: Send + Sync + Sized + 'static {
    /// What the stories land into it.
    type Kind: StoryKind;
    /// How many tables a group has. Rows are spread over them by [`table_of`].
    const TABLES: usize = 1;

    /// An empty lake.
    fn new(clock: Arc<TestClock>) -> Self;
    /// Opens the pipeline's groups, creating those that are missing, as a run does.
    fn open<'a>(&'a self, pipeline: &'a str) -> Pending<'a, Result<Vec<Arc<dyn Group>>, Stop>>;
    /// Stages files with these rows.
    fn stage<'a>(&'a self, group: usize, rows: &'a [u64]) -> Pending<'a, Vec<Staged>>;
    /// The rows that a reader sees, in order.
    fn rows(&self, group: usize) -> Pending<'_, Vec<u64>>;
    /// What a reader sees of the pipeline's transactions.
    fn held<'a>(&'a self, group: usize, pipeline: &'a str) -> Pending<'a, Option<Held>>;
    /// Another writer makes a commit.
    fn foreign(&self, group: usize, what: Foreign) -> Pending<'_, ()>;
    /// Log clean-up: only the newest version's commit stays readable by itself.
    fn clean_log(&self, group: usize) -> Pending<'_, ()>;
    /// Deletes the group and everything in it.
    fn drop_group(&self, group: usize);
    /// Replaces the content of an offsets file with `content`, or removes the file.
    fn tamper(&self, group: usize, pipeline: &str, name: OffsetsName, content: Option<&[u8]>);
}

/// A clock that only moves when a story says so, or when the protocol waits.
#[derive(Default)]
pub(crate) struct TestClock {
    ms: AtomicU64,
    /// How far the time of day was set back.
    set_back_ms: AtomicU64,
}

impl TestClock {
    pub(crate) fn advance(&self, ms: u64) {
        self.ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// Somebody sets the time of day back.
    pub(crate) fn set_back(&self, ms: u64) {
        self.set_back_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now_ms(&self) -> u64 {
        1_700_000_000_000 + self.ms.load(Ordering::SeqCst) - self.set_back_ms.load(Ordering::SeqCst)
    }

    fn steady_ms(&self) -> u64 {
        self.ms.load(Ordering::SeqCst)
    }

    fn pause(&self, ms: u64) -> Pending<'_, ()> {
        self.advance(ms);
        Box::pin(tokio::task::yield_now())
    }
}

/// How a run is started.
#[derive(Clone)]
pub(crate) struct Start {
    pub(crate) pipeline: &'static str,
    pub(crate) source: &'static str,
    pub(crate) roles: [&'static str; GROUPS],
    pub(crate) known: Option<Position>,
    /// Today's settings, by their number.
    pub(crate) settings: u64,
    pub(crate) adopt: bool,
    /// The files in the source, with their creation.
    pub(crate) files: &'static [(&'static str, &'static str)],
}

impl Default for Start {
    fn default() -> Self {
        let roles = ["primary", "replica", "rejects"];
        let (settings, files) = (1000, &[][..]);
        Start { pipeline: PIPELINE, source: "file:/logs", roles, known: None, settings, adopt: false, files }
    }
}

/// A run that has claimed the tables.
pub(crate) struct Run<K: StoryKind>(pub(crate) Vec<Claimed<K>>);

impl<K: StoryKind> Run<K> {
    pub(crate) fn number(&self) -> RunId {
        self.0[0].committer.run()
    }

    pub(crate) fn positions(&self) -> Vec<u64> {
        self.0.iter().map(|claimed| claimed.standing.position().0).collect()
    }
}

/// A lake of one sink, and what happens to it.
pub(crate) struct World<S> {
    pub(crate) sink: S,
    pub(crate) clock: Arc<TestClock>,
    /// What goes wrong with each group, whichever run calls it.
    pub(crate) scripts: [Arc<Script>; GROUPS],
    /// Where `cold_start` begins at present.
    pub(crate) cold_start: AtomicU64,
    /// How often `cold_start` was asked.
    pub(crate) resolved: AtomicUsize,
}

impl<S: Sink> World<S> {
    pub(crate) fn new() -> Arc<Self> {
        let clock = Arc::new(TestClock::default());
        Arc::new(World {
            sink: S::new(clock.clone()),
            clock,
            scripts: Default::default(),
            cold_start: AtomicU64::new(0),
            resolved: AtomicUsize::new(0),
        })
    }

    /// Starts a run in the usual way.
    pub(crate) async fn start(&self) -> Result<Run<S::Kind>, Stop> {
        self.start_with(Start::default()).await
    }

    pub(crate) async fn start_with(&self, start: Start) -> Result<Run<S::Kind>, Stop> {
        let tables = self.sink.open(start.pipeline).await?;
        let tables: Vec<Arc<dyn Group>> = tables
            .into_iter()
            .zip(&self.scripts)
            .map(|(table, script)| Arc::new(Faulty { table, script: script.clone() }) as Arc<dyn Group>)
            .collect();
        let cold_start = || -> Pending<'_, Result<Offsets<S::Kind>, Stop>> {
            self.resolved.fetch_add(1, Ordering::SeqCst);
            let at = self.cold_start.load(Ordering::SeqCst);
            Box::pin(async move { Ok(offsets(&[("log", at)])) })
        };
        let files = || -> Pending<'_, Result<Vec<File>, Stop>> {
            let file = |(name, created): &(&str, &str)| File {
                name: (*name).to_owned(),
                created: Some((*created).to_owned()),
            };
            Box::pin(async move { Ok(start.files.iter().map(file).collect()) })
        };
        let reading = S::Kind::reading(start.source, &files);
        let intent = Intent {
            pipeline: start.pipeline,
            reading: &*reading,
            adopt: start.adopt,
            layout: &layout::<S>(&start.roles),
            settings: Arc::new(S::Kind::settings(start.settings)),
            known: start.known,
            process: Some(Process { host: "db1".to_owned(), pid: 7, since_ms: 1_700_000_000_000 }),
            cold_start: &cold_start,
        };
        claim(&tables, self.clock.clone(), &intent).await.map(Run)
    }

    /// Stages `rows` and lands them in `table` with the position moved to `at`.
    pub(crate) async fn land(
        &self,
        run: &mut Run<S::Kind>,
        table: usize,
        at: u64,
        rows: &[u64],
    ) -> Result<Landed, Stop> {
        let files = match rows {
            [] => Vec::new(),
            rows => self.sink.stage(table, rows).await,
        };
        let counted = sum_by_table::<S>(table, rows);
        let Claimed { committer, standing: begun } = &mut run.0[table];
        let at = Standing { since: begun.since, ..standing(at) };
        committer.land(&at, files, &counted).await
    }

    pub(crate) async fn rows(&self, table: usize) -> Vec<u64> {
        self.sink.rows(table).await
    }

    /// The position that a reader sees in `table`.
    pub(crate) async fn position(&self, table: usize) -> Option<u64> {
        self.sink.held(table, PIPELINE).await.map(|held| held.position.0)
    }

    /// The offsets files of `table`, as (position, run).
    pub(crate) async fn offsets_files(&self, table: usize) -> Vec<(u64, u64)> {
        let tables = self.sink.open(PIPELINE).await.unwrap();
        let mut names: Vec<_> = tables[table].list_offsets().await.unwrap();
        names.sort();
        names.into_iter().map(|name| (name.0.position.0, name.0.run.0)).collect()
    }
}

/// The table of a group that has the row.
pub(crate) fn table_of<S: Sink>(group: usize, row: u64) -> TableId {
    TableId(group * S::TABLES + usize::try_from(row).unwrap() % S::TABLES)
}

/// Groups of these roles, with as many tables as the sink's groups have.
pub(crate) fn layout<S: Sink>(roles: &[&str; GROUPS]) -> Layout {
    let name = |role: &str, i| if S::TABLES == 1 { role.to_owned() } else { format!("{role}-{i}") };
    let names = roles.map(|role| (0..S::TABLES).map(|i| name(role, i)).collect::<Vec<_>>());
    Layout::new(roles.iter().zip(&names).map(|(role, names)| (*role, names.iter().map(|name| &**name).collect())))
}

/// What was counted of these rows on their way to the group's tables.
pub(crate) fn sum_by_table<S: Sink>(group: usize, rows: &[u64]) -> Vec<Counted> {
    let of = |table: usize| {
        let table = TableId(group * S::TABLES + table);
        let rows: Vec<u64> = rows.iter().copied().filter(|row| table_of::<S>(group, *row) == table).collect();
        Counted {
            table,
            bucket: Bucket { partition: PartitionId::first("log"), range: 0, part: 0 },
            sum: sum_of(&rows),
        }
    };
    (0..S::TABLES).map(of).collect()
}

/// The text of a refusal, or a panic.
pub(crate) fn refusal<T>(result: Result<T, Stop>) -> String {
    match result {
        Err(Stop::Refused(text)) => text,
        Err(other) => panic!("not refused, but stopped: {other:?}"),
        Ok(_) => panic!("not refused"),
    }
}

/// What `rows` add to the totals.
pub(crate) fn sum_of(rows: &[u64]) -> Sum {
    rows.iter().map(|row| Sum::row(u128::from(*row))).sum()
}

/// Whether the run was fenced.
pub(crate) fn is_fenced<T>(result: &Result<T, Stop>) -> bool {
    result.as_ref().is_err_and(Stop::is_fenced)
}
