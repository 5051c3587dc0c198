//! Parquet files, encoded column by column.
//!
//! ```text
//!   batch ─▶ a Leaf's Slots ─▶ its Column's Values ─▶ a page's bytes ─▶ snappy ─▶ Chunk ─▶ file
//!                                └▶ Dictionary         └▶ Levels: what is null, where lists begin
//!
//!   Leaf: what becomes a column: a field, or one within structs and lists
//!   Chunk: the pages of one column of a row group
//! ```
//!
//! The work per row is done here: a text that arrives with a dictionary is examined once per
//! dictionary entry, not once per row. The `parquet` crate does the frame: page headers,
//! statistics, the schema, the footer. `schema` says which types there are; what is not among them
//! is refused before a file begins.
//!
//! Guarantees: a file reads as the rows that were written, in their order, with the types of its
//! schema, whether its texts came plain or with dictionaries. Statistics are those that the crate's
//! own writer would have written, without long maxima that cannot be cut (`bounds`). Pages are of
//! version 1, and so are their encodings but one: integers that do not repeat are
//! `DELTA_BINARY_PACKED`. A page may end within a row of a list, which the format allows in files
//! without page indexes.

mod arrays;
mod bounds;
mod chunk;
mod column;
mod dictionary;
mod differences;
mod file;
mod fixed;
mod hybrid;
mod indices;
mod leaf;
mod levels;
mod numbers;
mod plain;
mod schema;
mod slots;
mod statistics;
mod texts;
mod value;
mod values;
mod walk;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

pub(super) use file::{FileEncoder, Finished};
pub(super) use schema::check;
pub(super) use statistics::{Bound, LeafStatistics};
