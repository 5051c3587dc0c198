//! A broker that is killed while it is read.

use std::collections::BTreeSet;

use lakefront_operators::kafka::settings::Settings;

use crate::support::kafka::Broker;
use crate::world::{Admin, Source, Writer, rows_of, topic};

#[test]
fn a_broker_that_is_killed_and_comes_back_loses_and_doubles_nothing() {
    let mut broker = Broker::start();
    let (brokers, topic) = (broker.brokers(), topic("killed"));
    Admin::new(&brokers).create(&topic, 2, &[]);
    let writer = Writer::new(&brokers, &[]);
    for partition in 0..2 {
        writer.values(&topic, partition, (0..6000).map(|at| format!("{at} {}", "x".repeat(1000))));
    }
    let mut source = Source::new(&Settings::new(&brokers), &[&topic], 1 << 20).expect("a source");
    source.look().expect("a look");
    let mut rows = Vec::new();
    let mut ranges = 0;
    while let Some(records) = {
        // Three times, while librdkafka fetches ahead, and a range is waited for.
        let restart = [2, 5, 8].contains(&ranges).then(|| {
            broker.kill();
            std::thread::scope(|scope| {
                let reading = scope.spawn(|| source.next());
                broker.restart();
                reading.join().expect("no panic")
            })
        });
        restart.unwrap_or_else(|| source.next()).expect("records")
    } {
        ranges += 1;
        rows.extend(rows_of(&records));
    }
    assert!(ranges > 8, "{ranges} ranges");
    let places: BTreeSet<(i32, u64)> = rows.iter().map(|row| (row.0, row.1)).collect();
    assert_eq!((rows.len(), places.len()), (12_000, 12_000));
    assert!(rows.iter().all(|row| row.3.as_ref().is_some_and(|value| value.starts_with(&format!("{} ", row.1)))));
    // A look, too, waits for it.
    broker.kill();
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| source.look());
        broker.restart();
        looking.join().expect("no panic").expect("a look");
    });
    Writer::new(&brokers, &[]).values(&topic, 0, ["after".to_owned()]);
    let rest = source.rest().expect("one more");
    assert_eq!(rest.iter().map(|row| row.1).collect::<Vec<_>>(), [6000]);
}
