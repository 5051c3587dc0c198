//! `lakefront replay`: writes the lines of a file to a file or append blob that grows, and measures
//! how long each append takes to become visible.
//!
//! ```text
//! input ─appends─▶ target, at a pace      written ─┐
//!                                                  ├─▶ visible ─▶ latency ─▶ report
//! Delta logs ─▶ watch, one task a table   seen ────┘
//! ```
//!
//! Promises: an append is whole lines, and durable before the next begins; the time to become
//! visible counts from then, whatever pace was asked for. Replay runs no pipeline and writes
//! nothing but the target and the log of latencies: it watches a live run by what any reader of the
//! tables sees.

mod drive;
mod input;
mod latency;
mod pace;
mod report;
mod target;
mod visible;
mod watch;
mod write;

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context;

use self::drive::Outcome;
use self::input::Input;
pub(crate) use self::target::Destination;
pub(crate) use self::visible::Sighting;
use self::watch::Watched;
use self::write::Plan;
use crate::cli::ReplayArgs;
use crate::exit::Usage;
use crate::report::{print, print_json};
use crate::shutdown::Signals;
use crate::{pipeline, runtime};

/// Replays a file, and reports what it did.
pub(crate) fn replay(args: &ReplayArgs) -> anyhow::Result<()> {
    let config = args.watch.as_deref().map(pipeline::load).transpose()?;
    let input = Input::open(&args.file, args.append, args.lasting.is_some())?;
    let tokio = runtime::tokio()?;
    let place = Destination::of(&args.to, &args.file, config.as_ref())?;
    let watched = config.zip(args.watch.as_deref()).map(|(config, file)| Watched::new(config, file, &place));
    let mut watched = watched.transpose()?;
    let histogram = args.histogram.as_deref();
    if let Some(path) = histogram.filter(|path| path.exists()) {
        return Err(is_there(path).into());
    }
    let signals = Signals::new(tokio).context("could not watch for signals")?;
    let plan = Plan { rate: args.rate, lasting: args.lasting, timeout: args.timeout };
    // Made before anything is written, because at the end there would be no second chance.
    let log = || histogram.map(create).transpose();
    let mut outcome = tokio.block_on(drive::drive(input, &place, log, watched.as_mut(), plan, signals))?;
    match args.json {
        true => print_json(&report::json(&outcome, &place, args.rate, watched.as_ref())),
        false => print(report::text(&outcome, &place, watched.as_ref())),
    }?;
    if let (Some(log), Some(seen)) = (outcome.log.take(), &outcome.seen) {
        seen.latencies.write_log(log, outcome.began).context("could not write the histogram log")?;
    }
    watched.map_or(Ok(()), |watched| all_visible(&outcome, &place, &watched, args))
}

/// Makes the file at `path`. Whatever is there stays as it is, above all the target.
fn create(path: &Path) -> anyhow::Result<File> {
    match File::create_new(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(is_there(path).into()),
        created => created.with_context(|| format!("could not create {}", path.display())),
    }
}

fn is_there(log: &Path) -> Usage {
    Usage(format!("{} is there already: remove it, or name another file with --histogram", log.display()))
}

/// An error if lines did not become visible in time.
fn all_visible(outcome: &Outcome, target: &Destination, watched: &Watched, args: &ReplayArgs) -> anyhow::Result<()> {
    let Some(seen) = outcome.seen.as_ref().filter(|seen| seen.gave_up) else { return Ok(()) };
    let tables = watched.tables.iter().zip(&seen.offsets);
    let tables: Vec<String> = tables.map(|(table, offset)| format!("{table:?} to byte {offset}")).collect();
    anyhow::bail!(
        "nothing more of {target} became visible for {} s, and {} bytes are not visible; the tables hold it so far: {}. Is `lakefront run {} \
         --mode tail` alive and well?",
        args.timeout.as_secs_f32(),
        seen.behind[2],
        tables.join(", "),
        watched.file.display()
    )
}
