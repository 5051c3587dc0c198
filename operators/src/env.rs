//! What every operator of a run shares.

use std::sync::Arc;

use crate::bridge::Bridge;
use crate::fatal::Fatal;
use crate::memory::Budget;
use crate::metrics::Metrics;
use crate::protocol::clock::Clock;

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
