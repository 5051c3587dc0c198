//! What the fuzz targets hold the operators against. `operators/tests/corpus.rs` runs the same over the corpus with every test run.

pub mod parse;
pub mod split;
