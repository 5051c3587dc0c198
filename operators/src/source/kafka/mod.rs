//! Topics of Kafka as a source: records, partition by partition.
//!
//! ```text
//! Watch ─looks─▶ Sight ─▶ TopicSupply ─▶ Range ─▶ TopicReader ─▶ Records ─▶ (a format)
//!                                                    │ lanes: one queue a partition
//! standings ─▶ GroupOffsets (for people's tools alone)
//! ```
//!
//! Promises: a range of offsets is read exactly, whatever the broker's compression, transactions
//! and compaction make of it; records that retention has taken, and a topic that is another one of
//! the same name, are each an outcome of their own ([`Outcome`](crate::kafka::failure::Outcome));
//! nothing is ever skipped in silence. Who reads a partition is decided by `plan`, never by a
//! consumer group.

pub mod acknowledge;
mod ages;
mod cursor;
pub mod feed;
pub mod kind;
mod lanes;
pub mod look;
mod quiet;
pub mod range;
pub mod reader;
pub mod records;
pub mod scout;
pub mod sizes;
pub mod supply;
pub mod topics;
pub mod transactions;
