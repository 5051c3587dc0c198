//! Hot tables in PostgreSQL: their rows move to a lake, and are deleted once they are there.
//!
//! ```text
//!  look: a flush begins ─▶ one snapshot, seen by every connection
//!        │                   ├─ slices of the tables ─▶ COPY … BINARY ─▶ rows
//!        │                   └─ its owner: DELETE of what the snapshot saw; then the lake's
//!        ▼                      commit, and COMMIT of both
//!  the next look begins once the flush has ended
//! ```
//!
//! A *flush* is what one snapshot sees up to a watermark, in all tables; it is one cut, and the
//! position counts flushes. The rows of a flush are deleted by the transaction that has its
//! snapshot, so exactly the rows that were copied go: one that came later is not seen, and one that
//! was changed since makes the transaction fail, and the flush is made again.
//!
//! Rows may stay hot although the lake has them: those of a table that is retained, and those that
//! a reader further down, the gate, has not confirmed (`reach.rs`).
//!
//! If the lake is in another database, its commit is one, and the DELETE's another. What the latter
//! does is noted with the former (`deletion.rs`), and before the next flush it is seen to that it
//! was done (`settle.rs`).

mod begin;
mod blocked;
mod blocks;
mod counts;
mod delete;
mod deletion;
mod discover;
mod fate;
mod feed;
mod flush;
mod gate;
mod handover;
mod hot;
mod key;
mod kind;
mod lacking;
mod late;
mod limit;
mod reach;
mod read;
mod remaining;
mod replace;
mod seen;
mod settings;
mod settle;
mod slices;
mod target;
mod types;

pub use discover::{
    Found, HotColumn, HotTable, KNOWN_SEQUENCES, TableColumns, columns_of_tables, discover, older_checkpoint,
    values_before,
};
pub use feed::{FlushFeed, FlushSupply, Planning, Watch};
pub use flush::{Buffer, Flush, Last};
pub use gate::Gate;
pub use handover::TwoSteps;
pub use key::Key;
pub use kind::{Flushes, HotSource, RANGE, Watermark};
pub use late::Late;
pub use reach::waiting;
pub use read::{Copied, CopyReader};
pub use remaining::Remaining;
pub use settings::{BufferSettings, BufferTable, Schedule};
pub use slices::{SLICE, Slice};
pub use target::{LakeTarget, Sought, Target};
pub use types::{Plan, PlannedColumn, default_field, digits, plan};
