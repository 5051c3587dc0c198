//! The connector that brings PostgreSQL's changes to Kafka: a real PostgreSQL, Kafka, Connect and
//! Debezium, and `lakefront debezium` and `doctor` before them.

#[path = "../docs/pages.rs"]
#[allow(dead_code, reason = "the other tests of documents use the rest")]
mod pages;
#[path = "../support/mod.rs"]
mod support;

mod avro;
mod doctor;
mod example;
mod lifecycle;
mod proved;
mod refusals;
mod slots;
mod storm;
mod tables;
mod typed;
mod whole;
mod world;
