//! `pg_changes`: Debezium's events on Kafka, into the Delta tables that they are of.

mod accept;
mod catalog;
mod columns;
mod examine;
mod find;
mod first;
mod known;
mod look;
mod prove;
mod reached;
mod take;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lakefront_operators::error::Stop;
use lakefront_operators::events::{EventTable, Hold};
use lakefront_operators::kafka::client::Client;
use lakefront_operators::kafka::schemas::SchemaRegistry;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::clock::Clock;
use lakefront_operators::protocol::document::Process;
use lakefront_operators::prove::{Progress, Proof};
use lakefront_operators::run::clock::SystemClock;
use lakefront_operators::run::fatal::StopRequest;
use lakefront_operators::run::memory::{Budget, Parts};
use lakefront_operators::run::metrics::retry::Count;
use lakefront_operators::run::metrics::{Metrics, Outline};
use lakefront_operators::run::space::{self, OnLow};
use lakefront_operators::sink::delta::TableSpec;
use lakefront_operators::sink::delta::upsert::{Retype, UpsertSpec};
use lakefront_operators::sink::files::Place;
use lakefront_operators::source::kafka::kind::{Settings, Standing, TopicSource};
use lakefront_operators::source::kafka::look::Watch;
use lakefront_operators::source::kafka::reader::{PATIENCE, TopicReader};
use lakefront_operators::source::kafka::scout::{Ahead, Scout};
use lakefront_operators::source::kafka::sizes::Sizes;
use lakefront_topologies::pg_changes;

pub(crate) use self::accept::accept;
use super::{Appetite, Claimed, Followed, Local, Look, Opened, root};
use crate::config::{Common, Mode, PgChanges};
use crate::doctor::Findings;
use crate::replay::Destination;
use crate::report::print;
use crate::runtime;

/// A `pg_changes` pipeline that is not opened yet.
pub(crate) struct Described {
    /// What every pipeline has.
    pub(crate) common: Common,
    /// What this kind has.
    pub(crate) changes: PgChanges,
}

/// An opened `pg_changes` pipeline.
pub(crate) struct Changes {
    common: Common,
    config: PgChanges,
    /// The source, as people read it.
    source: String,
    /// For questions and the group's offsets, and for records.
    asks: Arc<Client>,
    fetches: Arc<Client>,
    /// For records that are read ahead, if cuts end only between transactions.
    ahead: Option<Arc<Client>>,
    /// Where the schemas of records in Avro are.
    registry: Option<Arc<SchemaRegistry>>,
    /// The catalog's folder.
    catalog: Place,
    /// Where what became no row goes.
    rejects: TableSpec,
    /// The tables, in claim order behind it.
    tables: Vec<Known>,
    /// The names of all, in claim order.
    names: Vec<String>,
    /// Where tables stand still.
    holds: Vec<Hold>,
    /// Why the types of new columns may be others than PostgreSQL's: it could not be asked.
    untold: Option<Stop>,
    clock: Arc<dyn Clock>,
}

/// A table of the pipeline.
struct Known {
    event: EventTable,
    spec: UpsertSpec,
    /// Whether the pipeline has landed in it before.
    is_old: bool,
    /// New columns, each with the one value that the rows have in it which are there.
    fills: Vec<Retype>,
}

impl Known {
    /// Whether it may be of the database of this name.
    fn is_of(&self, database: &str) -> bool {
        self.event.database.as_ref().is_none_or(|of| of == database)
    }

    /// Whether its rows are only appended.
    fn is_appended(&self) -> bool {
        self.event.key.is_empty()
    }
}

impl super::Described for Described {
    fn common(&self) -> &Common {
        &self.common
    }

    fn appetite(&self) -> Appetite {
        let parts = self.changes.parts(self.common.workers, 1);
        Appetite {
            least: parts.least(),
            memory: self.common.memory.unwrap_or(parts.usual()),
            // Connections to brokers, and the files of a cut that are read and written.
            files: 40,
            by_day: false,
            waits: self.changes.mode == Mode::Tail && self.common.disk.on_low == OnLow::Pause,
        }
    }

    fn open(self: Box<Self>, _stop: StopRequest) -> Result<Box<dyn Opened>, Stop> {
        let runtime = runtime::tokio().map_err(|error| Stop::Refused(format!("{error:#}")))?;
        Ok(Box::new(runtime.block_on(Changes::open(*self))?))
    }

    fn kept(&self) -> Vec<PathBuf> {
        [vec![self.common.state_folder()], self.changes.kept()].concat()
    }

    fn look_at_folders(&self, findings: &mut Findings) {
        examine::folders(findings, self);
    }

    fn followed(&self, _of: &Destination) -> anyhow::Result<Followed> {
        anyhow::bail!("replay follows log files and blobs: pipeline {:?} reads topics", self.common.pipeline)
    }

    fn examine<'a>(self: Box<Self>, findings: &'a mut Findings, known: Option<Position>) -> Local<'a, ()> {
        Box::pin(examine::examine(findings, *self, known))
    }
}

impl Changes {
    /// Finds out which tables there are: those that the lake's own records name, and those that
    /// were met in events since. Nothing is written.
    async fn open(Described { common, changes: config }: Described) -> Result<Changes, Stop> {
        let runtime = tokio::runtime::Handle::current();
        let open = || Client::open(&config.kafka, &runtime).map(Arc::new);
        let (asks, fetches) = (open()?, open()?);
        let ahead = config.whole.as_ref().map(|_| open()).transpose()?;
        let registry = config.registry.clone().map(|service| SchemaRegistry::new(service, PATIENCE).map(Arc::new));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let catalog = find::catalog(&config.lake)?;
        let rejects = find::rejects(&catalog, &common.pipeline);
        let source = format!("{}/{}", config.kafka.brokers, config.shown);
        let mut changes = Changes {
            common,
            config,
            source,
            asks,
            fetches,
            ahead,
            registry: registry.transpose()?,
            catalog,
            rejects,
            tables: Vec::new(),
            names: Vec::new(),
            holds: Vec::new(),
            untold: None,
            clock,
        };
        (changes.tables, changes.untold) = find::tables(&changes).await?;
        changes.holds = known::holds(&changes.common, &changes.tables);
        changes.names = find::names(&changes.rejects, &changes.tables);
        Ok(changes)
    }

    fn reading(&self) -> TopicSource {
        TopicSource::new(&self.config.kafka.brokers, &self.config.shown, self.config.topics.clone())
    }

    fn watch(&self) -> Watch {
        Watch::new(self.asks.clone(), self.config.topics.clone(), PATIENCE)
    }

    fn reader(&self, sizes: Arc<Sizes>) -> TopicReader {
        TopicReader::new(self.asks.clone(), self.fetches.clone(), sizes, PATIENCE).with_schemas(self.registry.clone())
    }

    /// Who reads ahead from where the furthest table stands, if cuts end only between transactions.
    fn scout(&self, standings: &[Standing]) -> Option<Scout> {
        let (prefix, client) = (self.config.whole.clone()?, self.ahead.clone()?);
        let parts = self.config.parts(1, 1);
        let reader = TopicReader::new(self.asks.clone(), client, Arc::default(), PATIENCE);
        let furthest = standings.iter().max_by_key(|standing| standing.position());
        let begin = furthest.map(|standing| standing.offsets.clone()).unwrap_or_default();
        let ahead = Ahead {
            prefix,
            is_backfill: self.config.mode == Mode::Backfill,
            most: self.config.rows,
            bytes: self.config.bytes,
            room: 2 * self.config.range(),
        };
        Some(Scout::new(
            (reader.with_schemas(self.registry.clone()), Budget::new(parts.usual(), parts)),
            (self.config.topics.clone(), begin),
            Arc::new(self.settings()),
            self.clock.clone(),
            ahead,
        ))
    }

    /// What a run needs of memory, now that the tables are known.
    fn parts(&self) -> Parts {
        let appended = self.tables.iter().filter(|table| table.is_appended()).count();
        self.config.parts(self.common.workers, 1 + appended)
    }

    /// What decides which rows records become.
    fn settings(&self) -> Settings {
        let tables = self.tables.iter().map(|table| table.event.keyed()).collect();
        Settings { isolation: self.config.kafka.isolation, tables, ..Settings::default() }
    }
}

impl Opened for Changes {
    fn common(&self) -> &Common {
        &self.common
    }

    fn outline(&self) -> Outline {
        let roles: Vec<&str> = self.tables.iter().map(|table| &*table.event.role).collect();
        pg_changes::outline(&roles)
    }

    fn source(&self) -> &str {
        &self.source
    }

    fn tables(&self) -> &[String] {
        &self.names
    }

    fn mode(&self) -> Mode {
        self.config.mode
    }

    fn cut(&self) -> Duration {
        self.config.interval
    }

    fn retries(&self) -> Count {
        Count::default()
    }

    fn guarded(&self, file: &Path) -> space::Settings {
        root::guarded(&self.common, &self.config.lake.root, self.config.mode, self.config.kept(), file)
    }

    fn is_worth_a_claim<'a>(&'a self, _stop: &'a StopRequest) -> Local<'a, Result<bool, Stop>> {
        // A cluster that cannot be reached leaves no trace in the lake.
        Box::pin(async { self.watch().look().await.map(|_| true) })
    }

    fn nothing(&self, _metrics: &Metrics) -> Option<String> {
        None
    }

    fn claim<'a>(
        &'a self,
        adopt: bool,
        metrics: &'a Metrics,
        process: Process,
    ) -> Local<'a, Result<Box<dyn Claimed + 'a>, Stop>> {
        Box::pin(async move {
            let taken = take::tables(self, adopt, metrics, process).await?;
            Ok(Box::new(wire::Taken::new(self, taken)) as Box<dyn Claimed + 'a>)
        })
    }

    fn look(&self, all: bool) -> Local<'_, anyhow::Result<Look>> {
        Box::pin(look::look(self, all))
    }

    fn connect(&self) -> Local<'_, anyhow::Result<()>> {
        Box::pin(async {
            print(look::connect(self).await?)?;
            Ok(take::judge(self).await?)
        })
    }

    fn prove<'a>(&'a self, patience: Duration, progress: &'a Progress) -> Local<'a, Result<Vec<Proof>, Stop>> {
        Box::pin(prove::prove(self, patience, progress))
    }
}
