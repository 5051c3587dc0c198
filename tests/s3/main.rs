//! A lake in a bucket of a server that speaks S3, written by the real binary.
//!
//! Where the server cannot be built, every test says so and ends.

#[path = "../support/mod.rs"]
mod support;

mod crashes;
mod lake;
mod secrets;
mod world;
