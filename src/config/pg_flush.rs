//! The sections of `pg_flush`.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use lakefront_operators::postgres::Location;
use lakefront_operators::run::memory::Parts;
use lakefront_operators::sink::files::UPLOADS;
use lakefront_operators::source::postgres::{Late, SLICE};
use toml::Value;

use super::database::{PASSWORDS, database, name};
use super::maintenance::{self, MaintenanceKeys};
use super::raw::{Reading, Section};
use super::sections::Read;
use super::values::{self, choice, duration, flag, number, size, text};
use super::{LakeRoot, Mode, defaults, lake};

/// Waits between flushes.
const INTERVAL: Duration = Duration::from_secs(600);
const INTERVAL_ALLOWED: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(24 * 3600);
/// Rows of one flush.
const MAX_ROWS: u64 = 5_000_000;
const MAX_ROWS_ALLOWED: RangeInclusive<i64> = 1..=1_000_000_000;
/// Connections that copy.
const CONNECTIONS: usize = 4;
const CONNECTIONS_ALLOWED: RangeInclusive<i64> = 1..=64;
/// Flushes from one vacuum to the next.
const VACUUM_EVERY: u64 = 10;
const VACUUM_ALLOWED: RangeInclusive<i64> = 0..=1_000_000;
/// The longest last flush of a run that is told to stop.
const SHUTDOWN: Duration = Duration::from_secs(30);
const SHUTDOWN_ALLOWED: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);
/// What may be said of a table.
const TABLE_KEYS: [&str; 5] = ["name", "column", "late", "retain", "partition_by"];
/// Where DuckLake's tables are, unless another schema is named.
const METADATA_SCHEMA: &str = "public";

/// What a `pg_flush` pipeline has beside the keys that all have.
#[cfg_attr(test, derive(Debug))]
pub(crate) struct PgFlush {
    /// The database that has the hot tables.
    pub(crate) source: Location,
    /// Their schema.
    pub(crate) schema: String,
    /// The table and the column whose highest value a flush goes up to.
    pub(crate) watermark: (String, String),
    /// The tables that are named; `None` for all.
    pub(crate) tables: Option<Vec<NamedTable>>,
    /// What happens to rows that come back, if it is said for all tables.
    pub(crate) late: Option<Late>,
    /// Who has to confirm rows before they are deleted.
    pub(crate) downstream: Option<Downstream>,
    /// Whether the run ends.
    pub(crate) mode: Mode,
    /// From the beginning of one flush to that of the next.
    pub(crate) interval: Duration,
    /// Rows of one flush, at most.
    pub(crate) max_rows: u64,
    /// Connections that copy.
    pub(crate) connections: usize,
    /// The longest last flush.
    pub(crate) shutdown_timeout: Duration,
    /// Where the lake is.
    pub(crate) lake: FlushLake,
    /// Flushes from one vacuum to the next; 0 for none.
    pub(crate) vacuum_every: u64,
    /// What is done to the lake beside flushes.
    pub(crate) maintenance: MaintenanceKeys,
}

/// A table that the file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedTable {
    /// Its name.
    pub(crate) name: String,
    /// The column that numbers its rows.
    pub(crate) column: Option<String>,
    /// What happens to rows that come back.
    pub(crate) late: Option<Late>,
    /// Whether its rows stay hot once the lake has them.
    pub(crate) retain: bool,
    /// What it is partitioned by if it is made, instead of what the lake says.
    pub(crate) partition_by: Option<Vec<String>>,
}

impl NamedTable {
    /// The table of which nothing but its name is said.
    fn of(name: String) -> NamedTable {
        NamedTable { name, column: None, late: None, retain: false, partition_by: None }
    }
}

/// The `[source.downstream]` section.
#[derive(Clone)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct Downstream {
    /// The database that is asked.
    pub(crate) location: Location,
    /// What returns up to which sequence rows may be deleted.
    pub(crate) query: String,
}

/// The `[lake]` section.
#[cfg_attr(test, derive(Debug))]
pub(crate) struct FlushLake {
    /// The catalog's database.
    pub(crate) catalog: Location,
    /// The schema there that has DuckLake's tables.
    pub(crate) metadata_schema: String,
    /// The lake's schema.
    pub(crate) schema: String,
    /// Where files are.
    pub(crate) root: LakeRoot,
    /// Whether what is missing is made.
    pub(crate) create: bool,
    /// The columns, or parts of them such as `day(closed_at)`, by which new tables are partitioned.
    pub(crate) partition_by: Vec<String>,
}

impl PgFlush {
    /// How much memory a run of so many workers needs.
    pub(crate) fn parts(&self, workers: usize) -> Parts {
        parts(workers, &self.lake.root)
    }

    /// The paths that a run writes on this machine, without the state file's folder.
    pub(crate) fn kept(&self) -> Vec<PathBuf> {
        match &self.lake.root {
            LakeRoot::File(root) => vec![root.clone()],
            LakeRoot::Azure(_) | LakeRoot::S3(_) => Vec::new(),
        }
    }
}

/// A slice in memory: as it was copied, which may be more than it takes on disk, and the batches
/// that are made of it.
fn parts(workers: usize, root: &LakeRoot) -> Parts {
    let uploads = match root {
        LakeRoot::File(_) => 0,
        LakeRoot::Azure(_) | LakeRoot::S3(_) => UPLOADS,
    };
    let batches = workers as u64 * (16 << 20);
    Parts { workers, groups: 1, work: SLICE, beyond: SLICE, in_flight: IN_FLIGHT, turn: 0, batches, uploads }
}

/// Slices in a worker's memory at once.
pub(crate) const IN_FLIGHT: usize = 3;

/// Reads the sections of a `pg_flush` pipeline.
pub(super) fn read(top: &mut Section<'_>, pipeline: Option<&str>, workers: Option<usize>) -> Read<PgFlush> {
    let mut section = top.section("source");
    let location = database(&mut section, "url", PASSWORDS, None);
    let schema = section.optional("schema", "public".to_owned(), name);
    let watermark = watermark(&mut section);
    let tables = section.optional("tables", None, tables);
    let mode =
        section.optional("mode", Mode::Tail, |v| choice(v, &[("backfill", Mode::Backfill), ("tail", Mode::Tail)]));
    let interval = section.optional("interval", INTERVAL, |v| duration(v, INTERVAL_ALLOWED));
    let max_rows = section.optional("max_rows", MAX_ROWS, |v| number(v, &MAX_ROWS_ALLOWED));
    let late = section.optional("late", None, |v| late(v).map(Some));
    let downstream = downstream(&mut section, location.as_ref());
    let connections = section.optional("connections", CONNECTIONS, |v| number(v, &CONNECTIONS_ALLOWED));
    let shutdown_timeout = section.optional("shutdown_timeout", SHUTDOWN, |v| duration(v, SHUTDOWN_ALLOWED));
    let state_file = defaults::state_file(pipeline.unwrap_or_default());
    let state_file = section.optional("state_file", state_file, values::state_file);
    section.finish();
    let lake = read_lake(top, location.as_ref());
    let mut section = top.section("vacuum");
    let vacuum_every = section.optional("every", VACUUM_EVERY, |v| number(v, &VACUUM_ALLOWED));
    section.finish();
    let maintenance = maintenance::read(top);
    let memory = memory(top, workers, lake.as_ref());
    let kind = || {
        Some(PgFlush {
            source: location?,
            schema: schema?,
            watermark: watermark?,
            tables: tables?,
            late: late?,
            downstream: downstream?,
            mode: mode?,
            interval: interval?,
            max_rows: max_rows?,
            connections: connections?,
            shutdown_timeout: shutdown_timeout?,
            lake: lake?,
            vacuum_every: vacuum_every?,
            maintenance: maintenance?,
        })
    };
    let kind = kind();
    let kept = kind.as_ref().map(PgFlush::kept);
    Read { kind, state_file, memory, kept }
}

/// Reads `[lake]`. The catalog is in the hot tables' database, unless another one is named.
fn read_lake(top: &mut Section<'_>, hot: Option<&Location>) -> Option<FlushLake> {
    let mut section = top.section("lake");
    let keys = ["catalog_password", "catalog_password_file", "catalog_password_command"];
    let catalog = database(&mut section, "catalog", keys, Some(hot));
    let metadata_schema = section.optional("metadata_schema", METADATA_SCHEMA.to_owned(), name);
    let schema = section.required("schema", "bronze", name);
    let root = lake::root(&mut section, "data_path", "file:lake", None);
    let create = section.optional("create", true, flag);
    let partition_by = section.optional("partition_by", Vec::new(), names);
    section.finish();
    Some(FlushLake {
        catalog: catalog?,
        metadata_schema: metadata_schema?,
        schema: schema?,
        root: root?,
        create: create?,
        partition_by: partition_by?,
    })
}

/// Reads `[limits]`: the memory limit.
fn memory(top: &mut Section<'_>, workers: Option<usize>, lake: Option<&FlushLake>) -> Option<Option<u64>> {
    let mut section = top.section("limits");
    let memory = section.optional("memory", None, |v| size(v, defaults::BYTES_ALLOWED).map(Some));
    if let (Some(Some(memory)), Some(workers), Some(lake)) = (memory, workers, lake)
        && let Some(constraint) = too_little(memory, &parts(workers, &lake.root))
    {
        section.refuse("memory", constraint);
    }
    section.finish();
    memory
}

/// What is wrong with a limit of `memory` for a run with these `parts`.
pub(super) fn too_little(memory: u64, parts: &Parts) -> Option<String> {
    let least = parts.least().div_ceil(super::units::MIB);
    (memory < parts.least()).then(|| {
        format!("must be at least {least} MiB; raise it, lower workers, or leave it out for a limit that fits")
    })
}

/// Reads `[source.downstream]`. What is asked is in the hot tables' database, unless another one is
/// named.
fn downstream(source: &mut Section<'_>, hot: Option<&Location>) -> Option<Option<Downstream>> {
    let mut section = source.section("downstream");
    if !source.given("downstream") {
        return Some(None);
    }
    let location = database(&mut section, "url", PASSWORDS, Some(hot));
    let query =
        section.required("query", "select last_sequence from checkpoints where id = 1", |v| Ok(text(v)?.to_owned()));
    section.finish();
    Some(Some(Downstream { location: location?, query: query? }))
}

/// `{ table = "…", column = "…" }`.
fn watermark(section: &mut Section<'_>) -> Option<(String, String)> {
    let mut watermark = section.section("watermark");
    let table = watermark.required("table", "ledgers_row_v2", name);
    let column = watermark.required("column", "sequence", name);
    watermark.finish();
    Some((table?, column?))
}

/// What happens to rows that come back.
fn late(value: &Value) -> Reading<Late> {
    choice(value, &[Late::Append, Late::Skip, Late::Replace].map(|late| (late.word(), late)))
}

/// "auto", or a list of names and of tables with more than a name.
fn tables(value: &Value) -> Reading<Option<Vec<NamedTable>>> {
    let allowed = || {
        "allowed is \"auto\", or a list of names and { name = \"…\", column = \"…\", late = \"…\", retain = true, \
         partition_by = [\"…\"] }"
            .to_owned()
    };
    if value.as_str() == Some("auto") {
        return Ok(None);
    }
    let one = |value: &Value| match value {
        Value::String(_) => Ok(NamedTable::of(name(value)?)),
        Value::Table(table) => {
            if let Some(key) = table.keys().find(|key| !TABLE_KEYS.contains(&key.as_str())) {
                return Err(format!("there is no key {key:?} for a table; {}", allowed()));
            }
            let column = table.get("column").map(name).transpose()?;
            let late = table.get("late").map(late).transpose()?;
            let retain = table.get("retain").map(flag).transpose()?.unwrap_or(false);
            let partition_by = table.get("partition_by").map(names).transpose()?;
            let name = name(table.get("name").ok_or_else(allowed)?)?;
            Ok(NamedTable { name, column, late, retain, partition_by })
        }
        _ => Err(allowed()),
    };
    let list = value.as_array().filter(|list| !list.is_empty()).ok_or_else(allowed)?;
    let all: Vec<NamedTable> = list.iter().map(one).collect::<Result<_, _>>()?;
    match all.iter().enumerate().find(|(i, table)| all[..*i].iter().any(|earlier| earlier.name == table.name)) {
        Some((_, NamedTable { name, .. })) => Err(format!("names table {name:?} twice")),
        None => Ok(Some(all)),
    }
}

fn names(value: &Value) -> Reading<Vec<String>> {
    value.as_array().ok_or_else(|| "allowed is a list of names".to_owned())?.iter().map(name).collect()
}
