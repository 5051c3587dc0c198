//! The pipeline file: TOML in, one validated [`Config`] out.
//!
//! ```text
//! text -> toml -> sections, key by key (raw) -> variables resolved (secrets)
//!      -> validated (values) -> Config (sections)
//! ```
//!
//! Promises: a [`Config`] keeps every rule of the file format, so no other code checks again; a
//! file that breaks rules is refused with all of them named (error). Leaves to others: whether
//! paths exist, and flags that override the file.

mod azure;
#[cfg(feature = "pg_changes")]
mod connect;
#[cfg(any(feature = "pg_changes", feature = "pg_flush"))]
mod database;
#[cfg(feature = "kafka")]
mod decode;
mod defaults;
mod disk;
mod error;
mod http;
#[cfg(feature = "kafka")]
mod kafka;
mod lake;
#[cfg(feature = "pg_flush")]
mod maintenance;
#[cfg(feature = "pg_changes")]
mod pg_changes;
#[cfg(feature = "pg_flush")]
mod pg_flush;
mod pg_logs;
mod places;
mod raw;
mod roles;
mod s3;
mod secrets;
mod sections;
#[cfg(feature = "kafka")]
mod service;
mod source;
#[cfg(feature = "pg_changes")]
mod tables;
#[cfg(test)]
mod tests;
mod units;
mod values;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lakefront_operators::azure::{ListingSettings, Location, RetrySettings};
use lakefront_operators::run::space::{Clean, OnLow};
use lakefront_operators::s3::Location as BucketLocation;
pub(crate) use lakefront_operators::source::files::watch::OnRewrite;

#[cfg(feature = "pg_changes")]
pub(crate) use self::connect::{AvroConverter, Connect, Converter, Postgres, PublicationMode, SecretRef};
pub(crate) use self::error::ConfigError;
use self::error::Problems;
#[cfg(feature = "kafka")]
pub(crate) use self::kafka::source_of;
#[cfg(feature = "pg_changes")]
pub(crate) use self::pg_changes::{ChangesLake, PgChanges};
#[cfg(feature = "pg_flush")]
pub(crate) use self::pg_flush::{FlushLake, IN_FLIGHT, NamedTable, PgFlush};
pub(crate) use self::pg_logs::PgLogs;
pub(crate) use self::places::AZURE;
use self::raw::Section;
use self::secrets::Env;
pub(crate) use self::units::{duration as read_duration, show_size, size as read_size};

/// A pipeline as its file describes it. `Debug` exists in tests only, because values may be
/// secrets, and one is easily logged by mistake.
#[cfg_attr(test, derive(Debug))]
pub(crate) struct Config {
    /// What every pipeline has.
    pub(crate) common: Common,
    /// What its kind has.
    pub(crate) kind: Kind,
}

/// The keys and sections that every pipeline has.
#[cfg_attr(test, derive(Debug))]
pub(crate) struct Common {
    /// Names the transactions in the tables and the pipeline's folder.
    pub(crate) pipeline: String,
    /// Threads of the dataflow.
    pub(crate) workers: usize,
    /// The file that caches what the tables hold.
    pub(crate) state_file: PathBuf,
    /// The limit of all buffers together; `None` for one that fits the other settings.
    pub(crate) memory: Option<u64>,
    /// How much disk space is left free, and how.
    pub(crate) disk: DiskConfig,
    /// Where a run can be watched; `None` for nowhere.
    pub(crate) http: Option<HttpConfig>,
}

/// The kinds of pipelines, each with its sections.
#[cfg_attr(test, derive(Debug))]
#[allow(clippy::enum_variant_names, reason = "these are the names of the kinds")]
pub(crate) enum Kind {
    /// PostgreSQL log lines into two tables and rejects.
    PgLogs(Box<PgLogs>),
    /// Hot PostgreSQL tables into a DuckLake.
    #[cfg(feature = "pg_flush")]
    PgFlush(Box<PgFlush>),
    /// Debezium's events of PostgreSQL into the tables that they are of.
    #[cfg(feature = "pg_changes")]
    PgChanges(Box<PgChanges>),
}

impl Config {
    /// The same with another number of workers. Fails if they need more memory than the file gives.
    pub(crate) fn with_workers(mut self, workers: usize) -> Result<Config, ConfigError> {
        self.common.workers = workers;
        let too_little = |memory| match &self.kind {
            Kind::PgLogs(logs) => pg_logs::too_little(memory, &logs.needs(workers)),
            #[cfg(feature = "pg_flush")]
            Kind::PgFlush(flush) => pg_flush::too_little(memory, &flush.parts(workers)),
            #[cfg(feature = "pg_changes")]
            Kind::PgChanges(changes) => pg_changes::too_little(memory, &changes.parts(workers, 1)),
        };
        match self.common.memory.and_then(too_little) {
            Some(constraint) => Err(ConfigError::field("limits.memory", constraint)),
            None => Ok(self),
        }
    }

    /// The same in another mode. Fails if the file does not allow that mode.
    pub(crate) fn with_mode(self, mode: Mode) -> Result<Config, ConfigError> {
        let Config { common, kind } = self;
        let kind = match kind {
            Kind::PgLogs(logs) => Kind::PgLogs(Box::new(logs.with_mode(mode)?)),
            #[cfg(feature = "pg_flush")]
            Kind::PgFlush(flush) => Kind::PgFlush(Box::new(PgFlush { mode, ..*flush })),
            #[cfg(feature = "pg_changes")]
            Kind::PgChanges(changes) => Kind::PgChanges(Box::new(PgChanges { mode, ..*changes })),
        };
        Ok(Config { common, kind })
    }

    /// The same, going on behind records that are lost; `None` if it reads no topics.
    pub(crate) fn accepting_loss(self) -> Option<Config> {
        let Config { common, kind } = self;
        match kind {
            #[cfg(feature = "pg_changes")]
            Kind::PgChanges(changes) => {
                Some(Config { common, kind: Kind::PgChanges(Box::new(changes.accepting_loss())) })
            }
            _ => None,
        }
    }
}

impl Common {
    /// The folder of the state file.
    pub(crate) fn state_folder(&self) -> PathBuf {
        disk::folder_of(&self.state_file)
    }
}

/// The `[disk]` section.
#[cfg_attr(test, derive(Debug))]
pub(crate) struct DiskConfig {
    /// With fewer free bytes than this, a run stops reading.
    pub(crate) min_free: u64,
    /// What a tail does then.
    pub(crate) on_low: OnLow,
    /// What may be deleted first.
    pub(crate) clean: Vec<Clean>,
}

/// The `[source]` section, without the settings that decide rows.
#[cfg_attr(test, derive(Debug))]
pub(crate) struct SourceConfig {
    /// What is read.
    pub(crate) url: SourceUrl,
    /// Whether the run ends.
    pub(crate) mode: Mode,
    /// Where the first run begins.
    pub(crate) cold_start: ColdStart,
    /// Bytes of one read.
    pub(crate) chunk: u64,
    /// Chunks in a worker's memory at once.
    pub(crate) in_flight: usize,
    /// How often a tail looks for growth.
    pub(crate) poll: Duration,
    /// What happens to a last line without a newline.
    pub(crate) unterminated: Unterminated,
    /// What happens to a file that shrank or was created anew.
    pub(crate) on_rewrite: OnRewrite,
    /// What happens to hidden and temporary files.
    pub(crate) temporary: Temporary,
    /// How blobs are found; for Azure only.
    pub(crate) listing: ListingSettings,
    /// How requests are retried; for Azure only.
    pub(crate) retry: RetrySettings,
}

/// Where lines are read.
#[cfg_attr(test, derive(Debug))]
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum SourceUrl {
    /// The text after `file:`: a file, a directory or a glob.
    File(String),
    /// A blob, a prefix or a glob in a storage account.
    Azure(Box<Location>),
}

/// Whether the run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// At the end of what was there when it began.
    Backfill,
    /// When it is told to stop.
    Tail,
}

/// Where the first run begins in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColdStart {
    /// At its first byte.
    Earliest,
    /// At its last line end.
    Latest,
}

/// What happens to a backfill's last line without a newline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unterminated {
    /// It is left for a later run, and reported.
    Leave,
    /// It lands if it is a whole JSON object.
    Land,
}

/// What happens to files whose names are those of hidden or temporary files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Temporary {
    /// They are skipped.
    Skip,
    /// They are read like all others.
    Read,
}

/// The `[lake]` section.
#[cfg_attr(test, derive(Debug))]
pub(crate) struct LakeConfig {
    /// The folder above all catalogs.
    pub(crate) root: LakeRoot,
    /// A folder in the root.
    pub(crate) catalog: String,
    /// A folder in the catalog; the tables lie in it.
    pub(crate) schema: String,
    /// How new tables are partitioned.
    pub(crate) partition_by: PartitionBy,
}

/// Where the tables lie.
#[cfg_attr(test, derive(Debug))]
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum LakeRoot {
    /// A folder on this machine.
    File(PathBuf),
    /// A folder in a storage account, without a trailing slash; empty for the container itself.
    Azure(Box<Location>),
    /// A folder in a bucket of S3, without slashes at its ends; empty for the bucket itself.
    S3(Box<BucketLocation>),
}

/// The `[http]` section, when it has an address.
#[cfg_attr(test, derive(Debug))]
#[derive(Clone, Copy)]
pub(crate) struct HttpConfig {
    /// Where requests are answered.
    pub(crate) listen: SocketAddr,
    /// How long a frontier may stand still while input waits before the run counts as not ready.
    pub(crate) stall: Duration,
}

/// How new tables are partitioned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartitionBy {
    /// Not at all.
    None,
    /// By the column `log_date`.
    Day,
}

/// Reads the pipeline file at `path`, with this process's environment.
pub(crate) fn load(path: &Path) -> Result<Config, ConfigError> {
    load_in(path, &|name| std::env::var(name).ok())
}

/// Reads the pipeline file at `path`; `env` looks variables up.
pub(crate) fn load_in(path: &Path, env: Env<'_>) -> Result<Config, ConfigError> {
    parse(&read_text(path)?, env)
}

/// The text of the file at `path`.
fn read_text(path: &Path) -> Result<String, ConfigError> {
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => ConfigError::NotFound(path.to_owned()),
        _ => ConfigError::Unreadable(path.to_owned(), error),
    })?;
    String::from_utf8(bytes).map_err(|_| ConfigError::NotText(path.to_owned()))
}

/// Where a writer of logs puts them: a path, or a blob whose account is the pipeline's, or else the
/// environment's. The error for a wrong one contains nothing of `text`, which may hold a signature.
pub(crate) fn target(text: &str, pipeline: Option<&Config>) -> Result<SourceUrl, String> {
    let account = pipeline.and_then(|config| match &config.kind {
        Kind::PgLogs(logs) => match &logs.source.url {
            SourceUrl::Azure(location) => Some(&location.account),
            SourceUrl::File(_) => None,
        },
        #[cfg(feature = "pg_flush")]
        Kind::PgFlush(_) => None,
        #[cfg(feature = "pg_changes")]
        Kind::PgChanges(_) => None,
    });
    match places::target(text)? {
        places::SourceAddress::File(path) => Ok(SourceUrl::File(path)),
        places::SourceAddress::Azure(address) => azure::beside(&address, account, &|name| std::env::var(name).ok())
            .map(|location| SourceUrl::Azure(Box::new(location))),
    }
}

/// Reads a pipeline file's text; `env` looks variables up.
pub(crate) fn parse(text: &str, env: Env<'_>) -> Result<Config, ConfigError> {
    let table: toml::Table = text.parse().map_err(|error| ConfigError::syntax(text, &error))?;
    let problems = Problems::default();
    let config = sections::read(Section::top(table, env, &problems));
    let problems = problems.into_inner();
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => {
            assert!(!problems.is_empty(), "a field that could not be read is a problem");
            Err(ConfigError::Fields(problems))
        }
    }
}
