//! Tables that are changed row by row: rows are inserted, updated and deleted by their key, with a
//! change feed, at a cost that follows what changed and not what the table holds.
//!
//! ```text
//!   changes of a cut ─▶ collapse ─▶ look-up ───────▶ stage ───────▶ commit
//!   by shard of keys    one a key   index, then the  data file,     all shards at once:
//!                                   rows themselves  feed, dead     one conditional write
//! ```
//!
//! A row that changes is written once more, in a new data file, and the one that was there is
//! marked in a deletion vector. With the feed on, the new data file is part of it as it stands: it
//! has a column `_change_type`, which is not the table's, so that readers of the table do not see
//! it. Only what rows were before they changed is written beside, in `_change_data`.
//!
//! - The key index is a cache of the lake. What it says is a hint: the rows that it points at are
//!   read and their keys compared before anything is done to them. It is kept on the machine from
//!   run to run; losing it costs time.
//! - A [`Shard`] looks up and stages the changes of one cut at a time. It counts on its own cuts to
//!   be committed in their order; if they are not, the run ends, and the next begins from the lake.
//! - A cut is made slice by slice, each of rows that lie next to each other, so that memory follows
//!   the changes and not the rows that they meet. Where all rows of the table go, those of each
//!   shard do, by its index; they are read for the change feed alone, batch by batch.
//! - Commits of others are met twice. A shard that sees one waits until its own cuts have landed,
//!   and then goes by the log. A commit that finds a file of its cut rewritten looks for the rows
//!   in the files that took its place ([`UpsertTable`]).
//!
//! A column gets another type by writing all rows anew ([`retype()`]).
//!
//! Deletion vectors lie in files and never in the log: Spark's VACUUM fails on those.

mod actions;
mod cache;
mod changes;
mod collapse;
mod conform;
mod counts;
mod definition;
mod files;
mod gathered;
mod index;
mod keys;
mod lookup;
mod merge;
mod moved;
mod numbered;
mod object;
mod opening;
mod order;
mod outcome;
mod read;
mod retype;
mod shard;
mod slices;
mod stage;
mod table;
mod vectors;
mod wire;

pub use changes::{Changes, Operation};
pub use counts::Counts;
pub use definition::UpsertSpec;
pub use keys::shard_of;
pub use opening::open;
pub use order::Order;
pub use retype::{Added, Older, Retype, RetypeError, Retyped, Values, retype};
pub use shard::{Gap, Keeping, Merged, Shard, Sharding};
pub use table::UpsertTable;

#[cfg(test)]
mod tests;
