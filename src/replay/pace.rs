//! When each append is due.
//!
//! The schedule is fixed at the beginning: a late append does not make the next ones due later, so
//! a stall is caught up.

use std::time::Duration;

use crate::cli::Rate;

/// Fraction of the planned time by which a replay may take longer and still have kept its pace.
const SLACK: f64 = 0.01;
/// Slack that is always allowed: a short replay is not late because one disk write was slow.
const LEAST_SLACK: Duration = Duration::from_millis(100);

/// A schedule, and how well it was kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    rate: Rate,
    /// The longest delay with which an append began.
    latest: Duration,
}

impl Pace {
    pub(super) fn new(rate: Rate) -> Pace {
        Pace { rate, latest: Duration::ZERO }
    }

    /// How long to wait, `elapsed` after the beginning, before an append that has `bytes` before
    /// it.
    pub(super) fn wait(&mut self, bytes: u64, elapsed: Duration) -> Duration {
        let due = self.due(bytes);
        self.latest = self.latest.max(elapsed.saturating_sub(due));
        due.saturating_sub(elapsed)
    }

    /// How long `bytes` take at the pace; zero if none was asked for.
    pub(super) fn due(&self, bytes: u64) -> Duration {
        match self.rate {
            Rate::Max => Duration::ZERO,
            Rate::BytesPerSecond(rate) => Duration::from_secs_f64(bytes as f64 / rate as f64),
        }
    }

    /// The longest delay with which an append began; `None` if no pace was asked for.
    pub(super) fn latest(&self) -> Option<Duration> {
        (self.rate != Rate::Max).then_some(self.latest)
    }

    /// Whether `bytes` in `elapsed` keep the pace; `None` if none was asked for.
    pub(super) fn was_held(&self, bytes: u64, elapsed: Duration) -> Option<bool> {
        let due = self.due(bytes);
        let slack = due.mul_f64(SLACK).max(LEAST_SLACK);
        (self.rate != Rate::Max).then_some(elapsed <= due + slack)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn an_append_is_due_when_those_before_it_should_have_been_written() {
        let mut pace = Pace::new(Rate::BytesPerSecond(1000));
        assert_eq!(pace.wait(0, ms(0)), ms(0));
        assert_eq!(pace.wait(100, ms(10)), ms(90));
        assert_eq!(pace.wait(200, ms(450)), ms(0), "it is late");
        assert_eq!(pace.wait(500, ms(460)), ms(40), "and the schedule stays as it was");
        assert_eq!(pace.latest(), Some(ms(250)));
    }

    #[test]
    fn a_pace_is_held_within_a_hundredth() {
        let pace = Pace::new(Rate::BytesPerSecond(1000));
        assert_eq!(pace.was_held(100_000, ms(100_900)), Some(true));
        assert_eq!(pace.was_held(100_000, ms(101_100)), Some(false));
        assert_eq!(pace.was_held(1_000, ms(1_090)), Some(true));
        assert_eq!(Pace::new(Rate::Max).was_held(1, ms(1)), None);
    }
}
