//! `lakefront changes`: Debezium's events, from a file, a pipe or a topic, in their plain form.
//!
//! Promises: one line for each event, in order, and one that says why for each line that is none;
//! what is known to change no row is counted. Memory does not grow with the input.

mod lines;
mod tally;
#[cfg(feature = "kafka")]
mod topic;

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::Path;

use anyhow::Context;
use lakefront_operators::format::debezium::{Decoded, Decoder, Line, Reason, Record, write_plain};
use lakefront_operators::shown;
use serde_json::json;

use self::lines::Lines;
use self::tally::Tally;
use crate::cli::ChangesArgs;
use crate::exit::{Exit, Usage};
use crate::logging;

/// Prints the events of a file, of standard input, or of a topic.
pub(crate) fn changes(args: &ChangesArgs) -> anyhow::Result<Exit> {
    let mut tally = Tally::default();
    let out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    #[cfg(feature = "kafka")]
    if let Some(topic) = &args.topic {
        let printed = topic::print(args, topic, out, &mut tally);
        return ended(printed, "the topic", "records", &tally);
    }
    let file = args.file.as_deref().context("clap requires FILE")?;
    let lines = Lines::new(BufReader::with_capacity(1 << 16, open(file)?));
    let printed = print(lines, out, &mut tally);
    ended(printed, &named(file), "lines", &tally)
}

/// How the command ends once everything was `printed`; `from` and `what` say of what, in messages.
fn ended(printed: Result<(), Failed>, from: &str, what: &str, tally: &Tally) -> anyhow::Result<Exit> {
    match printed {
        // A reader that closes the pipe has read enough.
        Err(Failed::Write(error)) if error.kind() == ErrorKind::BrokenPipe => return Ok(Exit::Done),
        Err(Failed::Write(error)) => return Err(error).context("could not write to standard output"),
        Err(Failed::Read(error)) => return Err(error).with_context(|| format!("could not read {from}")),
        #[cfg(feature = "kafka")]
        Err(Failed::Topic(error)) => return Err(error),
        Ok(()) => {}
    }
    if let Some(skipped) = tally.skipped() {
        logging::say(&skipped);
    }
    match tally.wrong(what) {
        Some(wrong) => {
            logging::error(&wrong);
            Ok(Exit::Mismatch)
        }
        None => Ok(Exit::Done),
    }
}

fn open(file: &Path) -> anyhow::Result<Box<dyn Read>> {
    if file == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    match File::open(file) {
        Ok(opened) => Ok(Box::new(opened)),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Usage(format!(
            "could not find {}: relative paths count from the directory the command runs in",
            named(file)
        ))
        .into()),
        Err(error) => Err(error).with_context(|| format!("could not open {}", named(file))),
    }
}

fn named(file: &Path) -> String {
    if file == Path::new("-") { "standard input".to_owned() } else { format!("{file:?}") }
}

/// What has ended the work early.
enum Failed {
    Read(io::Error),
    #[cfg(feature = "kafka")]
    Topic(anyhow::Error),
    Write(io::Error),
}

fn print(mut lines: Lines<impl BufRead>, mut out: impl Write, tally: &mut Tally) -> Result<(), Failed> {
    let (mut decoder, mut text) = (Decoder::default(), String::new());
    loop {
        // Whoever watches a topic sees each event before the next one comes.
        if lines.would_wait() {
            out.flush().map_err(Failed::Write)?;
        }
        let Some(line) = lines.next().map_err(Failed::Read)? else { break };
        tally.lines += 1;
        text.clear();
        match line.and_then(|line| plain(&mut decoder, line, tally, &mut text)) {
            Ok(()) => {}
            Err(reason) => {
                tally.wrong += 1;
                text = json!({"error": reason.to_string(), "line": tally.lines}).to_string();
            }
        }
        write_line(&mut out, &mut text).map_err(Failed::Write)?;
    }
    out.flush().map_err(Failed::Write)
}

/// Writes a line, if there is one.
fn write_line(out: &mut impl Write, text: &mut String) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    text.push('\n');
    out.write_all(shown::json(text).as_bytes())
}

/// Appends the plain form of an event. Nothing is appended for what changes no row.
fn plain(decoder: &mut Decoder, line: &[u8], tally: &mut Tally, out: &mut String) -> Result<(), Reason> {
    if line.iter().all(u8::is_ascii_whitespace) {
        return Ok(());
    }
    let line = Line::read(line)?;
    print_record(decoder, &line.record(), tally, out)
}

/// The same, of a record.
fn print_record(decoder: &mut Decoder, record: &Record<'_>, tally: &mut Tally, out: &mut String) -> Result<(), Reason> {
    match decoder.decode(record)? {
        Decoded::Event(event) => write_plain(&event, record, out)?,
        Decoded::Boundary(_) => tally.boundaries += 1,
        Decoded::Aside(aside) => tally.aside(aside),
    }
    Ok(())
}
