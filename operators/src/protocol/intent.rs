//! What a run wants from the groups that it claims.

use std::sync::Arc;

use crate::error::Stop;
use crate::position::Position;
use crate::protocol::Pending;
use crate::protocol::document::Process;
use crate::protocol::kind::Kind;
use crate::protocol::layout::Layout;
use crate::protocol::neighbours::Reading;
use crate::protocol::offsets::Offsets;

/// What a run wants from its groups.
pub struct Intent<'a, K: Kind> {
    /// The pipeline's name.
    pub pipeline: &'a str,
    /// The source.
    pub reading: &'a dyn Reading<K>,
    /// Its groups and their tables.
    pub layout: &'a Layout,
    /// Today's settings: they hold from the groups' common position on.
    pub settings: Arc<K::Settings>,
    /// The state file's position, if there is one. It informs and never overrides.
    pub known: Option<Position>,
    /// The process of this run, for people who ask which run has the groups.
    pub process: Option<Process>,
    /// Whether to land beside rows that no pipeline has landed.
    pub adopt: bool,
    /// Resolves `cold_start`; called at most once each time the first group has no position.
    pub cold_start: &'a (dyn Fn() -> Pending<'a, Result<Offsets<K>, Stop>> + Send + Sync),
}
