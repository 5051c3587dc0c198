//! `lakefront prove`: checks that the tables hold every row of the source, once. It only reads, and
//! claims nothing.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use lakefront_operators::prove::{
    Difference, Flushed, Lost, NotLanded, Odd, Other, Progress, Proof, Unverifiable, What,
};
use lakefront_operators::run::fatal::StopRequest;
use lakefront_operators::shown::one_line;
use serde_json::json;

use crate::cli::ProveArgs;
use crate::exit::Exit;
use crate::logging::{self, LogFormat};
use crate::pipeline::Opened;
use crate::report::{print, print_json};
use crate::{pipeline, runtime};

/// Time between two updates of the progress line.
const DRAWN_EVERY: Duration = Duration::from_millis(250);

/// Proves a pipeline's tables, and prints what was found.
pub(crate) fn prove(args: &ProveArgs) -> anyhow::Result<Exit> {
    let pipeline = pipeline::described(pipeline::load(&args.file)?).open(StopRequest::default())?;
    let proofs = runtime::tokio()?.block_on(watched(&*pipeline))?;
    let verdict = Verdict::of(&proofs);
    let unverifiable: u64 = proofs.iter().map(Proof::unverifiable_rows).sum();
    let (ok, whole) = (verdict != Verdict::Differs, verdict == Verdict::Proved);
    match args.json {
        true => {
            print_json(&json!({"ok": ok, "all_proved": whole, "unverifiable_rows": unverifiable, "tables": proofs}))
        }
        false => print(text(&pipeline.common().pipeline, &proofs, verdict)),
    }?;
    Ok(if whole || (ok && !args.strict) { Exit::Done } else { Exit::Mismatch })
}

/// The result over the proofs of all tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Every row that has landed is there, once.
    Proved,
    /// Nothing differs, but some rows cannot be verified.
    InPart,
    /// No row can be verified.
    NotVerifiable,
    /// No row has landed.
    Nothing,
    /// Something differs.
    Differs,
}

impl Verdict {
    fn of(proofs: &[Proof]) -> Verdict {
        let any = |is: &dyn Fn(&Proof) -> bool| proofs.iter().any(is);
        match () {
            () if any(&|proof| !proof.is_ok()) => Verdict::Differs,
            () if any(&|proof| !proof.unverifiable.is_empty()) => match any(&|proof| proof.source_rows > 0) {
                true => Verdict::InPart,
                false => Verdict::NotVerifiable,
            },
            () if any(&|proof| proof.totals_rows > 0) => Verdict::Proved,
            () => Verdict::Nothing,
        }
    }

    /// The first line of the report, which states the result.
    fn told(self, pipeline: &str, proofs: &[Proof]) -> String {
        let position = proofs.iter().map(|proof| proof.position).min().unwrap_or_default();
        let unverifiable = rows(proofs.iter().map(Proof::unverifiable_rows).sum());
        match self {
            // A table without new rows moves its position some cuts later than the others.
            Verdict::Proved if proofs.iter().any(|proof| proof.position != position) => {
                format!("pipeline {pipeline} is proved: up to the position of each table, every row is there, once")
            }
            Verdict::Proved => {
                format!("pipeline {pipeline} is proved: up to position {position}, every row is there, once")
            }
            Verdict::InPart if is_flushed(proofs) => format!(
                "pipeline {pipeline}: nothing differs, BUT NOT ALL IS PROVED: {unverifiable} not verifiable, because snapshots \
                 that would tell have expired"
            ),
            Verdict::InPart => format!(
                "pipeline {pipeline}: nothing differs, BUT NOT ALL IS PROVED: {unverifiable} not verifiable, the source can no \
                 longer confirm all rows"
            ),
            Verdict::NotVerifiable if is_flushed(proofs) => {
                format!("pipeline {pipeline}: NOTHING IS PROVED: {unverifiable} not verifiable")
            }
            Verdict::NotVerifiable => format!(
                "pipeline {pipeline}: NOTHING IS PROVED: {unverifiable} not verifiable; tables and totals agree, but the source can \
                 no longer confirm any row"
            ),
            Verdict::Nothing => {
                format!("pipeline {pipeline}: NOTHING TO PROVE: no row has landed, up to position {position}")
            }
            Verdict::Differs if is_flushed(proofs) => {
                format!("pipeline {pipeline} is NOT proved: the lake is not what was flushed")
            }
            Verdict::Differs => format!("pipeline {pipeline} is NOT proved: source, totals and tables differ"),
        }
    }
}

/// Whether the rows have left their source for the lake.
fn is_flushed(proofs: &[Proof]) -> bool {
    proofs.iter().any(|proof| proof.flushed.is_some())
}

/// `number` with its noun, such as `1 row`.
fn rows(number: u64) -> String {
    format!("{number} row{}", if number == 1 { "" } else { "s" })
}

/// Proves, and shows progress if standard error is a terminal and the log format is text.
async fn watched(pipeline: &dyn Opened) -> anyhow::Result<Vec<Proof>> {
    let progress = Arc::new(Progress::default());
    let looks_on = std::io::stderr().is_terminal() && logging::format() == LogFormat::Text;
    let drawing = looks_on.then(|| tokio::spawn(draw(progress.clone())));
    let proofs = pipeline.prove(&progress).await;
    if let Some(drawing) = drawing {
        drawing.abort();
        logging::tell("\r\x1b[K");
    }
    Ok(proofs?)
}

async fn draw(progress: Arc<Progress>) {
    let mut ticks = tokio::time::interval(DRAWN_EVERY);
    loop {
        ticks.tick().await;
        let (bytes, of, rows) = progress.now();
        let mut err = std::io::stderr().lock();
        let source = if of > 0 { format!("source {} of {} MiB, ", bytes >> 20, of >> 20) } else { String::new() };
        let _ = write!(err, "\r{source}tables {rows} rows\x1b[K");
        let _ = err.flush();
    }
}

fn text(pipeline: &str, proofs: &[Proof], verdict: Verdict) -> String {
    let mut text = format!("{}\n", verdict.told(pipeline, proofs));
    // What no table holds: one that is behind another may have no rows there.
    if let Some(NotLanded { bytes, files, first: Some(first) }) =
        proofs.iter().map(|proof| &proof.not_landed).min_by_key(|waits| waits.bytes)
    {
        let s = if *files == 1 { "" } else { "s" };
        let (first, hint) = (one_line(first), "a last line without a newline counts too");
        text.push_str(&format!(
            "  not landed yet, and not proved: {bytes} bytes of {files} file{s}, first {first} ({hint})\n"
        ));
    } else if verdict == Verdict::Nothing && !is_flushed(proofs) {
        text.push_str("  the source is empty too: check source.url\n");
    }
    for proof in proofs {
        let verdict = match (proof.is_ok(), proof.unverifiable.is_empty()) {
            (true, true) => "proved",
            (true, false) => "proved in part",
            (false, _) => "DIFFERS",
        };
        let source = if proof.flushed.is_some() { "by flushes" } else { "in the source" };
        text.push_str(&format!(
            "  {}: {verdict}; position {}, version {}: {} rows {source}, {} in the totals, {} in the table\n",
            one_line(&proof.name),
            proof.position,
            proof.version.0,
            proof.source_rows,
            proof.totals_rows,
            proof.lake_rows
        ));
        if let Some(difference) = &proof.first_difference {
            text.push_str(&format!("    first difference: {}\n", named(difference)));
            let advice = if proof.flushed.is_some() { advice_on_flushes(difference) } else { advice(difference) };
            text.push_str(&format!("    what to do: {advice}\n"));
        }
        text.push_str(&proof.flushed.as_ref().map(flushed).unwrap_or_default());
        text.push_str(&lost(&proof.lost, proof.flushed.is_some()));
        text.push_str(&company(proof));
        for Unverifiable { reason, source, bytes, rows: number } in &proof.unverifiable {
            let of = source.as_ref().map(|source| format!("{}: ", one_line(source))).unwrap_or_default();
            let reason = one_line(reason);
            let bytes = if proof.flushed.is_some() { String::new() } else { format!("{bytes} bytes, ") };
            text.push_str(&format!("    not verifiable: {of}{reason} ({bytes}{})\n", rows(*number)));
        }
    }
    text
}

/// What is hot, and what others have done to the rows of a lake.
fn flushed(of: &Flushed) -> String {
    let by = |author: &Option<String>| match author {
        Some(author) => format!("by {}", one_line(author)),
        None => "by whoever does not say".to_owned(),
    };
    let mut text = String::new();
    if of.hot_rows > 0 {
        let landed = match of.hot_landed {
            Some(landed @ 1..) => format!(", {landed} of them in the lake too"),
            _ => String::new(),
        };
        text.push_str(&format!("    still hot: {}{landed}\n", rows(of.hot_rows)));
    }
    let who = of.changed_by.iter().map(by).collect::<Vec<_>>().join(", ");
    let who = if who.is_empty() { "by others, whose snapshots have expired".to_owned() } else { who };
    // Nothing tells which of the replaced rows were ours.
    let least = if of.replaced_rows > 0 { "at least " } else { "" };
    for (what, least, number) in [("deleted", least, of.deleted_rows), ("changed", "", of.changed_rows)] {
        if number > 0 {
            text.push_str(&format!("    {what} since they landed: {least}{}, {who}\n", rows(number)));
        }
    }
    if of.replaced_rows > 0 {
        text.push_str(&format!("    replaced by later ones: {}\n", rows(of.replaced_rows)));
    }
    for foreign in &of.foreign {
        text.push_str(&format!("    also in the table: {} {}\n", rows(foreign.rows), by(&foreign.author)));
    }
    text
}

/// Files of the table that cannot be read.
fn lost(files: &[Lost], is_flushed: bool) -> String {
    let told = |Lost { path, rows: number, reason }: &Lost| {
        let held = number.map_or("an unknown number of rows".to_owned(), rows);
        format!("    a file is lost: {}: {}, it held {held}\n", one_line(path), one_line(reason))
    };
    let mut text: String = files.iter().map(told).collect();
    let back = "    what to do: put the file back from a backup of the table's folder";
    match is_flushed {
        _ if files.is_empty() => {}
        true => text.push_str(&format!("{back}: what was flushed is in no other place\n")),
        false => text.push_str(&format!("{back}, or land the source again into new tables\n")),
    }
    text
}

/// Rows of the table that are not this pipeline's.
fn company(proof: &Proof) -> String {
    let mut text = String::new();
    for Other { pipeline, source, rows: number, twice } in &proof.others {
        let (pipeline, source) = (one_line(pipeline), one_line(source));
        text.push_str(&format!("    also in the table: {} of pipeline {pipeline}, from {source}\n", rows(*number)));
        if let Some(file) = twice {
            let file = one_line(file);
            text.push_str(&format!(
                "    LANDED TWICE: {file}, by both pipelines\n    what to do: run only one of them, and land the source again into new tables\n"
            ));
        }
    }
    if proof.foreign_rows > 0 && proof.flushed.is_none() {
        text.push_str(&format!("    also in the table: {} that no pipeline has landed\n", rows(proof.foreign_rows)));
    }
    text
}

fn named(difference: &Difference) -> String {
    let Difference { source, offset, item, key, flush, what, range, odd } = difference;
    let what = match what {
        Some(What::Missing) => "a row is missing",
        Some(What::Doubled) => "a row is there more than once",
        Some(What::Altered) => "a row was altered",
        Some(What::Unexpected) => "a row is there that is not in the source",
        None => "rows were counted differently",
    };
    // The name comes from the table, where anybody may have written anything.
    let source = source.as_deref().map(one_line);
    let item = item.map(|item| format!(", record {item}")).unwrap_or_default();
    let place = match (source, offset, range) {
        (Some(source), Some(offset), _) => format!("{source}:{offset}{item}"),
        (Some(source), None, Some([start, end])) => format!("{source}, between {start} and {end}"),
        (Some(source), None, None) => source.into_owned(),
        (None, ..) => "an unknown place".to_owned(),
    };
    let odd = match odd {
        Some(Odd::Table) if flush.is_some() => " (its commit and the totals agree, the table differs)",
        Some(Odd::Table) => " (source and totals agree, the table differs)",
        Some(Odd::Source) => " (totals and table agree, the source differs)",
        Some(Odd::Totals) => " (source and table agree, the totals differ)",
        None => "",
    };
    let key = key.iter().flatten().map(|(name, value)| format!("{} = {}", one_line(name), one_line(value)));
    let key = key.collect::<Vec<_>>().join(", ");
    let key = if key.is_empty() { key } else { format!(", key {key}") };
    let flush = flush.map(|flush| format!(", of flush {flush}")).unwrap_or_default();
    format!("{what}: {place}{key}{flush}{odd}")
}

fn advice_on_flushes(difference: &Difference) -> &'static str {
    match difference.odd {
        Some(Odd::Totals) => {
            "the flushes do not add up to their total; this is likely a bug in lakefront, please report it"
        }
        _ => {
            "look at the lake's snapshots and at the table's files for what is not DuckLake's doing, and put the files and the \
             catalog back from a backup of the same moment: what was flushed is in no other place"
        }
    }
}

fn advice(difference: &Difference) -> &'static str {
    if difference.source.is_none() && difference.what == Some(What::Unexpected) {
        return "look at the table's history to see who wrote them; to keep them, start the pipeline once with run --adopt";
    }
    match difference.odd {
        Some(Odd::Source) => {
            "the file was changed after it was read: look at its line there, and if it is wrong, put the old file back"
        }
        Some(Odd::Totals) => "rows and source agree; this is likely a bug in lakefront, please report it",
        Some(Odd::Table) | None => {
            "look at the table's history for a commit that is not lakefront's, and undo it with all runs stopped: RESTORE to the version \
             before it only if nothing has landed since, because rows landed since would be lost; otherwise put back a copy \
             of the table's whole folder"
        }
    }
}
