//! What only a bucket can do: not keep the condition of a write, be in another region, or execute a
//! request and never answer it. The faults come from a proxy in front of the server.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

use lakefront_operators::error::{Stop, StoreError, chain};
use lakefront_operators::format::logs::record::{Reason, Reject};
use lakefront_operators::format::logs::rows::rejects_batch;
use lakefront_operators::protocol::staged::Staged;
use lakefront_operators::s3::{Credential, Location};
use lakefront_operators::secret::Secret;
use lakefront_operators::sink::Stage;
use lakefront_operators::sink::delta::DeltaStage;
use lakefront_operators::sink::files::Place;
use tokio::task::block_in_place;

use crate::delta::{DeltaSink, folder, stage};
use crate::harness::World;
use crate::kinds::standing;
use crate::lake::Lake;
use crate::lossy::{self, commits};
use crate::s3::S3;
use crate::support::gateway::{Gateway, KEY_ID, SECRET};
use crate::support::proxy::{Fault, Kind, Proxy, Rule};

type S3World = World<DeltaSink<S3>>;

fn gateway() -> Option<&'static Gateway> {
    block_in_place(Gateway::shared)
}

/// A world whose tables are reached through `address`, at a location that `change` may change.
fn reached(address: SocketAddr, change: impl FnOnce(&mut Location)) -> S3World {
    let mut world = std::sync::Arc::into_inner(World::<DeltaSink<S3>>::new()).unwrap();
    let mut location = world.sink.lake.location(address);
    change(&mut location);
    let place = Place::s3(&location).unwrap().join("lake");
    world.sink.specs.iter_mut().for_each(|spec| spec.place = place.join(&spec.name));
    world
}

/// A world behind a proxy; none where there is no server.
fn proxied(seed: u64) -> Option<(Proxy, S3World)> {
    let proxy = Proxy::before_s3(gateway()?.address(), seed);
    let world = reached(proxy.address(), |_| {});
    Some((proxy, world))
}

/// The store's error and its text, which has no secret.
fn store_error<T>(result: Result<T, Stop>) -> (StoreError, String) {
    match result {
        Err(Stop::Store(error)) => {
            let text = chain(&error);
            assert!(!format!("{text} {error:?}").contains(SECRET), "{text}");
            (error, text)
        }
        Err(other) => panic!("not the store's: {other:?}"),
        Ok(_) => panic!("not an error"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_reply_is_lost_is_read_before_it_is_tried_again() {
    let Some((proxy, world)) = proxied(1) else { return };
    lossy::a_reply_is_lost(&proxy, &world, 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_never_arrived_is_written_again() {
    let Some((proxy, world)) = proxied(2) else { return };
    lossy::a_request_is_lost(&proxy, &world, &[Fault::SlowDown, Fault::CrossedWrites]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_web_page_is_no_answer() {
    let Some((proxy, world)) = proxied(9) else { return };
    let mut run = world.start().await.unwrap();
    proxy.rule(Rule::new(Kind::Put, Fault::WebPage).named(&commits(2)).times(2));
    proxy.rule(Rule::new(Kind::List, Fault::WebPage).times(2));

    world.land(&mut run, 0, 10, &[1]).await.unwrap();
    let again = world.start().await.unwrap();

    assert_eq!((world.rows(0).await, again.positions()[0]), (vec![1], 10));
    assert_eq!(proxy.count(|seen| seen.fault.is_some()), 4);
    proxy.rule(Rule::new(Kind::Put, Fault::WebPage));
    let error = world.sink.specs[0].place.probe().await.unwrap_err();
    assert!(chain(&error).contains("the answer is a web page") && error.is_transient(), "{}", chain(&error));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_network_loses_and_doubles_nothing() {
    let Some((proxy, world)) = proxied(3) else { return };
    lossy::a_network_is_bad(&proxy, &world, Fault::SlowDown).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_without_conditional_writes_is_refused_before_anything_is_written() {
    let knows = |fault| Rule::new(Kind::Put, fault).named("_probe-");
    for (rule, words) in [
        (knows(Fault::Accepted).nth(2), "has created it twice, so it ignores If-None-Match"),
        (knows(Fault::NotImplemented).always(), "answered 501 NotImplemented, so it does not know If-None-Match"),
    ] {
        let Some((proxy, world)) = proxied(4) else { return };
        proxy.rule(rule);
        let (error, text) = store_error(world.start().await);
        assert!(!error.is_transient() && text.contains(words), "{text}");
        assert!(text.contains("cannot hold Delta tables: use a store that"), "{text}");
        assert!(world.sink.lake.files("").is_empty(), "{:?}", world.sink.lake.files(""));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_probe_costs_four_requests_and_survives_a_bad_network() {
    let Some((proxy, world)) = proxied(5) else { return };
    let probes = || proxy.count(|seen| seen.name.contains("_probe-"));
    world.start().await.unwrap();
    assert_eq!(probes(), 4, "two writes, one read, one deletion");

    for (kind, fault) in [
        (Kind::Put, Fault::LostReply),
        (Kind::Put, Fault::SlowDown),
        (Kind::Put, Fault::CrossedWrites),
        (Kind::Read, Fault::Reset),
        (Kind::Delete, Fault::LostReply),
    ] {
        proxy.rule(Rule::new(kind, fault).named("_probe-"));
        world.start().await.unwrap();
    }
    let left = world.sink.lake.files("").into_iter().filter(|name| name.contains("_probe-")).count();
    assert_eq!(left, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_the_bucket_is_said_before_anything_is_written() {
    let Some(gateway) = gateway() else { return };
    let key =
        |id: &str, secret: &str| Credential::Key { id: Secret::new(id), secret: Secret::new(secret), token: None };
    let told = async |change: Box<dyn FnOnce(&mut Location)>| {
        let world = reached(gateway.address(), change);
        let (error, text) = store_error(world.start().await);
        assert!(!error.is_transient(), "{text}");
        assert!(world.sink.lake.files("").is_empty());
        text
    };
    let wrong = key(KEY_ID, &SECRET.replace('c', "d"));
    let text = told(Box::new(|at| at.bucket.credential = wrong)).await;
    assert!(text.contains("403 SignatureDoesNotMatch: the secret is not that of the access key"), "{text}");
    let unknown = key("nobody", SECRET);
    let text = told(Box::new(|at| at.bucket.credential = unknown)).await;
    assert!(text.contains("403 InvalidAccessKeyId: the store does not know the access key"), "{text}");
    let text = told(Box::new(|at| at.bucket.region = "us-east-1".to_owned())).await;
    assert!(text.contains("in another region: set region = \"eu-test-1\" in [lake.s3]"), "{text}");
    let text = told(Box::new(|at| at.bucket.url = at.bucket.url.replace("/lake-", "/no-such-lake-"))).await;
    assert!(text.contains("404 NoSuchBucket: the bucket does not exist; create it"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_is_no_answer() {
    let Some(gateway) = gateway() else { return };
    // Nobody listens on this port any more.
    let nobody: SocketAddr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (error, text) = store_error(reached(nobody, |_| {}).start().await);
    assert!(error.is_transient() && text.contains("Connection refused"), "{text}");

    // A machine without a role is asked for a key in vain, and not for long.
    let service = Some(format!("http://{nobody}").parse().unwrap());
    let world = reached(gateway.address(), |at| at.bucket.credential = Credential::Instance { service });
    let (error, text) = store_error(world.start().await);
    assert!(!error.is_transient(), "{text}");
    assert!(text.contains("no key from the role of the machine: nobody answers there; give access_key_id"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_stops_the_run_at_once_and_shows_no_secret() {
    let Some((proxy, world)) = proxied(7) else { return };
    let mut run = world.start().await.unwrap();
    proxy.rule(Rule::new(Kind::Put, Fault::AuthenticationFailed).named(&commits(2)).always());

    let (error, text) = store_error(world.land(&mut run, 0, 10, &[1]).await);

    assert!(!error.is_transient(), "{text}");
    assert!(text.contains("403 AuthenticationFailed") && text.contains("s3:PutObject"), "{text}");
    assert_eq!(proxy.count(|seen| seen.kind == Kind::Put && seen.name.ends_with(&commits(2))), 1, "asked once");
    let place = world.sink.lake.place();
    let shown = format!("{place:?} {place} {:?}", world.sink.lake.location(proxy.address()));
    assert!(!shown.contains(SECRET) && !shown.contains(KEY_ID), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_may_be_the_lake_itself() {
    let Some(gateway) = gateway() else { return };
    let world = reached(gateway.address(), |at| at.path.clear());
    let mut run = world.start().await.unwrap();
    world.land(&mut run, 0, 10, &[1]).await.unwrap();
    let log: Vec<_> = (0..3).map(commits).collect();
    assert_eq!(world.sink.lake.0.list(&format!("{}/_delta_log", folder(0))), log);
}

/// A service that gives the server's key to whoever asks, as machines and pods have it. It tells
/// what it was asked for.
fn key_service() -> (SocketAddr, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, (told, asked)) = (listener.local_addr().unwrap(), std::sync::mpsc::channel());
    std::thread::spawn(move || {
        for mut connection in listener.incoming().map_while(Result::ok) {
            let mut head = [0; 2048];
            let length = connection.read(&mut head).unwrap();
            let head = String::from_utf8_lossy(&head[..length]).into_owned();
            let key = serde_json::json!({"AccessKeyId": KEY_ID, "SecretAccessKey": SECRET, "Token": "a token",
                "Expiration": "2099-01-01T00:00:00Z"});
            let body = match head.split_whitespace().nth(1).unwrap() {
                "/latest/api/token" => "a session".to_owned(),
                "/latest/meta-data/iam/security-credentials/" => "a-role".to_owned(),
                _ => key.to_string(),
            };
            let length = body.len();
            write!(connection, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
                .unwrap();
            if told.send(head).is_err() {
                return;
            }
        }
    });
    (address, asked)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_of_a_role_is_asked_for_once() {
    let Some(gateway) = gateway() else { return };
    let (address, asked) = key_service();
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "the token of a pod").unwrap();
    let token_file = token.path().display().to_string();
    let service = Some(format!("http://{address}").parse().unwrap());
    let agent = format!("http://{address}/v1/credentials").parse().unwrap();
    for (credential, paths) in [
        (Credential::Instance { service }, &["token", "security-credentials/", "a-role"][..]),
        (Credential::Pod { agent, token_file }, &["credentials"]),
    ] {
        let world = reached(gateway.address(), |at| at.bucket.credential = credential);
        // This server gives no temporary keys, so it refuses one; its answer shows that it got it.
        let (error, text) = store_error(world.start().await);
        assert!(!error.is_transient() && text.contains("400 InvalidToken: the session token has expired or"), "{text}");
        let asked: Vec<String> = asked.try_iter().collect();
        let of = |head: &String| {
            head.split_whitespace().nth(1).unwrap().split_inclusive('/').next_back().unwrap().to_owned()
        };
        let asked_for: Vec<String> = asked.iter().map(of).collect();
        assert_eq!(asked_for, paths, "a key is kept until it expires");
        let has_token = asked[0].contains("the token of a pod");
        assert_eq!(has_token, paths.len() == 1, "{asked:?}");
    }
}

/// Rows of noise, which do not compress.
fn noise(mebibytes: u64) -> Vec<arrow_array::RecordBatch> {
    let mut random = crate::support::Random::new(7);
    let mut noise = |row| {
        let line: Vec<u8> = (0..64 << 7).flat_map(|_| random.next().to_le_bytes()).collect();
        Reject::of(&line, row, Reason::InvalidJson)
    };
    let rejects: Vec<_> = (0..mebibytes * 16).map(&mut noise).collect();
    rejects.chunks(64).map(|some| rejects_batch(some, "log", 1)).collect()
}

async fn stage_noise(world: &S3World) -> Vec<Staged> {
    stage(&world.sink.specs, 0, world.clock.clone(), noise(20)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_is_sent_in_parts_and_survives_faults() {
    let Some((proxy, world)) = proxied(8) else { return };
    let mut run = world.start().await.unwrap();
    for fault in [Fault::LostReply, Fault::SlowDown] {
        proxy.rule(Rule::new(Kind::Append, fault).named("part-"));
    }
    // It has been completed then, so the next attempt finds no upload, and the file is sent anew.
    proxy.rule(Rule::new(Kind::Complete, Fault::LostReply).named("part-"));

    let files = stage_noise(&world).await;
    let of = |kind| proxy.count(|seen| seen.kind == kind && seen.name.contains("part-") && seen.fault.is_none());
    let (begun, sent) = (of(Kind::Begin), of(Kind::Append));
    let (rows, size) = (files[0].file.rows, files[0].file.size);
    run.0[0].committer.land(&standing(10), files, &[]).await.unwrap();

    assert!(size > 16 << 20 && sent == 3 * begun, "{size} bytes in three parts: {sent} in {begun} uploads");
    assert_eq!(world.rows(0).await, (0..rows).collect::<Vec<_>>());
    let path = world.sink.visible_files(0).await.pop().unwrap();
    assert_eq!(world.sink.lake.read(&format!("{}/{path}", folder(0))).len() as u64, size);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_that_is_refused_leaves_no_parts() {
    let Some((proxy, world)) = proxied(9) else { return };
    world.start().await.unwrap();
    proxy.rule(Rule::new(Kind::Append, Fault::AuthenticationFailed).named("part-").nth(2).always());

    let durable = {
        let mut writer = DeltaStage::new(world.sink.specs[0].clone(), world.clock.clone()).begin().unwrap();
        noise(20).iter().for_each(|batch| writer.write(batch).unwrap());
        writer.finish().unwrap()
    };
    let error = durable.await.unwrap_err();

    assert!(!error.is_transient() && chain(&error).contains("403 AuthenticationFailed"), "{}", chain(&error));
    assert_eq!(proxy.count(|seen| seen.kind == Kind::Abort), 1);
    assert_eq!(world.sink.lake.0.unfinished(), Vec::<String>::new());
}
