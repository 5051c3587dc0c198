//! What holds for tables in any store of blobs behind a network that loses requests and replies.

use std::time::Duration;

use crate::delta::{DeltaSink, folder};
use crate::harness::World;
use crate::lake::Lake;
use crate::support::proxy::{Fault, Kind, Proxy, Rule};

/// The name of a commit of the first table.
pub(crate) fn commits(version: u64) -> String {
    format!("{}/_delta_log/{version:020}.json", folder(0))
}

/// A commit whose reply is lost is read before it is tried again; the store answers `created`.
pub(crate) async fn a_reply_is_lost<L: Lake>(proxy: &Proxy, world: &World<DeltaSink<L>>, created: u16) {
    let mut run = world.start().await.unwrap();
    let of = |kind| proxy.count(|seen| seen.kind == kind && seen.name.ends_with(&commits(2)));
    // The claim has already looked for a commit after its own.
    let looked = of(Kind::Read);
    proxy.rule(Rule::new(Kind::Put, Fault::LostReply).named(&commits(2)));

    world.land(&mut run, 0, 10, &[1, 2]).await.unwrap();
    world.land(&mut run, 0, 20, &[3]).await.unwrap();

    assert_eq!((of(Kind::Put), of(Kind::Read) - looked), (1, 1), "it was read, and not written again");
    let lost = proxy.seen().into_iter().find(|seen| seen.fault.is_some()).unwrap();
    assert_eq!(lost.status, Some(created), "it had been executed");
    assert_eq!((world.rows(0).await, world.position(0).await), (vec![1, 2, 3], Some(20)));
    assert_eq!(world.sink.log(0).head(), 3);
}

/// A commit that never arrived is written again; each fault of `busy` is a store that has no time.
pub(crate) async fn a_request_is_lost<L: Lake>(proxy: &Proxy, world: &World<DeltaSink<L>>, busy: &[Fault]) {
    let mut run = world.start().await.unwrap();
    proxy.rule(Rule::new(Kind::Put, Fault::Reset).named(&commits(2)));
    proxy.rule(Rule::new(Kind::Put, Fault::Stall(Duration::from_millis(100))).named(&commits(2)));
    for (version, fault) in (3..).zip(busy) {
        proxy.rule(Rule::new(Kind::Put, *fault).named(&commits(version)).times(2));
    }

    let cuts: Vec<u64> = (1..=1 + busy.len() as u64).collect();
    for cut in &cuts {
        world.land(&mut run, 0, cut * 10, &[*cut]).await.unwrap();
    }

    assert_eq!(proxy.count(|seen| seen.fault.is_some()), 2 + 2 * busy.len());
    assert_eq!(world.sink.log(0).head(), 1 + cuts.len() as u64);
    assert_eq!((world.rows(0).await, world.position(0).await), (cuts.clone(), Some(10 * cuts.len() as u64)));
}

/// Through a bad network every cut lands once.
pub(crate) async fn a_network_is_bad<L: Lake>(proxy: &Proxy, world: &World<DeltaSink<L>>, busy: Fault) {
    let mut run = world.start().await.unwrap();
    proxy.chance(Kind::Put, 5, Fault::LostReply);
    proxy.chance(Kind::Put, 5, busy);
    proxy.chance(Kind::Read, 5, Fault::Reset);
    proxy.chance(Kind::Head, 5, Fault::InternalError(None));

    for cut in 1..=25 {
        world.land(&mut run, 0, cut * 10, &[cut]).await.unwrap();
    }

    let faults = proxy.count(|seen| seen.fault.is_some());
    proxy.calm();
    assert!(faults > 20, "only {faults}");
    let rows: Vec<u64> = (1..=25).collect();
    assert_eq!((world.rows(0).await, world.position(0).await), (rows, Some(250)));
    assert_eq!(world.sink.log(0).head(), 26, "a commit a cut, and nothing else");
    assert_eq!(world.start().await.unwrap().positions(), [250, 0, 0]);
}
