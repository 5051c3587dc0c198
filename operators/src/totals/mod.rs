//! Running totals: the [sums](crate::protocol::sums) of the rows of each table, kept at the
//! frontier.
//!
//! ```text
//! route ─rows─▶ tally[group] ─rows─▶ stage[group] ───────────────────────────files─▶ commit[group]
//!                    └─sums by bucket─▶ totals[group]: a differential collection ─sums─▲
//! ```

mod collect;
pub mod hash;
mod tally;
#[cfg(test)]
mod tests;

pub use collect::{Difference, Update, totals};
pub use tally::{Counted, tally};
