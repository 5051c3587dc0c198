//! Parquet files, encoded column by column.
//!
//! ```text
//!   batch ─▶ a column's Values ─▶ a page's bytes ─▶ snappy ─▶ Chunk ─▶ file
//!              └▶ Dictionary        └▶ Levels: which rows are null
//!
//!   Chunk: the pages of one column of a row group
//! ```
//!
//! The work per row is done here: a text that arrives with a dictionary is examined once per
//! dictionary entry, not once per row. The `parquet` crate does the frame: page headers,
//! statistics, the schema, the footer.
//!
//! Guarantees: a file reads as the rows that were written, in their order, with the types of its
//! schema, whether its texts came plain or with dictionaries. Statistics are those that the crate's
//! own writer would have written, without long maxima that cannot be cut (`bounds`). Pages are of
//! version 1, and so are their encodings but one: numbers that do not repeat are
//! `DELTA_BINARY_PACKED`.

mod bounds;
mod chunk;
mod column;
mod dictionary;
mod differences;
mod file;
mod hybrid;
mod indices;
mod levels;
mod numbers;
mod texts;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

pub(super) use file::FileEncoder;
