//! `pg_flush`: hot PostgreSQL tables, into a DuckLake.

mod examine;
mod ground;
mod look;
mod maintain;
mod prove;
mod stay;
mod take;
mod wanted;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lakefront_operators::error::{Stop, StoreError};
use lakefront_operators::position::Position;
use lakefront_operators::postgres::{self, Pool, quoted};
use lakefront_operators::protocol::clock::Clock;
use lakefront_operators::protocol::document::Process;
use lakefront_operators::prove::{Progress, Proof};
use lakefront_operators::run::clock::SystemClock;
use lakefront_operators::run::fatal::StopRequest;
use lakefront_operators::run::metrics::retry::Count;
use lakefront_operators::run::metrics::{FlushMetrics, Metrics, Outline};
use lakefront_operators::run::space::{self, OnLow};
use lakefront_operators::shown::one_line;
use lakefront_operators::sink::ducklake::Lake;
use lakefront_operators::source::postgres::{BufferTable, Found, Gate, HotSource, HotTable, discover};
use lakefront_topologies::pg_flush;

pub(crate) use self::ground::Ground;
use self::stay::{is_retained, refuse_doubles};
use self::wanted::{chosen, late, sequences, spec};
use super::{Appetite, Claimed, Followed, Local, Look, Opened, root};
use crate::config::{Common, Mode, PgFlush};
use crate::doctor::Findings;
use crate::replay::Destination;
use crate::report::print;
use crate::runtime;

/// A `pg_flush` pipeline that is not opened yet.
pub(crate) struct Described {
    /// What every pipeline has.
    pub(crate) common: Common,
    /// What this kind has.
    pub(crate) flush: PgFlush,
}

/// An opened `pg_flush` pipeline.
pub(crate) struct Flush {
    common: Common,
    config: PgFlush,
    /// The source, without credentials.
    source: String,
    /// The hot tables, as they were when it was opened.
    hot: Vec<HotTable>,
    /// What becomes of the rows of each.
    what: Vec<BufferTable>,
    /// Who has to confirm rows before they are deleted.
    gate: Option<Arc<Gate>>,
    /// Their names, which are those of the lake's tables.
    names: Vec<String>,
    /// Sessions of the hot tables' database.
    sessions: Arc<Pool>,
    lake: Arc<Lake>,
    clock: Arc<dyn Clock>,
    metrics: Arc<FlushMetrics>,
}

impl super::Described for Described {
    fn common(&self) -> &Common {
        &self.common
    }

    fn appetite(&self) -> Appetite {
        let parts = self.flush.parts(self.common.workers);
        Appetite {
            least: parts.least(),
            memory: self.common.memory.unwrap_or(parts.usual()),
            // Connections, and the open files of a table.
            files: self.flush.connections as u64 + 20,
            by_day: false,
            waits: self.flush.mode == Mode::Tail && self.common.disk.on_low == OnLow::Pause,
        }
    }

    fn open(self: Box<Self>, _stop: StopRequest) -> Result<Box<dyn Opened>, Stop> {
        let runtime = runtime::tokio().map_err(|error| Stop::Refused(format!("{error:#}")))?;
        Ok(Box::new(runtime.block_on(Flush::open(*self))?))
    }

    fn kept(&self) -> Vec<PathBuf> {
        [vec![self.common.state_folder()], self.flush.kept()].concat()
    }

    fn look_at_folders(&self, findings: &mut Findings) {
        examine::folders(findings, self);
    }

    fn followed(&self, _of: &Destination) -> anyhow::Result<Followed> {
        anyhow::bail!("replay follows log files and blobs: pipeline {:?} reads tables", self.common.pipeline)
    }

    fn examine<'a>(self: Box<Self>, findings: &'a mut Findings, known: Option<Position>) -> Local<'a, ()> {
        Box::pin(examine::examine(findings, *self, known))
    }
}

impl Flush {
    /// Looks at the hot tables. Nothing is written.
    async fn open(Described { common, flush: config }: Described) -> Result<Flush, Stop> {
        let sessions = Pool::new(config.source.clone(), "lakefront");
        let client = sessions.session().await?;
        let sequences = sequences(&config);
        // Others wait for the answers of one server at a time.
        let (second, catalog, found) = tokio::join!(
            postgres::connect(&config.source, "lakefront"),
            refuse_pooled_catalog(&config),
            discover(&client, &config.schema, &sequences),
        );
        // What a pooler has answered means nothing.
        let second = second?;
        postgres::refuse_pooler(&config.source, &client, &second).await?;
        sessions.give_back(Arc::new(second));
        catalog?;
        let Found { tables, unnumbered } = found?;
        let hot = chosen(&config, tables)?;
        hot.iter().try_for_each(|table| table.refuse_obstacle(is_retained(&config, table)))?;
        let is_same = |a: &HotTable, b: &HotTable| a.name.eq_ignore_ascii_case(&b.name);
        if let Some((_, twice)) = hot.iter().enumerate().find(|(i, a)| hot[..*i].iter().any(|b| is_same(a, b))) {
            return Err(Stop::Refused(format!(
                "two tables are called {:?}, in two cases, which a lake cannot tell apart: rename one, or leave one out in \
                 source.tables",
                twice.name
            )));
        }
        let (table, column) = &config.watermark;
        let sql = format!("SELECT max({})::int8 FROM {}.{}", quoted(column), quoted(&config.schema), quoted(table));
        let watermark = client.prepare(&sql).await;
        watermark.map_err(|e| postgres::failed(format!("find source.watermark, {table:?} ({column:?})"), e))?;
        sessions.give_back(client);
        if config.tables.is_none() && !unnumbered.is_empty() {
            tracing::warn!(
                tables = unnumbered.join(", "),
                "these tables have no column that numbers their rows, so they are neither flushed nor deleted from: \
                 name it in source.tables"
            );
        }
        let late = late(&config, &hot)?;
        refuse_doubles(&config, &hot, &late)?;
        let unkeyed = hot.iter().filter(|table| table.key.is_empty() && !is_retained(&config, table));
        let unkeyed: Vec<&str> = unkeyed.map(|table| &*table.name).collect();
        if !unkeyed.is_empty() {
            tracing::warn!(
                tables = unkeyed.join(", "),
                "these tables have no primary key: rows that come back below the watermark land again"
            );
        }
        let lake = match config.lake.catalog == config.source {
            true => Lake::over(spec(&config.lake)?, sessions.clone()),
            false => Lake::new(spec(&config.lake)?),
        };
        let source = format!("{}/{}", config.source.shown(), config.schema);
        let names: Vec<String> = hot.iter().map(|table| table.name.clone()).collect();
        let what = hot.iter().zip(late).map(|(table, late)| BufferTable {
            name: table.name.clone(),
            sequence: table.sequence.clone(),
            late,
            retain: is_retained(&config, table),
        });
        let what = what.collect();
        let gate = config.downstream.as_ref().map(|of| Arc::new(Gate::new(of.location.clone(), &of.query)));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let metrics = FlushMetrics::new(clock.clone(), &names);
        Ok(Flush { common, config, source, hot, what, gate, names, sessions, lake, clock, metrics })
    }

    fn reading(&self) -> HotSource {
        HotSource::new(&self.config.source.shown(), &self.config.schema)
    }
}

impl Opened for Flush {
    fn common(&self) -> &Common {
        &self.common
    }

    fn outline(&self) -> Outline {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        pg_flush::outline(&names)
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
        self.metrics.retries()
    }

    fn flushes(&self) -> Option<Arc<FlushMetrics>> {
        Some(self.metrics.clone())
    }

    fn guarded(&self, file: &Path) -> space::Settings {
        root::guarded(&self.common, &self.config.lake.root, self.config.mode, self.config.kept(), file)
    }

    fn is_worth_a_claim<'a>(&'a self, _stop: &'a StopRequest) -> Local<'a, Result<bool, Stop>> {
        Box::pin(async { Ok(true) })
    }

    fn nothing(&self, _metrics: &Metrics) -> Option<String> {
        None
    }

    fn claim<'a>(
        &'a self,
        adopt: bool,
        _metrics: &'a Metrics,
        process: Process,
    ) -> Local<'a, Result<Box<dyn Claimed + 'a>, Stop>> {
        Box::pin(async move {
            let taken = take::tables(self, adopt, process).await?;
            Ok(Box::new(wire::Taken::new(self, taken)) as Box<dyn Claimed + 'a>)
        })
    }

    fn look(&self, _all: bool) -> Local<'_, anyhow::Result<Look>> {
        Box::pin(look::look(self))
    }

    fn connect(&self) -> Local<'_, anyhow::Result<()>> {
        Box::pin(async {
            print(look::connect(self).await?)?;
            if let Some(gate) = &self.gate {
                let confirmed = look::confirmed(gate.ask().await?);
                print(format!("gate     {}: {confirmed}\n", one_line(&gate.shown())))?;
            }
            Ok(take::judge(self).await?)
        })
    }

    fn prove<'a>(&'a self, _patience: Duration, progress: &'a Progress) -> Local<'a, Result<Vec<Proof>, Stop>> {
        Box::pin(prove::prove(self, progress))
    }
}

/// Refuses a pooler before the catalog's database, if that is not the hot tables' own.
async fn refuse_pooled_catalog(config: &PgFlush) -> Result<(), StoreError> {
    let catalog = &config.lake.catalog;
    if *catalog == config.source {
        return Ok(());
    }
    let (client, other) =
        tokio::try_join!(postgres::connect(catalog, "lakefront"), postgres::connect(catalog, "lakefront"))?;
    postgres::refuse_pooler(catalog, &client, &other).await
}
