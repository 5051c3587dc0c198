//! Sums do not depend on grouping, and survive partitions that leave and settings that change.

use super::*;
use crate::format::logs::lines::{Mark, Offsets};
use crate::source::files::identity::Identity;

fn bucket(name: &str, range: u64) -> Bucket {
    Bucket { partition: PartitionId::first(name), range, part: 0 }
}

fn offsets(names: &[&str]) -> Offsets {
    let at = Mark { offset: 1, identity: Identity::default(), landed_tail: false, gone: false };
    names.iter().map(|name| (PartitionId::first(*name), at.clone())).collect()
}

#[test]
fn buckets_grow_wider_and_keep_their_rows() {
    let mut buckets = Buckets::default();
    let last = i64::MAX as u64 >> FINEST_LOG2;
    let ranges = [0, 1, 15, 16, 64, 1_000, 5_000_000, last];
    for number in ranges {
        buckets.add(number << FINEST_LOG2, Sum { rows: 1, checksum: u128::MAX });
    }
    assert_eq!(buckets.sum(), Sum { rows: 8, checksum: u128::MAX - 7 });
    assert!(buckets.iter().count() <= BUCKETS);
    for number in ranges {
        let of = buckets.iter().find(|(range, _)| range.contains(&(number << FINEST_LOG2))).expect("it has a bucket");
        assert!(of.1.rows > 0, "range {number}");
    }
}

/// A table may have ten thousand partitions, and each claim writes them all.
#[test]
fn a_long_partition_takes_a_kibibyte_of_an_offsets_file() {
    let mut totals = Totals::default();
    for number in 0..5_000 {
        totals.add(&bucket("a/name/of/the/usual/length.json", number), Sum { rows: 2_000, checksum: u128::MAX / 3 });
    }
    let json = serde_json::to_string_pretty(&totals).expect("totals are JSON");
    assert!(json.len() < 1_024, "{json}");
    assert_eq!(serde_json::from_str::<Totals>(&json).expect("our own JSON"), totals);
}

#[test]
fn damaged_totals_are_refused() {
    let text = |width: u32, sum: &str, sums: usize| {
        let sums = vec![format!("{sum:?}"); sums].join(",");
        let partition = format!(r#"{{"name":"a","generation":1,"width_log2":{width},"sums":[{sums}]}}"#);
        format!(r#"{{"partitions":[{partition}],"retired":"0 0","earlier":"0 0"}}"#)
    };
    let error = |width, sum, sums| serde_json::from_str::<Totals>(&text(width, sum, sums)).err().map(|e| e.to_string());
    assert_eq!(error(20, "1 f", 16), None);
    for (width, sum, sums) in [(19, "1 f", 1), (60, "1 f", 1), (200, "1 f", 1), (20, "1 f", 17)] {
        assert!(error(width, sum, sums).is_some_and(|e| e.contains("the totals of a are damaged")), "{width} {sums}");
    }
    for sum in ["", "1", "-1 f", "1 g", "1  f"] {
        assert!(error(20, sum, 1).is_some(), "{sum:?}");
    }
}

#[test]
fn what_leaves_and_what_was_before_go_on_counting() {
    let mut totals = Totals::default();
    totals.add(&bucket("a", 0), Sum { rows: 2, checksum: 5 });
    totals.add(&bucket("b", 3), Sum { rows: 3, checksum: 7 });
    totals.retire(&offsets(&["b"]));
    assert_eq!(totals.retired, Sum { rows: 2, checksum: 5 });
    totals.begin_anew();
    assert_eq!(
        (totals.earlier, totals.retired, totals.partitions.len()),
        (Sum { rows: 5, checksum: 12 }, Sum::default(), 0)
    );
    totals.add(&bucket("b", 4), Sum::row(1));
    assert_eq!(totals.sum(), Sum { rows: 6, checksum: 13 });
}

#[test]
fn what_changed_leads_from_a_base_to_the_totals() {
    let mut base = Totals::default();
    base.add(&bucket("a", 0), Sum::row(5));
    base.add(&bucket("b", 0), Sum::row(6));
    base.add(&bucket("c", 0), Sum::row(7));
    let mut now = base.clone();
    now.add(&bucket("b", 9), Sum::row(8));
    now.retire(&offsets(&["b", "c"]));
    let changed = now.since(&base, &offsets(&["b", "c"]));
    assert_eq!(changed.partitions.len(), 1, "only b has changed");
    let json = serde_json::to_string(&changed).expect("totals are JSON");
    let changed = serde_json::from_str(&json).expect("our own JSON");
    assert_eq!(base.clone().updated(changed, &offsets(&["b", "c"])), now);
    // Another blob takes the name of the retired one.
    let anew = offsets(&["a", "b", "c"]);
    assert_eq!(base.clone().updated(now.since(&base, &anew), &anew), now);
}
