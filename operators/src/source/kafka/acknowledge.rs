//! Shows people's tools how far we are: the offsets of a consumer group. They decide nothing, and
//! nobody reads them back: a group that is reset, deleted or moved by somebody changes no row.
//!
//! So nothing waits for them for long: a commit goes on in the background, and the newest offsets
//! wait for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::kind::{Offsets, Standing, Topics, place_of};
use crate::acknowledge::Acknowledge;
use crate::error::{StoreError, chain};
use crate::kafka::client::Client;
use crate::protocol::Pending;

/// For how long an acknowledgement waits for its commit, so that a run that ends has shown its end.
const WAIT: Duration = Duration::from_secs(2);

/// Commits offsets to a group.
pub struct GroupOffsets {
    client: Arc<Client>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// What is committed next.
    next: Option<Arc<Offsets>>,
    is_busy: bool,
    /// Whether the last commit has failed, which is reported once.
    is_failing: bool,
}

impl GroupOffsets {
    /// The group that the client's settings name; nothing is committed if they name none.
    pub fn new(client: Arc<Client>) -> GroupOffsets {
        GroupOffsets { client, state: Arc::default() }
    }

    /// Begins to commit these offsets, or leaves them to who commits already. Returns what is worth
    /// waiting for.
    fn begin(&self, offsets: Arc<Offsets>) -> Option<JoinHandle<()>> {
        let mut now = locked(&self.state);
        now.next = Some(offsets);
        if std::mem::replace(&mut now.is_busy, true) {
            return None;
        }
        let (client, state) = (self.client.clone(), self.state.clone());
        let committing = spawn_blocking(move || commit_all(&state, |offsets| commit(&client, offsets)));
        (!now.is_failing).then_some(committing)
    }
}

impl Acknowledge<Topics> for GroupOffsets {
    fn acknowledge<'a>(&'a self, standing: &'a Standing) -> Pending<'a, Result<(), StoreError>> {
        Box::pin(async move {
            if let Some(committing) = self.begin(standing.offsets.clone()) {
                // What becomes of it is reported by itself.
                let _ = timeout(WAIT, committing).await;
            }
            Ok(())
        })
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Commits the newest offsets until there are none newer.
fn commit_all(state: &Mutex<State>, commit: impl Fn(&Offsets) -> Result<(), StoreError>) {
    loop {
        let next = {
            let mut now = locked(state);
            now.is_busy = now.next.is_some();
            now.next.take()
        };
        let Some(offsets) = next else { return };
        let failure = commit(&offsets).err();
        let was_failing = std::mem::replace(&mut locked(state).is_failing, failure.is_some());
        if let Some(error) = failure.filter(|_| !was_failing) {
            tracing::warn!(error = %chain(&error), "the group's offsets stand still: they are shown to people only, and the lake's are right");
        }
    }
}

fn commit(client: &Client, offsets: &Offsets) -> Result<(), StoreError> {
    // Generations of one name are in order, so that the newest is the last.
    let places = offsets.partitions.iter().filter_map(|(id, mark)| Some((place_of(id)?, mark.next)));
    let newest: BTreeMap<_, _> = places.collect();
    client.commit(&newest.into_iter().collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::settings::Settings;
    use crate::position::Position;
    use crate::protocol::last_rows::LastRows;
    use crate::protocol::offsets::PartitionId;
    use crate::run::clock::Stopwatch;
    use crate::source::kafka::kind::{Mark, summed};

    #[test]
    fn a_group_that_nobody_serves_holds_nothing_up() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let settings = Settings { group: Some("shown".to_owned()), ..Settings::new("127.0.0.1:1") };
        let group = GroupOffsets::new(Arc::new(Client::open(&settings, runtime.handle()).expect("a client")));
        let mark = Mark { next: 7, begin: 0, topic_id: String::new() };
        let standing = Standing {
            offsets: Arc::new(summed([(PartitionId::first("t/0"), mark)].into())),
            settings: Arc::default(),
            since: Position(0),
            last_rows: LastRows::default(),
        };
        let watch = Stopwatch::start();
        (0..20).for_each(|_| runtime.block_on(group.acknowledge(&standing)).expect("it is acknowledged"));
        assert!(watch.elapsed() < 3 * WAIT, "{:?}", watch.elapsed());
        runtime.shutdown_background();
    }

    #[test]
    fn the_newest_offsets_are_committed_and_those_in_between_need_not_be() {
        let state = Mutex::new(State { next: Some(Arc::default()), is_busy: true, is_failing: false });
        let commits = Mutex::new(0);
        commit_all(&state, |_| {
            let mut commits = commits.lock().expect("no panic");
            *commits += 1;
            // More come while the first is under way.
            for _ in 0..3 * u32::from(*commits == 1) {
                locked(&state).next = Some(Arc::default());
            }
            Err(StoreError::transient("commit", "no coordinator"))
        });
        let state = locked(&state);
        assert_eq!((*commits.lock().expect("no panic"), state.is_busy, state.is_failing), (2, false, true));
    }
}
