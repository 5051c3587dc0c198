//! The arguments of `lakefront debezium`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};

use super::help;
use super::replay::time;

#[derive(Args)]
pub(crate) struct DebeziumArgs {
    #[command(subcommand)]
    pub(crate) command: DebeziumCommand,
}

/// What is done with the connector.
#[derive(Subcommand)]
pub(crate) enum DebeziumCommand {
    /// Print the connector's configuration, as POST /connectors takes it.
    #[command(after_long_help = help::DEBEZIUM_CONFIG_AFTER)]
    Config(DebeziumConfigArgs),
    /// Have Connect check it, which tries PostgreSQL too.
    #[command(after_long_help = help::DEBEZIUM_VALIDATE_AFTER)]
    Validate(ConnectorArgs),
    /// Register the connector, or change it, and wait until its tasks run.
    #[command(after_long_help = help::DEBEZIUM_REGISTER_AFTER)]
    Register(RegisterArgs),
    /// Show the states of the connector and of its tasks.
    #[command(after_long_help = help::DEBEZIUM_STATUS_AFTER)]
    Status(DebeziumStatusArgs),
    /// Let the connector rest, until it is resumed.
    #[command(after_long_help = help::DEBEZIUM_PAUSE_AFTER)]
    Pause(SwitchArgs),
    /// Let a paused or stopped connector run, and wait until its tasks do.
    #[command(after_long_help = help::DEBEZIUM_RESUME_AFTER)]
    Resume(SwitchArgs),
    /// Start connector and tasks again, and wait until they run.
    #[command(after_long_help = help::DEBEZIUM_RESTART_AFTER)]
    Restart(RestartArgs),
    /// Stop and delete the connector; its slot stays in PostgreSQL.
    #[command(after_long_help = help::DEBEZIUM_DELETE_AFTER)]
    Delete(DeleteArgs),
}

impl DebeziumCommand {
    /// The pipeline file.
    pub(crate) fn file(&self) -> &Path {
        match self {
            DebeziumCommand::Config(args) => &args.file,
            DebeziumCommand::Validate(args) => &args.file,
            DebeziumCommand::Register(args) => &args.file,
            DebeziumCommand::Status(args) => &args.file,
            DebeziumCommand::Pause(args) | DebeziumCommand::Resume(args) => &args.file,
            DebeziumCommand::Restart(args) => &args.file,
            DebeziumCommand::Delete(args) => &args.file,
        }
    }
}

/// The arguments of `validate`.
#[derive(Args)]
pub(crate) struct ConnectorArgs {
    /// The pipeline file.
    #[arg(value_hint = clap::ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Where the worker finds PostgreSQL's password, instead of the password itself.
    // It is read later, because clap would repeat what may be the secret itself.
    #[arg(long, value_name = "PROVIDER:PATH:KEY")]
    pub(crate) secret_ref: Option<String>,
}

/// Those of `config` are the same.
pub(crate) type DebeziumConfigArgs = ConnectorArgs;

#[derive(Args)]
pub(crate) struct RegisterArgs {
    /// The pipeline file.
    #[arg(value_hint = clap::ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Where the worker finds PostgreSQL's password, instead of the password itself.
    // It is read later, because clap would repeat what may be the secret itself.
    #[arg(long, value_name = "PROVIDER:PATH:KEY")]
    pub(crate) secret_ref: Option<String>,
    /// How long its tasks may take to run.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time)]
    pub(crate) timeout: Duration,
}

#[derive(Args)]
pub(crate) struct DebeziumStatusArgs {
    /// The pipeline file.
    #[arg(value_hint = clap::ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Print a JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The arguments of `pause` and `resume`.
#[derive(Args)]
pub(crate) struct SwitchArgs {
    /// The pipeline file.
    #[arg(value_hint = clap::ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// How long it may take.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time)]
    pub(crate) timeout: Duration,
}

#[derive(Args)]
pub(crate) struct RestartArgs {
    /// The pipeline file.
    #[arg(value_hint = clap::ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Start only what has failed.
    #[arg(long)]
    pub(crate) only_failed: bool,
    /// How long it may take.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time)]
    pub(crate) timeout: Duration,
}

#[derive(Args)]
pub(crate) struct DeleteArgs {
    /// The pipeline file.
    #[arg(value_hint = clap::ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Ask nothing.
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Delete what Connect has noted of its position too: a connector of that name then begins with
    /// a snapshot.
    #[arg(long)]
    pub(crate) offsets: bool,
}
