//! Crashes of the real binary: at random instants, and at every step. Afterwards the tables hold
//! the source exactly, according to a reader that is not ours.

#[path = "../support/mod.rs"]
mod support;

mod kills;
mod log_checkpoints;
mod points;
