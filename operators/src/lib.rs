//! The operators that lakefront's pipelines are composed of, one per file, named after its step:
//!
//! ```text
//! plan ─▶ fetch ─▶ split ─▶ parse ─▶ route ─▶ tally[group] ─▶ stage[group]
//!      ─▶ commit[group] ─▶ checkpoint ─▶ acknowledge ─▶ (plan)
//! ```
//!
//! [`protocol`] holds the decisions that make delivery exactly-once, without I/O; [`source`] and
//! [`sink`] hold what differs between stores. Operators know no pipeline, flag, configuration file
//! or environment, and print nothing.

pub mod acknowledge;
pub mod azure;
pub mod bridge;
pub mod checkpoint;
pub mod clock;
pub mod commit;
pub mod env;
pub mod error;
pub mod fatal;
pub mod fetch;
pub mod glob;
pub mod lines;
pub mod memory;
pub mod metrics;
pub mod parse;
pub mod plan;
pub mod position;
pub mod protocol;
pub mod prove;
pub mod record;
pub mod route;
pub mod routed;
pub mod rows;
pub mod s3;
pub mod secret;
pub mod settings;
pub mod shown;
pub mod sink;
pub mod source;
pub mod space;
pub mod split;
pub mod stage;
pub mod state;
pub mod totals;
pub mod work;
