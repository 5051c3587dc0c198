//! `pg_flush` from the outside: the real binary between a real PostgreSQL and a lake that a real
//! DuckDB reads, and writes to beside it.

#[allow(dead_code, reason = "the tests of documents use all of it")]
#[path = "../docs/pages.rs"]
mod pages;
#[path = "../support/mod.rs"]
mod support;

mod access;
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
mod poolers;
mod proved;
mod reading;
mod refusals;
mod removed;
mod replaced;
mod replies;
mod retained;
mod stops;
mod stores;
mod tls;
mod two_databases;
mod values;
mod watched;
mod world;
