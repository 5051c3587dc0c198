//! Which file lags.

use super::*;

fn id(name: &str) -> PartitionId {
    PartitionId::first(name)
}

fn most(lagging: &Lagging) -> Option<(String, u64)> {
    lagging.most().map(|lag| (lag.partition.to_string(), lag.lag))
}

fn is(name: &str, bytes: u64) -> Option<(String, u64)> {
    Some((name.to_owned(), bytes))
}

#[test]
fn the_file_with_the_most_bytes_on_their_way_lags() {
    let lagging = Lagging::default();
    assert_eq!(most(&lagging), None);
    lagging.handed_out(&id("a"), 10);
    lagging.handed_out(&id("b"), 15);
    lagging.handed_out(&id("b"), 15);
    lagging.handed_out(&id("c"), 20);
    assert_eq!(most(&lagging), is("b", 30));
    lagging.waits(Some(Lag { partition: id("c"), lag: 15 }));
    assert_eq!(most(&lagging), is("c", 35), "what waits to be handed out counts too");
    lagging.handed_out(&id("c"), 15);
    assert_eq!(most(&lagging), is("c", 35), "and is counted once");
}

#[test]
fn what_has_landed_does_not_lag() {
    let lagging = Lagging::default();
    lagging.handed_out(&id("a"), 50);
    lagging.cut_closed(Position(50));
    lagging.handed_out(&id("b"), 10);
    lagging.cut_closed(Position(60));
    assert_eq!(most(&lagging), is("a", 50));
    lagging.landed(Position(50));
    assert_eq!(most(&lagging), is("b", 10));
    lagging.landed(Position(60));
    assert_eq!(most(&lagging), None);
}
