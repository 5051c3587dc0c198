//! `lakefront generate`: log lines or hot rows, to try a pipeline with, or to measure it.
//!
//! Promises: the same flags make the same bytes on every machine; the counts it reports are what a
//! pipeline with the default roles lands, table by table and reason by reason.

mod azure;
#[cfg(feature = "pg_flush")]
mod hot;
mod jsonlog;
mod lines;
mod out;
mod random;
mod shapes;
mod spoil;

use std::path::Path;

use self::lines::{Author, Lines};
use crate::cli::GenerateArgs;
use crate::config::{Config, Kind};
use crate::exit::Usage;
use crate::report::print_json;
use crate::{logging, pipeline};

/// Writes log lines, or rows into the hot tables of a pipeline.
pub(crate) fn generate(args: &GenerateArgs) -> anyhow::Result<()> {
    match (&args.hot.hot, &args.out) {
        (Some(file), _) => rows(file, args),
        (None, Some(out)) => lines(out, args),
        (None, None) => Err(Usage("generate needs OUT, or --hot with a pipeline file".to_owned()).into()),
    }
}

/// Writes rows into the hot tables of the pipeline `file`.
#[cfg_attr(not(feature = "pg_flush"), allow(unused_variables, reason = "no other kind has hot tables"))]
fn rows(file: &Path, args: &GenerateArgs) -> anyhow::Result<()> {
    let Config { common, kind } = pipeline::load(file)?;
    match kind {
        #[cfg(feature = "pg_flush")]
        Kind::PgFlush(flush) => hot::generate(pipeline::pg_flush::Described { common, flush: *flush }, args),
        Kind::PgLogs(_) => Err(not_hot(&common.pipeline, "logs").into()),
        #[cfg(feature = "pg_changes")]
        Kind::PgChanges(_) => Err(not_hot(&common.pipeline, "topics").into()),
    }
}

fn not_hot(name: &str, what: &str) -> Usage {
    Usage(format!("pipeline {name:?} reads {what}: --hot is for pipelines with topology = \"pg_flush\""))
}

/// Writes log lines.
fn lines(out: &Path, args: &GenerateArgs) -> anyhow::Result<()> {
    let mut lines = Lines::new(args.format, args.app_keys, args.rejects, args.seed);
    let to_stdout = out == Path::new("-");
    match args.files {
        Some(_) if to_stdout => {
            return Err(Usage("--files needs a folder as OUT, and - is standard output".to_owned()).into());
        }
        Some(files) => out::folder(&mut lines, args.size, out, files, args.format)?,
        None if to_stdout => out::stdout(&mut lines, args.size)?,
        None => out::file(&mut lines, args.size, out, Author::Primary)?,
    }
    match (args.json, to_stdout) {
        (true, false) => print_json(&lines.tally.json()),
        (true, true) => {
            logging::tell(&format!("{}\n", lines.tally.json()));
            Ok(())
        }
        (false, _) => {
            logging::tell(&lines.tally.text());
            Ok(())
        }
    }
}
