//! `pg_flush` from the outside: the real binary between a real PostgreSQL and a lake that a real
//! DuckDB reads, and writes to beside it.

#[path = "../support/mod.rs"]
mod support;

mod cowriter;
mod crashes;
mod example;
mod hot;
mod kills;
mod late;
mod odd;
mod proved;
mod refusals;
mod replies;
mod stops;
mod values;
mod world;
