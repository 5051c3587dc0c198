//! Exactly once: every decision of the commit protocol, without I/O.
//!
//! The lake is the checkpoint. A run [`claim`]s its groups of tables, the [`cutter`] hands out the
//! source's work and closes cuts, [`queue`] decides which cut a group commits next, [`commit`]
//! lands it with its offsets in one commit, and [`ledger`] decides what may be acknowledged: the
//! lowest position that every group's transaction holds, never more.
//!
//! It knows no source, format or sink. What marks a place in a source, and which settings make its
//! rows, is a [`kind`]'s own: the protocol stores it, compares it, and hands it back.
//!
//! The outside world is reached only through ports ([`group`], [`offsets_store`], [`clock`]), so
//! that the simulation (`tests/simulation`) drives this very code through crashes, rivals, zombies
//! and lost replies at every step.

pub mod account;
pub mod claim;
pub mod clock;
pub mod commit;
pub mod cut;
pub mod cutter;
pub mod document;
pub mod group;
pub mod intent;
pub mod kind;
pub mod last_rows;
pub mod layout;
pub mod ledger;
pub mod names;
pub mod neighbours;
#[cfg(test)]
pub(crate) mod numbers;
pub mod offsets;
pub mod offsets_files;
pub mod offsets_store;
pub mod preflight;
pub mod queue;
pub(crate) mod refusals;
pub(crate) mod retry;
pub mod staged;
pub mod standing;
pub mod sums;
pub mod supply;

use std::future::Future;
use std::pin::Pin;

/// A future of the protocol's ports.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
