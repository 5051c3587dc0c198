//! Standard error: text for people, or one JSON object per line. Standard output is for reports.
//!
//! Every line goes through here, so that none breaks the progress bar, and all are JSON if JSON was
//! asked for. Only errors of usage, which come before the format is known, are always text.

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use clap::ValueEnum;
use lakefront_operators::shown;
use tracing_subscriber::EnvFilter;

use crate::progress;

/// The format of standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// Starts logging to standard error, from `level` on for lakefront's own events. `LAKEFRONT_LOG`
/// sets another level, such as `debug`.
pub(crate) fn start(format: LogFormat, level: &str) {
    // `start` is called once per process.
    let _ = FORMAT.set(format);
    let own = ["lakefront", "lakefront_operators", "lakefront_topologies"].map(|name| format!(",{name}={level}"));
    let filter =
        EnvFilter::try_from_env("LAKEFRONT_LOG").unwrap_or_else(|_| EnvFilter::new(format!("warn{}", own.concat())));
    // Each event arrives in one `write`.
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

/// Reports why the process ends with an exit code other than 0, at whatever log level.
pub(crate) fn error(text: &str) {
    match format() {
        LogFormat::Text => say(&format!("error: {text}")),
        LogFormat::Json => tracing::error!("{text}"),
    }
}

/// Writes `text` as a line of its own.
pub(crate) fn say(text: &str) {
    match format() {
        LogFormat::Text => tell(&format!("{}\n", shown::lines(&shown::without_secrets(text)))),
        LogFormat::Json => tracing::warn!("{text}"),
    }
}

/// Writes `text` to standard error as it is, in either format. What standard error cannot take is
/// dropped: a reader that has gone, or a full disk under the log, is no reason to end a run, and an
/// error about it would go to the same place.
pub(crate) fn tell(text: &str) {
    let _ = progress::beside(|| io::stderr().write_all(text.as_bytes()));
}

/// Makes one line of a log event, whatever it contains. Libraries log here too, and their events
/// may contain URLs.
fn line(event: &str, format: LogFormat) -> String {
    let event = shown::without_secrets(event.strip_suffix('\n').unwrap_or(event));
    let line = match format {
        // The escape characters are those of the log's own colours: the formatter has escaped any
        // in foreign text.
        LogFormat::Text if io::stderr().is_terminal() => {
            event.split('\u{1b}').map(shown::one_line).collect::<Vec<_>>().join("\u{1b}")
        }
        LogFormat::Text => shown::one_line(&event).into_owned(),
        LogFormat::Json => shown::json(&event).into_owned(),
    };
    line + "\n"
}

/// The log's writer: standard error, with the progress bar out of its way.
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
