//! `pg_changes` from topics to tables, without a connector: events are written to topics, and
//! `deltalake` reads what becomes of them.

mod growth;
mod kills;
mod odd;
mod recorded;
mod world;
