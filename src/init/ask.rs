//! The questions, each with an example and a default, repeated until the answer can be used.

use std::io::{self, BufRead, Write};

use clap::ValueEnum;

use super::answers::{Answers, Field};
use crate::cli::{FormatArg, InitArgs, ModeArg};
use crate::exit::Usage;

const SOURCE: &str = "\
Where are the logs? A file, a directory or a glob on this machine, such as file:logs/, or
file:/var/log/postgresql/*.json for the log folder of a server that writes jsonlog; or blobs
in Azure, such as az://insights-logs-postgresqllogs/ or
https://ACCOUNT.blob.core.windows.net/insights-logs-postgresqllogs/";
const FORMAT: &str = "\
Which format do the lines have? azure: resource logs of Azure Database for PostgreSQL;
jsonlog: PostgreSQL's own, with log_destination = 'jsonlog'";
const MODE: &str = "\
When does a run end? backfill: at the end of what is there; tail: when it is stopped";
const LAKE: &str = "\
Where should the tables go? A folder on this machine, such as file:/data/lake, one in Azure, such
as az://lake/logs, or one in S3, such as s3://lake/logs";
const ACCOUNT: &str = "\
Which storage account? Its name, or nothing if AZURE_STORAGE_ACCOUNT or a connection string in
the environment will name it";
const PIPELINE: &str = "\
What is the pipeline called, for example orders-uat? The name marks its commits in the tables, so
it cannot be changed later";

/// Asks for what the flags leave open.
pub(super) fn ask(args: &InitArgs, input: &mut impl BufRead, out: &mut impl Write) -> anyhow::Result<Answers> {
    let mut answers = Answers::of(args);
    let mut console = Console { input, out };
    if args.source.is_none() {
        let default = answers.source.clone();
        console.text(SOURCE, "source", &default, &mut |text| {
            answers.source = text;
            answers.complaint(Field::Source)
        })?;
    }
    if args.format.is_none() {
        answers.format = console.choice::<FormatArg>(FORMAT, "format", answers.format)?;
    }
    if args.mode.is_none() {
        answers.mode = console.choice::<ModeArg>(MODE, "mode", answers.mode)?;
    }
    if args.lake.is_none() {
        let default = answers.lake.clone();
        console.text(LAKE, "lake", &default, &mut |text| {
            answers.lake = text;
            answers.complaint(Field::Lake)
        })?;
    }
    if args.account.is_none() && answers.needs_account() {
        console.text(ACCOUNT, "account", "", &mut |text| {
            answers.account = Some(text).filter(|text| !text.is_empty());
            answers.complaint(Field::Account)
        })?;
    }
    if args.pipeline.is_none() {
        let default = answers.pipeline.clone();
        console.text(PIPELINE, "pipeline", &default, &mut |text| {
            answers.pipeline = text;
            answers.complaint(Field::Pipeline)
        })?;
    }
    Ok(answers)
}

struct Console<'a, I, O> {
    input: &'a mut I,
    out: &'a mut O,
}

impl<I: BufRead, O: Write> Console<'_, I, O> {
    /// Asks until `take` has nothing to complain about.
    fn text(
        &mut self,
        question: &str,
        name: &str,
        default: &str,
        take: &mut dyn FnMut(String) -> Option<String>,
    ) -> anyhow::Result<()> {
        writeln!(self.out, "\n{question}")?;
        while let Some(complaint) = take(self.answer(name, default)?) {
            writeln!(self.out, "That cannot be used: {complaint}")?;
        }
        Ok(())
    }

    fn choice<T: ValueEnum>(&mut self, question: &str, name: &str, default: T) -> anyhow::Result<T> {
        let word = |choice: &T| choice.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let words: Vec<String> = T::value_variants().iter().map(word).collect();
        writeln!(self.out, "\n{question}")?;
        loop {
            let answer = self.answer(name, &word(&default))?;
            if let Ok(choice) = T::from_str(&answer, true) {
                return Ok(choice);
            }
            writeln!(self.out, "That cannot be used: allowed are {}", words.join(" and "))?;
        }
    }

    /// One line, or the default for an empty one.
    fn answer(&mut self, name: &str, default: &str) -> anyhow::Result<String> {
        let shown = if default.is_empty() { String::new() } else { format!(" [{default}]") };
        write!(self.out, "{name}{shown}: ")?;
        self.out.flush()?;
        let mut line = String::new();
        match self.input.read_line(&mut line) {
            Ok(0) => Err(Usage("the input ended before the last question: nothing was written".to_owned()).into()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(Usage("an answer is not UTF-8: nothing was written".to_owned()).into())
            }
            Err(error) => Err(error.into()),
            Ok(_) if line.trim().is_empty() => Ok(default.to_owned()),
            Ok(_) => Ok(line.trim().to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
