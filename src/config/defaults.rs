//! The defaults of the pipeline file and the bounds of its values, each with its reason.

use std::num::NonZero;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use lakefront_operators::format::logs::settings::{Destination, Envelope, UnknownKeys};
use lakefront_operators::run::space::OnLow;

use super::units::{GIB, KIB, MIB, TIB};
use super::{ColdStart, Mode, OnRewrite, PartitionBy, Temporary, Unterminated};

/// Land what is there and stop: the mode that ends by itself.
pub(super) const MODE: Mode = Mode::Backfill;
/// Every line, including those written before the first run.
pub(super) const COLD_START: ColdStart = ColdStart::Earliest;
/// Small enough to spread one file evenly over the workers, and to stay in cache while it becomes
/// rows.
pub(super) const CHUNK: u64 = 4 * MIB;
/// For Azure, large enough to hide a request's latency.
pub(super) const CHUNK_AZURE: u64 = 8 * MIB;
/// How often a tail looks for growth.
pub(super) const POLL: Duration = Duration::from_secs(1);
/// Far above any line PostgreSQL writes on purpose.
pub(super) const MAX_LINE: u64 = 16 * MIB;
/// A last line without a newline may still be growing.
pub(super) const UNTERMINATED: Unterminated = Unterminated::Leave;
/// A log that shrinks was tampered with or moved; a human should look.
pub(super) const ON_REWRITE: OnRewrite = OnRewrite::Stop;
pub(super) const TEMPORARY: Temporary = Temporary::Skip;
/// No partitions, for the fewest files.
pub(super) const PARTITION_BY: PartitionBy = PartitionBy::None;
/// The primary server's table.
pub(super) const PRIMARY_TABLE: &str = "primary_postgresql_logs";
/// The replicas' table.
pub(super) const REPLICA_TABLE: &str = "replica_postgresql_logs";
/// The rejects table.
pub(super) const REJECTS_TABLE: &str = "rejected_postgresql_logs";
/// The roles that Azure gives a primary server: `Primary` if it has replicas, `None` if it stands
/// alone or was promoted. Both accept writes.
pub(super) const PRIMARY_ROLES: [&str; 2] = ["Primary", "None"];
/// Every other role is a kind of replica.
pub(super) const REPLICA_ROLES: [&str; 1] = [ANY_ROLE];
/// A line without a role is kept in the rejects table instead of being guessed at.
pub(super) const DEFAULT_DESTINATION: Destination = Destination::Reject;
/// Nothing of a line is lost.
pub(super) const UNKNOWN_KEYS: UnknownKeys = UnknownKeys::Keep;
/// Known containers of records are opened, because a batch or a wrapper is not a row.
pub(super) const ENVELOPE: Envelope = Envelope::Auto;
/// Input bytes after which a cut is committed: this gives data files of a size that suits readers.
pub(super) const COMMIT_BYTES: u64 = 256 * MIB;
/// Time after which a cut is committed, whatever its size.
pub(super) const COMMIT_INTERVAL: Duration = Duration::from_secs(10);
/// Bytes that may be read but not yet committed.
pub(super) const AHEAD: u64 = GIB;
/// Share of rejects among the last lines above which a run stops, because the format is wrong, not
/// the lines.
pub(super) const REJECT_RATIO: f64 = 0.5;

/// A cut takes seconds; a minute without progress is worth a look.
pub(super) const STALL: Duration = Duration::from_secs(60);

/// Chunks in a worker's memory at once. While one becomes rows, the next ones wait or are being
/// read, so that no worker waits for the one that plans.
pub(super) const IN_FLIGHT: usize = 4;
/// Azure appends to an hour's blob for up to two days.
pub(super) const SETTLE: Duration = Duration::from_secs(48 * 3600);
/// The most that Azure returns.
pub(super) const PAGE: u32 = 5000;
/// The hour folders of Azure's resource logs.
pub(super) const HOUR_FOLDERS: &str = "y=%Y/m=%m/d=%d/h=%H/";
/// The longest time until a line is seen that was appended to the blob of an hour long past.
pub(super) const RELIST: Duration = Duration::from_secs(5 * 60);
/// A service that is up sends the first byte within a second or two.
pub(super) const RETRY_TIMEOUT: Duration = Duration::from_secs(30);
/// Most throttling ends within a second.
pub(super) const RETRY_FIRST: Duration = Duration::from_millis(200);
/// Longer pauses would only delay the end of an outage.
pub(super) const RETRY_CAP: Duration = Duration::from_secs(30);
/// Beyond this it is an outage, and someone should know.
pub(super) const RETRY_MAX_TIME: Duration = Duration::from_secs(5 * 60);

/// What a busy run writes in a few minutes: enough time to react before the disk is full.
pub(super) const MIN_FREE: u64 = 2 * GIB;
/// Space rarely becomes free by itself.
pub(super) const ON_LOW: OnLow = OnLow::Stop;
/// A file that is still being written changes more often.
pub(super) const CLEAN_AGE: Duration = Duration::from_secs(3600);

/// The role value that stands for every non-empty role not named elsewhere.
pub(super) const ANY_ROLE: &str = "*";

/// More workers than the cores of any machine it was measured on.
pub(super) const WORKERS_ALLOWED: RangeInclusive<i64> = 1..=256;
/// Small ones are for tests; large ones cost memory, because each chunk in flight holds one buffer.
pub(super) const CHUNK_ALLOWED: RangeInclusive<u64> = KIB..=64 * MIB;
/// A line is held in memory whole.
pub(super) const MAX_LINE_ALLOWED: RangeInclusive<u64> = KIB..=256 * MIB;
/// With none, a reject could not be understood; no line is longer than the upper bound.
pub(super) const RAW_ALLOWED: RangeInclusive<u64> = 1..=256 * MIB;
/// Small ones are for tests; anything above a TiB is a wrong unit.
pub(super) const BYTES_ALLOWED: RangeInclusive<u64> = 1..=TIB;
/// Zero is for users who watch the disk by other means; anything above a TiB is a wrong unit.
pub(super) const MIN_FREE_ALLOWED: RangeInclusive<u64> = 0..=TIB;
/// Short ones are for tests, because they may match files that are still being written. A year is
/// long enough.
pub(super) const CLEAN_AGE_ALLOWED: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(365 * 24 * 3600);
/// Shorter would be a busy loop; longer than a week is a wrong unit, and could not be added to
/// every clock.
pub(super) const WAIT_ALLOWED: RangeInclusive<Duration> =
    Duration::from_millis(10)..=Duration::from_secs(7 * 24 * 3600);
/// Each holds one chunk.
pub(super) const IN_FLIGHT_ALLOWED: RangeInclusive<i64> = 1..=64;
/// What Azure allows.
pub(super) const PAGE_ALLOWED: RangeInclusive<i64> = 1..=5000;
/// Short ones are for tests: they treat a blob as finished between two appends. Nobody appends to
/// one blob for more than a year.
pub(super) const SETTLE_ALLOWED: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(365 * 24 * 3600);
/// A share of lines.
pub(super) const REJECT_RATIO_ALLOWED: RangeInclusive<f64> = 0.0..=1.0;
/// The longest name of a state file, in bytes: file systems allow 255, and 25 are reserved for
/// `.NUMBER.tmp`.
pub(super) const STATE_FILE_MAX_LENGTH: usize = 230;
/// The pipeline's name becomes part of file names, which must stay under 255 bytes.
pub(super) const PIPELINE_MAX_LENGTH: usize = 100;
/// Catalog, schema and tables are folders, whose names file systems limit to 255 bytes.
pub(super) const NAME_MAX_LENGTH: usize = 255;

/// The cores this process may use, within the allowed range; one if the system does not report
/// them.
pub(super) fn workers() -> usize {
    let most = usize::try_from(*WORKERS_ALLOWED.end()).expect("the bound is small");
    std::thread::available_parallelism().map_or(1, NonZero::get).min(most)
}

/// Named after the pipeline, so that several can run from one directory.
pub(super) fn state_file(pipeline: &str) -> PathBuf {
    PathBuf::from(format!("state/{pipeline}.offset.json"))
}
