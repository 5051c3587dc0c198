//! Percentiles and buckets of durations.

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
