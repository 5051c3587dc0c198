//! `lakefront prove`: whether the tables hold every row of the source, once. It reads, and claims nothing.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use lakefront_operators::fatal::StopRequest;
use lakefront_operators::prove::{self, Difference, Odd, Progress, Proof, Unverifiable, What};
use lakefront_operators::shown::one_line;
use serde_json::json;

use crate::cli::ProveArgs;
use crate::exit::Exit;
use crate::logging::{self, LogFormat};
use crate::pipeline::Pipeline;
use crate::report::{print, print_json};
use crate::{pipeline, runtime};

/// The progress is drawn so often.
const DRAWN_EVERY: Duration = Duration::from_millis(250);

/// Proves a pipeline's tables, and prints what was found.
pub(crate) fn prove(args: &ProveArgs) -> anyhow::Result<Exit> {
    let pipeline = Pipeline::open(pipeline::load(&args.file)?, StopRequest::default())?;
    let proofs = runtime::tokio()?.block_on(watched(&pipeline))?;
    let ok = proofs.iter().all(Proof::is_ok);
    match args.json {
        true => print_json(&json!({"ok": ok, "tables": proofs})),
        false => print(text(&pipeline.config.pipeline, &proofs, ok)),
    }?;
    Ok(if ok { Exit::Done } else { Exit::Mismatch })
}

/// Proves, and shows how far it is where somebody looks on.
async fn watched(pipeline: &Pipeline) -> anyhow::Result<Vec<Proof>> {
    let progress = Arc::new(Progress::default());
    let name = pipeline.config.pipeline.clone();
    let looks_on = std::io::stderr().is_terminal() && logging::format() == LogFormat::Text;
    let drawing = looks_on.then(|| tokio::spawn(draw(progress.clone())));
    let proofs = prove::prove(&name, &pipeline.tables, &*pipeline.source, pipeline.clock.clone(), &progress).await;
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
        let _ = write!(err, "\rsource {} of {} MiB, tables {rows} rows\x1b[K", bytes >> 20, of >> 20);
        let _ = err.flush();
    }
}

fn text(pipeline: &str, proofs: &[Proof], ok: bool) -> String {
    let unverifiable = proofs.iter().any(|proof| !proof.unverifiable.is_empty());
    let mut text = match (ok, unverifiable) {
        (true, false) => format!("pipeline {pipeline} is proved: every row is there, once\n"),
        (true, true) => format!(
            "pipeline {pipeline}: nothing differs, BUT NOT ALL IS PROVED: the source does not tell all rows any more\n"
        ),
        (false, _) => format!("pipeline {pipeline} is NOT proved: source, totals and tables differ\n"),
    };
    for proof in proofs {
        let verdict = match (proof.is_ok(), proof.unverifiable.is_empty()) {
            (true, true) => "proved",
            (true, false) => "proved in part",
            (false, _) => "DIFFERS",
        };
        text.push_str(&format!(
            "  {}: {verdict}; position {}, version {}: {} rows in the source, {} in the totals, {} in the table\n",
            one_line(&proof.name),
            proof.position,
            proof.version.0,
            proof.source_rows,
            proof.totals_rows,
            proof.lake_rows
        ));
        if let Some(difference) = &proof.first_difference {
            text.push_str(&format!("    first difference: {}\n", named(difference)));
            text.push_str(&format!("    what to do: {}\n", advice(difference)));
        }
        for Unverifiable { reason, source, bytes, rows } in &proof.unverifiable {
            let of = source.as_ref().map(|source| format!("{}: ", one_line(source))).unwrap_or_default();
            let s = if *rows == 1 { "" } else { "s" };
            let reason = one_line(reason);
            text.push_str(&format!("    not verifiable: {of}{reason} ({bytes} bytes, {rows} row{s})\n"));
        }
    }
    text
}

fn named(difference: &Difference) -> String {
    let Difference { source, offset, item, what, range, odd } = difference;
    let what = match what {
        Some(What::Missing) => "a row is missing",
        Some(What::Doubled) => "a row is there more than once",
        Some(What::Altered) => "a row is another",
        Some(What::Unexpected) => "a row is there that the source does not tell",
        None => "rows were counted differently",
    };
    // Anybody may have put anything there.
    let source = source.as_deref().map(one_line);
    let item = item.map(|item| format!(", record {item}")).unwrap_or_default();
    let place = match (source, offset, range) {
        (Some(source), Some(offset), _) => format!("{source}:{offset}{item}"),
        (Some(source), None, Some([start, end])) => format!("{source}, between {start} and {end}"),
        (Some(source), None, None) => source.into_owned(),
        (None, ..) => "a place that cannot be told".to_owned(),
    };
    let odd = match odd {
        Some(Odd::Table) => " (source and totals agree, the table differs)",
        Some(Odd::Source) => " (totals and table agree, the source differs)",
        Some(Odd::Totals) => " (source and table agree, the totals differ)",
        None => "",
    };
    format!("{what}: {place}{odd}")
}

fn advice(difference: &Difference) -> &'static str {
    match difference.odd {
        Some(Odd::Source) => {
            "the file was changed after it was read: look at its line there, and put the old file back if it is wrong"
        }
        Some(Odd::Totals) => "rows and source agree; this is likely a bug in lakefront, please report it",
        Some(Odd::Table) | None => {
            "look at the table's history for a commit that is not lakefront's, and undo it with all runs stopped: RESTORE to the version \
             before it only if nothing has landed since, for what has would be lost; otherwise put back a copy of the table's whole folder"
        }
    }
}
