//! Rows land in a bucket once, whatever happens meanwhile, and readers that are not ours see them
//! there.

use std::path::Path;
use std::time::Duration;

use crate::support::gateway::{KEY_ID, REGION, SECRET};
use crate::support::lines::ONE_FOR_EACH_TABLE;
use crate::support::oracle::run_python;
use crate::support::proxy::{Fault, Kind, Rule};
use crate::support::{Gateway, Lines, Random, bucket, wait};
use crate::world::{LAKE, World};

/// How often the run is killed.
const KILLS: u64 = 6;
/// An instant is drawn from this many milliseconds: enough for the start, the claims, and some
/// cuts.
const INSTANTS_MS: u64 = 500;

/// Counts the rows of the tables whose URLs follow the endpoint.
const COUNT: &str = "
import sys
from deltalake import DeltaTable
key, secret, region, endpoint = sys.argv[1:5]
options = {'aws_access_key_id': key, 'aws_secret_access_key': secret, 'aws_region': region,
           'aws_endpoint_url': endpoint, 'aws_allow_http': 'true'}
tables = [DeltaTable(url, storage_options=options) for url in sys.argv[5:]]
print(sum(table.to_pyarrow_dataset().count_rows() for table in tables))
";

/// The rows that Python's reader sees in all tables together.
fn rows_that_others_see(world: &World) -> u64 {
    let endpoint = bucket::endpoint(Gateway::shared().expect("the server").address());
    let tables = ["primary", "replica", "rejects"]
        .map(|table| format!("s3://{}/{}/lakehouse/logs/{table}", world.bucket.name, LAKE.replace(' ', "%20")));
    let arguments: Vec<&str> =
        [KEY_ID, SECRET, REGION, &endpoint].into_iter().chain(tables.each_ref().map(|t| &t[..])).collect();
    let arguments: Vec<&Path> = arguments.into_iter().map(Path::new).collect();
    run_python(COUNT, &arguments).parse().expect("a number")
}

#[test]
fn a_run_that_is_killed_and_run_again_lands_every_line_once() {
    let Some(mut world) = World::new() else { return };
    let (mut random, mut lines) = (Random::new(1), Lines::new(1));
    for name in ["a.json", "b.json", "h=07/c.json"] {
        world.pipeline.write(name, lines.take(400));
    }
    let (mut kills, mut claims) = (0, 0);
    // On a busy machine a run takes longer to its claim: runs live longer until one gets there.
    while kills < KILLS || (claims == 0 && kills < 10 * KILLS) {
        world.pipeline.set("commit", "bytes", format!("{} B", random.below(1 << 12..1 << 17)));
        let run = world.pipeline.start(&["run", "p.toml", "--mode", "tail"]);
        wait::pause(Duration::from_millis(random.below(0..INSTANTS_MS * (1 + kills / KILLS))));
        let ended = run.kill();
        assert_eq!(ended.code, None, "a tail does not end by itself:\n{}", ended.stderr);
        kills += 1;
        claims += usize::from(ended.stderr.contains("claimed the tables"));
    }
    assert!(claims > 0, "no run lived long enough to be worth a kill");
    world.pipeline.land();
    assert_eq!(world.pipeline.land()["bytes"], 0, "the second run finds nothing new");
    world.pipeline.is_proved();
    let status = world.pipeline.status();
    assert_eq!(status["tables"]["primary"]["lag"], 0);
    assert!(!world.pipeline.path("lake").exists(), "no part of the lake is on the disk");
    let proved = world.pipeline.prove(0);
    let rows = proved["tables"].as_array().expect("tables").iter().map(|table| table["totals_rows"].as_u64());
    assert_eq!(Some(rows_that_others_see(&world)), rows.sum());
    println!("{kills} kills, {claims} after the claim; {}", world.is_exact());
}

#[test]
fn a_lake_in_a_bucket_is_looked_at_before_it_is_used() {
    let Some(mut world) = World::new() else { return };
    world.pipeline.set("lake", "partition_by", "day").write("a.json", ONE_FOR_EACH_TABLE);
    let said = world.call(&["validate", "p.toml", "--connect"], &[]).exits_with(0).stdout;
    for words in
        ["access   lake: s3://", " by an access key: create once, read and delete granted", "will be created at s3://"]
    {
        assert!(said.contains(words), "{words} in {said}");
    }
    let found = world.call(&["doctor", "p.toml", "--json"], &[]).exits_with(0).json();
    assert!(found.to_string().contains("create once, read and delete granted"), "{found:#}");
    assert_eq!(world.bucket.list(""), Vec::<String>::new(), "nothing lasting is written");
    world.pipeline.land();
    world.is_exact();
}

#[test]
fn a_store_without_conditional_writes_is_found_out() {
    let Some(world) = World::new() else { return };
    world.pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    world.proxy.rule(Rule::new(Kind::Put, Fault::NotImplemented).named("_probe-").always());
    let words = "501 NotImplemented, so it does not know If-None-Match";
    let error = world.call(&["run", "p.toml", "--json"], &[]).exits_with(3).error();
    assert!(error.contains(words) && error.contains("use a store that"), "{error}");
    let error = world.call(&["validate", "p.toml", "--connect"], &[]).exits_with(3).error();
    assert!(error.contains(words), "{error}");
    let found = world.call(&["doctor", "p.toml", "--json"], &[]).exits_with(3).json();
    assert_eq!(found["problems"], 1, "{found:#}");
    assert!(found.to_string().contains(words) && found.to_string().contains("docs/s3.md"), "{found:#}");
    assert_eq!(world.bucket.list(""), Vec::<String>::new());
}

#[test]
fn a_lost_reply_of_each_write_lands_nothing_twice() {
    let Some(world) = World::new() else { return };
    world.pipeline.write("a.json", Lines::new(2).take(300));
    world.proxy.rule(Rule::new(Kind::Put, Fault::LostReply).every(3).always());
    world.pipeline.land();
    assert!(world.proxy.count(|seen| seen.fault == Some(Fault::LostReply)) > 5);
    world.is_exact();
}

#[test]
fn a_bucket_that_is_not_there_is_refused() {
    let Some(mut world) = World::new() else { return };
    world.pipeline.set("lake", "root", "s3://no-such-bucket/lake").write("a.json", ONE_FOR_EACH_TABLE);
    let error = world.call(&["run", "p.toml", "--json"], &[]).exits_with(3).error();
    assert!(error.contains("404 NoSuchBucket") && error.contains("create it"), "{error}");
}
