//! The arguments of `lakefront schema`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::help;

#[derive(Args)]
pub(crate) struct SchemaArgs {
    #[command(subcommand)]
    pub(crate) command: SchemaCommand,
}

/// What is decided.
#[derive(Subcommand)]
pub(crate) enum SchemaCommand {
    /// Give the table the types that its next events have, so that it goes on.
    #[command(after_long_help = help::SCHEMA_AFTER)]
    Accept(AcceptArgs),
}

#[derive(Args)]
pub(crate) struct AcceptArgs {
    /// The pipeline file.
    pub(crate) file: PathBuf,
    /// The table, with its schema, such as public.orders.
    pub(crate) table: String,
    /// Keep the values that are there in a column of their own, such as price__v1: the column is
    /// null until a row changes.
    #[arg(long)]
    pub(crate) aside: bool,
}
