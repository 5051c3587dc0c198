//! How long appends took to become visible: percentiles, and a log of each second that
//! HdrHistogram's tools can plot.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::IntervalLogWriterBuilder;
use serde_json::{Value, json};

use super::visible::Visible;

/// Anything longer counts as this long: one day, in microseconds.
const LONGEST_US: u64 = 24 * 3600 * 1_000_000;
/// Significant decimal digits of a percentile.
const DIGITS: u8 = 3;
/// The percentiles that are reported, with their names for programs and for people.
const TOLD: [(f64, &str, &str); 4] =
    [(0.5, "p50", "p50"), (0.9, "p90", "p90"), (0.99, "p99", "p99"), (0.999, "p999", "p99.9")];
/// The log's maxima are in milliseconds, its histograms in microseconds.
const MAX_DIVISOR: f64 = 1000.0;

/// The latency of each append: 24 bytes of memory per append.
pub(super) struct Latencies {
    all: Histogram<u64>,
    /// When each was seen, since the beginning, and its latency in microseconds; in order.
    each: Vec<(Duration, u64)>,
}

impl Default for Latencies {
    fn default() -> Self {
        Latencies { all: histogram(), each: Vec::new() }
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_US, DIGITS).expect("the bounds are in order")
}

impl Latencies {
    pub(super) fn record(&mut self, seen: Visible) {
        // An append that was visible before it was durable counts as a microsecond, the least that
        // the histogram holds.
        let us = u64::try_from(seen.after.as_micros()).unwrap_or(LONGEST_US).clamp(1, LONGEST_US);
        self.all.saturating_record(us);
        self.each.push((seen.at, us));
    }

    /// The same, with the times of sightings counted from `began`.
    pub(super) fn since(mut self, began: Duration) -> Latencies {
        self.each.iter_mut().for_each(|(at, _)| *at = at.saturating_sub(began));
        self
    }

    pub(super) fn count(&self) -> u64 {
        self.all.len()
    }

    /// When the last append was seen.
    pub(super) fn last(&self) -> Option<Duration> {
        self.each.last().map(|(at, _)| *at)
    }

    /// Percentiles in seconds; null if there are none.
    pub(super) fn json(&self) -> Value {
        if self.all.is_empty() {
            return Value::Null;
        }
        let seconds = |us: u64| us as f64 / 1e6;
        let mut told = json!({"count": self.count(), "max": seconds(self.all.max())});
        for (quantile, name, _) in TOLD {
            told[name] = seconds(self.all.value_at_quantile(quantile)).into();
        }
        told
    }

    /// Each percentile with its name.
    pub(super) fn told(&self) -> Vec<(&'static str, Duration)> {
        let at = |quantile| Duration::from_micros(self.all.value_at_quantile(quantile));
        let percentiles = TOLD.iter().map(|(quantile, _, name)| (*name, at(*quantile)));
        percentiles.chain([("max", Duration::from_micros(self.all.max()))]).collect()
    }

    /// Writes the log of a replay that began at `began`.
    pub(super) fn write_log(&self, file: File, began: SystemTime) -> io::Result<()> {
        let mut out = BufWriter::new(file);
        self.log(&mut out, began)?;
        out.flush()
    }

    fn log(&self, out: &mut impl Write, began: SystemTime) -> io::Result<()> {
        let mut serializer = V2DeflateSerializer::new();
        let mut log = IntervalLogWriterBuilder::new()
            .add_comment("[Histogram log format version 1.3]")
            .add_comment("[lakefront replay: append to visible, in microseconds]")
            .with_start_time(began)
            .with_base_time(began)
            .with_max_value_divisor(MAX_DIVISOR)
            .begin_log_with(out, &mut serializer)?;
        let second = Duration::from_secs(1);
        for seen in self.each.chunk_by(|a, b| a.0.as_secs() == b.0.as_secs()) {
            let mut interval = histogram();
            seen.iter().for_each(|(_, us)| interval.saturating_record(*us));
            let start = Duration::from_secs(seen[0].0.as_secs());
            log.write_histogram(&interval, start, second, None).map_err(io::Error::other)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
