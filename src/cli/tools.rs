//! The arguments of the commands that run no pipeline.

use std::path::PathBuf;
#[cfg(feature = "kafka")]
use std::str::FromStr;

use clap::{Args, ValueEnum};
use clap_complete::Shell;

use super::{HotArgs, ModeArg};
use crate::config;

#[derive(Args)]
pub(crate) struct InitArgs {
    /// The directory of the pipeline; it is created if it does not exist.
    #[arg(default_value = ".", value_hint = clap::ValueHint::DirPath)]
    pub(crate) dir: PathBuf,
    /// Where the logs are, such as file:logs/, 'file:/var/log/postgresql/*.json' or
    /// az://container/folder/.
    #[arg(long, value_name = "URL")]
    pub(crate) source: Option<String>,
    /// The format of the lines.
    #[arg(long)]
    pub(crate) format: Option<FormatArg>,
    /// Whether a run ends (backfill), or follows the logs until it is stopped (tail).
    #[arg(long)]
    pub(crate) mode: Option<ModeArg>,
    /// Where the tables will be, such as file:lake, az://container/folder or s3://bucket/folder.
    #[arg(long, value_name = "URL")]
    pub(crate) lake: Option<String>,
    /// The pipeline's name: letters, digits, '.', '_' and '-'.
    #[arg(long, value_name = "NAME")]
    pub(crate) pipeline: Option<String>,
    /// The storage account, if an az:// URL does not name it.
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// Ask nothing: what no flag sets gets its default.
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Replace an existing lakefront.toml.
    #[arg(long)]
    pub(crate) force: bool,
}

/// The format of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatArg {
    /// Resource logs of Azure Database for PostgreSQL.
    Azure,
    /// PostgreSQL's own jsonlog.
    Jsonlog,
}

impl FormatArg {
    /// The format's name in the pipeline file.
    pub(crate) fn word(self) -> &'static str {
        match self {
            FormatArg::Azure => "azure",
            FormatArg::Jsonlog => "jsonlog",
        }
    }
}

#[derive(Args)]
pub(crate) struct GenerateArgs {
    /// A new file; - for standard output; with --files a folder.
    #[arg(required_unless_present = "hot")]
    pub(crate) out: Option<PathBuf>,
    /// Total bytes, rounded up to whole lines: 64MiB, "1.5 GiB", 1000000.
    #[arg(long, default_value = "64MiB", value_parser = size)]
    pub(crate) size: u64,
    /// Share of lines that cannot be rows, from 0 to 1.
    #[arg(long, default_value = "0", value_name = "SHARE", value_parser = share)]
    pub(crate) rejects: f64,
    /// Seed: another number makes other lines, and other rows.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// The format of the lines.
    #[arg(long, default_value = "azure")]
    pub(crate) format: FormatArg,
    /// Spread the lines over N files: azure one per hour, in folders; jsonlog one per hour and
    /// server.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) files: Option<u32>,
    /// For azure, write the four keys that newer images add to a line.
    #[arg(long)]
    pub(crate) app_keys: bool,
    /// Report what was written as a JSON object on standard output; on standard error if the lines
    /// go there.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) hot: HotArgs,
}

#[derive(Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    pub(crate) shell: Shell,
}

#[derive(Args)]
pub(crate) struct ChangesArgs {
    /// The file with the events, one a line; - for standard input.
    #[arg(value_hint = clap::ValueHint::FilePath)]
    #[cfg_attr(feature = "kafka", arg(required_unless_present = "topic", conflicts_with = "topic"))]
    #[cfg_attr(not(feature = "kafka"), arg(required = true))]
    pub(crate) file: Option<PathBuf>,
    /// The topic to read instead, by its name or a pattern such as cdc.public.*.
    #[cfg(feature = "kafka")]
    #[arg(long, requires = "brokers")]
    pub(crate) topic: Option<String>,
    /// Where Kafka is: hosts with their ports, separated by commas.
    #[cfg(feature = "kafka")]
    #[arg(long, value_name = "HOSTS", requires = "topic")]
    pub(crate) brokers: Option<String>,
    /// Where to begin in each partition: earliest, latest, or an offset.
    #[cfg(feature = "kafka")]
    #[arg(long, value_name = "OFFSET", default_value = "earliest", requires = "topic")]
    pub(crate) from_offset: FromOffset,
    /// Read records of transactions that are open or were aborted, too.
    #[cfg(feature = "kafka")]
    #[arg(long, requires = "topic")]
    pub(crate) uncommitted: bool,
    /// Go on with the records that come, until stopped.
    #[cfg(feature = "kafka")]
    #[arg(long, requires = "topic")]
    pub(crate) follow: bool,
    /// A pipeline file, or one like it, with [source.security], or [source.registry] for Avro.
    #[cfg(feature = "kafka")]
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, requires = "topic")]
    pub(crate) security: Option<PathBuf>,
}

/// Where a reader of a topic begins in each partition.
#[cfg(feature = "kafka")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FromOffset {
    /// At the first record that is there.
    Earliest,
    /// Behind the last one.
    Latest,
    /// At this offset.
    At(u64),
}

#[cfg(feature = "kafka")]
impl FromStr for FromOffset {
    type Err = String;

    fn from_str(text: &str) -> Result<FromOffset, String> {
        match text {
            "earliest" => Ok(FromOffset::Earliest),
            "latest" => Ok(FromOffset::Latest),
            _ => {
                let offset = text.parse().map_err(|_| "allowed are earliest, latest, or a whole number".to_owned());
                offset.map(FromOffset::At)
            }
        }
    }
}

#[derive(Args)]
pub(crate) struct DoctorArgs {
    /// The pipeline file.
    #[arg(value_hint = clap::ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
    /// Print a JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn size(text: &str) -> Result<u64, String> {
    config::read_size(text)
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| "allowed is a size above zero, such as 64MiB, 1GiB or 4096 for bytes".to_owned())
}

pub(super) fn share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "allowed is a number from 0 to 1".to_owned())
}
