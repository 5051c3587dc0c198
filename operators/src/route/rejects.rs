//! What a run reports about its rejects when they are too many, or all there is: how many for each
//! reason, and where the first was.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::error::Stop;
use crate::format::logs::record::{Reason, Reject};
use crate::run::fatal::StopRequest;
use crate::shown;

/// Characters of a line that are shown.
const SHOWN: usize = 80;

/// Lines that were rejected for one reason, and the first of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Why they were rejected.
    pub reason: Reason,
    /// How many there are.
    pub lines: u64,
    /// The partition of the first line, as `_source` has it.
    pub source: String,
    /// Where the first line starts in its partition.
    pub offset: u64,
    /// How the first line begins: a few characters on one line, without terminal controls and
    /// without secrets.
    pub beginning: String,
}

impl Counted {
    /// Adds lines of the same reason; the first line is the one at the earlier place.
    fn add(&mut self, more: &Counted) {
        let lines = self.lines + more.lines;
        if (&more.source, more.offset) < (&self.source, self.offset) {
            *self = more.clone();
        }
        self.lines = lines;
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counted { reason, lines, source, offset, beginning } = self;
        write!(
            f,
            "{} {lines}, first {}:{offset} `{beginning}`: {}",
            reason.as_str(),
            shown::one_line(source),
            advice(*reason)
        )
    }
}

/// What to do about lines that are rejected for `reason`.
fn advice(reason: Reason) -> &'static str {
    match reason.as_str() {
        "no_role" => "set roles.default, or name its server in [roles.servers] or its file in [roles.sources]",
        "unknown_role" => "name its role in roles.primary or roles.replica",
        "invalid_json" | "not_an_object" | "invalid_utf8" => {
            "check that source.url matches only JSON logs, such as *.json"
        }
        "unknown_key" => "set rows.unknown_keys = \"keep\"",
        "line_too_long" => "raise source.max_line",
        "malformed_time" => "set rows.zone to the server's log_timezone",
        _ => "check that source.format matches the lines",
    }
}

/// `rejects` of one batch, by reason.
pub(super) fn count(rejects: &[Reject], source: &str) -> Vec<Counted> {
    let mut counted: Vec<Counted> = Vec::new();
    for reject in rejects {
        match counted.iter_mut().find(|counted| counted.reason == reject.reason) {
            Some(counted) => {
                counted.lines += 1;
                if reject.offset < counted.offset {
                    (counted.offset, counted.beginning) = (reject.offset, beginning(&reject.raw));
                }
            }
            None => counted.push(Counted {
                reason: reject.reason,
                lines: 1,
                source: source.to_owned(),
                offset: reject.offset,
                beginning: beginning(&reject.raw),
            }),
        }
    }
    counted
}

/// Adds up batches, which come in any order; the most frequent reason first.
pub(super) fn sum<'a>(batches: impl Iterator<Item = &'a Counted>) -> Vec<Counted> {
    let mut sum: Vec<Counted> = Vec::new();
    for batch in batches {
        match sum.iter_mut().find(|counted| counted.reason == batch.reason) {
            Some(counted) => counted.add(batch),
            None => sum.push(batch.clone()),
        }
    }
    sum.sort_by_key(|counted| std::cmp::Reverse(counted.lines));
    sum
}

/// How a line begins.
fn beginning(raw: &[u8]) -> String {
    // A character has four bytes at most.
    let text = String::from_utf8_lossy(&raw[..raw.len().min(4 * SHOWN)]);
    let text = shown::without_secrets(&text);
    let mut shown: String = text.chars().take(SHOWN).collect();
    if raw.len() > 4 * SHOWN || text.len() > shown.len() {
        shown.push('…');
    }
    shown::one_line(&shown).into_owned()
}

/// The rejects of a run, shared by its workers.
pub struct Rejects {
    /// Share of rejects, 0 to 1, above which the run is asked to stop.
    ratio: f64,
    stop: StopRequest,
    /// Why it was asked to stop.
    over: Mutex<Option<Stop>>,
    is_over: AtomicBool,
    /// The rejects routed so far, by reason; the first line of each is that of the least partition
    /// and offset.
    first: Mutex<BTreeMap<&'static str, Counted>>,
}

impl Rejects {
    /// A run with a larger share of rejects than `ratio` ends as if `stop` had been requested: what
    /// it has read is committed, including the rejects.
    pub fn new(ratio: f64, stop: StopRequest) -> Rejects {
        Rejects { ratio, stop, over: Mutex::default(), is_over: AtomicBool::new(false), first: Mutex::default() }
    }

    /// Returns an error, once, if the run was asked to end because of its rejects.
    pub fn verdict(&self) -> Result<(), Stop> {
        self.over.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }

    /// Whether the run was asked to end because of its rejects.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// The first reject of each reason, with how many there were.
    pub fn counted(&self) -> Vec<Counted> {
        sum(self.first.lock().unwrap_or_else(PoisonError::into_inner).values())
    }

    pub(super) fn ratio(&self) -> f64 {
        self.ratio
    }

    /// Adds the rejects of one batch.
    pub(super) fn seen(&self, batch: &[Counted]) {
        if batch.is_empty() {
            return;
        }
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        for counted in batch {
            let known = first.entry(counted.reason.as_str());
            known.and_modify(|known| known.add(counted)).or_insert_with(|| counted.clone());
        }
    }

    /// Asks the run to end, unless it was asked before.
    pub(super) fn stop(&self, over: Stop) {
        // Only the first cause is reported.
        if !self.is_over.swap(true, Ordering::Relaxed) {
            *self.over.lock().unwrap_or_else(PoisonError::into_inner) = Some(over);
            self.stop.request();
        }
    }
}

#[cfg(test)]
mod tests;
