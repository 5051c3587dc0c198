//! Delta Lake: each table is committed on its own, and one commit is one conditional write.
//!
//! The hot path never replays the log: the version is kept in memory, and a commit is one file
//! created under the next version's name (`place.rs`, `log.rs`). The `deltalake` crate reads the
//! state of tables and writes log checkpoints, off the hot path. Everything is durable before it
//! counts: on a disk, files, offsets, commits and their directories are synced; on Azure, the
//! account has confirmed them.
//!
//! ```text
//! <root>/<catalog>/<schema>/<table>/part-<uuid>.snappy.parquet    staged, then named by a commit
//!                                  /_delta_log/<version>.json     one per commit
//!                                  /_lakefront/<pipeline>/<position>.<run>.json
//! ```

mod blobs;
mod checkpoint;
mod disk;
mod encode;
mod files;
mod follow;
mod log;
mod opening;
mod pinned;
mod place;
mod schema;
mod scratch;
mod snapshot;
mod stats;
mod table;
mod writer;

pub use blobs::{Blobs, UPLOADS};
pub use files::Lost;
pub use follow::Follower;
pub use opening::{Opening, fit, open};
pub use pinned::Pinned;
pub use place::Place;
pub use schema::Fit;
pub use snapshot::{Snapshot, read};
pub use table::{DayPartition, DeltaTable, TableSpec};
pub use writer::DeltaStage;
