//! What `prove` proves of a `pg_flush` pipeline.

use lakefront_operators::error::Stop;
use lakefront_operators::prove::flushes::{self, Subject};
use lakefront_operators::prove::{Progress, Proof};

use super::{Flush, take};
use crate::pipeline::state_of;

/// Proves the lake's tables.
pub(super) async fn prove(flush: &Flush, progress: &Progress) -> Result<Vec<Proof>, Stop> {
    // Before the lake is looked at, so that a run that goes on is not taken for ahead of it.
    let known = state_of(&flush.common)?.map(|state| state.position);
    let group = take::reading(flush);
    let subject = Subject {
        lake: &flush.lake,
        group: &group,
        pipeline: &flush.common.pipeline,
        hot: &flush.config.source,
        tables: flush.hot.iter().zip(flush.what.iter().map(|what| what.late)).collect(),
        known,
    };
    flushes::prove(&subject, progress).await
}
