//! `lakefront generate --hot`: rows in the hot tables of a `pg_flush` pipeline, written as an
//! ingester writes them.
//!
//! ```text
//! course: which ledger ─▶ ingest: one transaction ─▶ tally
//!   a new one, and rows      COPY into each table,
//!   of others that are       that of the watermark
//!   late; or one again       last
//! ```
//!
//! Promises: the rows follow from the seed and the ledgers' numbers. What the tally says was
//! committed, and nothing else; when it ends in order, no late row is missing, and the watermark is
//! above all rows.

mod binary;
mod column;
mod course;
mod ingest;
mod table;
mod tally;
mod text;

use std::pin::pin;
use std::time::Duration;

use anyhow::Context;
use lakefront_operators::run::clock::Stopwatch;
use lakefront_operators::run::fatal::StopRequest;

use self::course::{Course, Shares};
use self::ingest::Ingest;
use self::table::Table;
use self::tally::Tally;
use crate::cli::GenerateArgs;
use crate::exit::Usage;
use crate::pipeline::pg_flush::{Described, Ground};
use crate::report::{print, print_json};
use crate::runtime;
use crate::shutdown::{ECHO, Signals};

/// The number of the first ledger, where there is none.
const FIRST: i64 = 1;

/// Writes rows into the tables that the pipeline flushes.
pub(super) fn generate(described: Described, args: &GenerateArgs) -> anyhow::Result<()> {
    let tokio = runtime::tokio()?;
    let mut signals = Signals::new(tokio).context("could not watch for signals")?;
    let stop = StopRequest::default();
    let (tally, took) = tokio.block_on(async {
        let mut writing = pin!(write(described, args, &stop));
        let mut asked: Option<Stopwatch> = None;
        loop {
            tokio::select! {
                ended = &mut writing => return ended,
                _ = signals.next() => match asked {
                    None => {
                        stop.request();
                        asked = Some(Stopwatch::start());
                    }
                    Some(since) if since.elapsed() > ECHO => {
                        anyhow::bail!("stopped at once: late rows are missing, and nothing was counted");
                    }
                    Some(_) => {}
                },
            }
        }
    })?;
    match args.json {
        true => print_json(&tally.json(took)),
        false => print(tally.text(took)),
    }
}

/// Writes until there is enough, or until told to stop. Returns what was written, and how long it
/// took.
async fn write(described: Described, args: &GenerateArgs, stop: &StopRequest) -> anyhow::Result<(Tally, Duration)> {
    let Ground { client, tables: hot, watermark, highest } = described.ground().await?;
    let first = args.hot.first.unwrap_or_else(|| highest.map_or(FIRST, |highest| highest.saturating_add(1)));
    let mut tables = Vec::new();
    for (number, table) in hot.iter().enumerate() {
        let rows = (args.hot.ledger_rows / hot.len() as u64).max(1);
        tables.push(Table::new(&client, table, number == watermark, rows, args.seed).await?);
    }
    let room = tables.iter().map(Table::highest).min().unwrap_or(i64::MAX);
    let mut tally = Tally::new(tables.iter().map(|table| table.name.clone()), first);
    let shares = Shares { late: args.hot.late, replays: args.hot.replays };
    let mut course = Course::new(tables, first, shares, args.seed);
    let conflict = (args.hot.replays > 0.0).then_some(args.hot.on_conflict);
    let ingest = Ingest::new(client, course.tables(), watermark, conflict).await?;
    tracing::info!(tables = hot.len(), first, "writing rows");
    let began = Stopwatch::start();
    loop {
        if course.next() > room {
            return Err(Usage(format!("a table has no room for ledger {}: say --first", course.next())).into());
        }
        let is_enough = args.hot.rows.is_some_and(|rows| tally.rows() >= rows)
            || args.hot.lasting.is_some_and(|time| began.elapsed() >= time);
        let is_last = is_enough || stop.is_requested();
        let batch = course.ledger(is_last);
        ingest.write(&batch).await?;
        tally.add(&batch);
        if is_last {
            return Ok((tally, began.elapsed()));
        }
        for ledger in course.block().into_iter().flatten() {
            if !stop.is_requested() {
                let batch = course.again(ledger);
                ingest.write(&batch).await?;
                tally.add(&batch);
            }
        }
        if let Some(rate) = args.hot.rate {
            let due = Duration::from_secs_f64(tally.written() as f64 / rate as f64);
            tokio::select! {
                () = tokio::time::sleep(due.saturating_sub(began.elapsed())) => {}
                () = stop.requested() => {}
            }
        }
    }
}
