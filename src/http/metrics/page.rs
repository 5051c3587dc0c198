//! Families of samples, and the text they make.

use std::time::Duration;

use lakefront_operators::run::metrics::Latency;
use prometheus::TextEncoder;
use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};

/// Bounds of a histogram's buckets, in milliseconds: from a local disk's reads to a service's
/// outages.
const BOUNDS_MS: [u64; 17] =
    [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 1_800_000];

/// A sample without labels.
pub(super) fn one<V>(value: V) -> Option<([(&'static str, &'static str); 0], V)> {
    Some(([], value))
}

/// The families so far.
#[derive(Default)]
pub(super) struct Page(Vec<MetricFamily>);

impl Page {
    pub(super) fn counter<'a, const L: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = ([(&'a str, &'a str); L], u64)>,
    ) {
        let samples = samples.into_iter().map(|(labels, value)| counter(labels, value as f64));
        self.family(name, help, MetricType::COUNTER, samples.collect());
    }

    pub(super) fn counter_seconds<'a, const L: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = ([(&'a str, &'a str); L], Duration)>,
    ) {
        let samples = samples.into_iter().map(|(labels, time)| counter(labels, time.as_secs_f64()));
        self.family(name, help, MetricType::COUNTER, samples.collect());
    }

    pub(super) fn gauge<'a, const L: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = ([(&'a str, &'a str); L], u64)>,
    ) {
        let samples = samples.into_iter().map(|(labels, value)| gauge(labels, value as f64));
        self.family(name, help, MetricType::GAUGE, samples.collect());
    }

    pub(super) fn gauge_signed<'a, const L: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = ([(&'a str, &'a str); L], i64)>,
    ) {
        let samples = samples.into_iter().map(|(labels, value)| gauge(labels, value as f64));
        self.family(name, help, MetricType::GAUGE, samples.collect());
    }

    pub(super) fn gauge_seconds<'a, const L: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = ([(&'a str, &'a str); L], Duration)>,
    ) {
        let samples = samples.into_iter().map(|(labels, time)| gauge(labels, time.as_secs_f64()));
        self.family(name, help, MetricType::GAUGE, samples.collect());
    }

    pub(super) fn histogram(&mut self, name: &str, help: &str, latency: &Latency) {
        let bounds = BOUNDS_MS.map(Duration::from_millis);
        let buckets = latency.buckets(&bounds);
        let bucket = |(bound, count): (&Duration, &u64)| {
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bound.as_secs_f64());
            bucket.set_cumulative_count(*count);
            bucket
        };
        let mut histogram = Histogram::default();
        histogram.set_bucket(bounds.iter().zip(&buckets.counts).map(bucket).collect());
        histogram.set_sample_count(buckets.count);
        histogram.set_sample_sum(buckets.sum.as_secs_f64());
        let mut metric = Metric::default();
        metric.set_histogram(histogram);
        self.family(name, help, MetricType::HISTOGRAM, vec![metric]);
    }

    fn family(&mut self, name: &str, help: &str, kind: MetricType, samples: Vec<Metric>) {
        if samples.is_empty() {
            // The format has no families without samples.
            return;
        }
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        family.set_metric(samples);
        self.0.push(family);
    }

    pub(super) fn text(&self) -> String {
        TextEncoder::new().encode_to_string(&self.0).expect("every family has a name and samples of its kind")
    }
}

fn counter<const L: usize>(labels: [(&str, &str); L], value: f64) -> Metric {
    let (mut metric, mut counter) = (labelled(labels), Counter::default());
    counter.set_value(value);
    metric.set_counter(counter);
    metric
}

fn gauge<const L: usize>(labels: [(&str, &str); L], value: f64) -> Metric {
    let (mut metric, mut gauge) = (labelled(labels), Gauge::default());
    gauge.set_value(value);
    metric.set_gauge(gauge);
    metric
}

fn labelled<const L: usize>(labels: [(&str, &str); L]) -> Metric {
    let mut metric = Metric::default();
    let pair = |(name, value): (&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name(name.to_owned());
        pair.set_value(value.to_owned());
        pair
    };
    metric.set_label(labels.into_iter().map(pair).collect());
    metric
}
