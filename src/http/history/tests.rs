//! Rates and charts, from samples.

use super::*;

const CUT: Duration = Duration::from_secs(10);

fn sample(second: u64) -> Sample {
    let rows = vec![2 * second, 0];
    let steps = vec![(second, second as f64 / 4.0, false)];
    Sample { at_ms: 1000 * second, bytes: 10 * second, lag: second, waiting: 3 * second, rows, rate: 0.0, steps }
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
        let (rates, [_, chart, ..]) = (history.rates(), history.charts());
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
    let [bytes, rows, lag, waiting] = history.charts();
    assert_eq!([bytes.len(), rows.len(), lag.len(), waiting.len()], [300; 4]);
    assert!(bytes.iter().all(|bytes| *bytes == 10) && rows.iter().all(|rows| *rows == 2));
    assert_eq!((lag.last(), waiting.last()), (Some(&999), Some(&2997)));
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
