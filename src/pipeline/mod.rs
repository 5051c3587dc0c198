//! Pipelines as the program's commands see them. A command loads a file and asks what it describes;
//! only [`described`] and [`template`] know the kinds here.
//!
//! A kind is a folder here, with what is its own: what it opens, how it claims, how its parts
//! become a dataflow, and what it answers to `status`, `validate`, `doctor`, `prove`, `replay` and
//! `init`.

mod look;
#[cfg(feature = "pg_changes")]
pub(crate) mod pg_changes;
#[cfg(feature = "pg_flush")]
pub(crate) mod pg_flush;
pub(crate) mod pg_logs;
mod root;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use lakefront_operators::error::Stop;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::document::Process;
use lakefront_operators::protocol::names::RunId;
use lakefront_operators::prove::{Progress, Proof};
use lakefront_operators::run::bridge::Bridge;
use lakefront_operators::run::fatal::{Fatal, StopRequest};
use lakefront_operators::run::metrics::retry::Count;
use lakefront_operators::run::metrics::{FlushMetrics, Metrics, Outline};
use lakefront_operators::run::space;
use lakefront_operators::run::state::{self, Known};
use lakefront_operators::shown::one_line;
use lakefront_topologies::Topology;

use crate::config::{self, Common, Config, ConfigError, Kind, Mode};
use crate::doctor::Findings;
use crate::init::Answers;
use crate::replay::Destination;

pub(crate) use self::look::{Follow, Followed, Look, TableLook};

/// A future that stays on its thread.
pub(crate) type Local<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Reads a pipeline file. An error names the file.
pub(crate) fn load(file: &Path) -> anyhow::Result<Config> {
    config::load(file).map_err(|error| naming(file, error))
}

/// Adds the file's name to `error`.
pub(crate) fn naming(file: &Path, error: ConfigError) -> anyhow::Error {
    match error {
        ConfigError::Syntax { .. } | ConfigError::Fields(_) => {
            anyhow::Error::from(error).context(format!("pipeline file {}", one_line(&file.display().to_string())))
        }
        // The other errors name the file themselves.
        error => error.into(),
    }
}

/// What a pipeline file describes.
pub(crate) fn described(config: Config) -> Box<dyn Described> {
    let Config { common, kind } = config;
    match kind {
        Kind::PgLogs(logs) => Box::new(pg_logs::Described { common, logs: *logs }),
        #[cfg(feature = "pg_flush")]
        Kind::PgFlush(flush) => Box::new(pg_flush::Described { common, flush: *flush }),
        #[cfg(feature = "pg_changes")]
        Kind::PgChanges(changes) => Box::new(pg_changes::Described { common, changes: *changes }),
    }
}

/// The text of a new pipeline file. There is one kind to write it for.
pub(crate) fn template(answers: &Answers) -> String {
    pg_logs::template::render(answers)
}

/// A pipeline that is not opened yet.
pub(crate) trait Described {
    /// What every pipeline has.
    fn common(&self) -> &Common;

    /// What a run takes of the machine.
    fn appetite(&self) -> Appetite;

    /// Opens what the file names. Nothing is written. Once a `stop` is requested, nothing waits for
    /// an outage.
    fn open(self: Box<Self>, stop: StopRequest) -> Result<Box<dyn Opened>, Stop>;

    /// The paths that a run reads and writes on this machine, and so must not delete.
    fn kept(&self) -> Vec<PathBuf>;

    /// Checks the folders of this machine that a run would use, besides that of the state file.
    fn look_at_folders(&self, findings: &mut Findings);

    /// What is to be followed of the lines in `of`. Nothing is read yet.
    fn followed(&self, of: &Destination) -> anyhow::Result<Followed>;

    /// Checks what may be remote, source and lake. `known` is the position in the state file. If
    /// one thing is unreachable, the rest is still checked.
    fn examine<'a>(self: Box<Self>, findings: &'a mut Findings, known: Option<Position>) -> Local<'a, ()>;
}

/// What a run takes of a machine.
pub(crate) struct Appetite {
    /// The smallest memory limit with which it makes progress, in bytes.
    pub(crate) least: u64,
    /// The memory that its buffers may take, in bytes.
    pub(crate) memory: u64,
    /// Files that each worker has open.
    pub(crate) files: u64,
    /// Whether a cut may have files of many days open.
    pub(crate) by_day: bool,
    /// Whether it only waits when disk space is low.
    pub(crate) waits: bool,
}

/// A pipeline that is opened.
pub(crate) trait Opened {
    /// What every pipeline has.
    fn common(&self) -> &Common;

    /// What it consists of.
    fn outline(&self) -> Outline;

    /// The source, without credentials.
    fn source(&self) -> &str;

    /// The tables' names, in their order.
    fn tables(&self) -> &[String];

    /// Whether a run ends.
    fn mode(&self) -> Mode;

    /// Time after which a cut is closed, whatever its size.
    fn cut(&self) -> Duration;

    /// Counts the source's retries.
    fn retries(&self) -> Count;

    /// What is counted of flushes, if it makes any.
    fn flushes(&self) -> Option<Arc<FlushMetrics>> {
        None
    }

    /// Where a run writes, and what it does when space is low; `file` is the pipeline file.
    fn guarded(&self, file: &Path) -> space::Settings;

    /// Looks at the source before anything is claimed. Whether there is something to run for.
    fn is_worth_a_claim<'a>(&'a self, stop: &'a StopRequest) -> Local<'a, Result<bool, Stop>>;

    /// Why nothing was read, if there is nothing to run for.
    fn nothing(&self, metrics: &Metrics) -> Option<String>;

    /// Opens the tables and claims them for `process`.
    fn claim<'a>(
        &'a self,
        adopt: bool,
        metrics: &'a Metrics,
        process: Process,
    ) -> Local<'a, Result<Box<dyn Claimed + 'a>, Stop>>;

    /// Where the tables stand, and how far behind the source they are. `all`: with every partition.
    fn look(&self, all: bool) -> Local<'_, anyhow::Result<Look>>;

    /// Looks at source and tables, and prints what is there. Fails if a run would.
    fn connect(&self) -> Local<'_, anyhow::Result<()>>;

    /// Proves the tables. Where the source is ahead of them, they may take as long as `patience`.
    fn prove<'a>(&'a self, patience: Duration, progress: &'a Progress) -> Local<'a, Result<Vec<Proof>, Stop>>;
}

/// A pipeline that has claimed its groups.
pub(crate) trait Claimed {
    /// The number of the run.
    fn run(&self) -> RunId;

    /// Where each group stands.
    fn positions(&self) -> Vec<Position>;

    /// The dataflow, and what is to be done after it.
    fn dataflow(self: Box<Self>, run: Run) -> (Topology, Box<dyn Ended>);
}

/// What a run gives its dataflow.
pub(crate) struct Run {
    /// Reads, uploads and commits.
    pub(crate) bridge: Bridge,
    /// Counts what is done.
    pub(crate) metrics: Arc<Metrics>,
    /// Takes the first fatal error.
    pub(crate) fatal: Fatal,
    /// The request to stop.
    pub(crate) stop: StopRequest,
    /// What the guard of free space sees.
    pub(crate) space: Arc<space::FreeSpace>,
    /// Whether each cut is logged.
    pub(crate) announce: bool,
}

/// A run whose dataflow is complete.
pub(crate) trait Ended {
    /// Waits for what is still under way in the lake.
    fn at_rest(&self) -> Local<'_, ()>;

    /// Why the run fails although its dataflow is complete.
    fn verdict(&self) -> Result<(), Stop>;

    /// Why nothing has become a row; `None` if something has.
    fn nothing(&self, metrics: &Metrics) -> Option<String>;
}

/// The state file of this pipeline; `None` if it does not exist.
pub(crate) fn state_of(common: &Common) -> Result<Option<Known>, Stop> {
    let state = state::read(&common.state_file)?;
    match state.as_ref().filter(|state| state.run.pipeline != common.pipeline) {
        Some(other) => Err(Stop::Refused(format!(
            "state file {} belongs to pipeline {:?}: give this pipeline one of its own in source.state_file",
            common.state_file.display(),
            other.run.pipeline
        ))),
        None => Ok(state),
    }
}
