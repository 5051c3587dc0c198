//! `lakefront prove` finds what was done to tables and sources, names it, and is not misled by what
//! anybody may do to them.

#[path = "../support/mod.rs"]
mod support;

mod lake;
mod live;
mod report;
mod settings;
mod source;

use serde_json::{Value, json};

use crate::support::Pipeline;

/// The length of each numbered line in bytes, with its newline.
const LINE: u64 = 64;

/// Line `number` of a log. Of five lines, three are the primary's, one is a replica's, one is not
/// JSON.
fn line(number: u64) -> String {
    let role = match number % 5 {
        0..3 => "Primary",
        3 => "Replica",
        _ => return format!("{:<63}\n", format!("line {number} is not JSON")),
    };
    format!("{:<63}\n", format!(r#"{{"ReplicaRole":"{role}","properties":{{"message":"{number}"}}}}"#))
}

fn lines(numbers: std::ops::Range<u64>) -> String {
    numbers.map(line).collect()
}

/// A pipeline that has landed `a.json` with `count` lines, in many commits.
fn landed(count: u64) -> Pipeline {
    let mut pipeline = Pipeline::new();
    let chunk = if count > 10_000 { "1 MiB" } else { "4 KiB" };
    pipeline.set("source", "chunk", chunk).set("commit", "bytes", chunk);
    pipeline.write("a.json", lines(0..count));
    pipeline.land();
    pipeline
}

/// The first difference that was found in a table.
fn found(said: &Value, table: usize) -> &Value {
    &said["tables"][table]["first_difference"]
}

/// A difference as `prove` names it.
fn difference(source: &str, offset: u64, what: &str, odd: &str) -> Value {
    json!({"source": source, "offset": offset, "what": what, "odd": odd})
}
