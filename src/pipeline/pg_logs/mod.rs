//! `pg_logs`: files or blobs with PostgreSQL's logs, into Delta tables.

mod connect;
mod examine;
mod follow;
mod lake;
mod look;
mod source;
mod take;
pub(super) mod template;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lakefront_operators::error::Stop;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::clock::Clock;
use lakefront_operators::protocol::document::Process;
use lakefront_operators::prove::{self, Progress, Proof};
use lakefront_operators::route::RoleMap;
use lakefront_operators::run::clock::SystemClock;
use lakefront_operators::run::fatal::StopRequest;
use lakefront_operators::run::metrics::retry::Count;
use lakefront_operators::run::metrics::{Metrics, Outline};
use lakefront_operators::run::space::{self, OnLow};
use lakefront_operators::sink::delta::TableSpec;
use lakefront_operators::source::files::ByteSource;
use lakefront_operators::source::files::azure::AzureSource;
use lakefront_operators::source::files::file::FileSource;
use lakefront_topologies::pg_logs;

use super::{Appetite, Claimed, Followed, Local, Look, Opened, root};
use crate::config::{Common, LakeRoot, Mode, PartitionBy, PgLogs, SourceConfig, SourceUrl, Temporary};
use crate::doctor::Findings;
use crate::replay::Destination;
use crate::report;

/// A `pg_logs` pipeline that is not opened yet.
pub(crate) struct Described {
    /// What every pipeline has.
    pub(crate) common: Common,
    /// What this kind has.
    pub(crate) logs: PgLogs,
}

/// An opened `pg_logs` pipeline.
pub(crate) struct Logs {
    common: Common,
    config: PgLogs,
    /// The source of the bytes.
    source: Arc<dyn ByteSource>,
    /// The tables, in claim order.
    tables: [TableSpec; 3],
    /// Tells the time.
    clock: Arc<dyn Clock>,
}

impl super::Described for Described {
    fn common(&self) -> &Common {
        &self.common
    }

    fn appetite(&self) -> Appetite {
        let parts = self.logs.needs(self.common.workers).parts();
        Appetite {
            least: parts.least(),
            memory: self.common.memory.unwrap_or(parts.usual()),
            // One for each table, one for each chunk in flight.
            files: 3 + self.logs.source.in_flight as u64,
            by_day: self.logs.lake.partition_by == PartitionBy::Day,
            waits: self.logs.source.mode == Mode::Tail && self.common.disk.on_low == OnLow::Pause,
        }
    }

    fn open(self: Box<Self>, stop: StopRequest) -> Result<Box<dyn Opened>, Stop> {
        Ok(Box::new(Logs::open(*self, stop)?))
    }

    fn kept(&self) -> Vec<PathBuf> {
        [vec![self.common.state_folder()], self.logs.kept()].concat()
    }

    fn look_at_folders(&self, findings: &mut Findings) {
        examine::folders(findings, self);
    }

    fn followed(&self, of: &Destination) -> anyhow::Result<Followed> {
        follow::followed(self, of)
    }

    fn examine<'a>(self: Box<Self>, findings: &'a mut Findings, known: Option<Position>) -> Local<'a, ()> {
        Box::pin(examine::examine(findings, *self, known))
    }
}

impl Logs {
    /// Opens what the file names. Of that, only the source's folder is looked at.
    fn open(Described { common, logs: config }: Described, stop: StopRequest) -> Result<Logs, Stop> {
        RoleMap::new(&config.rows)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let source: Arc<dyn ByteSource> = match &config.source.url {
            SourceUrl::File(path) => {
                let source = FileSource::open(path)?;
                refuse_own_files(&common, &config, &source)?;
                match config.source.temporary {
                    Temporary::Skip => Arc::new(source),
                    Temporary::Read => Arc::new(source.with_temporary()),
                }
            }
            SourceUrl::Azure(location) => {
                let SourceConfig { listing, retry, .. } = &config.source;
                let source = AzureSource::open(location, listing.clone(), *retry, clock.clone(), stop)?;
                match config.source.temporary {
                    Temporary::Skip => Arc::new(source),
                    Temporary::Read => Arc::new(source.with_temporary()),
                }
            }
        };
        let tables = tables(&config)?;
        Ok(Logs { common, config, source, tables, clock })
    }
}

impl Opened for Logs {
    fn common(&self) -> &Common {
        &self.common
    }

    fn outline(&self) -> Outline {
        pg_logs::outline()
    }

    fn source(&self) -> &str {
        self.source.identity()
    }

    fn tables(&self) -> &[String] {
        &self.config.rows.tables
    }

    fn mode(&self) -> Mode {
        self.config.source.mode
    }

    fn cut(&self) -> Duration {
        self.config.commit_interval
    }

    fn retries(&self) -> Count {
        self.source.retries()
    }

    fn guarded(&self, file: &Path) -> space::Settings {
        root::guarded(&self.common, &self.config.lake.root, self.config.source.mode, self.config.kept(), file)
    }

    fn is_worth_a_claim<'a>(&'a self, stop: &'a StopRequest) -> Local<'a, Result<bool, Stop>> {
        Box::pin(take::is_worth_a_claim(self, stop))
    }

    fn nothing(&self, metrics: &Metrics) -> Option<String> {
        report::nothing(metrics, &[], self.source.identity())
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
        Box::pin(connect::connect(self))
    }

    fn prove<'a>(&'a self, _patience: Duration, progress: &'a Progress) -> Local<'a, Result<Vec<Proof>, Stop>> {
        let (name, source, clock) = (&self.common.pipeline, &*self.source, self.clock.clone());
        Box::pin(prove::prove(name, &self.tables, source, clock, progress))
    }
}

/// Refuses a lake or a state file inside the source: a run that reads what it writes never ends.
fn refuse_own_files(common: &Common, config: &PgLogs, source: &FileSource) -> Result<(), Stop> {
    let refused = |what: &str, path: &Path, way_out: &str| {
        Err(Stop::Refused(format!(
            "{what} ({}) lies inside the source {}, which would read it as logs: {way_out}, or let source.url name only \
             the logs, such as file:logs/*.json",
            path.display(),
            source.identity()
        )))
    };
    if let LakeRoot::File(root) = &config.lake.root
        && source.enters(root)
    {
        return refused("the lake", root, "set lake.root to a folder next to it");
    }
    let state = &common.state_file;
    match source.name_of(state) {
        Some(_) => refused("the state file", state, "set source.state_file to a path outside it"),
        None => Ok(()),
    }
}

/// The tables that `config` names, in claim order. Nothing is read or written.
pub(crate) fn tables(config: &PgLogs) -> Result<[TableSpec; 3], Stop> {
    let folder = root::place(&config.lake.root)?.join(&config.lake.catalog).join(&config.lake.schema);
    let schemas = pg_logs::schemas(config.rows.format);
    Ok(std::array::from_fn(|i| {
        let name = &config.rows.tables[i];
        // Rejects are not partitioned by day: a bad time is often why they were rejected.
        let by_day = config.lake.partition_by == PartitionBy::Day && pg_logs::TABLES[i] != "rejects";
        TableSpec {
            place: folder.join(name),
            name: name.clone(),
            schema: schemas[i].clone(),
            partition: by_day.then_some(pg_logs::LOG_DATE),
        }
    }))
}
