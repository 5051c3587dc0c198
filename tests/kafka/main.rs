//! Topics of a real Kafka, read by the source of records and by `lakefront changes --topic`.

#[path = "../support/mod.rs"]
mod support;

mod changes;
mod dataflow;
mod growing;
mod kills;
mod losses;
mod records;
mod refusals;
#[cfg(feature = "pg_changes")]
mod tables;
mod world;
