//! The arguments of the commands that run no pipeline.

use std::path::PathBuf;

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
    pub(crate) file: PathBuf,
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
