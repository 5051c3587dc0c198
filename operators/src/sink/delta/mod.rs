//! Delta Lake: each table is a group of its own, and one commit is one conditional write.
//!
//! The hot path never replays the log: the version is kept in memory, and a commit is one file created under the next
//! version's name (`disk.rs`, `log.rs`). The `deltalake` crate reads the state of tables and writes log checkpoints, off the hot
//! path. Everything is durable before it counts: files, offsets, commits and their directories are synced.
//!
//! ```text
//! <root>/<catalog>/<schema>/<table>/part-<uuid>.snappy.parquet          staged, then referred to by a commit
//!                                  /_delta_log/<version>.json          one a commit
//!                                  /_lakefront/<pipeline>/<position>.<run>.json
//! ```

mod checkpoint;
mod disk;
mod log;
mod schema;
mod snapshot;
mod stats;
mod table;
mod writer;

pub use schema::Fit;
pub use snapshot::{Snapshot, read};
pub use table::{DayPartition, DeltaTable, TableSpec, fit, open};
pub use writer::DeltaStage;
