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
mod tests;
