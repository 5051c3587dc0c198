//! `lakefront schema`: decides about tables of `pg_changes` that stand still because a column has
//! another type in PostgreSQL now.

use crate::cli::{SchemaArgs, SchemaCommand};
use crate::report::print;
use crate::{pipeline, runtime};

/// Accepts what a table waits for, and prints what was done.
pub(crate) fn schema(args: &SchemaArgs) -> anyhow::Result<()> {
    let SchemaCommand::Accept(args) = &args.command;
    let config = pipeline::load(&args.file)?;
    print(runtime::tokio()?.block_on(pipeline::pg_changes::accept(config, &args.table, args.aside))?)
}
