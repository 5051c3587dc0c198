//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Lands PostgreSQL data in a lakehouse, exactly once.
///
/// Exit codes: 0 done or stopped cleanly, 2 wrong usage or configuration, 3 stopped on a fatal error (nothing that was committed is
/// touched; start again once the cause is mended), 4 another run has the pipeline.
#[derive(Parser)]
#[command(name = "lakefront", version, about, long_about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run a pipeline: to the end of what is there (backfill), or until stopped (tail).
    Run(RunArgs),
    /// Check a pipeline file.
    Validate(ValidateArgs),
    /// Show where a pipeline's tables stand, and how far behind the source.
    Status(StatusArgs),
}

#[derive(Args)]
pub(crate) struct RunArgs {
    /// The pipeline file.
    pub(crate) file: PathBuf,
    /// Worker threads, instead of the file's `workers`.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) workers: Option<u16>,
    /// Instead of the file's `source.mode`.
    #[arg(long)]
    pub(crate) mode: Option<ModeArg>,
    /// Print a JSON object at the end.
    #[arg(long)]
    pub(crate) json: bool,
    /// Take the tables from a run on this host that is still alive; it stops with exit code 4.
    #[arg(long)]
    pub(crate) take_over: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ModeArg {
    Backfill,
    Tail,
}

#[derive(Args)]
pub(crate) struct ValidateArgs {
    /// The pipeline file.
    pub(crate) file: PathBuf,
    /// Look at the source and the tables too. Nothing is written.
    #[arg(long)]
    pub(crate) connect: bool,
}

#[derive(Args)]
pub(crate) struct StatusArgs {
    /// The pipeline file.
    pub(crate) file: PathBuf,
    /// Print a JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}
