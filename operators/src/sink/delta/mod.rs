//! Delta Lake: each table is committed on its own, and one commit is one conditional write.
//!
//! The hot path never replays the log: the version is kept in memory, and a commit is one file
//! created under the next version's name (`log.rs`). The `deltalake` crate reads the state of
//! tables and writes log checkpoints, off the hot path; only this folder names it. Everything is
//! durable before it counts: on a disk, files, offsets, commits and their directories are synced;
//! in Azure and S3, the store has confirmed them.
//!
//! ```text
//! <root>/<catalog>/<schema>/<table>/part-<uuid>.snappy.parquet    staged, then named by a commit
//!                                  /_delta_log/<version>.json     one per commit
//!                                  /_lakefront/<pipeline>/<position>.<run>.json
//! ```

mod checkpoint;
mod detail;
mod follow;
mod log;
mod opening;
mod pinned;
mod referred;
mod schema;
mod snapshot;
mod stats;
mod store;
mod table;
mod types;
pub mod upsert;
mod writer;

pub use detail::Detail;
pub use follow::Follower;
pub use opening::{Opening, fit, open, probe};
pub use pinned::Pinned;
pub use referred::Lost;
pub use schema::Fit;
pub use snapshot::{Snapshot, read};
pub use table::{DayPartition, DeltaTable, TableSpec};
pub use writer::DeltaStage;
