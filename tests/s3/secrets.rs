//! What opens a bucket, wherever it comes from, and that it is never shown.

use std::fs;
use std::path::Path;

use crate::support::bucket;
use crate::support::gateway::{KEY_ID, REGION, SECRET};
use crate::support::lines::ONE_FOR_EACH_TABLE;
use crate::world::World;

/// No file below `path` has the secret.
fn holds_no_secret(path: &Path) {
    if path.is_dir() {
        fs::read_dir(path).expect("a folder").flatten().for_each(|entry| holds_no_secret(&entry.path()));
        return;
    }
    let content = fs::read(path).expect("a file");
    assert!(!content.windows(SECRET.len()).any(|bytes| bytes == SECRET.as_bytes()), "a secret in {}", path.display());
}

/// Every command succeeds, and leaves no secret behind.
fn opens(world: &World, environment: &[(&str, &str)]) {
    world.pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    for arguments in [
        &["run", "p.toml", "--json"][..],
        &["status", "p.toml", "--json"],
        &["validate", "p.toml", "--connect"],
        &["doctor", "p.toml"],
        &["prove", "p.toml", "--json"],
    ] {
        world.call(arguments, environment).exits_with(0);
    }
    world.is_exact();
    holds_no_secret(&world.pipeline.path("lake"));
    holds_no_secret(&world.pipeline.path("state"));
}

#[test]
fn a_key_in_the_file_or_in_a_variable_of_its_own() {
    let Some(world) = World::new() else { return };
    opens(&world, &[]);
    let Some(mut world) = World::new() else { return };
    world.pipeline.set("lake.s3", "access_key_id", "${THE_ID}").set("lake.s3", "secret_access_key", "${THE_KEY}");
    opens(&world, &[("THE_ID", KEY_ID), ("THE_KEY", SECRET)]);
}

#[test]
fn the_usual_environment() {
    let Some(world) = World::new() else { return };
    let mut world = world.without_key();
    let endpoint = bucket::endpoint(world.proxy.address());
    for key in ["endpoint", "region"] {
        world.pipeline.unset("lake.s3", key);
    }
    let environment = [
        ("AWS_ACCESS_KEY_ID", KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_ENDPOINT_URL", &endpoint),
    ];
    opens(&world, &environment);
}

#[test]
fn what_opens_nothing_is_told_at_once() {
    let Some(world) = World::new() else { return };
    let world = world.without_key();
    world.pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    let nobody = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1");
    let error = world.call(&["run", "p.toml", "--json"], &[nobody]).exits_with(3).error();
    assert!(error.contains("no key from the role of the machine: nobody answers there; give access_key_id"), "{error}");

    let wrong = [("AWS_ACCESS_KEY_ID", KEY_ID), ("AWS_SECRET_ACCESS_KEY", "d3Jvbmcgd3Jvbmc")];
    let error = world.call(&["run", "p.toml", "--json"], &wrong).exits_with(3).error();
    assert!(error.contains("403 SignatureDoesNotMatch: the secret is not that of the access key"), "{error}");
    assert!(!error.contains("d3Jvbmcg"), "{error}");
    // Each table's log is listed, and then searched for what could be wrong with it.
    assert!(world.proxy.count(|_| true) <= 6, "a refusal is no reason to ask again");
}
