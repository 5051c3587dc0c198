//! lakefront's pipelines, one page each. They only compose operators: a loop over records here
//! would mean that an operator is missing.

#[cfg(feature = "pg_logs")]
pub mod pg_logs;
