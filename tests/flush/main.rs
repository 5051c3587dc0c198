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
mod hot;
mod kills;
mod late;
mod odd;
mod poolers;
mod reading;
mod refusals;
mod replies;
mod stops;
mod stores;
mod tls;
mod values;
mod world;
