//! What every operator of a run shares.

use std::sync::Arc;

use crate::protocol::clock::Clock;
use crate::run::bridge::Bridge;
use crate::run::fatal::Fatal;
use crate::run::memory::Budget;
use crate::run::metrics::Metrics;

/// What a run has once, for its operators on all workers.
#[derive(Clone)]
pub struct Env {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// How much memory buffers may take.
    pub budget: Arc<Budget>,
    /// Runs what waits.
    pub bridge: Bridge,
    /// Counts what is done.
    pub metrics: Arc<Metrics>,
    /// Takes the first fatal error.
    pub fatal: Fatal,
}
