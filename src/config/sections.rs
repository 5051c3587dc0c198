//! The file's layout: which section has which fields, and the rules that tie fields of different sections together.
//!
//! Promises: every section is read before any is given up on, and a rule across sections is checked whenever the fields it
//! ties are good by themselves, whatever else is wrong.

use std::time::Duration;

use lakefront_operators::settings::{Format, ROWS_VERSION, RowSettings, UnknownKeys};

use super::raw::Section;
use super::values::{self, choice, duration, size};
use super::{
    ColdStart, Config, LakeConfig, Mode, OnRewrite, PartitionBy, SourceConfig, Topology, Unterminated, defaults, roles,
    units,
};

/// The whole file.
pub(super) fn read(mut top: Section<'_>) -> Option<Config> {
    let pipeline = top.required("pipeline", "pg-logs", values::pipeline);
    let topology = top.required("topology", "pg_logs", |v| choice(v, &[("pg_logs", Topology::PgLogs)]));
    let workers = top.optional("workers", defaults::workers(), values::workers);
    let source = source(&mut top, pipeline.as_deref());
    let lake = lake(&mut top);
    let tables = tables(&mut top);
    let roles = roles::roles(&mut top, source.format);
    let unknown_keys = unknown_keys(&mut top);
    let commit = commit(&mut top);
    let limits = limits(&mut top, source.chunk);
    top.finish();

    let (commit_bytes, commit_interval) = commit?;
    let (ahead, reject_ratio) = limits?;
    Some(Config {
        pipeline: pipeline?,
        topology: topology?,
        workers: workers?,
        source: source.config?,
        lake: lake?,
        rows: RowSettings {
            rows_version: ROWS_VERSION,
            format: source.format?,
            max_line: source.max_line?,
            unknown_keys: unknown_keys?,
            roles: roles?,
            tables: tables?,
        },
        commit_bytes,
        commit_interval,
        ahead,
        reject_ratio,
    })
}

/// The `[source]` section; beside it what belongs to rows, and what other sections are checked against.
struct Source {
    config: Option<SourceConfig>,
    format: Option<Format>,
    max_line: Option<u64>,
    chunk: Option<u64>,
}

fn source(top: &mut Section<'_>, pipeline: Option<&str>) -> Source {
    let mut section = top.section("source");
    let url = section.required("url", "file:data/logs/", values::source_url);
    let format =
        section.required("format", "azure", |v| choice(v, &[("azure", Format::Azure), ("jsonlog", Format::Jsonlog)]));
    let mode =
        section.optional("mode", defaults::MODE, |v| choice(v, &[("backfill", Mode::Backfill), ("tail", Mode::Tail)]));
    let cold_start = section.optional("cold_start", defaults::COLD_START, |v| {
        choice(v, &[("earliest", ColdStart::Earliest), ("latest", ColdStart::Latest)])
    });
    // Without a pipeline there is no configuration either, so its state file matters to nobody.
    let state_file = defaults::state_file(pipeline.unwrap_or_default());
    let state_file = section.optional("state_file", state_file, values::path);
    let chunk = section.optional("chunk", defaults::CHUNK, |v| {
        size(v, defaults::CHUNK_ALLOWED)
            .map_err(|allowed| format!("{allowed}; each chunk in flight holds one buffer of this size"))
    });
    let poll = section.optional("poll", defaults::POLL, |v| duration(v, defaults::WAIT_ALLOWED));
    let max_line = section.optional("max_line", defaults::MAX_LINE, |v| {
        size(v, defaults::MAX_LINE_ALLOWED).map_err(|allowed| format!("{allowed}; a line is held in memory whole"))
    });
    let unterminated = section.optional("unterminated", defaults::UNTERMINATED, |v| {
        choice(v, &[("leave", Unterminated::Leave), ("land", Unterminated::Land)])
    });
    let on_rewrite = section.optional("on_rewrite", defaults::ON_REWRITE, |v| {
        choice(v, &[("stop", OnRewrite::Stop), ("restart", OnRewrite::Restart)])
    });
    section.finish();

    let config = || {
        Some(SourceConfig {
            url: url?,
            mode: mode?,
            cold_start: cold_start?,
            state_file: state_file?,
            chunk: chunk?,
            poll: poll?,
            unterminated: unterminated?,
            on_rewrite: on_rewrite?,
        })
    };
    Source { config: config(), format, max_line, chunk }
}

fn lake(top: &mut Section<'_>) -> Option<LakeConfig> {
    let mut section = top.section("lake");
    let root = section.required("root", "file:lake", values::lake_root);
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
        // File systems and catalogs that fold case would make one table of two names that differ in nothing else.
        let same = |earlier: &Option<String>| match (earlier, &names[later]) {
            (Some(earlier), Some(later)) => earlier.to_lowercase() == later.to_lowercase(),
            _ => false,
        };
        if let Some(earlier) = names[..later].iter().position(same) {
            let other = TABLES[earlier].0;
            let constraint = format!(
                "names the same table as tables.{other}, they must differ in more than case; by default it is {default:?}"
            );
            section.refuse(key, constraint);
        }
    }
    section.finish();
    names.into_iter().collect()
}

fn unknown_keys(top: &mut Section<'_>) -> Option<UnknownKeys> {
    let mut section = top.section("rows");
    let unknown_keys = section.optional("unknown_keys", defaults::UNKNOWN_KEYS, |v| {
        choice(v, &[("keep", UnknownKeys::Keep), ("drop", UnknownKeys::Drop), ("reject", UnknownKeys::Reject)])
    });
    section.finish();
    unknown_keys
}

/// The bytes and the interval of `[commit]`.
fn commit(top: &mut Section<'_>) -> Option<(u64, Duration)> {
    let mut section = top.section("commit");
    let bytes = section.optional("bytes", defaults::COMMIT_BYTES, |v| size(v, defaults::BYTES_ALLOWED));
    let interval = section.optional("interval", defaults::COMMIT_INTERVAL, |v| duration(v, defaults::WAIT_ALLOWED));
    section.finish();
    Some((bytes?, interval?))
}

/// What may be ahead of the tables, and the ratio of rejects, of `[limits]`.
fn limits(top: &mut Section<'_>, chunk: Option<u64>) -> Option<(u64, f64)> {
    let mut section = top.section("limits");
    let ahead = section.optional("ahead", defaults::AHEAD, |v| size(v, defaults::BYTES_ALLOWED));
    let reject_ratio = section.optional("reject_ratio", defaults::REJECT_RATIO, values::ratio);
    if let (Some(ahead), Some(chunk)) = (ahead, chunk)
        && ahead < chunk
    {
        let default = units::show_size(defaults::CHUNK);
        let constraint =
            format!("must be at least source.chunk, by default {default}, or not a single chunk may be read");
        section.refuse("ahead", constraint);
    }
    section.finish();
    Some((ahead?, reject_ratio?))
}
