//! Shows people's tools how far we are: the offsets of a consumer group. They decide nothing, and
//! nobody reads them back: a group that is reset, deleted or moved by somebody changes no row.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tokio::task::spawn_blocking;

use super::kind::{Standing, Topics, place_of};
use crate::acknowledge::Acknowledge;
use crate::error::{StoreError, chain};
use crate::kafka::client::Client;
use crate::protocol::Pending;

/// Commits offsets to a group.
pub struct GroupOffsets {
    client: Arc<Client>,
    /// Whether the last commit has failed, which is reported once.
    is_failing: AtomicBool,
}

impl GroupOffsets {
    /// The group that the client's settings name; nothing is committed if they name none.
    pub fn new(client: Arc<Client>) -> GroupOffsets {
        GroupOffsets { client, is_failing: AtomicBool::new(false) }
    }
}

impl Acknowledge<Topics> for GroupOffsets {
    fn acknowledge<'a>(&'a self, standing: &'a Standing) -> Pending<'a, Result<(), StoreError>> {
        let (client, offsets) = (self.client.clone(), standing.offsets.clone());
        Box::pin(async move {
            let committed = spawn_blocking(move || {
                // Generations of one name are in order, so that the newest is the last.
                let places = offsets.partitions.iter().filter_map(|(id, mark)| Some((place_of(id)?, mark.next)));
                let newest: std::collections::BTreeMap<_, _> = places.collect();
                client.commit(&newest.into_iter().collect::<Vec<_>>())
            });
            match committed.await {
                Ok(Err(error)) => {
                    if !self.is_failing.swap(true, Relaxed) {
                        tracing::warn!(error = %chain(&error), "the group's offsets stand still: they are shown to people only, and the lake's are right");
                    }
                }
                _ => self.is_failing.store(false, Relaxed),
            }
            Ok(())
        })
    }
}
