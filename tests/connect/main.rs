//! The connector that brings PostgreSQL's changes to Kafka: a real PostgreSQL, Kafka, Connect and
//! Debezium, and `lakefront debezium` and `doctor` before them.

#[path = "../support/mod.rs"]
mod support;

mod lifecycle;
mod refusals;
mod slots;
mod world;
