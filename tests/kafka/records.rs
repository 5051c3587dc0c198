//! What comes of records: every codec, transactions, gaps, and records with unusual parts.

use lakefront_operators::kafka::settings::{Isolation, Settings};
use lakefront_operators::source::kafka::range::Range;

use crate::support::kafka::Broker;
use crate::support::wait;
use crate::world::{Admin, Row, Source, Writer, Written, all, rows_of, topic};

const COMMITTED: Isolation = Isolation::ReadCommitted;

fn values(rows: &[Row]) -> Vec<&str> {
    rows.iter().filter_map(|(_, _, _, value)| value.as_deref()).collect()
}

#[test]
fn records_of_every_codec_are_read_whole_and_once() {
    let broker = Broker::shared();
    let (brokers, admin) = (broker.brokers(), Admin::new(&broker.brokers()));
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = topic(codec);
        admin.create(&topic, 3, &[]);
        let writer = Writer::new(&brokers, &[("compression.codec", codec)]);
        for partition in 0..3 {
            writer.values(&topic, partition, (0..2000).map(|at| format!("{partition} {at} {}", "x".repeat(at % 300))));
        }
        let mut rows = all(&brokers, &[&topic], COMMITTED, 64 << 10);
        rows.sort();
        assert_eq!(rows.len(), 6000, "{codec}");
        for (at, (partition, offset, key, value)) in rows.iter().enumerate() {
            let number = at % 2000;
            assert_eq!((*partition, *offset), ((at / 2000) as i32, number as u64), "{codec}");
            assert_eq!(key.as_deref(), Some(number.to_string().as_str()));
            assert_eq!(value.as_deref(), Some(format!("{partition} {number} {}", "x".repeat(number % 300)).as_str()));
        }
    }
}

#[test]
fn aborted_transactions_are_read_only_by_who_asks_for_them() {
    let broker = Broker::shared();
    let (brokers, admin, topic) = (broker.brokers(), Admin::new(&broker.brokers()), topic("transactions"));
    admin.create(&topic, 1, &[]);
    let (one, other) = (Writer::transactional(&brokers), Writer::transactional(&brokers));
    let (mut kept, mut written) = (Vec::new(), Vec::new());
    for round in 0..20 {
        // Two transactions at once, of which one is aborted now and then.
        one.begin();
        other.begin();
        for (name, writer) in [("a", &one), ("b", &other)] {
            let value = format!("{name}{round}");
            writer.values(&topic, 0, [value.clone()]);
            written.push(value);
        }
        kept.push(format!("a{round}"));
        one.commit();
        if round % 3 == 0 {
            other.abort();
        } else {
            other.commit();
            kept.push(format!("b{round}"));
        }
    }
    for most in [1 << 20, 2 << 10] {
        assert_eq!(values(&all(&brokers, &[&topic], COMMITTED, most)), kept, "{most}");
        assert_eq!(values(&all(&brokers, &[&topic], Isolation::ReadUncommitted, most)), written, "{most}");
    }
    // Nothing behind an open transaction is read, and all of it once it ends.
    let mut source = Source::new(&Settings::new(&brokers), &[&topic], 1 << 20).expect("a source");
    assert_eq!(source.rest().expect("records").len(), kept.len());
    one.begin();
    one.values(&topic, 0, ["open".to_owned()]);
    Writer::new(&brokers, &[]).values(&topic, 0, ["behind".to_owned()]);
    assert!(source.rest().expect("no records").is_empty());
    one.commit();
    assert!(wait::until(|| source.rest().is_ok_and(|rows| values(&rows) == ["open", "behind"])));
}

#[test]
fn a_range_may_begin_and_end_in_a_gap_of_compaction() {
    let broker = Broker::shared();
    let (brokers, admin, topic) = (broker.brokers(), Admin::new(&broker.brokers()), topic("compacted"));
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "100"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("min.compaction.lag.ms", "0"),
    ];
    admin.create(&topic, 1, &settings);
    let writer = Writer::new(&brokers, &[]);
    // Keys 0 to 19 are written again and again; those of the first round in between stay.
    let mut round = 0;
    let mut rows = Vec::new();
    let has_gaps = wait::until(|| {
        writer.values(&topic, 0, (0..20).map(|at| format!("{round} {at}")));
        let key = format!("once {round}");
        writer.send(&topic, &Written { key: Some(key.as_bytes()), value: Some(b"stays"), ..Written::default() });
        writer.flush();
        round += 1;
        wait::pause(std::time::Duration::from_millis(150));
        rows = all(&brokers, &[&topic], COMMITTED, 1 << 20);
        rows.len() < 21 * round / 2
    });
    assert!(has_gaps, "{} records of {}", rows.len(), 21 * round);
    let stays = |rows: &[Row]| values(rows).iter().filter(|value| **value == "stays").count();
    assert_eq!(stays(&rows), round);
    // Ranges of one, two and three offsets: some have no record at all.
    for room in 1..=3 {
        let mut source = Source::new(&Settings::new(&brokers), &[&topic], 1 << 20).expect("a source");
        source.room = room;
        let small = source.rest().expect("records");
        assert_eq!((stays(&small), small.len() <= rows.len()), (round, true), "{room}");
        assert!(small.len() < source.ranges.len() || room > 1, "{} records", small.len());
        assert!(small.iter().is_sorted(), "in the order of offsets");
    }
}

#[test]
fn a_record_keeps_its_headers_and_what_it_lacks() {
    let broker = Broker::shared();
    let (brokers, admin, topic) = (broker.brokers(), Admin::new(&broker.brokers()), topic("parts"));
    admin.create(&topic, 1, &[]);
    let writer = Writer::new(&brokers, &[]);
    let headers = vec![("h", Some(&b"1"[..])), ("h", None), ("i", Some(&b""[..])), ("j", Some(&[0xff, 0][..]))];
    let whole = Written { key: Some(b"k"), value: Some(b"v"), headers, partition: 0 };
    let tombstone = Written { key: Some(b"k"), ..Written::default() };
    let keyless = Written { value: Some(b"\xff"), ..Written::default() };
    let empty = Written { key: Some(b""), value: Some(b""), ..Written::default() };
    [whole, tombstone, keyless, empty].iter().for_each(|record| writer.send(&topic, record));
    writer.flush();
    let mut source = Source::new(&Settings::new(&brokers), &[&topic], 1 << 20).expect("a source");
    source.look().expect("a look");
    let records = source.next().expect("records").expect("a range");
    let parts: Vec<_> = records.iter().map(|r| (r.key(), r.value())).collect();
    assert_eq!(
        parts,
        [
            (Some(&b"k"[..]), Some(&b"v"[..])),
            (Some(&b"k"[..]), None),
            (None, Some(&b"\xff"[..])),
            (Some(&b""[..]), Some(&b""[..]))
        ]
    );
    let headers: Vec<_> = records.iter().flat_map(|record| record.headers()).collect();
    assert_eq!(headers, [(&b"h"[..], Some(&b"1"[..])), (b"h", None), (b"i", Some(b"")), (b"j", Some(&[0xff, 0][..]))]);
    assert!(records.iter().all(|record| record.timestamp_ms().is_some_and(|ms| ms > 1_700_000_000_000)));
}

#[test]
fn a_record_may_be_larger_than_what_is_fetched_at_once() {
    let broker = Broker::shared();
    let (brokers, admin, topic) = (broker.brokers(), Admin::new(&broker.brokers()), topic("large"));
    admin.create(&topic, 1, &[("max.message.bytes", "20000000")]);
    let large = "0123456789abcdef".repeat(700_000);
    let writer = Writer::new(&brokers, &[]);
    writer.values(&topic, 0, ["before".to_owned(), large.clone(), "behind".to_owned(), large.clone()]);
    for most in [1 << 20, 1 << 10] {
        let rows = all(&brokers, &[&topic], COMMITTED, most);
        let lengths: Vec<usize> = values(&rows).iter().map(|value| value.len()).collect();
        assert_eq!(lengths, [6, large.len(), 6, large.len()]);
        assert!(values(&rows)[1] == large && values(&rows)[3] == large);
    }
}

#[test]
fn a_range_that_is_longer_than_its_room_comes_in_parts() {
    let broker = Broker::shared();
    let (brokers, admin, topic) = (broker.brokers(), Admin::new(&broker.brokers()), topic("parted"));
    admin.create(&topic, 1, &[]);
    let writer = Writer::new(&brokers, &[]);
    // Nobody knows how large they are, and then they are larger than those before.
    let length = |at: usize| if at < 100 { 10 } else { 20 << 10 };
    writer.values(&topic, 0, (0..1000).map(|at| "x".repeat(length(at))));
    let mut source = Source::new(&Settings::new(&brokers), &[&topic], 1 << 20).expect("a source");
    let rows = source.rest().expect("records");
    assert_eq!(rows.iter().map(|row| row.1).collect::<Vec<_>>(), (0..1000).collect::<Vec<u64>>());
    assert!(rows.iter().enumerate().all(|(at, row)| row.3.as_ref().is_some_and(|value| value.len() == length(at))));
    assert!(source.ranges.len() >= ((900 * 20) << 10) / (2 << 20), "{} parts", source.ranges.len());
}

#[test]
fn ranges_may_be_read_again_in_any_order_and_at_once() {
    let broker = Broker::shared();
    let (brokers, admin, topic) = (broker.brokers(), Admin::new(&broker.brokers()), topic("again"));
    admin.create(&topic, 40, &[]);
    let writer = Writer::new(&brokers, &[]);
    for partition in 0..40 {
        writer.values(&topic, partition, (0..50).map(|at| format!("{partition}/{at}")));
    }
    let mut source = Source::new(&Settings::new(&brokers), &[&topic], 10 << 10).expect("a source");
    assert_eq!(source.rest().expect("records").len(), 2000);
    let mut ranges = source.ranges.clone();
    ranges.reverse();
    let mut rows = Vec::new();
    for range in ranges.iter().filter(|range| range.from % 20 == 0) {
        let range = Range { follows: false, ..range.clone() };
        rows.extend(rows_of(&source.read(range).expect("the same records")));
    }
    // All at once, each before the one that it follows.
    rows.extend(source.at_once(&ranges).iter().flat_map(rows_of));
    assert!(rows.len() > 2000);
    for (partition, offset, _, value) in rows {
        assert_eq!(value, Some(format!("{partition}/{offset}")));
    }
}
