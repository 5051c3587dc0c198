//! What is done to the lake beside flushes, and when.

use std::sync::Arc;

use lakefront_operators::acknowledge::Acknowledge;
use lakefront_operators::error::StoreError;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::standing::Standing;
use lakefront_operators::run::bridge::Bridge;
use lakefront_operators::run::fatal::StopRequest;
use lakefront_operators::sink::ducklake::{Maintenance, MaintenanceSettings};
use lakefront_operators::source::postgres::{Buffer, Flushes};

use super::Flush;

/// Hot tables, and a lake that is maintained after some of their flushes.
pub(super) struct Maintained {
    pub(super) buffer: Arc<Buffer>,
    pub(super) maintenance: Arc<Maintenance>,
}

impl Acknowledge<Flushes> for Maintained {
    fn acknowledge<'a>(&'a self, standing: &'a Standing<Flushes>) -> Pending<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.buffer.acknowledge(standing).await?;
            self.maintenance.landed(standing.position().0);
            Ok(())
        })
    }
}

/// Maintenance by a run that goes on after flush `at`. It is abandoned once the run is told to
/// stop.
pub(super) fn begin(flush: &Flush, at: Position, bridge: &Bridge, stop: &StopRequest) -> Arc<Maintenance> {
    let keys = flush.config.maintenance;
    let settings = MaintenanceSettings {
        pipeline: flush.common.pipeline.clone(),
        tables: flush.names.clone(),
        merge_every: keys.merge_every,
        expire_older_than: keys.expire_older_than,
        keep_files: keys.keep_files,
    };
    let (maintenance, maintainer) = Maintenance::new(flush.lake.clone(), settings, at.0, flush.clock.clone());
    let stop = stop.clone();
    bridge.detach(async move {
        tokio::select! {
            () = stop.requested() => {}
            () = maintainer.run() => {}
        }
    });
    Arc::new(maintenance)
}
