//! Parquet files, encoded column by column.
//!
//! ```text
//!   batch ─▶ a column's Values ─▶ a page's bytes ─▶ snappy ─▶ Chunk: the pages of one column of a row group ─▶ file
//!              └▶ Dictionary        └▶ Levels: which rows are null
//! ```
//!
//! What a row costs is ours: a text that arrives with a dictionary is looked at once a dictionary, not once a row. The frame is the
//! `parquet` crate's: page headers, statistics, the schema, the footer.
//!
//! Promised: a file reads as the rows that were written, in their order, with the types of its schema, however each batch
//! brought its texts; statistics are those that the crate's own writer would have written. Pages are of version 1, and so
//! are their encodings but one: numbers that do not repeat are `DELTA_BINARY_PACKED`.

mod bounds;
mod chunk;
mod column;
mod delta;
mod dictionary;
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
