//! `lakefront replay`: what it writes, and what it says of when that is visible.

#[path = "../support/mod.rs"]
mod support;

mod azure;
mod refusals;
mod target;
mod watch;
