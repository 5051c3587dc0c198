//! `pg_flush` from the outside: the real binary between a real PostgreSQL and a lake that a real
//! DuckDB reads, and writes to beside it.

#[path = "../support/mod.rs"]
mod support;

mod cowriter;
mod crashes;
mod example;
mod gate;
mod generated;
mod hot;
mod intervals;
mod kills;
mod late;
mod maintained;
mod odd;
mod partitions;
mod proved;
mod refusals;
mod replaced;
mod replies;
mod retained;
mod stops;
mod values;
mod watched;
mod world;
