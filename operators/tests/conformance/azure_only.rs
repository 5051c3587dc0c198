//! What only blobs can do: refuse, stay silent, or execute a request and never answer it. The
//! faults come from a proxy in front of Azurite.

use std::net::{SocketAddr, TcpListener};

use lakefront_operators::azure::{Credential, Entra, Secret};
use lakefront_operators::error::{Stop, StoreError, chain};
use lakefront_operators::format::logs::record::{Reason, Reject};
use lakefront_operators::format::logs::rows::rejects_batch;
use lakefront_operators::protocol::staged::Staged;
use lakefront_operators::sink::delta;
use lakefront_operators::sink::files::Place;
use tokio::task::block_in_place;

use crate::azure::Azure;
use crate::delta::{DeltaSink, folder, stage};
use crate::harness::{PIPELINE, World};
use crate::kinds::standing;
use crate::lake::Lake;
use crate::lossy::{self, commits};
use crate::support::azurite::{KEY, endpoint};
use crate::support::blobs::{location, with_key};
use crate::support::proxy::{Fault, Kind, Proxy, Rule};

type AzureWorld = World<DeltaSink<Azure>>;

/// A world whose tables are reached through `endpoint` with `credential`.
fn through(endpoint: &str, credential: Credential) -> AzureWorld {
    let mut world = std::sync::Arc::into_inner(World::<DeltaSink<Azure>>::new()).unwrap();
    let place = Place::azure(&world.sink.lake.location(endpoint, credential)).unwrap().join("lake");
    world.sink.specs.iter_mut().for_each(|spec| spec.place = place.join(&spec.name));
    world
}

fn behind(proxy: &Proxy) -> AzureWorld {
    through(&proxy.endpoint(), with_key())
}

/// The store's error and its text.
fn store_error<T>(result: Result<T, Stop>) -> (StoreError, String) {
    match result {
        Err(Stop::Store(error)) => {
            let text = chain(&error);
            (error, text)
        }
        Err(other) => panic!("not the store's: {other:?}"),
        Ok(_) => panic!("not an error"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_reply_is_lost_is_read_before_it_is_tried_again() {
    let proxy = Proxy::start(1);
    lossy::a_reply_is_lost(&proxy, &behind(&proxy), 201).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_never_arrived_is_written_again() {
    let proxy = Proxy::start(2);
    lossy::a_request_is_lost(&proxy, &behind(&proxy), &[Fault::ServerBusy(None)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_a_bad_network_every_cut_lands_once() {
    let proxy = Proxy::start(3);
    lossy::a_network_is_bad(&proxy, &behind(&proxy), Fault::ServerBusy(None)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_stops_the_run_at_once() {
    let proxy = Proxy::start(4);
    let world = behind(&proxy);
    let mut run = world.start().await.unwrap();
    proxy.rule(Rule::new(Kind::Put, Fault::AuthenticationFailed).named(&commits(2)).always());

    let (error, text) = store_error(world.land(&mut run, 0, 10, &[1]).await);

    assert!(!error.is_transient(), "{text}");
    assert!(text.contains("403 AuthenticationFailed") && text.contains("Storage Blob Data Contributor"), "{text}");
    assert_eq!(proxy.count(|seen| seen.kind == Kind::Put && seen.name.ends_with(&commits(2))), 1, "asked once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_is_no_answer() {
    // Nobody listens on this port any more.
    let address: SocketAddr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (error, text) = store_error(through(&endpoint(address), with_key()).start().await);
    assert!(error.is_transient() && text.contains("Connection refused"), "{text}");

    let proxy = Proxy::start(5);
    proxy.rule(Rule::new(Kind::List, Fault::InternalError(None)).always());
    let (error, text) = store_error(behind(&proxy).start().await);
    assert!(error.is_transient() && text.contains("500 InternalError"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_the_account_is_said_before_anything_is_written() {
    let world = World::<DeltaSink<Azure>>::new();
    let azurite = crate::support::azurite::Azurite::shared().endpoint();
    let wrong = Credential::Key(Secret::new(KEY.replace("Eby8", "AAAA")));
    let (error, text) = store_error(through(&azurite, wrong).start().await);
    assert!(!error.is_transient() && text.contains("403 AuthorizationFailure"), "{text}");

    let mut specs = world.sink.specs.clone();
    let nowhere = Place::azure(&location(&azurite, "no-such-container", with_key())).unwrap();
    specs.iter_mut().for_each(|spec| spec.place = nowhere.join(&spec.name));
    let (error, text) = store_error(delta::open(&specs, PIPELINE, world.clock.clone(), |_| Ok(())).await);
    assert!(!error.is_transient() && text.contains("404 ContainerNotFound: the container does not exist"), "{text}");

    let unusable = world.sink.lake.location(&azurite, Credential::Key(Secret::new("not Base64!")));
    let text = chain(&Place::azure(&unusable).unwrap_err());
    assert!(text.contains("not Base64") && !text.contains("not Base64!"), "{text}");
    Place::azure(&world.sink.lake.location(&azurite, Credential::Entra(Entra::default()))).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_opens_what_it_permits_and_is_never_shown() {
    let azurite = crate::support::azurite::Azurite::shared().endpoint();
    let mut world = through(&azurite, with_key());
    let all = block_in_place(|| world.sink.lake.0.sas("rcwdl"));
    let reading = block_in_place(|| world.sink.lake.0.sas("rl"));
    let place = |query: &str| {
        let sas = Credential::Sas(Secret::new(query));
        Place::azure(&world.sink.lake.location(&azurite, sas)).unwrap().join("lake")
    };
    let (writer, reader) = (place(&all), place(&reading));
    world.sink.specs.iter_mut().for_each(|spec| spec.place = writer.join(&spec.name));
    let mut run = world.start().await.unwrap();
    for cut in 1..=3 {
        world.land(&mut run, 0, cut * 10, &[cut]).await.unwrap();
    }
    assert_eq!(world.rows(0).await, [1, 2, 3]);
    assert_eq!(world.offsets_files(0).await, [(0, 1), (30, 1)], "old ones are deleted, but for the base");

    world.sink.specs.iter_mut().for_each(|spec| spec.place = reader.join(&spec.name));
    let (error, text) = store_error(world.start().await.map(drop));
    assert!(!error.is_transient() && text.contains("403 AuthorizationPermissionMismatch"), "{text}");
    for shown in [text, format!("{reader:?} {reader}"), format!("{:?} {}", writer.join("x"), writer)] {
        assert!(!shown.contains("sig=") && !shown.contains("sp="), "{shown}");
    }
    let shown = format!("{:?}", world.sink.lake.place());
    assert!(!shown.contains(&KEY[..8]), "{shown}");
}

/// Rows of noise, which do not compress.
async fn stage_noise(world: &AzureWorld, mebibytes: u64) -> Vec<Staged> {
    let mut random = crate::support::Random::new(7);
    let mut noise = |row| {
        let line: Vec<u8> = (0..64 << 7).flat_map(|_| random.next().to_le_bytes()).collect();
        Reject::of(&line, row, Reason::InvalidJson)
    };
    let rejects: Vec<_> = (0..mebibytes * 16).map(&mut noise).collect();
    let batches = rejects.chunks(64).map(|some| rejects_batch(some, "log", 1)).collect();
    stage(&world.sink.specs, 0, world.clock.clone(), batches).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_is_sent_in_parts_and_survives_faults() {
    let proxy = Proxy::start(6);
    let world = behind(&proxy);
    let mut run = world.start().await.unwrap();
    proxy.rule(Rule::new(Kind::Put, Fault::LostReply).named("part-").nth(2));
    proxy.rule(Rule::new(Kind::Put, Fault::ServerBusy(None)).named("part-").nth(3));

    let files = stage_noise(&world, 20).await;
    let puts = proxy.seen().into_iter().filter(|seen| seen.kind == Kind::Put && seen.name.contains("part-"));
    let executed = puts.filter(|seen| seen.status == Some(201) && seen.fault.is_none()).count();
    let (rows, size) = (files[0].file.rows, files[0].file.size);
    run.0[0].committer.land(&standing(10), files, &[]).await.unwrap();

    assert!(size > 16 << 20 && executed == 4, "{size} bytes in three parts and a list: {executed}");
    assert_eq!(world.rows(0).await, (0..rows).collect::<Vec<_>>());
    let path = world.sink.visible_files(0).await.pop().unwrap();
    assert_eq!(world.sink.lake.read(&format!("{}/{path}", folder(0))).len() as u64, size);
}
