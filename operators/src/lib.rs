//! The operators that lakefront's pipelines are composed of, one per file, named after its step:
//!
//! ```text
//! plan ─▶ fetch ─▶ split ─▶ parse ─▶ route ─▶ tally[group] ─▶ stage[group]
//!      ─▶ commit[group] ─▶ checkpoint ─▶ acknowledge ─▶ (plan)
//! ```
//!
//! [`protocol`] holds the decisions that make delivery exactly-once, without I/O; [`source`] and
//! [`sink`] hold what differs between stores, [`format`](mod@format) what bytes mean, and [`run`]
//! what a run has once. Operators know no pipeline, flag, configuration file or environment, and
//! print nothing.

pub mod acknowledge;
pub mod azure;
mod calendar;
pub mod checkpoint;
pub mod commit;
pub mod decode;
pub mod error;
#[cfg(feature = "kafka")]
pub mod events;
pub mod fetch;
pub mod format;
pub mod glob;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod merge;
pub mod parse;
pub mod plan;
pub mod position;
pub mod postgres;
pub mod protocol;
pub mod prove;
pub mod route;
pub mod routed;
pub mod run;
pub mod s3;
pub mod secret;
pub mod shown;
pub mod sink;
pub mod source;
pub mod split;
pub mod stage;
pub mod totals;
#[cfg(feature = "kafka")]
pub mod web;
pub mod work;
