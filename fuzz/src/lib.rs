//! The oracles of the fuzz targets. `operators/tests/corpus.rs` runs them over the corpus in every
//! test run.

pub mod changes;
pub mod parse;
pub mod split;
