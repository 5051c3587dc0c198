//! A run watched over HTTP: what is answered, to whom, and what health says when something is
//! wrong.

mod answers;
mod dashboard;
mod health;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../flush/world.rs"]
mod hot;
mod life;
mod promql;
#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../azure/world.rs"]
mod world;

use std::net::SocketAddr;

use crate::support::http::{Answer, free_address, get};
use crate::support::{Pipeline, Running};

/// Lines for one table only.
const PRIMARY: &str = "{\"ReplicaRole\": \"Primary\"}\n";

/// Sets an address to watch runs of `pipeline`, and a short time until they count as stalled.
/// Returns the address.
fn watch(pipeline: &mut Pipeline) -> SocketAddr {
    let address = free_address();
    pipeline.set("http", "listen", address.to_string()).set("http", "stall", "500ms");
    pipeline.set("commit", "interval", "100ms");
    address
}

/// A watched pipeline.
fn given() -> (Pipeline, SocketAddr) {
    let mut pipeline = Pipeline::new();
    let address = watch(&mut pipeline);
    (pipeline, address)
}

/// A tail with fail points, which may not get as far as its tables.
fn tail_failing(pipeline: &Pipeline, points: &str) -> Running {
    let mut command = pipeline.command(&["run", "p.toml", "--mode", "tail", "--json"]);
    command.env("FAILPOINTS", points);
    pipeline.spawn(command)
}

/// Waits until the answer for `path` satisfies `is`, and returns it.
fn until(run: &mut Running, address: SocketAddr, path: &str, is: impl Fn(&Answer) -> bool) -> Answer {
    let mut last = None;
    run.until(&format!("answered {path} as expected"), || {
        last = get(address, path);
        last.as_ref().is_some_and(&is)
    });
    last.expect("an answer")
}
