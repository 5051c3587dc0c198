//! Rows of events as columns of a lake.
//!
//! ```text
//! schema block ─▶ a LakeType for each column ─▶ the lake's table
//! event's row ─▶ Plan (which column goes where, and how it is read) ─▶ Rows ─▶ Arrow
//! ```
//!
//! Promises: a value in the lake is exactly PostgreSQL's, as far as the event has it, or the row is
//! none and [`Unfit`] names the column. Nothing is rounded, cut off or replaced by a default. A row
//! that does not fit leaves no trace in the columns.

mod column;
mod kind;
mod moment;
mod plan;
mod read;
mod rows;
mod unfit;

#[cfg(test)]
mod tests;

pub use arrow_array::ArrayRef;

pub use self::kind::LakeType;
pub use self::plan::{Novelty, Plan};
pub use self::read::{exceeds, value_of};
pub use self::rows::{LakeColumn, Rows, Taken, Unrepresentable};
pub use self::unfit::Unfit;
