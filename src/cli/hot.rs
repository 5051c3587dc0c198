//! The arguments of `lakefront generate --hot`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::replay::time;
use super::tools::share;

/// Rows in hot tables, instead of lines in files.
#[cfg_attr(not(feature = "pg_flush"), allow(dead_code, reason = "no pipeline has hot tables"))]
#[derive(Args)]
pub(crate) struct HotArgs {
    /// Write rows into the hot tables of this pg_flush pipeline, until stopped.
    #[arg(long, value_name = "PIPELINE.toml", value_hint = clap::ValueHint::FilePath)]
    #[arg(conflicts_with_all = ["out", "size", "rejects", "format", "files", "app_keys"])]
    pub(crate) hot: Option<PathBuf>,
    /// With --hot: end after at least N rows, each counted once.
    #[arg(long, value_name = "N", requires = "hot", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rows: Option<u64>,
    /// With --hot: end after this long: 30s, 5m.
    #[arg(long = "for", value_name = "TIME", requires = "hot", value_parser = time)]
    pub(crate) lasting: Option<Duration>,
    /// With --hot: at most N rows per second; without it, as fast as the server takes them.
    #[arg(long, value_name = "N", requires = "hot", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rate: Option<u64>,
    /// With --hot: share of ledgers that are written again, from 0 to 1.
    #[arg(long, default_value = "0.05", value_name = "SHARE", requires = "hot", value_parser = share)]
    pub(crate) replays: f64,
    /// With --hot: share of rows that come after the watermark has passed them, from 0 to 1.
    #[arg(long, default_value = "0.01", value_name = "SHARE", requires = "hot", value_parser = share)]
    pub(crate) late: f64,
    /// With --hot: what a row does that is written again while it is there.
    #[arg(long, default_value = "nothing", requires = "hot")]
    pub(crate) on_conflict: OnConflict,
    /// With --hot: about N rows in a ledger, over all tables.
    #[arg(long, default_value_t = 400, value_name = "N", requires = "hot")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) ledger_rows: u64,
    /// With --hot: the first ledger; without it, the one after the highest that is hot or flushed.
    #[arg(long, value_name = "LEDGER", requires = "hot", value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) first: Option<i64>,
}

/// What becomes of a row whose key is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnConflict {
    /// Nothing: the row that is there stays.
    Nothing,
    /// It is updated, to what it was.
    Update,
}
