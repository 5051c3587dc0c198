//! The command line.

#[cfg(feature = "pg_changes")]
mod debezium;
mod help;
mod hot;
mod replay;
#[cfg(feature = "pg_changes")]
mod schema;
mod tools;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

#[cfg(feature = "pg_changes")]
pub(crate) use self::debezium::{
    ConnectorArgs, DebeziumArgs, DebeziumCommand, DebeziumConfigArgs, DebeziumStatusArgs, DeleteArgs, RegisterArgs,
    RestartArgs, SwitchArgs,
};
pub(crate) use self::hot::HotArgs;
#[cfg(feature = "pg_flush")]
pub(crate) use self::hot::OnConflict;
use self::replay::time;
pub(crate) use self::replay::{Rate, ReplayArgs};
#[cfg(feature = "pg_changes")]
pub(crate) use self::schema::{SchemaArgs, SchemaCommand};
#[cfg(feature = "kafka")]
pub(crate) use self::tools::FromOffset;
pub(crate) use self::tools::{ChangesArgs, CompletionsArgs, DoctorArgs, FormatArg, GenerateArgs, InitArgs};
use crate::logging::LogFormat;

/// Lands PostgreSQL logs and hot tables in a lakehouse, exactly once.
#[derive(Parser)]
#[command(name = "lakefront", version, about, long_about = help::LAKEFRONT, after_long_help = help::LAKEFRONT_AFTER)]
#[command(disable_help_flag = true)]
pub(crate) struct Cli {
    /// Print this help.
    // `-h` prints the long help too, because exit codes and examples are what one looks for.
    #[arg(short, long, global = true, action = clap::ArgAction::HelpLong)]
    help: Option<bool>,
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Format of standard error: text for people, or one JSON object per line.
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Write a pipeline file for logs, after a few questions.
    #[command(long_about = help::INIT, after_long_help = help::INIT_AFTER)]
    Init(InitArgs),
    /// Check machine, pipeline file, disks, source and lake, and say what to do.
    #[command(long_about = help::DOCTOR, after_long_help = help::DOCTOR_AFTER)]
    Doctor(DoctorArgs),
    /// Run a pipeline: to the end of what is there (backfill), or until stopped (tail).
    #[command(long_about = help::RUN, after_long_help = help::RUN_AFTER)]
    Run(RunArgs),
    /// Check a pipeline file.
    #[command(long_about = help::VALIDATE, after_long_help = help::VALIDATE_AFTER)]
    Validate(ValidateArgs),
    /// Show where a pipeline's tables stand, and how far behind the source.
    #[command(long_about = help::STATUS, after_long_help = help::STATUS_AFTER)]
    Status(StatusArgs),
    /// Prove that the tables hold every row of the source, once.
    #[command(long_about = help::PROVE, after_long_help = help::PROVE_AFTER)]
    Prove(ProveArgs),
    /// Show events of Debezium in a plain form, one line each.
    #[command(long_about = help::CHANGES, after_long_help = help::CHANGES_AFTER)]
    Changes(ChangesArgs),
    /// Register, watch and remove the connector that brings PostgreSQL's changes to Kafka.
    #[cfg(feature = "pg_changes")]
    #[command(long_about = help::DEBEZIUM, after_long_help = help::DEBEZIUM_AFTER)]
    Debezium(DebeziumArgs),
    /// Decide about a table that stands still because its columns have other types now.
    #[cfg(feature = "pg_changes")]
    #[command(long_about = help::SCHEMA, after_long_help = help::SCHEMA_AFTER)]
    Schema(SchemaArgs),
    /// Write log lines or hot rows to try a pipeline with, or to measure it.
    #[command(long_about = help::GENERATE, after_long_help = help::GENERATE_AFTER)]
    Generate(GenerateArgs),
    /// Write a file's lines as a growing file or blob, and measure when they are visible.
    #[command(long_about = help::REPLAY, after_long_help = help::REPLAY_AFTER)]
    Replay(ReplayArgs),
    /// Print a completion script for a shell.
    #[command(long_about = help::COMPLETIONS, after_long_help = help::COMPLETIONS_AFTER)]
    Completions(CompletionsArgs),
}

impl Command {
    /// What is logged unless the environment says otherwise. A command that only looks reports what
    /// it found; what a run does about it is not its news.
    pub(crate) fn log_level(&self) -> &'static str {
        match self {
            Command::Doctor(_) | Command::Validate(_) | Command::Status(_) | Command::Prove(_) => "warn",
            _ => "info",
        }
    }
}

#[derive(Args)]
pub(crate) struct RunArgs {
    /// The pipeline file.
    pub(crate) file: PathBuf,
    /// Worker threads, instead of the file's `workers`.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) workers: Option<u16>,
    /// The mode, instead of the file's `source.mode`.
    #[arg(long)]
    pub(crate) mode: Option<ModeArg>,
    /// End once nothing waits any more; the same as `--mode backfill`.
    #[arg(long, conflicts_with = "mode")]
    pub(crate) once: bool,
    /// Print a JSON object at the end.
    #[arg(long)]
    pub(crate) json: bool,
    /// Take over the tables from a run that is alive on this host; that run ends with exit code 4.
    #[arg(long)]
    pub(crate) take_over: bool,
    /// Accept tables that hold rows which no pipeline has landed.
    #[arg(long)]
    pub(crate) adopt: bool,
    /// Go on behind records that Kafka does not have any more: the rejects name what is lost.
    #[arg(long)]
    pub(crate) accept_loss: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeArg {
    /// Read to the end of what is there, then end.
    Backfill,
    /// Follow the source until stopped.
    Tail,
}

#[derive(Args)]
pub(crate) struct ValidateArgs {
    /// The pipeline file.
    pub(crate) file: PathBuf,
    /// Check the source and the tables too. Nothing is written.
    #[arg(long)]
    pub(crate) connect: bool,
}

#[derive(Args)]
pub(crate) struct StatusArgs {
    /// The pipeline file.
    pub(crate) file: PathBuf,
    /// List all files of logs, even if there are many.
    #[arg(long)]
    pub(crate) files: bool,
    /// Print a JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct ProveArgs {
    /// The pipeline file.
    pub(crate) file: PathBuf,
    /// Print a JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    /// Exit with 1 also if rows cannot be verified, or none has landed.
    #[arg(long)]
    pub(crate) strict: bool,
    /// How long changes may take to land that PostgreSQL has and the lake has not (pg_changes).
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = time)]
    pub(crate) timeout: Duration,
}
