//! What the other tests here rely on: blobs with any name, opened with a key or a signature, and a
//! proxy that counts.

use std::net::TcpStream;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use azure_core::http::StatusCode;
use azure_storage_blob::clients::BlobContainerClient;
use futures::TryStreamExt;
use lakefront_operators::azure::{Credential, Secret, client};

use crate::support::blobs::{Container, connection_string, location, run, with_key};
use crate::support::proxy::{Fault, Kind, Proxy, Rule, Seen};
use crate::support::{Azurite, wait};

/// Names as Azure writes them, and names with characters that URLs encode.
const NAMES: [&str; 6] = [
    "resourceId=/SUBSCRIPTIONS/A/y=2026/m=11/d=21/h=07/m=00/PT1H.json",
    "with space/and  two.json",
    "100%/%2F%zz.json",
    "a#b?c&d=e+f.json",
    "Größe/日本語 🚀.json",
    "[brackets]~'quotes'(and);more,@:$!*.json",
];

/// A container, opened as the source opens it.
fn open(endpoint: &str, container: &Container, credential: Credential) -> BlobContainerClient {
    client::container(&location(endpoint, container.name(), credential)).expect("a client")
}

fn read(client: &BlobContainerClient, name: &str) -> azure_core::Result<Vec<u8>> {
    let content = run(async { client.blob_client(name).download(None).await?.body.collect().await })?;
    Ok(content.to_vec())
}

fn list(client: &BlobContainerClient) -> azure_core::Result<Vec<String>> {
    let blobs = run(async { client.list_blobs(None)?.try_collect::<Vec<_>>().await })?;
    Ok(blobs.into_iter().map(|blob| blob.name.expect("a name")).collect())
}

#[test]
fn a_blob_may_have_any_name() {
    let (container, proxy) = (Container::create(), Proxy::start(0));
    NAMES.iter().for_each(|name| container.write(name, name));
    let mut sorted = NAMES.to_vec();
    sorted.sort_unstable();
    for credential in [with_key(), Credential::Sas(Secret::new(container.sas("rl")))] {
        let client = open(&proxy.endpoint(), &container, credential);
        for name in NAMES {
            assert_eq!(read(&client, name).expect("it is there"), name.as_bytes());
            assert_eq!(proxy.seen().last().expect("a request").name, name);
        }
        assert_eq!(list(&client).expect("a list"), sorted);
    }
    assert_eq!(proxy.most_at_once(), 1);
    for name in NAMES {
        let listed = container.list(name);
        assert_eq!(
            listed.iter().map(|blob| (&*blob.name, blob.length)).collect::<Vec<_>>(),
            [(name, name.len() as u64)]
        );
    }
}

#[test]
fn a_blob_grows_and_begins_anew() {
    let container = Container::create();
    container.write("a", "one\n");
    container.append("a", vec![b'x'; 5 << 20]);
    assert_eq!(container.read("a").len(), 4 + (5 << 20));
    container.put("b", "whole");
    assert_eq!(container.read("b"), b"whole");
    container.recreate("a", "two\n");
    assert_eq!(container.read("a"), b"two\n");
    container.delete("b");
    assert_eq!(container.list("").len(), 1);
}

#[test]
fn a_signature_opens_what_it_allows() {
    let container = Container::create();
    container.write("a", "x");
    let reader = open(&Azurite::shared().endpoint(), &container, Credential::Sas(Secret::new(container.sas("r"))));
    assert_eq!(read(&reader, "a").expect("this is allowed"), b"x");
    assert_eq!(list(&reader).expect_err("this is not").http_status(), Some(StatusCode::Forbidden));
    let forged = container.sas("r").replace("sp=r", "sp=rl");
    let forger = open(&Azurite::shared().endpoint(), &container, Credential::Sas(Secret::new(forged)));
    assert_eq!(list(&forger).expect_err("it is forged").http_status(), Some(StatusCode::Forbidden));
    assert!(
        connection_string("http://127.0.0.1:1/devstoreaccount1/")
            .ends_with(";BlobEndpoint=http://127.0.0.1:1/devstoreaccount1;")
    );
}

#[test]
fn an_azurite_ends_when_it_is_dropped() {
    let azurite = Azurite::start();
    let address = azurite.address();
    assert!(TcpStream::connect(address).is_ok());
    drop(azurite);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn the_proxy_counts() {
    let (container, proxy) = (Container::create(), Proxy::start(0));
    container.write("a", "content");
    let client = open(&proxy.endpoint(), &container, with_key());
    proxy.rule(Rule::new(Kind::Read, Fault::Delay(Duration::from_secs(1))).always());
    let (client, both) = (&client, &Barrier::new(2));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(move || {
                both.wait();
                read(client, "a").expect("it is there")
            });
        }
    });
    assert_eq!(proxy.most_at_once(), 2);
    assert!(list(client).is_ok() && run(client.blob_client("a").get_properties(None)).is_ok());
    assert!(run(client.blob_client("b").get_properties(None)).is_err());
    let count = |kind, status| proxy.count(|seen| (seen.kind, seen.status) == (kind, Some(status)));
    assert_eq!(
        (count(Kind::Read, 206), count(Kind::List, 200), count(Kind::Head, 200), count(Kind::Head, 404)),
        (2, 1, 1, 1)
    );
    assert_eq!(proxy.seen()[0].range, Some(0..4 << 20));
}

#[test]
fn the_bandwidth_is_shared() {
    let (container, proxy) = (Container::create(), Proxy::start(0));
    container.put("a", vec![b'x'; 200 << 10]);
    let client = &open(&proxy.endpoint(), &container, with_key());
    proxy.limit_bandwidth(Some(800 << 10));
    let start = wait::now();
    thread::scope(|scope| (0..2).for_each(|_| drop(scope.spawn(|| read(client, "a").expect("it is there")))));
    let took = wait::now() - start;
    assert!(took > 0.45, "400 KiB at 800 KiB a second took {took} s");
}

#[test]
fn chances_follow_the_seed() {
    let container = Container::create();
    container.write("a", "x");
    container.write("b", "y");
    let story = |seed| {
        let proxy = Proxy::start(seed);
        proxy.chance(Kind::Read, 4, Fault::ServerBusy(None));
        proxy.chance(Kind::Read, 4, Fault::NotFound);
        let client = open(&proxy.endpoint(), &container, with_key());
        for _ in 0..20 {
            let (_, _) = (read(&client, "a"), read(&client, "b"));
        }
        proxy.calm();
        assert!(read(&client, "a").is_ok());
        proxy.seen()
    };
    let (one, other) = (story(1), story(2));
    assert_eq!(one, story(1));
    assert_ne!(one, other);
    let failed = |fault| one.iter().filter(|seen: &&Seen| seen.fault == Some(fault)).count();
    assert!((3..20).contains(&failed(Fault::ServerBusy(None))) && (3..20).contains(&failed(Fault::NotFound)));
}
