//! The file's layout: the keys and sections that every pipeline has, and which kind has the others.
//!
//! Promises: every section is read even if another one is wrong, and a rule across sections is
//! checked whenever its own fields are valid, whatever else is wrong.

#[cfg(feature = "pg_changes")]
use super::pg_changes;
#[cfg(feature = "pg_flush")]
use super::pg_flush;
use super::raw::Section;
use super::values::{self, choice};
use super::{Common, Config, Kind, defaults, disk, http, pg_logs};

/// The kinds of pipelines, by `topology`.
#[derive(Clone, Copy)]
#[allow(clippy::enum_variant_names, reason = "these are the names of the kinds")]
enum Topology {
    PgLogs,
    #[cfg(feature = "pg_flush")]
    PgFlush,
    #[cfg(feature = "pg_changes")]
    PgChanges,
}

/// Their names.
const TOPOLOGIES: &[(&str, Topology)] = &[
    ("pg_logs", Topology::PgLogs),
    #[cfg(feature = "pg_flush")]
    ("pg_flush", Topology::PgFlush),
    #[cfg(feature = "pg_changes")]
    ("pg_changes", Topology::PgChanges),
];

/// What a kind's sections say, for the sections that every pipeline has.
pub(super) struct Read<K> {
    /// The kind's own settings.
    pub(super) kind: Option<K>,
    /// Its state file.
    pub(super) state_file: Option<std::path::PathBuf>,
    /// The memory limit, if there is one.
    pub(super) memory: Option<Option<u64>>,
    /// The paths that a run reads and writes on this machine, without the state file's folder.
    pub(super) kept: Option<Vec<std::path::PathBuf>>,
}

impl<K> Read<K> {
    fn map<L>(self, to: impl FnOnce(K) -> L) -> Read<L> {
        let Read { kind, state_file, memory, kept } = self;
        Read { kind: kind.map(to), state_file, memory, kept }
    }
}

/// Reads the whole file.
pub(super) fn read(mut top: Section<'_>) -> Option<Config> {
    let pipeline = top.required("pipeline", "pg-logs", values::pipeline);
    let topology = top.required("topology", "pg_logs", |v| choice(v, TOPOLOGIES));
    let workers = top.optional("workers", defaults::workers(), values::workers);
    let Read { kind, state_file, memory, kept } = match topology.unwrap_or(Topology::PgLogs) {
        Topology::PgLogs => {
            pg_logs::read(&mut top, pipeline.as_deref(), workers).map(|logs| Kind::PgLogs(Box::new(logs)))
        }
        #[cfg(feature = "pg_flush")]
        Topology::PgFlush => {
            pg_flush::read(&mut top, pipeline.as_deref(), workers).map(|flush| Kind::PgFlush(Box::new(flush)))
        }
        #[cfg(feature = "pg_changes")]
        Topology::PgChanges => {
            pg_changes::read(&mut top, pipeline.as_deref(), workers).map(|changes| Kind::PgChanges(Box::new(changes)))
        }
    };
    let kept = kept.zip(state_file.as_deref()).map(|(kept, state)| [vec![disk::folder_of(state)], kept].concat());
    let disk = disk::disk(&mut top, kept.as_deref());
    let http = http::http(&mut top);
    top.finish();
    topology?;
    let common = Common {
        pipeline: pipeline?,
        workers: workers?,
        state_file: state_file?,
        memory: memory?,
        disk: disk?,
        http: http?,
    };
    Some(Config { common, kind: kind? })
}
