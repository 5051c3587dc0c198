//! What goes to standard error, as text for people or as one JSON object a line. Standard output is the report's.
//!
//! Every line goes through here, so that none tears the progress bar and all are JSON where JSON was asked for. Only what is said before
//! the format is known, about wrong usage, is text always.

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::progress;
use crate::report::printable;

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
        LogFormat::Text => tell(&format!("{}\n", printable(text))),
        LogFormat::Json => tracing::warn!("{text}"),
    }
}

/// Writes `text` to standard error as it is, in either format.
pub(crate) fn tell(text: &str) {
    // It never fails.
    let _ = Stderr.write_all(text.as_bytes());
}

/// Standard error, beside the progress bar. What it cannot take is dropped: a reader that has gone, or a full disk under the log, is no
/// reason to end a run, and whoever is told of it would want to write there too.
struct Stderr;

impl Write for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = progress::beside(|| io::stderr().write_all(line));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
