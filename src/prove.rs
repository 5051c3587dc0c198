//! `lakefront prove`: checks that the tables hold every row of the source, once. It only reads, and
//! claims nothing.

mod advice;
mod text;
mod verdict;

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use lakefront_operators::prove::{Progress, Proof};
use lakefront_operators::run::fatal::StopRequest;
use serde_json::json;

use self::text::text;
use self::verdict::Verdict;
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
    let proofs = runtime::tokio()?.block_on(watched(&*pipeline, args.timeout))?;
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

/// Proves, and shows progress if standard error is a terminal and the log format is text.
async fn watched(pipeline: &dyn Opened, patience: Duration) -> anyhow::Result<Vec<Proof>> {
    let progress = Arc::new(Progress::default());
    let looks_on = std::io::stderr().is_terminal() && logging::format() == LogFormat::Text;
    let drawing = looks_on.then(|| tokio::spawn(draw(progress.clone())));
    let proofs = pipeline.prove(patience, &progress).await;
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
