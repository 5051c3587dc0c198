//! The progress bar of a backfill on a terminal: bytes read out of the total, rows, rate, time
//! left.
//!
//! It shows what was read, which is a little more than what has landed; the report says what has
//! landed.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use lakefront_operators::run::metrics::Metrics;
use tokio::task::JoinHandle;

/// Time between two updates.
const PAUSE: Duration = Duration::from_millis(100);

/// The bar on the terminal, which others suspend while they write ([`beside`]).
static BAR: OnceLock<ProgressBar> = OnceLock::new();

/// A bar that moves until it is dropped.
pub(crate) struct Progress {
    task: JoinHandle<()>,
}

impl Progress {
    /// Shows the counts in `metrics`; `None` if standard error is not a terminal that can show a
    /// bar.
    pub(crate) fn start(runtime: &tokio::runtime::Runtime, metrics: Arc<Metrics>) -> Option<Progress> {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        if bar.is_hidden() {
            return None;
        }
        let counted = metrics.clone();
        let style = ProgressStyle::with_template("{bar:30} {rest}").expect("the template is well formed");
        bar.set_style(style.with_key("rest", move |state: &ProgressState, text: &mut dyn fmt::Write| {
            // An error is ignored, because the line is drawn again.
            let _ = write_rest(&counted, state, text);
        }));
        let bar = BAR.get_or_init(|| bar).clone();
        let task = runtime.spawn(async move {
            let mut looks = tokio::time::interval(PAUSE);
            loop {
                looks.tick().await;
                let total = total(&metrics);
                bar.update(|state| {
                    state.set_len(total);
                    state.set_pos(metrics.bytes_read().min(total));
                });
            }
        });
        Some(Progress { task })
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.task.abort();
        BAR.get().inspect(|bar| bar.finish_and_clear());
    }
}

fn total(metrics: &Metrics) -> u64 {
    metrics.source_end().since(metrics.start())
}

fn write_rest(metrics: &Metrics, state: &ProgressState, text: &mut dyn fmt::Write) -> fmt::Result {
    let (read, total) = (state.pos(), total(metrics));
    if total == 0 {
        return write!(text, "looking at the source");
    }
    let rows = HumanCount(metrics.steps().get(metrics.steps().last_own()).handed_on());
    write!(text, "{} of {}  {rows} rows", HumanBytes(read), HumanBytes(total))?;
    if read == total {
        return write!(text, "  committing");
    }
    write!(text, "  {}/s  {:#} left", HumanBytes(state.per_sec() as u64), HumanDuration(state.eta()))
}

/// Runs `write`, which writes to the terminal, with the bar suspended.
pub(crate) fn beside<R>(write: impl FnOnce() -> R) -> R {
    match BAR.get() {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}
