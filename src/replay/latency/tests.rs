//! Percentiles, and the log of latencies.

use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

use super::*;

fn latencies(seen: &[(u64, u64)]) -> Latencies {
    let mut latencies = Latencies::default();
    for (at_ms, after_ms) in seen {
        let visible = Visible { at: Duration::from_millis(*at_ms), after: Duration::from_millis(*after_ms) };
        latencies.record(visible);
    }
    latencies
}

#[test]
fn percentiles_are_those_of_the_appends() {
    let all: Vec<(u64, u64)> = (1..=1000).map(|n| (n, n)).collect();
    let told = latencies(&all).json();
    assert_eq!(told["count"], 1000);
    for (name, expected) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)] {
        let is = told[name].as_f64().expect("a number");
        assert!((is - expected).abs() <= expected / 500.0, "{name}: {is} instead of {expected}");
    }
    assert_eq!(latencies(&[]).json(), Value::Null);
}

#[test]
fn the_log_has_a_histogram_for_each_second_and_reads_back() {
    let began = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let mut log = Vec::new();
    latencies(&[(10, 5), (900, 7), (2_100, 70), (2_200, 700)]).log(&mut log, began).expect("memory");
    let text = String::from_utf8(log.clone()).expect("text");
    assert!(text.starts_with("#[Histogram log format version 1.3]\n"), "{text}");
    let (mut intervals, mut times) = (Vec::new(), Vec::new());
    for entry in IntervalLogIterator::new(&log) {
        match entry.expect("a log") {
            LogEntry::StartTime(at) | LogEntry::BaseTime(at) => times.push(at.as_secs()),
            LogEntry::Interval(interval) => {
                let bytes = base64(interval.encoded_histogram());
                let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..]).expect("a histogram");
                intervals.push((interval.start_timestamp().as_secs(), histogram.len(), histogram.max()));
            }
        }
    }
    assert_eq!(times, [1_700_000_000; 2]);
    let expected = [(0, 2, 7_000), (2, 2, 700_000)];
    for (is, expected) in intervals.iter().zip(expected) {
        assert_eq!((is.0, is.1), (expected.0, expected.1));
        assert!(is.2.abs_diff(expected.2) <= expected.2 / 500, "{is:?} instead of {expected:?}");
    }
    assert_eq!(intervals.len(), 2);
}

/// Decodes base64, by hand and only as far as the test needs it.
fn base64(text: &str) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let bits = text.bytes().filter(|c| *c != b'=').flat_map(|c| (0..6).rev().map(move |bit| value(c) >> bit & 1));
    let bits: Vec<u8> = bits.collect();
    bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | bit)).collect()
}
