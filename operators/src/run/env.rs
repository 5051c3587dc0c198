//! What every operator of a run shares.

use std::sync::Arc;

use crate::protocol::clock::Clock;
use crate::run::bridge::Bridge;
use crate::run::fatal::Fatal;
use crate::run::memory::Budget;
use crate::run::metrics::Metrics;

/// What a run has once, for its operators on all workers.
///
/// ```
/// use std::sync::Arc;
///
/// use lakefront_operators::run::bridge::Bridge;
/// use lakefront_operators::run::clock::SystemClock;
/// use lakefront_operators::run::env::Env;
/// use lakefront_operators::run::fatal::Fatal;
/// use lakefront_operators::run::memory::{Budget, Parts};
/// use lakefront_operators::run::metrics::retry::Count;
/// use lakefront_operators::run::metrics::{Metrics, Outline, Unit};
/// use lakefront_operators::protocol::clock::Clock;
/// use lakefront_operators::protocol::layout::Layout;
///
/// let runtime = tokio::runtime::Runtime::new().expect("a runtime");
/// let clock: Arc<dyn Clock> = Arc::new(SystemClock);
/// let steps = vec![("plan", Unit::BYTES), ("fetch", Unit::ROWS)];
/// let (layout, reasons) = (Layout::each(&["events"]), Vec::new());
/// let outline = Outline { unit: Unit::BYTES, steps, reasons, layout };
/// let (workers, work, in_flight) = (1, 1 << 20, 2);
/// let (groups, beyond, turn, batches, uploads) = (1, 0, 0, 0, 0);
/// let parts = Parts { workers, groups, work, beyond, in_flight, turn, batches, uploads };
/// let (fatal, supervisor) = Fatal::new();
/// // An operator that fails keeps its capabilities: the run must be ended from outside.
/// std::thread::spawn(move || {
///     if let Ok(stop) = supervisor.recv() {
///         eprintln!("{stop}");
///         std::process::exit(1);
///     }
/// });
/// let env = Env {
///     metrics: Arc::new(Metrics::new(clock.clone(), outline, workers, Count::default())),
///     clock,
///     budget: Budget::new(parts.usual(), parts),
///     bridge: Bridge::new(runtime.handle().clone()),
///     fatal,
/// };
/// assert!(!env.fatal.is_raised());
/// ```
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
