//! Records that are lost: each way is an outcome of its own, and nothing is skipped by itself.

use std::time::Duration;

use lakefront_operators::kafka::failure::Outcome;
use lakefront_operators::kafka::settings::Settings;
use lakefront_operators::source::kafka::supply::OnLoss;

use crate::support::kafka::Broker;
use crate::support::wait;
use crate::world::{Admin, Row, Source, Writer, outcome, topic};

fn offsets(rows: &[Row]) -> Vec<u64> {
    rows.iter().map(|row| row.1).collect()
}

/// A topic with ten records, of which all were read, and a hundred that were not.
fn read_in_part(brokers: &str, name: &str, settings: &[(&str, &str)]) -> (String, Source) {
    let (topic, writer) = (topic(name), Writer::new(brokers, &[]));
    Admin::new(brokers).create(&topic, 1, settings);
    writer.values(&topic, 0, (0..10).map(|at| at.to_string()));
    let mut source = Source::new(&Settings::new(brokers), &[&topic], 1 << 20).expect("a source");
    assert_eq!(source.rest().expect("records").len(), 10);
    writer.values(&topic, 0, (10..110).map(|at| at.to_string()));
    (topic, source)
}

#[test]
fn deleted_records_are_named_and_skipped_only_if_that_is_accepted() {
    let brokers = Broker::shared().brokers();
    let (topic, mut source) = read_in_part(&brokers, "deleted", &[]);
    Admin::new(&brokers).delete_records(&topic, 60);
    let (outcome, text) = outcome(source.rest());
    assert_eq!(outcome, Outcome::RetentionPassed);
    for part in [&*format!("partition 0 of topic {topic:?}"), "offset 10 ", "is 60", "50 offsets are lost"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let mut next = source.again(&Settings::new(&brokers), &[&topic], OnLoss::Accept);
    next.look().expect("a look");
    let lost = next.next().expect("a range").expect("what is lost");
    assert_eq!((lost.is_lost, lost.offsets.clone(), lost.len()), (true, 10..60, 0));
    assert_eq!(offsets(&next.rest().expect("records")), (60..110).collect::<Vec<u64>>());
}

#[test]
fn records_that_go_after_the_look_are_named_too() {
    let brokers = Broker::shared().brokers();
    let (topic, mut source) = read_in_part(&brokers, "late", &[]);
    source.look().expect("all is there");
    Admin::new(&brokers).delete_records(&topic, 70);
    // librdkafka has not fetched them: this client has read nothing of the partition yet.
    let mut next = source.again(&Settings::new(&brokers), &[&topic], OnLoss::Stop);
    let range = {
        let mut range = next_range(&mut next);
        range.from = 10;
        range
    };
    let (outcome, text) = outcome(next.read(range));
    assert_eq!(outcome, Outcome::RetentionPassed, "{text}");
    assert!(text.contains("is 70") && text.contains("60 offsets are lost"), "{text}");
}

/// A range up to the end, made before anybody knows what is gone.
fn next_range(source: &mut Source) -> lakefront_operators::source::kafka::range::Range {
    use lakefront_operators::protocol::offsets::PartitionId;
    use lakefront_operators::protocol::supply::Supply;
    let (id, mark) = source.supply.offsets().partitions.iter().next().expect("a partition");
    lakefront_operators::source::kafka::range::Range {
        partition: PartitionId::first(id.name.clone()),
        topic_id: mark.topic_id.clone(),
        from: mark.next,
        to: 110,
        bytes: 1 << 20,
        follows: false,
        is_lost: false,
        settings: std::sync::Arc::default(),
        catch_up: false,
    }
}

#[test]
fn retention_that_has_passed_is_the_same() {
    let brokers = Broker::shared().brokers();
    let (topic, mut source) = read_in_part(&brokers, "retained", &[("retention.ms", "1000"), ("segment.ms", "100")]);
    let mut text = String::new();
    let has_passed = wait::until(|| {
        // A segment is rolled when the next record comes.
        Writer::new(&brokers, &[]).values(&topic, 0, ["one more".to_owned()]);
        wait::pause(Duration::from_millis(200));
        match source.look() {
            Ok(()) => false,
            Err(stop) => {
                text = lakefront_operators::error::chain(&stop);
                true
            }
        }
    });
    assert!(has_passed && text.contains("its records from offset 10 on were to be read"), "{text}");
}

#[test]
fn a_topic_that_was_created_anew_is_another() {
    let brokers = Broker::shared().brokers();
    let (topic, mut source) = read_in_part(&brokers, "anew", &[]);
    let admin = Admin::new(&brokers);
    source.look().expect("all is there");
    let range = next_range(&mut source);
    admin.delete(&topic);
    wait::pause(Duration::from_millis(500));
    admin.create(&topic, 1, &[]);
    let writer = Writer::new(&brokers, &[]);
    writer.values(&topic, 0, (0..200).map(|at| format!("new {at}")));
    // A range that was handed out before has no record of the new topic, and says so.
    let (of_range, text) = outcome(source.read(range));
    assert_eq!(of_range, Outcome::Recreated, "{text}");
    let mut next = source.again(&Settings::new(&brokers), &[&topic], OnLoss::Stop);
    let (of_look, text) = outcome(next.rest());
    assert_eq!(of_look, Outcome::Recreated, "{text}");
    assert!(text.contains("was deleted and created anew") && text.contains(&topic), "{text}");
    let mut accepts = next.again(&Settings::new(&brokers), &[&topic], OnLoss::Accept);
    let rows = accepts.rest().expect("the new topic");
    assert_eq!(offsets(&rows), (0..200).collect::<Vec<u64>>());
    assert!(accepts.ranges.iter().all(|range| range.partition.generation == 2));
}

#[test]
fn a_topic_that_goes_with_unread_records_is_named() {
    let brokers = Broker::shared().brokers();
    let (topic, mut source) = read_in_part(&brokers, "gone", &[]);
    source.look().expect("all is there");
    let range = next_range(&mut source);
    Admin::new(&brokers).delete(&topic);
    let (of_read, text) = outcome(source.read(range));
    assert_eq!(of_read, Outcome::UnknownTopic, "{text}");
    source.look().expect("its broker may not know it yet");
    source.now_ms += 60_000;
    let (of_look, text) = outcome(source.look());
    assert_eq!((of_look, text.contains(&topic)), (Outcome::UnknownTopic, true), "{text}");
}
