//! Beside runs that are alive, and after runs that were killed.

use serde_json::json;

use crate::support::crashes::{fails_at, for_every_point};
use crate::support::{Lines, Pipeline};

#[test]
fn beside_a_tail_every_version_is_proved() {
    let mut pipeline = Pipeline::new();
    pipeline.set("commit", "interval", "10ms").set("lake", "partition_by", "day");
    let mut lines = Lines::new(1);
    pipeline.write("a.json", lines.take(10));
    let mut tail = pipeline.tail();
    tail.until("has a position", || pipeline.position() > 0);
    let mut positions = Vec::new();
    for round in 0..12 {
        for _ in 0..5 {
            pipeline.append(if round % 2 == 0 { "a.json" } else { "b.json" }, lines.take(4));
        }
        let said = pipeline.prove(0);
        assert_eq!(said["tables"][0]["unverifiable"], json!([]), "{said:#}");
        positions.push(said["tables"][0]["position"].as_u64().expect("a position"));
    }
    assert!(positions.is_sorted() && positions[0] < positions[11], "it was alive: {positions:?}");
    tail.stop();
    pipeline.land();
    pipeline.is_proved();
}

#[test]
fn rows_have_landed_though_tables_without_rows_move_later() {
    let mut pipeline = Pipeline::new();
    pipeline.set("commit", "interval", "10ms");
    pipeline.write("a.json", "{\"ReplicaRole\": \"Primary\"}\n");
    let mut tail = pipeline.tail();
    tail.until_it_says("landed position");
    let said = pipeline.call(&["prove", "p.toml"]).exits_with(0).stdout;
    assert!(said.contains("every row is there, once") && !said.contains("not landed"), "{said}");
    tail.stop();
}

#[test]
fn a_crash_at_any_step_leaves_nothing_that_differs() {
    for_every_point(|point| {
        for time in [1, 3] {
            let mut pipeline = Pipeline::new();
            pipeline.set("", "workers", 3);
            pipeline.write("a.json", Lines::new(7).take(40));
            pipeline.write("b.json", Lines::new(8).take(20));
            if !fails_at(&pipeline, point, time) {
                break;
            }
            let proved = pipeline.call(&["prove", "p.toml", "--json"]);
            // If a table has no position yet, there is nothing to prove.
            let nothing = proved.code == Some(3) && proved.stderr.contains("run the pipeline first");
            assert!(proved.code == Some(0) || nothing, "{point}, time {time}: {proved:?}");
            pipeline.land();
            pipeline.is_proved();
        }
    });
}

/// A table that lags behind a change of settings is proved by the settings in force where it
/// stands.
#[test]
fn a_crash_under_new_roles_leaves_nothing_that_differs() {
    for_every_point(|point| {
        for time in [1, 2] {
            let mut pipeline = Pipeline::new();
            pipeline.write("a.json", Lines::new(9).take(20));
            pipeline.land();
            pipeline.set("roles", "primary", json!(["*"])).set("roles", "replica", json!(["Primary"]));
            pipeline.append("a.json", Lines::new(10).take(30));
            pipeline.write("b.json", Lines::new(11).take(10));
            if !fails_at(&pipeline, point, time) {
                break;
            }
            pipeline.prove(0);
            pipeline.set("roles", "default", "primary");
            pipeline.append("b.json", Lines::new(12).take(10));
            pipeline.land();
            pipeline.prove(0);
        }
    });
}
