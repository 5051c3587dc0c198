//! Exactly once: every decision of the commit protocol, without I/O.
//!
//! The lake is the checkpoint. A run [`claim`]s its tables, [`planner`] hands out the source as
//! chunks and closes cuts, [`queue`] decides which cut a table commits next, [`commit`] lands it
//! with its offsets in one commit, and [`ledger`] decides what may be acknowledged: the lowest
//! position that every table's transaction holds, never more.
//!
//! The outside world is reached only through the ports in [`table`], so that the simulation
//! (`tests/simulation`) drives this very code through crashes, rivals, zombies and lost replies at
//! every step.

pub mod claim;
pub mod commit;
pub mod cut;
pub mod document;
pub mod generation;
pub mod last_rows;
pub mod ledger;
pub mod neighbours;
pub mod planner;
pub mod preflight;
pub mod queue;
pub mod table;
