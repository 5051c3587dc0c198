//! `lakefront completions`: a shell script, generated from the parser's definition of the command
//! line, so that it knows every flag.

use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArgs};
use crate::report::print;

/// Prints the script.
pub(crate) fn completions(args: &CompletionsArgs) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "lakefront", &mut script);
    print(String::from_utf8(script)?)
}
