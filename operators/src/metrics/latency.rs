//! How long something took, as percentiles and as a histogram; updated once per chunk or commit.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

/// Longer durations count as this: one day, in microseconds.
const LONGEST_US: u64 = 24 * 3600 * 1_000_000;
/// Significant decimal digits of a percentile.
const DIGITS: u8 = 3;

/// Durations, exact to a microsecond or to three digits, whichever is coarser.
pub struct Latency {
    seen: Mutex<Durations>,
}

struct Durations {
    durations_us: Histogram<u64>,
    /// Exact, unlike the histogram's own sum.
    sum: Duration,
}

impl Default for Latency {
    fn default() -> Self {
        let durations_us = Histogram::new_with_bounds(1, LONGEST_US, DIGITS).expect("the bounds are in order");
        Latency { seen: Mutex::new(Durations { durations_us, sum: Duration::ZERO }) }
    }
}

/// How durations are distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percentiles {
    /// How many there are.
    pub count: u64,
    /// Half took at most this long.
    pub p50: Duration,
    /// Nine in ten took at most this long.
    pub p90: Duration,
    /// Ninety-nine in a hundred took at most this long.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

/// A cumulative histogram.
#[derive(Clone, Debug, PartialEq)]
pub struct Buckets {
    /// How many durations are within each of the bounds, in their order.
    pub counts: Vec<u64>,
    /// How many there are.
    pub count: u64,
    /// All of them together.
    pub sum: Duration,
}

impl Latency {
    /// Adds one duration.
    pub fn record(&self, took: Duration) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let us = u64::try_from(took.as_micros()).unwrap_or(LONGEST_US);
        seen.durations_us.saturating_record(us);
        seen.sum += took;
    }

    /// The percentiles so far; none if there are no durations.
    pub fn percentiles(&self) -> Option<Percentiles> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let durations = &seen.durations_us;
        let at = |quantile| Duration::from_micros(durations.value_at_quantile(quantile));
        (!durations.is_empty()).then(|| Percentiles {
            count: durations.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            max: Duration::from_micros(durations.max()),
        })
    }

    /// How many durations are within each of `bounds`, which ascend.
    pub fn buckets(&self, bounds: &[Duration]) -> Buckets {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let durations = &seen.durations_us;
        let mut counts = vec![0; bounds.len()];
        for at in durations.iter_recorded() {
            // A duration that equals a bound is within it, however coarse the histogram is there.
            let duration = Duration::from_micros(durations.lowest_equivalent(at.value_iterated_to()));
            let first = bounds.partition_point(|bound| *bound < duration);
            counts[first..].iter_mut().for_each(|count| *count += at.count_since_last_iteration());
        }
        Buckets { counts, count: durations.len(), sum: seen.sum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn nothing_has_no_percentiles() {
        assert_eq!(Latency::default().percentiles(), None);
    }

    #[test]
    fn percentiles_are_those_of_the_durations() {
        let latency = Latency::default();
        (1..=1000).for_each(|n| latency.record(ms(n)));
        let is = latency.percentiles().expect("there are some");
        let near = |is: Duration, expected: Duration| is.abs_diff(expected) <= expected / 1000;
        assert_eq!(is.count, 1000);
        for (is, expected) in [(is.p50, ms(500)), (is.p90, ms(900)), (is.p99, ms(990)), (is.max, ms(1000))] {
            assert!(near(is, expected), "{is:?} instead of {expected:?}");
        }
    }

    #[test]
    fn what_takes_longer_than_a_day_counts_as_a_day_and_adds_up_all_the_same() {
        let latency = Latency::default();
        let week = Duration::from_secs(7 * 24 * 3600);
        latency.record(week);
        let max = latency.percentiles().expect("there is one").max;
        assert!(max >= Duration::from_secs(24 * 3600) && max < Duration::from_secs(25 * 3600), "{max:?}");
        assert_eq!(latency.buckets(&[]), Buckets { counts: vec![], count: 1, sum: week });
    }

    #[test]
    fn buckets_are_cumulative_and_hold_their_bounds() {
        let latency = Latency::default();
        [ms(1), ms(10), ms(10), ms(1000), ms(5000)].into_iter().for_each(|took| latency.record(took));
        let buckets = latency.buckets(&[ms(1), ms(10), ms(999), ms(1000)]);
        assert_eq!(buckets, Buckets { counts: vec![1, 3, 3, 4], count: 5, sum: ms(6021) });
    }
}
