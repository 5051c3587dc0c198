//! The sections of `pg_changes`.

use std::path::PathBuf;
use std::time::Duration;

use lakefront_operators::kafka::settings::{Isolation, Settings, check_brokers};
use lakefront_operators::run::memory::Parts;
use lakefront_operators::sink::files::UPLOADS;
use lakefront_operators::source::kafka::supply::{ColdStart, OnLoss};
use lakefront_operators::source::kafka::topics::Topics;
use lakefront_operators::web::Service;
use toml::Value;

use super::connect::{self, Connect, Postgres};
use super::raw::{Reading, Section};
use super::sections::Read;
use super::tables::{self, TableRules};
use super::units::MIB;
use super::values::{self, choice, duration, number, size, text};
use super::{LakeRoot, Mode, decode, defaults, kafka, lake};

/// The longest group of consumers, as Kafka stores it.
const GROUP_MAX_LENGTH: usize = 255;
/// Changes of one cut: what waits for a cut to be complete is in memory.
const COMMIT_ROWS: u64 = 250_000;
const COMMIT_ROWS_ALLOWED: std::ops::RangeInclusive<i64> = 1..=100_000_000;
/// Their bytes in Kafka, decompressed, as far as can be known.
const COMMIT_BYTES: u64 = 128 * MIB;
/// Bytes of records that are read at once. A range has room for twice as many.
const RANGE: u64 = 4 * MIB;
/// Ranges in a worker's memory at once.
const IN_FLIGHT: usize = 3;
/// The longest record, with what becomes of it.
const RECORD: u64 = 64 * MIB;

/// What a `pg_changes` pipeline has beside the keys that all have.
#[cfg_attr(test, derive(Debug))]
pub(crate) struct PgChanges {
    /// How the cluster is reached.
    pub(crate) kafka: Settings,
    /// Where the schemas of records in Avro are; `None` if there are none.
    pub(crate) registry: Option<Service>,
    /// What is read of it.
    pub(crate) topics: Topics,
    /// The topics as the file names them, and as one text.
    pub(crate) names: Vec<String>,
    pub(crate) shown: String,
    /// The database that the events are of, if the file names it.
    pub(crate) postgres: Option<Postgres>,
    /// Connect, and the connector that brings them, if the file names it.
    pub(crate) connect: Option<Connect>,
    /// Whether the run ends.
    pub(crate) mode: Mode,
    /// Where the first run begins.
    pub(crate) cold_start: ColdStart,
    /// What becomes of records that are lost.
    pub(crate) on_loss: OnLoss,
    /// How often a tail looks for more.
    pub(crate) poll: Duration,
    /// Where the tables lie.
    pub(crate) lake: ChangesLake,
    /// What is to become of each table.
    pub(crate) tables: TableRules,
    /// Time after which a cut is closed.
    pub(crate) interval: Duration,
    /// Records after which a cut is closed.
    pub(crate) rows: u64,
    /// Bytes of records after which a cut is closed, as far as can be known.
    pub(crate) bytes: u64,
    /// What the topics begin with, if cuts end only between transactions of PostgreSQL.
    pub(crate) whole: Option<String>,
}

/// The `[lake]` section.
#[cfg_attr(test, derive(Debug))]
pub(crate) struct ChangesLake {
    /// The folder above all catalogs.
    pub(crate) root: LakeRoot,
    /// A folder in the root.
    pub(crate) catalog: String,
    /// The folder of all tables in the catalog; `None` for one by PostgreSQL's schema.
    pub(crate) schema: Option<String>,
}

impl PgChanges {
    /// How much memory a run of so many workers needs, if rows are `appended` to so many tables,
    /// the rejects included.
    pub(crate) fn parts(&self, workers: usize, appended: usize) -> Parts {
        parts(workers, appended, &self.lake.root)
    }

    /// The same, going on behind records that are lost.
    pub(crate) fn accepting_loss(self) -> PgChanges {
        PgChanges { on_loss: OnLoss::Accept, ..self }
    }

    /// About how many bytes a range of records may have.
    pub(crate) fn range(&self) -> u64 {
        RANGE
    }

    /// Ranges in a worker's memory at once.
    pub(crate) fn in_flight(&self) -> usize {
        IN_FLIGHT
    }

    /// The paths that a run writes on this machine, without the state file's folder.
    pub(crate) fn kept(&self) -> Vec<PathBuf> {
        match &self.lake.root {
            LakeRoot::File(root) => vec![root.clone()],
            LakeRoot::Azure(_) | LakeRoot::S3(_) => Vec::new(),
        }
    }
}

/// Records in memory as they were read, and the columns that are made of them. The changes of a cut
/// that is not complete come on top: `commit.bytes` bounds them. Only the groups to which rows are
/// `appended` are staged row by row.
fn parts(workers: usize, appended: usize, root: &LakeRoot) -> Parts {
    let uploads = match root {
        LakeRoot::File(_) => 0,
        LakeRoot::Azure(_) | LakeRoot::S3(_) => UPLOADS,
    };
    let batches = workers as u64 * 2 * RANGE;
    Parts {
        workers,
        groups: appended,
        work: 2 * RANGE,
        beyond: 0,
        in_flight: IN_FLIGHT,
        turn: RECORD,
        batches,
        uploads,
    }
}

/// Reads the sections of a `pg_changes` pipeline.
pub(super) fn read(top: &mut Section<'_>, pipeline: Option<&str>, workers: Option<usize>) -> Read<PgChanges> {
    let mut section = top.section("source");
    let brokers = required_brokers(&mut section);
    let topics = section.required("topics", "cdc.public.*", topics);
    let group = section.optional("group", None, |v| group(v).map(Some));
    let isolation = section.optional("isolation", Isolation::default(), |v| {
        choice(v, &[Isolation::ReadCommitted, Isolation::ReadUncommitted].map(|one| (one.name(), one)))
    });
    let mode =
        section.optional("mode", Mode::Tail, |v| choice(v, &[("backfill", Mode::Backfill), ("tail", Mode::Tail)]));
    let cold_start = section.optional("cold_start", ColdStart::Earliest, |v| {
        choice(v, &[("earliest", ColdStart::Earliest), ("latest", ColdStart::Latest)])
    });
    let on_loss =
        section.optional("on_loss", OnLoss::Stop, |v| choice(v, &[("stop", OnLoss::Stop), ("accept", OnLoss::Accept)]));
    let poll = section.optional("poll", defaults::POLL, |v| duration(v, defaults::WAIT_ALLOWED));
    let mut inner = section.section("security");
    let security = kafka::security(&mut inner);
    inner.finish();
    let decode = decode::decode(&mut section);
    let state_file = defaults::state_file(pipeline.unwrap_or_default());
    let state_file = section.optional("state_file", state_file, values::state_file);
    section.finish();
    let (postgres, connect) = (connect::postgres(top), connect::connect(top, decode.as_ref()));
    let lake = read_lake(top);
    let tables = tables::read(top);
    let mut section = top.section("commit");
    let interval = section.optional("interval", defaults::COMMIT_INTERVAL, |v| duration(v, defaults::WAIT_ALLOWED));
    let rows = section.optional("rows", COMMIT_ROWS, |v| number(v, &COMMIT_ROWS_ALLOWED));
    let bytes = section.optional("bytes", COMMIT_BYTES, |v| size(v, defaults::BYTES_ALLOWED));
    let is_whole = section.optional("cut_at", false, |v| choice(v, &[("any", false), ("transaction", true)]));
    let names = topics.as_ref().map(|(_, names)| &names[..]).unwrap_or_default();
    let prefix = connect.as_ref().and_then(|connect| prefix(connect.as_ref(), names));
    if is_whole == Some(true) && prefix.is_none() {
        section.refuse(
            "cut_at",
            "needs to know where transactions end: give connect.topic_prefix, which is \"cdc\" for the topic cdc.transaction"
                .to_owned(),
        );
    }
    if let Some(prefix) = prefix.as_ref().filter(|_| is_whole == Some(true))
        && let Some(name) = names.iter().find(|name| !name.starts_with(&format!("{prefix}.")))
    {
        section.refuse(
            "cut_at",
            format!(
                "needs topics as Debezium calls them, and {name:?} in source.topics does not begin with \"{prefix}.\""
            ),
        );
    }
    section.finish();
    let memory = memory(top, workers, lake.as_ref());
    let kind = || {
        let (mut topics, names) = topics?;
        let whole = prefix.filter(|_| is_whole == Some(true));
        if let Some(prefix) = &whole {
            topics = topics.and_later(format!("{prefix}.transaction"));
        }
        let (group, isolation, security) = (group?, isolation?, security?);
        Some(PgChanges {
            kafka: Settings { group, isolation, security, ..Settings::new(brokers?) },
            registry: decode?.registry(),
            topics,
            shown: names.join(","),
            names,
            postgres: postgres?,
            connect: connect?,
            mode: mode?,
            cold_start: cold_start?,
            on_loss: on_loss?,
            poll: poll?,
            lake: lake?,
            tables: tables?,
            interval: interval?,
            rows: rows?,
            bytes: bytes?,
            whole,
        })
    };
    let kind = kind();
    let kept = kind.as_ref().map(PgChanges::kept);
    Read { kind, state_file, memory, kept }
}

/// Reads `[lake]`.
fn read_lake(top: &mut Section<'_>) -> Option<ChangesLake> {
    let mut section = top.section("lake");
    let root = lake::root(&mut section, "root", "file:lake", None);
    let catalog = section.required("catalog", "shop", values::lake_name);
    let schema = section.optional("schema", None, |v| values::lake_name(v).map(Some));
    section.finish();
    Some(ChangesLake { root: root?, catalog: catalog?, schema: schema? })
}

/// Reads `[limits]`: the memory limit. Which tables there are is not known yet.
fn memory(top: &mut Section<'_>, workers: Option<usize>, lake: Option<&ChangesLake>) -> Option<Option<u64>> {
    let mut section = top.section("limits");
    let memory = section.optional("memory", None, |v| size(v, defaults::BYTES_ALLOWED).map(Some));
    if let (Some(Some(memory)), Some(workers), Some(lake)) = (memory, workers, lake)
        && let Some(constraint) = too_little(memory, &parts(workers, 1, &lake.root))
    {
        section.refuse("memory", constraint);
    }
    section.finish();
    memory
}

/// What is wrong with a limit of `memory` for a run with these `parts`.
pub(super) fn too_little(memory: u64, parts: &Parts) -> Option<String> {
    let least = parts.least().div_ceil(MIB);
    (memory < parts.least()).then(|| {
        format!("must be at least {least} MiB; raise it, lower workers, or leave it out for a limit that fits")
    })
}

/// Reads `brokers`. Who has mistaken one text for another may have put a connection string there,
/// with its key, so a wrong value is not shown.
fn required_brokers(section: &mut Section<'_>) -> Option<String> {
    let brokers = section.secret("brokers", brokers)?;
    if brokers.is_none() {
        section.refuse("brokers", "must be given, such as brokers = \"localhost:9092\"".to_owned());
    }
    brokers
}

fn brokers(value: &Value) -> Reading<String> {
    let brokers = text(value)?;
    check_brokers(brokers)?;
    Ok(brokers.to_owned())
}

/// A topic or a pattern, or a list of them; and all as they are written.
fn topics(value: &Value) -> Reading<(Topics, Vec<String>)> {
    let texts: Vec<&str> = match value {
        Value::Array(list) => list.iter().map(text).collect::<Result<_, _>>()?,
        one => vec![text(one)?],
    };
    Ok((Topics::parse(&texts)?, texts.into_iter().map(str::to_owned).collect()))
}

/// What the connector's topics begin with.
fn prefix(connect: Option<&Connect>, topics: &[String]) -> Option<String> {
    let told = connect.and_then(|connect| connect.topic_prefix.clone());
    told.or_else(|| crate::debezium::prefix(topics).map(str::to_owned))
}

fn group(value: &Value) -> Reading<String> {
    let group = text(value)?;
    match group.len() <= GROUP_MAX_LENGTH && !group.contains(char::is_control) {
        true => Ok(group.to_owned()),
        false => Err(format!("allowed is a name of 1 to {GROUP_MAX_LENGTH} bytes without control characters")),
    }
}
