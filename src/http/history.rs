//! The last minutes of a run, one sample per second: rates for people, and the charts of the page.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use lakefront_operators::metrics::{Metrics, StepId};
use lakefront_operators::position::Position;
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
        let step = |step: &lakefront_operators::metrics::steps::Step| {
            let with_cuts = matches!(step.id(), StepId::Stage(_) | StepId::Totals(_) | StepId::Commit(_));
            (step.handed_on(), step.busy().map(|busy| busy.as_secs_f64()).sum(), with_cuts)
        };
        let acknowledged = metrics.position();
        self.note(acknowledged, acknowledged < metrics.settled(), metrics.steady_ms());
        self.push(Sample {
            at_ms: metrics.steady_ms(),
            bytes: metrics.bytes_read(),
            lag: metrics.source_lag(),
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

    /// Bytes read and rows landed per second, and bytes behind, sample by sample.
    pub(super) fn charts(&self) -> [Vec<u64>; 3] {
        let shown = || self.samples.iter().skip(self.samples.len().saturating_sub(SHOWN));
        let pairs = || shown().zip(shown().skip(1));
        [
            pairs().map(|(from, to)| from.per_second(to, |sample| sample.bytes) as u64).collect(),
            pairs().map(|(_, to)| to.rate as u64).collect(),
            pairs().map(|(_, to)| to.lag).collect(),
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
mod tests {
    use super::*;

    const CUT: Duration = Duration::from_secs(10);

    fn sample(second: u64) -> Sample {
        let rows = vec![2 * second, 0];
        let steps = vec![(second, second as f64 / 4.0, false)];
        Sample { at_ms: 1000 * second, bytes: 10 * second, lag: second, rows, rate: 0.0, steps }
    }

    fn history() -> History {
        History::of_cuts(Duration::from_secs(1))
    }

    #[test]
    fn rates_are_those_of_the_last_seconds() {
        let mut history = history();
        assert_eq!(history.rates(), Rates::default());
        history.push(sample(0));
        assert_eq!(history.rates().bytes, 0.0, "one sample says nothing");
        history.push(Sample { bytes: 1_000_000, ..sample(1) });
        (10..20).for_each(|second| history.push(sample(second)));
        assert_eq!(history.rates(), Rates { bytes: 10.0, rows: vec![2.0, 0.0], steps: vec![(1.0, 0.25)] });
    }

    /// The rate at each second up to `upto` of a run whose cuts land as (second, rows) in `cuts`.
    /// The chart's last point must agree.
    fn landing(cuts: &[(u64, u64)], upto: u64) -> Vec<f64> {
        let mut history = History::of_cuts(CUT);
        let at = |second: u64| {
            let landed = cuts.iter().filter(|(at, _)| *at <= second).map(|(_, rows)| rows).sum();
            Sample { rows: vec![landed], steps: vec![(landed, 0.0, true)], ..sample(second) }
        };
        let rate = |second| {
            history.push(at(second));
            let (rates, [_, chart, _]) = (history.rates(), history.charts());
            assert_eq!(rates.rows[0], rates.steps[0].0, "a step that hands on with cuts, too");
            assert!(chart.last().is_none_or(|last| *last == rates.rows[0] as u64));
            rates.rows[0]
        };
        (0..=upto).map(rate).collect()
    }

    #[test]
    fn what_lands_with_cuts_is_averaged_over_two_of_them_and_does_not_flip() {
        // Each a little late: seconds 10, 21, 32 and so on.
        let cuts: Vec<_> = (0..9).map(|cut| (10 + 11 * cut, 11_000)).collect();
        let rates = landing(&cuts, 98);
        assert!(rates[32..].iter().all(|rate| *rate == 1_000.0), "{rates:?}");
        let uneven = landing(&[(10, 5_000), (20, 20_000), (30, 20_000), (40, 10_000)], 40);
        assert_eq!((uneven[30], uneven[39], uneven[40]), (2_000.0, 2_000.0, 1_500.0));
    }

    #[test]
    fn what_lands_no_more_comes_to_nothing() {
        let rates = landing(&[(10, 10_000), (20, 10_000), (30, 10_000)], 70);
        assert_eq!(rates[43], 1_000.0, "a cut may be a little late");
        assert_eq!((rates[45], rates[50]), (400.0, 0.0));
        assert!(rates[30..].is_sorted_by(|before, after| before >= after), "{rates:?}");
    }

    #[test]
    fn charts_have_a_point_a_second_for_five_minutes() {
        let mut history = history();
        (0..1000).for_each(|second| history.push(sample(second)));
        let [bytes, rows, lag] = history.charts();
        assert_eq!((bytes.len(), rows.len(), lag.len()), (300, 300, 300));
        assert!(bytes.iter().all(|bytes| *bytes == 10) && rows.iter().all(|rows| *rows == 2));
        assert_eq!(lag.last(), Some(&999));
    }

    #[test]
    fn what_is_kept_suffices_for_two_cuts_and_is_bounded() {
        let kept = |seconds| History::of_cuts(Duration::from_secs(seconds)).kept;
        assert_eq!((kept(10), kept(300), kept(86_400)), (301, 1_200, 3_600));
        assert_eq!(History::of_cuts(Duration::MAX).kept, 3_600);
    }

    #[test]
    fn what_is_acknowledged_may_stay_behind() {
        let mut history = history();
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
    fn two_samples_of_one_moment_make_no_nonsense() {
        let mut history = history();
        history.push(sample(5));
        history.push(Sample { at_ms: sample(5).at_ms, ..sample(6) });
        assert!(history.rates().bytes.is_finite());
    }
}
