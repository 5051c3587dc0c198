//! The last minutes of a run, a sample a second: rates for people, and the charts of the page.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use lakefront_operators::metrics::{Metrics, StepId};
use lakefront_operators::position::Position;
use tokio::time::{MissedTickBehavior, interval};

use super::live::Live;

/// Between two samples.
const EVERY: Duration = Duration::from_secs(1);
/// Samples that are kept: five minutes, and the one before.
const KEPT: usize = 301;
/// A rate is taken over so many samples: steady enough to be read, quick enough to be believed.
const WINDOW: usize = 5;

/// What had been done at an instant.
#[derive(Clone, Debug, Default, PartialEq)]
struct Sample {
    at_ms: u64,
    bytes: u64,
    lag: u64,
    /// By table.
    rows: Vec<u64>,
    /// By step: handed on, and seconds of work over all workers.
    steps: Vec<(u64, f64)>,
}

/// What is remembered of a run.
#[derive(Default)]
pub(super) struct History {
    /// Oldest first.
    samples: VecDeque<Sample>,
    /// What was acknowledged, and since when it has been behind the closed cuts.
    behind: Option<(Position, u64)>,
}

/// What was done a second, of late.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rates {
    /// Bytes read.
    pub(super) bytes: f64,
    /// Rows landed, by table.
    pub(super) rows: Vec<f64>,
    /// By step: handed on, and seconds of work.
    pub(super) steps: Vec<(f64, f64)>,
}

/// Samples the run of `live` each second, to the end of the process.
pub(super) async fn keep(live: Arc<Live>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        live.history().add(&live.metrics);
    }
}

impl History {
    fn add(&mut self, metrics: &Metrics) {
        let step = |step: &lakefront_operators::metrics::steps::Step| {
            (step.handed_on(), step.busy().map(|busy| busy.as_secs_f64()).sum())
        };
        let (closed, acknowledged) = (metrics.steps().get(StepId::Plan).frontier(), metrics.position());
        self.note(acknowledged, closed.is_some_and(|closed| acknowledged < closed), metrics.now_ms());
        self.push(Sample {
            at_ms: metrics.now_ms(),
            bytes: metrics.bytes_read(),
            lag: metrics.source_lag(),
            rows: metrics.tables().iter().map(|table| table.rows()).collect(),
            steps: metrics.steps().iter().map(step).collect(),
        });
    }

    fn note(&mut self, acknowledged: Position, is_behind: bool, now_ms: u64) {
        let since_ms =
            self.behind.filter(|(before, _)| *before == acknowledged).map_or(now_ms, |(_, since_ms)| since_ms);
        self.behind = is_behind.then_some((acknowledged, since_ms));
    }

    /// Since when the acknowledged position has not moved though cuts beyond it are closed, in milliseconds since 1970.
    pub(super) fn behind_since_ms(&self) -> Option<u64> {
        self.behind.map(|(_, since_ms)| since_ms)
    }

    fn push(&mut self, sample: Sample) {
        if self.samples.len() == KEPT {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    /// What was done a second over the last few; nothing while there are not two samples.
    pub(super) fn rates(&self) -> Rates {
        let Some(last) = self.samples.back() else { return Rates::default() };
        let first = &self.samples[self.samples.len().saturating_sub(1 + WINDOW)];
        let seconds = seconds(first, last);
        let rate = |from: u64, to: u64| to.saturating_sub(from) as f64 / seconds;
        let steps = first.steps.iter().zip(&last.steps);
        Rates {
            bytes: rate(first.bytes, last.bytes),
            rows: first.rows.iter().zip(&last.rows).map(|(from, to)| rate(*from, *to)).collect(),
            steps: steps.map(|(from, to)| (rate(from.0, to.0), (to.1 - from.1).max(0.0) / seconds)).collect(),
        }
    }

    /// Bytes read and rows landed a second, and bytes behind, sample by sample.
    pub(super) fn charts(&self) -> [Vec<u64>; 3] {
        let pairs = || self.samples.iter().zip(self.samples.iter().skip(1));
        let whole =
            |from: u64, to: u64, of: (&Sample, &Sample)| (to.saturating_sub(from) as f64 / seconds(of.0, of.1)) as u64;
        let rows = |sample: &Sample| sample.rows.iter().sum();
        [
            pairs().map(|of| whole(of.0.bytes, of.1.bytes, of)).collect(),
            pairs().map(|of| whole(rows(of.0), rows(of.1), of)).collect(),
            pairs().map(|of| of.1.lag).collect(),
        ]
    }
}

/// At least a millisecond: a clock may stand still or step back.
fn seconds(first: &Sample, last: &Sample) -> f64 {
    last.at_ms.saturating_sub(first.at_ms).max(1) as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(second: u64) -> Sample {
        let rows = vec![2 * second, 0];
        Sample {
            at_ms: 1000 * second,
            bytes: 10 * second,
            lag: second,
            rows,
            steps: vec![(second, second as f64 / 4.0)],
        }
    }

    #[test]
    fn rates_are_those_of_the_last_seconds() {
        let mut history = History::default();
        assert_eq!(history.rates(), Rates::default());
        history.push(sample(0));
        assert_eq!(history.rates().bytes, 0.0, "one sample says nothing");
        history.push(Sample { bytes: 1_000_000, ..sample(1) });
        (10..20).for_each(|second| history.push(sample(second)));
        assert_eq!(history.rates(), Rates { bytes: 10.0, rows: vec![2.0, 0.0], steps: vec![(1.0, 0.25)] });
    }

    #[test]
    fn charts_have_a_point_a_second_for_five_minutes() {
        let mut history = History::default();
        (0..1000).for_each(|second| history.push(sample(second)));
        let [bytes, rows, lag] = history.charts();
        assert_eq!((bytes.len(), rows.len(), lag.len()), (300, 300, 300));
        assert!(bytes.iter().all(|bytes| *bytes == 10) && rows.iter().all(|rows| *rows == 2));
        assert_eq!(lag.last(), Some(&999));
    }

    #[test]
    fn what_is_acknowledged_may_stay_behind() {
        let mut history = History::default();
        let mut after = |position, is_behind, now_ms| {
            history.note(Position(position), is_behind, now_ms);
            history.behind_since_ms()
        };
        assert_eq!(after(0, false, 1), None);
        assert_eq!(after(0, true, 2), Some(2));
        assert_eq!(after(0, true, 3), Some(2));
        assert_eq!(after(5, true, 4), Some(4), "it moves, and is behind all the same");
        assert_eq!(after(9, false, 5), None);
    }

    #[test]
    fn a_clock_that_steps_back_makes_no_nonsense() {
        let mut history = History::default();
        history.push(sample(5));
        history.push(Sample { at_ms: 1000, ..sample(6) });
        assert!(history.rates().bytes.is_finite());
    }
}
