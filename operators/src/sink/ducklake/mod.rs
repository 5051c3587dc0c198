//! DuckLake: many tables commit as one, in one transaction of the catalog, which is a PostgreSQL
//! database. Files are Parquet, on a disk, in Azure or in S3.
//!
//! ```text
//! <data path>/<schema>/<table>/lakefront-<uuid>.parquet     staged, then named by a commit
//!                               /<key>=<value>/…            the same, if it is partitioned
//! <metadata schema>.ducklake_…                              the catalog, as DuckLake specifies it
//!                  .lakefront_commits                       one row a commit of each pipeline
//!                  .lakefront_offsets                       its offsets files
//! ```
//!
//! What commits is a *version* of the pipeline's own table of commits: its primary key is the
//! conditional create that fences an older run. Rows make a snapshot of the lake in the same
//! transaction; commits without rows make none. Commits of other writers are no versions, so there
//! is nothing to step over: each commit reads the catalog under the lock that orders snapshots, and
//! is refused if the definition of a table is not what its files were written for. A commit may
//! replace rows: it takes them out where an earlier look has found them (`read/seek`), if they are
//! still there (`places`).
//!
//! The specification is that of DuckLake 1.0 and 1.1; a catalog of another version is refused
//! inside the transaction of the commit, and none is ever migrated. Only this folder names the
//! catalog's tables.

mod bounds;
mod catalog;
mod columns;
mod commit;
mod create;
mod define;
mod detail;
mod group;
mod hive;
mod last;
mod log;
mod maintain;
mod making;
mod noted;
mod offsets;
mod partition;
mod pinned;
mod places;
mod read;
mod rows;
mod stage;
mod tables;
mod transactions;
mod types;

pub use catalog::{Lake, LakeSpec};
pub use define::Wanted;
pub use group::LakeGroup;
pub use last::LastSnapshot;
pub use maintain::{Maintainer, Maintenance, MaintenanceSettings};
pub use noted::Noted;
pub(crate) use noted::{numbers, spans};
pub use partition::partition_key;
pub use pinned::{Committed, History, PinnedLake};
pub use places::{Places, Replaced};
pub use read::{Columns, Fault, Kept, Traced, TracedFile, Tracing};
pub use stage::LakeStage;
pub use tables::{Column, Table, Tables};
pub use transactions::{OwnTransactions, Transactions};
pub use types::LakeType;
