//! lakefront's pipelines, one page each. They only compose operators: a loop over records here
//! would mean that an operator is missing.
//!
//! A pipeline is a file with what is its own, from the source to the rows of each table, and a
//! variant of [`Topology`]. All pipelines share the second half, [`landing`].

pub mod landing;
#[cfg(feature = "pg_changes")]
pub mod pg_changes;
#[cfg(feature = "pg_flush")]
pub mod pg_flush;
#[cfg(feature = "pg_logs")]
pub mod pg_logs;

use timely::worker::Worker;

/// A pipeline that is ready to run: what its workers share.
#[allow(clippy::large_enum_variant, reason = "there is one of it in a process")]
pub enum Topology {
    /// PostgreSQL's log lines into tables by server role.
    #[cfg(feature = "pg_logs")]
    PgLogs(pg_logs::PgLogs),
    /// Hot PostgreSQL tables into a DuckLake.
    #[cfg(feature = "pg_flush")]
    PgFlush(pg_flush::PgFlush),
    /// Debezium's events of PostgreSQL into the tables that they are of.
    #[cfg(feature = "pg_changes")]
    PgChanges(pg_changes::PgChanges),
}

impl Topology {
    /// Builds the dataflow on one worker. All workers build the same one.
    pub fn build(&self, worker: &mut Worker) {
        match *self {
            #[cfg(feature = "pg_logs")]
            Topology::PgLogs(ref run) => pg_logs::build(worker, run),
            #[cfg(feature = "pg_flush")]
            Topology::PgFlush(ref run) => pg_flush::build(worker, run),
            #[cfg(feature = "pg_changes")]
            Topology::PgChanges(ref run) => pg_changes::build(worker, run),
        }
    }
}
