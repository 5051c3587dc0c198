//! What goes to standard error, as text for people or as one JSON object a line. Standard output is the report's.
//!
//! Every line goes through here, so that none tears the progress bar and all are JSON where JSON was asked for. Only what is said before
//! the format is known, about wrong usage, is text always.

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use clap::ValueEnum;
use lakefront_operators::shown;
use tracing_subscriber::EnvFilter;

use crate::progress;

/// How standard error is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// Logs go to standard error from now on. `LAKEFRONT_LOG` sets the level, as in `debug`.
pub(crate) fn start(format: LogFormat) {
    // The process starts its logs once.
    let _ = FORMAT.set(format);
    let filter = EnvFilter::try_from_env("LAKEFRONT_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,lakefront=info,lakefront_operators=info,lakefront_topologies=info"));
    // Each event is written at once.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Stderr);
    match format {
        LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).with_target(false).init(),
        LogFormat::Json => log.json().flatten_event(true).with_current_span(false).with_span_list(false).init(),
    }
}

/// The format of this process.
pub(crate) fn format() -> LogFormat {
    FORMAT.get().copied().unwrap_or(LogFormat::Text)
}

/// Says why the process ends with another exit code than 0, whatever the level is.
pub(crate) fn error(text: &str) {
    match format() {
        LogFormat::Text => say(&format!("error: {text}")),
        LogFormat::Json => tracing::error!("{text}"),
    }
}

/// Says something on a line of its own.
pub(crate) fn say(text: &str) {
    match format() {
        LogFormat::Text => tell(&format!("{}\n", shown::lines(&shown::without_secrets(text)))),
        LogFormat::Json => tracing::warn!("{text}"),
    }
}

/// Writes `text` to standard error as it is, in either format. What standard error cannot take is dropped: a reader that has gone, or a
/// full disk under the log, is no reason to end a run, and whoever is told of it would want to write there too.
pub(crate) fn tell(text: &str) {
    let _ = progress::beside(|| io::stderr().write_all(text.as_bytes()));
}

/// An event of the log, which is one line, whatever stands in it: libraries speak here too, of URLs among others.
fn line(event: &str, format: LogFormat) -> String {
    let event = shown::without_secrets(event.strip_suffix('\n').unwrap_or(event));
    let line = match format {
        // Its colours are the log's own; what is foreign in it was escaped by whoever wrote them.
        LogFormat::Text if io::stderr().is_terminal() => {
            event.split('\u{1b}').map(shown::one_line).collect::<Vec<_>>().join("\u{1b}")
        }
        LogFormat::Text => shown::one_line(&event).into_owned(),
        LogFormat::Json => shown::json(&event).into_owned(),
    };
    line + "\n"
}

/// Standard error, beside the progress bar, for the log.
struct Stderr;

impl Write for Stderr {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        tell(&line(&String::from_utf8_lossy(event), format()));
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
