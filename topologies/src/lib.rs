//! lakefront's pipelines, one page each. They only compose operators: a loop over records here
//! would mean that an operator is missing.

pub mod pg_logs;
