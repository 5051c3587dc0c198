//! Opens a pipeline as its file describes it: the source, and the list of its tables.

use std::path::Path;
use std::sync::Arc;

use lakefront_operators::clock::SystemClock;
use lakefront_operators::error::Stop;
use lakefront_operators::fatal::StopRequest;
use lakefront_operators::protocol::clock::Clock;
use lakefront_operators::route::RoleMap;
use lakefront_operators::shown::one_line;
use lakefront_operators::sink::delta::TableSpec;
use lakefront_operators::sink::files::Place;
use lakefront_operators::source::Source;
use lakefront_operators::source::azure::AzureSource;
use lakefront_operators::source::file::FileSource;
use lakefront_topologies::pg_logs;

use crate::config::{self, Config, ConfigError, LakeRoot, PartitionBy, SourceConfig, SourceUrl, Temporary, Topology};

/// What every command needs from a pipeline.
pub(crate) struct Pipeline {
    /// The parsed pipeline file.
    pub(crate) config: Config,
    /// The source of the bytes.
    pub(crate) source: Arc<dyn Source>,
    /// The tables, in claim order.
    pub(crate) tables: [TableSpec; 3],
    /// Tells the time.
    pub(crate) clock: Arc<dyn Clock>,
}

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

impl Pipeline {
    /// Opens what `config` names. Of that, only the source's folder is looked at, and nothing is
    /// written. Once a `stop` is requested, an Azure source waits for no outage.
    pub(crate) fn open(config: Config, stop: StopRequest) -> Result<Pipeline, Stop> {
        RoleMap::new(&config.rows)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let source: Arc<dyn Source> = match &config.source.url {
            SourceUrl::File(path) => {
                let source = FileSource::open(path)?;
                refuse_own_files(&config, &source)?;
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
        Ok(Pipeline { config, source, tables, clock })
    }
}

/// Refuses a lake or a state file inside the source: a run that reads what it writes never ends.
fn refuse_own_files(config: &Config, source: &FileSource) -> Result<(), Stop> {
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
    let state = &config.source.state_file;
    match source.name_of(state) {
        Some(_) => refused("the state file", state, "set source.state_file to a path outside it"),
        None => Ok(()),
    }
}

/// The tables that `config` names, in claim order. Nothing is read or written.
pub(crate) fn tables(config: &Config) -> Result<[TableSpec; 3], Stop> {
    let root = match &config.lake.root {
        LakeRoot::File(path) => Place::Disk(path.clone()),
        LakeRoot::Azure(location) => Place::azure(location)?,
        LakeRoot::S3(location) => Place::s3(location)?,
    };
    Ok(match config.topology {
        Topology::PgLogs => pg_logs_tables(config, &root),
    })
}

fn pg_logs_tables(config: &Config, root: &Place) -> [TableSpec; 3] {
    let folder = root.join(&config.lake.catalog).join(&config.lake.schema);
    let schemas = pg_logs::schemas(config.rows.format);
    std::array::from_fn(|i| {
        let name = &config.rows.tables[i];
        // Rejects are not partitioned by day: a bad time is often why they were rejected.
        let by_day = config.lake.partition_by == PartitionBy::Day && pg_logs::TABLES[i] != "rejects";
        TableSpec {
            place: folder.join(name),
            name: name.clone(),
            schema: schemas[i].clone(),
            partition: by_day.then_some(pg_logs::LOG_DATE),
        }
    })
}
