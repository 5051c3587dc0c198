//! A lake and a source on Azure, proved; and blobs that have left the offsets.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::lines::ONE_FOR_EACH_TABLE;
use crate::support::oracle::tamper;
use crate::support::pipeline::copy;
use crate::support::proxy::{Fault, Kind};
use crate::support::{Lines, wait};
use crate::world::World;

#[test]
fn source_and_lake_on_azure_are_proved_through_faults() {
    let mut world = World::with_seed(3);
    world.pipeline.set("lake", "root", format!("az://{}/a lake", world.container.name()));
    let mut lines = Lines::new(1);
    ["a.json", "y=2026/b.json"].iter().for_each(|name| world.write(name, lines.take(100)));
    world.pipeline.land();
    world.pipeline.is_proved();
    world.proxy.chance(Kind::Read, 30, Fault::ServerBusy(None));
    world.proxy.chance(Kind::List, 30, Fault::ServerBusy(None));
    world.append("a.json", lines.take(20));
    world.pipeline.land();
    world.pipeline.is_proved();
    assert!(!world.pipeline.path("lake").exists(), "no part of the lake is on the disk");
}

#[test]
fn finished_blobs_are_proved_together_while_all_are_there() {
    let mut world = World::new();
    world.pipeline.set("source", "settle", "1s").set("commit", "interval", "20ms");
    for round in 0..3 {
        for i in 0..4 {
            world.write(&format!("{round}/{i}.json"), Lines::new(round * 10 + i).take(6));
        }
        world.write(&format!("{round}/all.json"), ONE_FOR_EACH_TABLE);
        world.pipeline.land();
        // The test is about time that passes: two ticks of the service's clock, which counts
        // seconds, are beyond `settle`.
        wait::pause(Duration::from_millis(2100));
    }
    let retired = world.pipeline.state().map(|state| state["offsets"]["retired"]["bytes"].clone());
    assert!(retired.as_ref().and_then(Value::as_u64) > Some(0), "some have left: {retired:?}");
    world.pipeline.is_proved();

    let primary = world.pipeline.table("primary").display().to_string();
    let kept = world.pipeline.path("kept");
    copy(&world.pipeline.table("primary"), &kept);
    tamper(&["double", &primary, "0/all.json", "0"]);
    let named = json!({"source": "0/all.json", "offset": 0, "what": "doubled", "odd": "table"});
    assert_eq!(world.pipeline.prove(1)["tables"][0]["first_difference"], named);
    fs::remove_dir_all(&primary).expect("the table goes away");
    copy(&kept, primary.as_ref());

    let bytes = world.container.read("logs/0/1.json").len();
    world.delete("0/1.json");
    let said = world.pipeline.prove(0);
    let unverifiable = &said["tables"][0]["unverifiable"];
    let reason = format!("{bytes} bytes of finished blobs are no longer in the source");
    assert_eq!(unverifiable[0]["reason"], reason, "{said:#}");
    assert_eq!(Some(&unverifiable[0]["bytes"]), retired.as_ref());

    // A new blob under the name of one that has left: its rows have the same `_source`, and repeat
    // offsets.
    world.write("0/1.json", Lines::new(99).take(8));
    world.pipeline.land();
    assert_eq!(world.pipeline.prove(0)["ok"], true);
}
