//! The sections of `pg_logs`.

use std::path::PathBuf;
use std::time::Duration;

use lakefront_operators::format::logs::settings::{Envelope, ROWS_VERSION, RowSettings, UnknownKeys, Zones};
use lakefront_operators::sink::files::UPLOADS;
use lakefront_operators::source::files::needs::Needs;
use lakefront_topologies::pg_logs::TABLES;

use super::azure::Keys;
use super::raw::Section;
use super::sections::Read;
use super::values::{self, Raw, choice, duration, size};
use super::{
    ConfigError, LakeConfig, LakeRoot, Mode, PartitionBy, SourceConfig, defaults, disk, lake, roles, source, units,
};

/// What a `pg_logs` pipeline has beside the keys that all have.
#[cfg_attr(test, derive(Debug))]
pub(crate) struct PgLogs {
    /// What is read, and how.
    pub(crate) source: SourceConfig,
    /// Where the tables lie.
    pub(crate) lake: LakeConfig,
    /// The settings that belong to positions: they decide a row's table and content.
    pub(crate) rows: RowSettings,
    /// Input bytes after which a cut is committed.
    pub(crate) commit_bytes: u64,
    /// Time after which a cut is committed.
    pub(crate) commit_interval: Duration,
    /// Bytes read but not yet committed, at most; at least one chunk.
    pub(crate) ahead: u64,
    /// Share of rejects among the last lines above which the run stops.
    pub(crate) reject_ratio: f64,
}

impl PgLogs {
    /// The settings that decide how much memory a run of so many workers needs.
    pub(crate) fn needs(&self, workers: usize) -> Needs {
        needs(workers, &self.source, self.rows.max_line, &self.lake)
    }

    /// The paths that a run reads and writes on this machine, without the state file's folder.
    pub(crate) fn kept(&self) -> Vec<PathBuf> {
        disk::kept(&self.source, &self.lake)
    }

    /// The same in another mode. Fails if `unterminated` does not allow that mode.
    pub(super) fn with_mode(mut self, mode: Mode) -> Result<PgLogs, ConfigError> {
        self.source.mode = mode;
        match source::lands_what_may_grow(mode, self.source.unterminated) {
            true => Err(ConfigError::field("source.unterminated", source::MAY_GROW.to_owned())),
            false => Ok(self),
        }
    }
}

/// Reads the sections of a `pg_logs` pipeline.
pub(super) fn read(top: &mut Section<'_>, pipeline: Option<&str>, workers: Option<usize>) -> Read<PgLogs> {
    let source = source::source(top, pipeline);
    let lake = self::lake(top, source.keys);
    let tables = tables(top);
    let roles = roles::roles(top, source.format);
    let rows = rows(top, source.max_line);
    let commit = commit(top);
    let needs = || {
        let (source, max_line) = (source.config.as_ref()?, source.max_line?);
        Some(needs(workers?, source, max_line, lake.as_ref()?))
    };
    let limits = limits(top, source.chunk, needs());
    let kept = source.config.as_ref().zip(lake.as_ref()).map(|(source, lake)| disk::kept(source, lake));
    let state_file = source.state_file;
    let memory = limits.map(|(_, memory, _)| memory);
    let kind = || {
        let (commit_bytes, commit_interval) = commit?;
        let (ahead, _, reject_ratio) = limits?;
        Some(PgLogs {
            source: source.config?,
            lake: lake?,
            rows: RowSettings {
                rows_version: ROWS_VERSION,
                format: source.format?,
                max_line: source.max_line?,
                unknown_keys: rows.unknown_keys?,
                envelope: rows.envelope?,
                zones: rows.zones?,
                raw: rows.raw?,
                roles: roles?,
                tables: tables?,
            },
            commit_bytes,
            commit_interval,
            ahead,
            reject_ratio,
        })
    };
    Read { kind: kind(), state_file, memory, kept }
}

/// Reads `[lake]`. `source` are the credentials of the source's account.
fn lake(top: &mut Section<'_>, source: Option<Keys>) -> Option<LakeConfig> {
    let mut section = top.section("lake");
    let root = lake::root(&mut section, "root", "file:lake", source);
    let catalog = section.required("catalog", "lakehouse", values::lake_name);
    let schema = section.required("schema", "postgresql_logs", values::lake_name);
    let partition_by = section.optional("partition_by", defaults::PARTITION_BY, |v| {
        choice(v, &[("none", PartitionBy::None), ("day", PartitionBy::Day)])
    });
    section.finish();
    Some(LakeConfig { root: root?, catalog: catalog?, schema: schema?, partition_by: partition_by? })
}

/// The tables' names, in the order in which a run claims them.
fn tables(top: &mut Section<'_>) -> Option<Vec<String>> {
    const TABLES: [(&str, &str); 3] = [
        ("primary", defaults::PRIMARY_TABLE),
        ("replica", defaults::REPLICA_TABLE),
        ("rejects", defaults::REJECTS_TABLE),
    ];
    let mut section = top.section("tables");
    let names = TABLES.map(|(key, default)| section.optional(key, default.to_owned(), values::lake_name));

    for (later, (key, default)) in TABLES.iter().enumerate() {
        // File systems and catalogs that fold case would merge two tables whose names differ only
        // in case.
        let same = |earlier: &Option<String>| match (earlier, &names[later]) {
            (Some(earlier), Some(later)) => earlier.to_lowercase() == later.to_lowercase(),
            _ => false,
        };
        if let Some(earlier) = names[..later].iter().position(same) {
            let other = TABLES[earlier].0;
            let constraint = format!(
                "names the same table as tables.{other}: they must differ in more than case; the default is {default:?}"
            );
            section.refuse(key, constraint);
        }
    }
    section.finish();
    names.into_iter().collect()
}

/// The `[rows]` section.
struct Rows {
    unknown_keys: Option<UnknownKeys>,
    envelope: Option<Envelope>,
    zones: Option<Zones>,
    raw: Option<u64>,
}

fn rows(top: &mut Section<'_>, max_line: Option<u64>) -> Rows {
    let mut section = top.section("rows");
    let unknown_keys = section.optional("unknown_keys", defaults::UNKNOWN_KEYS, |v| {
        choice(v, &[("keep", UnknownKeys::Keep), ("drop", UnknownKeys::Drop), ("reject", UnknownKeys::Reject)])
    });
    let envelope = section
        .optional("envelope", defaults::ENVELOPE, |v| choice(v, &[("auto", Envelope::Auto), ("none", Envelope::None)]));
    let zone = section.optional("zone", None, |v| values::zone(v).map(Some));
    let names = section.section("zones").named_entries(values::abbreviation, values::offset);
    let raw = section.optional("raw", Raw::Bytes(RowSettings::usual_raw()), values::raw);
    section.finish();
    let zones = zone.zip(names).map(|(zone, names)| Zones::new(zone, names));
    let raw = raw.and_then(|raw| match raw {
        Raw::Bytes(bytes) => Some(bytes),
        Raw::Line => max_line,
    });
    Rows { unknown_keys, envelope, zones, raw }
}

/// Reads `[commit]`: the bytes and the interval.
fn commit(top: &mut Section<'_>) -> Option<(u64, Duration)> {
    let mut section = top.section("commit");
    let bytes = section.optional("bytes", defaults::COMMIT_BYTES, |v| size(v, defaults::BYTES_ALLOWED));
    let interval = section.optional("interval", defaults::COMMIT_INTERVAL, |v| duration(v, defaults::WAIT_ALLOWED));
    section.finish();
    Some((bytes?, interval?))
}

/// The settings that decide how much memory a run needs.
fn needs(workers: usize, source: &SourceConfig, max_line: u64, lake: &LakeConfig) -> Needs {
    let uploads = match lake.root {
        LakeRoot::File(_) => 0,
        LakeRoot::Azure(_) | LakeRoot::S3(_) => UPLOADS,
    };
    let SourceConfig { chunk, in_flight, .. } = *source;
    Needs { workers, tables: TABLES.len(), chunk, in_flight, max_line, uploads }
}

/// What is wrong with a limit of `memory` for a run with these `needs`.
pub(super) fn too_little(memory: u64, needs: &Needs) -> Option<String> {
    let mib = |bytes: u64| bytes.div_ceil(units::MIB);
    let (least, worker) = (needs.parts().least(), needs.worker());
    (memory < least).then(|| {
        format!(
            "must be at least {} MiB: {} MiB for each worker, {} MiB for a line of source.max_line, the rest for a chunk and open \
             files; raise it, lower workers, source.max_line or source.chunk, or leave it out for a limit that fits them",
            mib(least),
            mib(worker),
            mib(needs.long_line())
        )
    })
}

/// Reads `[limits]`: the bytes that may be ahead of the tables, the memory limit if there is one,
/// and the ratio of rejects.
fn limits(top: &mut Section<'_>, chunk: Option<u64>, needs: Option<Needs>) -> Option<(u64, Option<u64>, f64)> {
    let mut section = top.section("limits");
    let ahead = section.optional("ahead", defaults::AHEAD, |v| size(v, defaults::BYTES_ALLOWED));
    let reject_ratio = section.optional("reject_ratio", defaults::REJECT_RATIO, values::ratio);
    if let (Some(ahead), Some(chunk)) = (ahead, chunk)
        && ahead < chunk
    {
        let [files, blobs] = [defaults::CHUNK, defaults::CHUNK_AZURE].map(units::show_size);
        let constraint = format!(
            "must be at least source.chunk, by default {files}, for Azure {blobs}, or no chunk can ever be read"
        );
        section.refuse("ahead", constraint);
    }
    let memory = section.optional("memory", None, |v| size(v, defaults::BYTES_ALLOWED).map(Some));
    if let (Some(Some(memory)), Some(needs)) = (memory, needs)
        && let Some(constraint) = too_little(memory, &needs)
    {
        section.refuse("memory", constraint);
    }
    section.finish();
    Some((ahead?, memory?, reject_ratio?))
}
