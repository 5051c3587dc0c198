//! Blobs in Azurite, and what networks and busy services make of requests for them.

#[path = "../support/mod.rs"]
mod support;

mod example;
mod faults;
mod support_works;
