//! `lakefront generate`: log lines to try a pipeline with, or to measure it.
//!
//! Promises: the same flags make the same bytes on every machine; the counts it reports are what a
//! pipeline with the default roles lands, table by table and reason by reason.

mod azure;
mod jsonlog;
mod lines;
mod out;
mod random;
mod shapes;
mod spoil;

use std::path::Path;

use self::lines::{Author, Lines};
use crate::cli::GenerateArgs;
use crate::exit::Usage;
use crate::logging;
use crate::report::print_json;

/// Writes log lines.
pub(crate) fn generate(args: &GenerateArgs) -> anyhow::Result<()> {
    let mut lines = Lines::new(args.format, args.app_keys, args.rejects, args.seed);
    let to_stdout = args.out == Path::new("-");
    match args.files {
        Some(_) if to_stdout => {
            return Err(Usage("--files needs a folder as OUT, and - is standard output".to_owned()).into());
        }
        Some(files) => out::folder(&mut lines, args.size, &args.out, files, args.format)?,
        None if to_stdout => out::stdout(&mut lines, args.size)?,
        None => out::file(&mut lines, args.size, &args.out, Author::Primary)?,
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
