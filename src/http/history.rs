//! The last minutes of a run, one sample per second: rates for people, and the charts of the page.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use lakefront_operators::position::Position;
use lakefront_operators::run::metrics::{Metrics, StepId};
use tokio::time::{MissedTickBehavior, interval};

use super::live::Live;

/// Time between two samples.
const EVERY: Duration = Duration::from_secs(1);
/// Samples that are shown: five minutes, and the one before.
const SHOWN: usize = 301;
/// Maximum number of samples kept, however long cuts are open: an hour, some hundreds of bytes
/// each.
const KEPT: usize = 3_600;
/// Samples over which a rate is taken: enough to be steady, few enough to follow changes.
const WINDOW: usize = 5;
/// Rows land when a cut does. Up to this long after it is due, the next cut is only late, because a
/// look at the source, staging and the commit take time.
const LATE_MS: u64 = 3_000;

/// The counters at an instant.
#[derive(Clone, Debug, Default, PartialEq)]
struct Sample {
    /// On the steady clock.
    at_ms: u64,
    bytes: u64,
    lag: u64,
    /// Rows that wait in hot tables.
    waiting: u64,
    /// By table.
    rows: Vec<u64>,
    /// Rows per second of all tables, at that time.
    rate: f64,
    /// By step: amount handed on, seconds of work over all workers, and whether it hands on when a
    /// cut ends.
    steps: Vec<(u64, f64, bool)>,
}

/// What is remembered of a run.
pub(super) struct History {
    /// Oldest first.
    samples: VecDeque<Sample>,
    /// The acknowledged position, and since when it has been behind what the tables were told to
    /// move to.
    behind: Option<(Position, u64)>,
    /// Time after which a cut is closed, in milliseconds.
    cut_ms: u64,
    /// How many samples are kept.
    kept: usize,
}

/// Recent rates per second.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rates {
    /// Bytes read.
    pub(super) bytes: f64,
    /// Rows landed, by table.
    pub(super) rows: Vec<f64>,
    /// By step: amount handed on, and seconds of work.
    pub(super) steps: Vec<(f64, f64)>,
}

/// Samples the run of `live` each second, until the process ends.
pub(super) async fn keep(live: Arc<Live>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        live.history().add(&live.metrics);
    }
}

impl History {
    /// For a run whose cuts close after `cut`. What lands is measured over at least two of them.
    pub(super) fn of_cuts(cut: Duration) -> History {
        let cut_ms = u64::try_from(cut.as_millis()).unwrap_or(u64::MAX);
        let cuts = usize::try_from(cut_ms.saturating_mul(4) / 1000).unwrap_or(KEPT);
        History { samples: VecDeque::new(), behind: None, cut_ms, kept: cuts.clamp(SHOWN, KEPT) }
    }

    fn add(&mut self, metrics: &Metrics) {
        let step = |step: &lakefront_operators::run::metrics::steps::Step| {
            let with_cuts = matches!(step.id(), StepId::Stage(_) | StepId::Totals(_) | StepId::Commit(_));
            (step.handed_on(), step.busy().map(|busy| busy.as_secs_f64()).sum(), with_cuts)
        };
        let acknowledged = metrics.position();
        self.note(acknowledged, acknowledged < metrics.settled(), metrics.steady_ms());
        self.push(Sample {
            at_ms: metrics.steady_ms(),
            bytes: metrics.bytes_read(),
            lag: metrics.source_lag(),
            waiting: metrics.flushes().and_then(|of| of.waits()).unwrap_or_default(),
            rows: metrics.tables().iter().map(|table| table.rows()).collect(),
            rate: 0.0,
            steps: metrics.steps().iter().map(step).collect(),
        });
    }

    fn note(&mut self, acknowledged: Position, is_behind: bool, now_ms: u64) {
        let since_ms =
            self.behind.filter(|(before, _)| *before == acknowledged).map_or(now_ms, |(_, since_ms)| since_ms);
        self.behind = is_behind.then_some((acknowledged, since_ms));
    }

    /// Since when the acknowledged position has not moved, though the tables were told to move
    /// beyond it, in milliseconds on the steady clock.
    pub(super) fn behind_since_ms(&self) -> Option<u64> {
        self.behind.map(|(_, since_ms)| since_ms)
    }

    fn push(&mut self, sample: Sample) {
        if self.samples.len() == self.kept {
            self.samples.pop_front();
        }
        let tables = sample.rows.len();
        self.samples.push_back(sample);
        let rate = (0..tables).map(|table| self.landing(|sample| sample.rows[table])).sum();
        self.samples.iter_mut().next_back().expect("it was just added").rate = rate;
    }

    /// The rates over the last few samples, or over the last cuts for what comes with cuts; zero
    /// until there are two samples.
    pub(super) fn rates(&self) -> Rates {
        let Some(last) = self.samples.back() else { return Rates::default() };
        let first = &self.samples[self.samples.len().saturating_sub(1 + WINDOW)];
        let seconds = seconds(first, last);
        let step = |at: usize| match first.steps[at].2 {
            true => self.landing(|sample| sample.steps[at].0),
            false => first.per_second(last, |sample| sample.steps[at].0),
        };
        let busy = |at: usize| (last.steps[at].1 - first.steps[at].1).max(0.0) / seconds;
        Rates {
            bytes: first.per_second(last, |sample| sample.bytes),
            rows: (0..last.rows.len()).map(|table| self.landing(|sample| sample.rows[table])).collect(),
            steps: (0..last.steps.len()).map(|at| (step(at), busy(at))).collect(),
        }
    }

    /// The rate of a count that moves only with cuts. It is measured up to the newest cut, from a
    /// cut at least two intervals earlier, or from the first sample if there is none. Once the next
    /// cut is late, the time since the newest one counts too.
    fn landing(&self, of: impl Fn(&Sample) -> u64) -> f64 {
        let (samples, last) = (&self.samples, self.samples.len().saturating_sub(1));
        let came = |at: &usize| of(&samples[*at]) != of(&samples[at - 1]);
        let Some(newest) = (1..=last).rev().find(came) else { return 0.0 };
        let is_late = samples[last].at_ms - samples[newest].at_ms > self.cut_ms.saturating_add(LATE_MS);
        let end = if is_late { last } else { newest };
        let least_ms = self.cut_ms.saturating_mul(2).max(WINDOW as u64 * 1000);
        let far = |at: &usize| samples[end].at_ms - samples[*at].at_ms >= least_ms;
        let begin = (1..end).rev().filter(far).find(came).unwrap_or(0);
        samples[begin].per_second(&samples[end], of)
    }

    /// Bytes read and rows landed per second, what is behind, and rows that wait, sample by sample.
    pub(super) fn charts(&self) -> [Vec<u64>; 4] {
        let shown = || self.samples.iter().skip(self.samples.len().saturating_sub(SHOWN));
        let pairs = || shown().zip(shown().skip(1));
        [
            pairs().map(|(from, to)| from.per_second(to, |sample| sample.bytes) as u64).collect(),
            pairs().map(|(_, to)| to.rate as u64).collect(),
            pairs().map(|(_, to)| to.lag).collect(),
            pairs().map(|(_, to)| to.waiting).collect(),
        ]
    }
}

impl Sample {
    fn per_second(&self, last: &Sample, of: impl Fn(&Sample) -> u64) -> f64 {
        of(last).saturating_sub(of(self)) as f64 / seconds(self, last)
    }
}

/// Seconds between two samples, at least a millisecond.
fn seconds(first: &Sample, last: &Sample) -> f64 {
    last.at_ms.saturating_sub(first.at_ms).max(1) as f64 / 1000.0
}

#[cfg(test)]
mod tests;
