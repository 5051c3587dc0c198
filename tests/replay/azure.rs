//! An append blob as the target, through a network that fails.

use std::fs;

use crate::rows_of;
use crate::support::blobs::connection_string;
use crate::support::proxy::{Fault, Kind, Rule};
use crate::support::{Container, Lines, Pipeline, Proxy};

/// A pipeline that reads a container, and lines to replay.
fn given() -> (Pipeline, Container, Proxy, Vec<u8>) {
    let (mut pipeline, container, proxy) = (Pipeline::new(), Container::create(), Proxy::start(0));
    pipeline.set("source", "url", format!("az://{}/logs/", container.name())).set("source", "poll", "20ms");
    pipeline.set("source", "mode", "tail").set("commit", "interval", "50ms").set("commit", "bytes", "1 MiB");
    pipeline.set("source.azure", "connection_string", connection_string(&proxy.endpoint()));
    let lines = Lines::new(1).take(200);
    fs::write(pipeline.path("lines.json"), &lines).expect("a file");
    (pipeline, container, proxy, lines)
}

#[test]
fn every_append_is_in_the_blob_once_and_seen_once() {
    let (pipeline, container, proxy, lines) = given();
    proxy.rule(Rule::new(Kind::Put, Fault::LostReply));
    proxy.rule(Rule::new(Kind::Append, Fault::LostReply).every(5).times(3));
    proxy.rule(Rule::new(Kind::Append, Fault::ServerBusy(None)).nth(2).every(7).times(2));
    proxy.rule(Rule::new(Kind::Append, Fault::Reset).nth(4));
    let tail = pipeline.tail();
    let to = format!("az://{}/logs/a.json", container.name());
    let flags = ["replay", "lines.json", "--to", &to, "--watch", "p.toml", "--append", "4KiB", "--json"];
    let told = pipeline.call(&flags).exits_with(0).json();
    assert!(container.read("logs/a.json") == lines, "byte for byte");
    assert!(proxy.count(|seen| seen.kind == Kind::Append && seen.fault.is_some()) >= 5);
    let rows = rows_of(told["lines"].as_u64().expect("a count"), &lines);
    assert_eq!((&told["watch"]["visible"], &told["watch"]["rows"]), (&true.into(), &rows.into()), "{told:#}");
    assert_eq!(told["watch"]["latency_seconds"]["count"], told["appends"]);
    assert_eq!(told["target"], format!("az://devstoreaccount1/{}/logs/a.json", container.name()));
    tail.stop();

    let refused = pipeline.call(&flags).exits_with(2);
    assert!(refused.error().contains("the tables hold bytes of an earlier file of that name"), "{}", refused.stderr);
    let mut unwatched = pipeline.command(&["replay", "lines.json", "--to", &to]);
    unwatched.env("AZURE_STORAGE_CONNECTION_STRING", connection_string(&proxy.endpoint()));
    let refused = pipeline.spawn(unwatched).end().exits_with(2);
    assert!(refused.error().contains("has content already: remove it"), "{}", refused.stderr);
    assert!(container.read("logs/a.json") == lines, "what is there stays");
}

#[test]
fn tables_in_azure_are_looked_at_too() {
    let (mut pipeline, container, proxy, lines) = given();
    pipeline.set("lake", "root", format!("az://{}/lake", container.name()));
    // A busy service is asked again.
    proxy.rule(Rule::new(Kind::Read, Fault::ServerBusy(None)).named("_delta_log").every(20).always());
    let tail = pipeline.tail();
    let to = format!("az://{}/logs/", container.name());
    let flags = ["replay", "lines.json", "--to", &to, "--watch", "p.toml", "--append", "16KiB", "--json"];
    let told = pipeline.call(&flags).exits_with(0).json();
    let rows = rows_of(told["lines"].as_u64().expect("a count"), &lines);
    assert_eq!((&told["watch"]["visible"], &told["watch"]["rows"]), (&true.into(), &rows.into()), "{told:#}");
    tail.stop();
}

#[test]
fn without_a_pipeline_the_environment_opens_the_account() {
    let (pipeline, container, proxy, lines) = given();
    let to = format!("az://{}/other/", container.name());
    let mut command = pipeline.command(&["replay", "lines.json", "--to", &to]);
    command.env("AZURE_STORAGE_CONNECTION_STRING", connection_string(&proxy.endpoint()));
    pipeline.spawn(command).end().exits_with(0);
    assert!(container.read("other/lines.json") == lines);
}

#[test]
fn a_folder_is_not_made_a_blob_too() {
    let (pipeline, container, proxy, lines) = given();
    container.write("logs/old.json", &lines);
    let to = format!("az://{}/logs", container.name());
    proxy.rule(Rule::new(Kind::List, Fault::ServerBusy(None)).nth(1));
    let mut command = pipeline.command(&["replay", "lines.json", "--to", &to]);
    command.env("AZURE_STORAGE_CONNECTION_STRING", connection_string(&proxy.endpoint()));
    let refused = pipeline.spawn(command).end().exits_with(2);
    assert!(refused.error().contains("/logs is a folder: end --to with a slash"), "{}", refused.stderr);
    let names: Vec<String> = container.list("logs").into_iter().map(|blob| blob.name).collect();
    assert_eq!(names, ["logs/old.json"]);
}

#[test]
fn a_blob_that_the_pipeline_does_not_read_is_refused_at_once() {
    let (pipeline, container, _proxy, _) = given();
    let to = format!("az://{}/other/a.json", container.name());
    let ended = pipeline.call(&["replay", "lines.json", "--to", &to, "--watch", "p.toml"]).exits_with(2);
    assert!(ended.error().contains("is not what p.toml reads, which is az://"), "{}", ended.stderr);
    assert!(container.list("other/").is_empty(), "nothing is left behind");
}

#[test]
fn a_signature_is_in_no_message() {
    let (pipeline, container, proxy, _) = given();
    let url = format!("{}{}/a.json?{}", proxy.endpoint(), container.name(), container.sas("r"));
    let ended = pipeline.call(&["replay", "lines.json", "--to", &url]).exits_with(3);
    assert!(!ended.stderr.contains("sig="), "{}", ended.stderr);
}
