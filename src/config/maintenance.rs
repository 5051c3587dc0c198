//! The section `[maintenance]` of a pipeline that writes a DuckLake.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Value;

use super::raw::{Reading, Section};
use super::units;
use super::values::{duration, number};

/// Flushes from one merge to the next.
const MERGE_EVERY: u64 = 6;
const MERGE_ALLOWED: RangeInclusive<i64> = 0..=1_000_000;
/// The age of a snapshot that is expired; ten years are as good as never.
const EXPIRE_ALLOWED: RangeInclusive<Duration> = Duration::from_secs(3600)..=Duration::from_secs(87_600 * 3600);

/// Longer than from one backup of a catalog to the next: a catalog that is restored names files
/// that have been merged since.
const KEEP_FILES: Duration = Duration::from_secs(72 * 3600);
const KEEP_ALLOWED: RangeInclusive<Duration> = Duration::from_secs(3600)..=Duration::from_secs(87_600 * 3600);

/// What is done to the lake beside flushes.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct MaintenanceKeys {
    /// Flushes from one merge of small files to the next; 0 for none.
    pub(crate) merge_every: u64,
    /// The age of snapshots that are expired; `None` for none.
    pub(crate) expire_older_than: Option<Duration>,
    /// How long a file stays that was merged or expired.
    pub(crate) keep_files: Duration,
}

/// Reads `[maintenance]`.
pub(super) fn read(top: &mut Section<'_>) -> Option<MaintenanceKeys> {
    let mut section = top.section("maintenance");
    let merge_every = section.optional("merge_every", MERGE_EVERY, |v| number(v, &MERGE_ALLOWED));
    let expire_older_than = section.optional("expire_older_than", None, age);
    let keep_files = section.optional("keep_files", KEEP_FILES, |v| duration(v, KEEP_ALLOWED));
    section.finish();
    Some(MaintenanceKeys { merge_every: merge_every?, expire_older_than: expire_older_than?, keep_files: keep_files? })
}

/// "never", or a duration.
fn age(value: &Value) -> Reading<Option<Duration>> {
    let text = value.as_str();
    if text == Some("never") {
        return Ok(None);
    }
    let age = text.and_then(units::duration).filter(|age| EXPIRE_ALLOWED.contains(age));
    age.map(Some).ok_or_else(|| {
        let [least, most] = [EXPIRE_ALLOWED.start(), EXPIRE_ALLOWED.end()].map(|age| units::show_duration(*age));
        format!("allowed is \"never\", or a duration from {least} to {most}, such as \"168h\"")
    })
}
