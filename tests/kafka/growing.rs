//! Topics and partitions that come while a run lasts, and the group that shows people how far it
//! is.

use lakefront_operators::acknowledge::Acknowledge;
use lakefront_operators::kafka::settings::Settings;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::last_rows::LastRows;
use lakefront_operators::protocol::supply::Supply;
use lakefront_operators::source::kafka::acknowledge::GroupOffsets;
use lakefront_operators::source::kafka::kind::{Settings as Rules, Standing};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::support::kafka::Broker;
use crate::support::wait;
use crate::world::{Admin, PATIENCE, Source, Writer, topic};

#[test]
fn topics_and_partitions_that_come_are_read_from_their_beginning() {
    let broker = Broker::shared();
    let (brokers, admin) = (broker.brokers(), Admin::new(&broker.brokers()));
    let (stem, writer) = (topic("growing"), Writer::new(&brokers, &[]));
    let (one, two, other) = (format!("{stem}.one"), format!("{stem}.two"), topic("other"));
    admin.create(&one, 1, &[]);
    admin.create(&other, 1, &[]);
    writer.values(&one, 0, ["a".to_owned()]);
    writer.values(&other, 0, ["never read".to_owned()]);
    let pattern = format!("{stem}.*");
    let mut source = Source::new(&Settings::new(&brokers), &[&pattern], 1 << 20).expect("a source");
    let mut read = |expected: &[(i32, &str)]| {
        let mut rows = Vec::new();
        let is_there = wait::until(|| {
            rows.extend(
                source.rest().expect("records").into_iter().map(|(p, _, _, value)| (p, value.expect("a value"))),
            );
            rows.len() >= expected.len()
        });
        rows.sort();
        let rows: Vec<(i32, &str)> = rows.iter().map(|(p, value)| (*p, value.as_str())).collect();
        assert_eq!((is_there, rows.as_slice()), (true, expected));
    };
    read(&[(0, "a")]);
    admin.grow(&one, 3);
    let writer = Writer::new(&brokers, &[]);
    writer.values(&one, 2, ["c".to_owned()]);
    writer.values(&one, 0, ["b".to_owned()]);
    read(&[(0, "b"), (2, "c")]);
    admin.create(&two, 2, &[]);
    writer.values(&two, 1, ["d".to_owned(), "e".to_owned()]);
    read(&[(1, "d"), (1, "e")]);
    assert_eq!(source.supply.offsets().position(), Position(5));
}

#[test]
fn the_group_shows_people_how_far_we_are_and_decides_nothing() {
    let broker = Broker::shared();
    let (brokers, admin, topic) = (broker.brokers(), Admin::new(&broker.brokers()), topic("shown"));
    admin.create(&topic, 2, &[]);
    let writer = Writer::new(&brokers, &[]);
    writer.values(&topic, 1, (0..7).map(|at| at.to_string()));
    let settings = Settings { group: Some("shown-to-people".to_owned()), ..Settings::new(&brokers) };
    let mut source = Source::new(&settings, &[&topic], 1 << 20).expect("a source");
    assert_eq!(source.rest().expect("records").len(), 7);
    source.supply.close();
    let standing = Standing {
        offsets: std::sync::Arc::new(source.supply.offsets().clone()),
        settings: std::sync::Arc::new(Rules::default()),
        since: Position(0),
        last_rows: LastRows::default(),
    };
    let group = GroupOffsets::new(source.client.clone());
    source.runtime.block_on(group.acknowledge(&standing)).expect("it is acknowledged");
    let mut people = ClientConfig::new();
    people.set("bootstrap.servers", &brokers).set("group.id", "shown-to-people");
    let people: BaseConsumer = people.create().expect("a consumer");
    let mut list = TopicPartitionList::new();
    list.add_partition_range(&topic, 0, 1);
    let shown = || people.committed_offsets(list.clone(), PATIENCE).expect("the group's offsets").to_topic_map();
    // A commit goes on behind its acknowledgement if it takes long.
    assert!(wait::until(|| shown()[&(topic.clone(), 1)] == Offset::Offset(7)));
    // Somebody resets the group: the next run goes on where the lake stands.
    let mut reset = TopicPartitionList::new();
    reset.add_partition_offset(&topic, 1, Offset::Offset(2)).expect("an offset");
    people.commit(&reset, rdkafka::consumer::CommitMode::Sync).expect("a reset");
    assert_eq!(shown()[&(topic.clone(), 1)], Offset::Offset(2));
    let mut next = source.again(&settings, &[&topic], Default::default());
    assert!(next.rest().expect("nothing is new").is_empty());
}
