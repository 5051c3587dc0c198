//! Kafka: how a cluster is reached, who we are to it, and what its errors mean.
//!
//! ```text
//! Settings ─▶ Client ─▶ topics, offsets, queues of partitions     (source/kafka reads them)
//!                └─ Context: log, errors, tokens
//! ```
//!
//! Promises: no secret reaches a log, an error or `Debug`; every failure says what was attempted,
//! what was in the way, and what to do. The protocol is spoken by librdkafka. What of it the crate
//! `rdkafka` does not wrap is in `native`, which alone has `unsafe`.

pub mod client;
pub(crate) mod context;
pub mod failure;
mod msk;
pub(crate) mod native;
pub mod schemas;
pub mod settings;
mod tokens;
