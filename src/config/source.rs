//! The `[source]` section and the sections inside it: what is read, and how.
//!
//! Promises: settings that apply to blobs only are refused for files, instead of being kept without
//! effect.

use std::path::PathBuf;
use std::time::Duration;

use lakefront_operators::azure::{ListingSettings, RetrySettings};
use lakefront_operators::format::logs::settings::Format;

use super::azure::{self, Keys};
use super::places::{self, SourceAddress};
use super::raw::Section;
use super::values::{self, choice, duration, number, size};
use super::{ColdStart, Mode, OnRewrite, SourceConfig, SourceUrl, Temporary, Unterminated, defaults};

/// What the section says, plus the settings that belong to rows and those that other sections are
/// checked against.
pub(super) struct Source {
    pub(super) config: Option<SourceConfig>,
    pub(super) format: Option<Format>,
    pub(super) max_line: Option<u64>,
    pub(super) chunk: Option<u64>,
    pub(super) state_file: Option<PathBuf>,
    pub(super) keys: Option<Keys>,
}

/// The error for `unterminated = "land"` in a tail.
pub(super) const MAY_GROW: &str = "is for a backfill only: while a server writes, a line without a newline may be incomplete; \
                                   leave it out of a tail, and land the rest with a backfill once no server writes any more";

/// Whether a run could land half of a line that is still being written.
pub(super) fn lands_what_may_grow(mode: Mode, unterminated: Unterminated) -> bool {
    mode == Mode::Tail && unterminated == Unterminated::Land
}

/// Reads `[source]`. Without a pipeline there is no configuration either, so the default state file
/// does not matter then.
pub(super) fn source(top: &mut Section<'_>, pipeline: Option<&str>) -> Source {
    let mut section = top.section("source");
    let place = section.required("url", "file:data/logs/", places::source);
    let format =
        section.required("format", "azure", |v| choice(v, &[("azure", Format::Azure), ("jsonlog", Format::Jsonlog)]));
    let mode =
        section.optional("mode", defaults::MODE, |v| choice(v, &[("backfill", Mode::Backfill), ("tail", Mode::Tail)]));
    let cold_start = section.optional("cold_start", defaults::COLD_START, |v| {
        choice(v, &[("earliest", ColdStart::Earliest), ("latest", ColdStart::Latest)])
    });
    let state_file = defaults::state_file(pipeline.unwrap_or_default());
    let state_file = section.optional("state_file", state_file, values::state_file);
    let usual = match place {
        Some(SourceAddress::Azure(_)) => defaults::CHUNK_AZURE,
        _ => defaults::CHUNK,
    };
    let chunk = section.optional("chunk", usual, |v| {
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
    if let (Some(mode), Some(unterminated)) = (mode, unterminated)
        && lands_what_may_grow(mode, unterminated)
    {
        section.refuse("unterminated", MAY_GROW.to_owned());
    }
    let on_rewrite = section.optional("on_rewrite", defaults::ON_REWRITE, |v| {
        choice(v, &[("stop", OnRewrite::Stop), ("restart", OnRewrite::Restart)])
    });
    let temporary = section.optional("temporary", defaults::TEMPORARY, |v| {
        choice(v, &[("skip", Temporary::Skip), ("read", Temporary::Read)])
    });
    let in_flight = section.optional("in_flight", defaults::IN_FLIGHT, |v| number(v, &defaults::IN_FLIGHT_ALLOWED));
    let quiet = section.optional("settle", defaults::SETTLE, |v| duration(v, defaults::SETTLE_ALLOWED));
    let files = matches!(place, Some(SourceAddress::File(_)));
    if files {
        refuse_given(&section, &["settle"]);
    }
    let (keys, listing) = azure(&mut section, quiet, files);
    let retry = retry(&mut section, files);
    let url = match place {
        Some(SourceAddress::File(path)) => Some(SourceUrl::File(path)),
        Some(SourceAddress::Azure(address)) => {
            azure::located(&section, "url", &address, keys.as_ref()).map(|at| SourceUrl::Azure(Box::new(at)))
        }
        None => None,
    };
    section.finish();

    let config = || {
        Some(SourceConfig {
            url: url?,
            mode: mode?,
            cold_start: cold_start?,
            chunk: chunk?,
            in_flight: in_flight?,
            poll: poll?,
            unterminated: unterminated?,
            on_rewrite: on_rewrite?,
            temporary: temporary?,
            listing: listing?,
            retry: retry?,
        })
    };
    Source { config: config(), format, max_line, chunk, state_file, keys }
}

/// Reads `[source.azure]`. Its credentials may serve the lake, even if the source is files.
fn azure(source: &mut Section<'_>, quiet: Option<Duration>, files: bool) -> (Option<Keys>, Option<ListingSettings>) {
    let mut section = source.section("azure");
    let keys = azure::keys(&mut section, "[source.azure]");
    let page = section.optional("page", defaults::PAGE, |v| number(v, &defaults::PAGE_ALLOWED));
    let hour_folders = Some(defaults::HOUR_FOLDERS.to_owned());
    let hour_folders = section.optional("hour_folders", hour_folders, values::hour_folders);
    let relist = section.optional("relist", defaults::RELIST, |v| duration(v, defaults::WAIT_ALLOWED));
    if files {
        refuse_given(&section, &["page", "hour_folders", "relist"]);
    }
    section.finish();
    let listing = || Some(ListingSettings { page: page?, hour_folders: hour_folders?, relist: relist?, quiet: quiet? });
    (keys, listing())
}

/// Reads `[source.retry]`.
fn retry(source: &mut Section<'_>, files: bool) -> Option<RetrySettings> {
    let mut section = source.section("retry");
    let wait = |v: &_| duration(v, defaults::WAIT_ALLOWED);
    let timeout = section.optional("timeout", defaults::RETRY_TIMEOUT, wait);
    let first = section.optional("first", defaults::RETRY_FIRST, wait);
    let cap = section.optional("cap", defaults::RETRY_CAP, wait);
    let max_time = section.optional("max_time", defaults::RETRY_MAX_TIME, wait);
    if let (Some(first), Some(cap)) = (first, cap)
        && cap < first
    {
        let constraint =
            "must be at least source.retry.first: pauses grow from first to cap; the defaults are 200ms and 30s";
        section.refuse("cap", constraint.to_owned());
    }
    if files {
        refuse_given(&section, &["timeout", "first", "cap", "max_time"]);
    }
    section.finish();
    Some(RetrySettings { timeout: timeout?, first: first?, cap: cap?, max_time: max_time? })
}

fn refuse_given(section: &Section<'_>, keys: &[&'static str]) {
    for key in keys.iter().copied().filter(|key| section.given(key)) {
        section.refuse(key, "is for Azure sources only, and source.url names files: leave it out".to_owned());
    }
}
