//! Real events, in five configurations of one workload, and what becomes of them.

mod avro;
mod hostile;
mod shapes;
mod values;
mod workload;

use std::path::Path;

use serde_json::Value;

use super::{Aside, Decoded, Decoder, Line, Reason, write_plain};

/// The five configurations.
pub(super) const ALL: [&str; 5] =
    ["envelope_noschema", "envelope_schema", "unwrap_noschema", "unwrap_noschema_rewrite", "unwrap_schema_rewrite"];

/// The lines of a configuration.
pub(super) fn sample(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/samples/debezium/{name}.ndjson"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What a line is.
#[derive(Clone, Debug, PartialEq)]
enum Told {
    Plain(String),
    Boundary,
    Aside(Aside),
}

fn told(decoder: &mut Decoder, line: &[u8]) -> Result<Told, Reason> {
    let line = Line::read(line)?;
    let record = line.record();
    Ok(match decoder.decode(&record)? {
        Decoded::Boundary(_) => Told::Boundary,
        Decoded::Aside(aside) => Told::Aside(aside),
        Decoded::Event(event) => {
            let mut plain = String::new();
            write_plain(&event, &record, &mut plain)?;
            Told::Plain(plain)
        }
    })
}

/// The plain forms of the lines, which are all events or known to be none.
fn plain(lines: &str) -> Vec<String> {
    let mut decoder = Decoder::default();
    let told = lines.lines().map(|line| told(&mut decoder, line.as_bytes()).unwrap_or_else(|e| panic!("{e}: {line}")));
    told.filter_map(|told| if let Told::Plain(plain) = told { Some(plain) } else { None }).collect()
}

/// The events of a configuration.
fn events(name: &str) -> Vec<Value> {
    let events = plain(&sample(name));
    events.iter().map(|plain| serde_json::from_str(plain).expect("JSON")).collect()
}

/// The plain form of one line.
fn one(line: &str) -> Value {
    match told(&mut Decoder::default(), line.as_bytes()) {
        Ok(Told::Plain(plain)) => serde_json::from_str(&plain).expect("JSON"),
        other => panic!("{other:?}: {line}"),
    }
}
