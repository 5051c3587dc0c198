//! `pg_changes` from topics to tables, without a connector: events are written to topics, and
//! `deltalake` reads what becomes of them.

mod avro;
mod crashes;
mod growth;
mod kills;
mod model;
mod odd;
mod recorded;
mod typed;
mod whole;
mod world;
