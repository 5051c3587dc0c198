//! One table's numbers.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::position::Position;

/// Nothing of the kind is under way, or has happened.
const NEVER: u64 = u64::MAX;

/// What a run has done in one table, counted as it becomes durable.
pub struct TableMetrics {
    role: Box<str>,
    rows: AtomicU64,
    commits: AtomicU64,
    position: AtomicU64,
    drained: AtomicU64,
    /// When the commit under way began, in milliseconds on the steady clock.
    committing_since_ms: AtomicU64,
    /// When the last commit was made, in milliseconds since 1970.
    committed_at_ms: AtomicU64,
    failing: Mutex<Option<Failing>>,
}

/// A table in which commits, or looks at it, fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// When the first failure since the last success occurred, in milliseconds on the steady clock.
    pub since_ms: u64,
    /// The cause of the last failure.
    pub cause: String,
}

impl TableMetrics {
    pub(super) fn new(role: &str) -> Self {
        TableMetrics {
            role: role.into(),
            rows: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            position: AtomicU64::new(0),
            drained: AtomicU64::new(0),
            committing_since_ms: AtomicU64::new(NEVER),
            committed_at_ms: AtomicU64::new(NEVER),
            failing: Mutex::default(),
        }
    }

    pub(super) fn stands_at(&self, position: Position) {
        self.position.store(position.0, Relaxed);
        self.drained.store(position.0, Relaxed);
    }

    pub(super) fn commit_begins(&self, now_ms: u64) {
        self.committing_since_ms.store(now_ms, Relaxed);
    }

    /// The commit under way will not be made.
    pub(super) fn commit_void(&self) {
        self.committing_since_ms.store(NEVER, Relaxed);
    }

    /// A step of a commit, or a look at the table, has failed and will be retried.
    pub(super) fn failed(&self, now_ms: u64, cause: String) {
        let mut failing = self.failing();
        let since_ms = failing.as_ref().map_or(now_ms, |failing| failing.since_ms);
        *failing = Some(Failing { since_ms, cause });
    }

    /// A look at the table has succeeded.
    pub(super) fn looked(&self) {
        *self.failing() = None;
    }

    /// A commit was made at `at_ms` by the time of day. Returns the position up to which no rows
    /// waited before.
    pub(super) fn committed(&self, rows: u64, position: Position, at_ms: u64) -> Position {
        self.rows.fetch_add(rows, Relaxed);
        self.commits.fetch_add(1, Relaxed);
        self.committing_since_ms.store(NEVER, Relaxed);
        self.committed_at_ms.store(at_ms, Relaxed);
        *self.failing() = None;
        self.position.store(position.0, Relaxed);
        Position(self.drained.fetch_max(position.0, Relaxed))
    }

    /// No rows wait for the table up to `position`.
    pub(super) fn drained_to(&self, position: Position) {
        self.drained.fetch_max(position.0, Relaxed);
    }

    /// What the table is for: `primary`, `replica`, `rejects`.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// Rows committed by this run.
    pub fn rows(&self) -> u64 {
        self.rows.load(Relaxed)
    }

    /// Commits made by this run, except claims.
    pub fn commits(&self) -> u64 {
        self.commits.load(Relaxed)
    }

    /// The position that the table's transaction holds.
    pub fn position(&self) -> Position {
        Position(self.position.load(Relaxed))
    }

    /// Up to where no rows wait for the table: the position of its transaction, or further if what
    /// follows is empty for it.
    pub fn drained(&self) -> Position {
        Position(self.drained.load(Relaxed))
    }

    /// When the commit under way began, in milliseconds on the steady clock; none if none is.
    pub fn committing_since_ms(&self) -> Option<u64> {
        known(&self.committing_since_ms)
    }

    /// When the run made its last commit, in milliseconds since 1970; none if it has made none.
    pub fn committed_at_ms(&self) -> Option<u64> {
        known(&self.committed_at_ms)
    }

    /// Since when operations on the table have failed, and why; none if they succeed.
    pub fn is_failing(&self) -> Option<Failing> {
        self.failing().clone()
    }

    fn failing(&self) -> MutexGuard<'_, Option<Failing>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn known(at_ms: &AtomicU64) -> Option<u64> {
    Some(at_ms.load(Relaxed)).filter(|at| *at != NEVER)
}

#[cfg(test)]
mod tests;
