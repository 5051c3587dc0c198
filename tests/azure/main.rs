//! Blobs in Azurite as a source of the real binary, and how it copes with bad networks and busy
//! services.

#[path = "../support/mod.rs"]
mod support;

mod backfill;
mod credentials;
mod example;
mod faults;
mod finished;
mod gigabyte;
mod kills;
mod lake;
mod outages;
mod outcomes;
mod prove;
mod requests;
mod rewrites;
mod slow;
mod storms;
mod support_works;
mod tail;
mod world;
