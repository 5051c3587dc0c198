//! Flushes, one at a time: what the owner of a snapshot sees, and how it ends.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, Notify, OnceCell, Semaphore};
use tokio_postgres::Client;

use super::delete::Deleted;
use super::discover::HotTable;
use super::kind::Flushes;
use super::late::Marks;
use super::settings::BufferSettings;
use super::slices::Slice;
use super::target::Target;
use super::types::Plan;
use crate::error::StoreError;
use crate::postgres;
use crate::protocol::offsets::Offsets;

/// How the last flush ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Last {
    /// There was none yet.
    None,
    /// Its rows are in the lake, and gone from PostgreSQL. Whether more waited when it began.
    Landed {
        /// Whether more waited.
        more: bool,
    },
    /// Nothing of it is in the lake, and it is made again.
    Void(String),
}

/// Hot tables, and the flush that is under way.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
///
/// use lakefront_operators::postgres::Location;
/// use lakefront_operators::protocol::offsets::Offsets;
/// use lakefront_operators::sink::ducklake::{Lake, LakeSpec, Tables, Transactions};
/// use lakefront_operators::sink::files::Place;
/// use lakefront_operators::source::postgres::{
///     Buffer, BufferSettings, BufferTable, LakeTarget, Late,
/// };
///
/// let location = Location::parse("postgresql://flusher@127.0.0.1/hot")?;
/// let lake = Lake::new(LakeSpec {
///     catalog: location.clone(),
///     metadata_schema: "bronze_meta".to_owned(),
///     schema: "bronze".to_owned(),
///     data: Place::Disk("/data/lake".into()),
///     data_path: "/data/lake/".to_owned(),
///     create: true,
/// });
/// let target = LakeTarget { lake, tables: Arc::new(Tables::default()), partition_by: Vec::new() };
/// let table = |name: &str, late| BufferTable {
///     name: name.to_owned(),
///     sequence: "sequence".to_owned(),
///     late,
/// };
/// let settings = BufferSettings {
///     location,
///     schema: "public".to_owned(),
///     watermark: ("ledgers".to_owned(), "sequence".to_owned()),
///     tables: vec![table("ledgers", Late::Skip), table("notes", Late::Append)],
///     connections: 4,
///     max_rows: 5_000_000,
///     vacuum_every: 10,
/// };
/// let buffer = Buffer::new(settings, Arc::new(target));
/// // The lake has nothing of these tables yet.
/// buffer.goes_on(&Offsets::default());
/// // Rows that could not be deleted are looked for anew.
/// assert!(buffer.hands_out_again());
/// # Ok(())
/// # }
/// ```
pub struct Buffer {
    pub(super) settings: BufferSettings,
    target: Arc<dyn Target>,
    state: Mutex<State>,
    changed: Notify,
    /// Connections without a transaction.
    idle: AsyncMutex<Vec<Client>>,
    /// Those that copy at the moment.
    pub(super) copying: Semaphore,
}

pub(super) struct State {
    pub(super) flush: Option<Arc<Flush>>,
    last: Last,
    pub(super) marks: Marks,
}

/// A flush that is under way.
pub struct Flush {
    /// Its number, which is the position once it has landed.
    pub(super) number: u64,
    /// The highest sequence that it takes.
    pub(super) bound: i64,
    /// Whether rows above it wait.
    pub(super) more: bool,
    /// The name under which other connections see what its owner sees.
    pub(super) snapshot: String,
    /// The connection whose transaction has the snapshot.
    pub(super) owner: Arc<Client>,
    /// All tables, with how they are copied.
    pub(super) tables: Vec<(HotTable, Plan)>,
    /// What there is to copy.
    pub(super) slices: Vec<Slice>,
    /// Connections that see the snapshot and are not in use.
    pub(super) readers: AsyncMutex<Vec<Client>>,
    pub(super) progress: Mutex<Progress>,
    /// How many slices are still to be copied.
    pub(super) left: AtomicUsize,
    pub(super) has_rows: AtomicBool,
    /// Why it cannot land.
    pub(super) lost: Mutex<Option<String>>,
    /// What has become of the rows that were copied.
    pub(super) deleted: OnceCell<Deleted>,
}

/// How far the end of a flush is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Its rows are copied.
    Copying,
    /// They are deleted, in a transaction that is open.
    Deleted,
    /// That transaction may have committed.
    Committing,
    /// They could not be deleted.
    Lost,
}

impl Buffer {
    /// The hot tables of `settings`, whose rows go to `target`. Nothing is connected to yet.
    pub fn new(settings: BufferSettings, target: Arc<dyn Target>) -> Arc<Buffer> {
        let copying = Semaphore::new(settings.connections);
        let state = Mutex::new(State { flush: None, last: Last::None, marks: Marks::new() });
        Arc::new(Buffer { settings, target, state, changed: Notify::new(), idle: AsyncMutex::default(), copying })
    }

    /// Goes on after the flushes in `offsets`, which a lake has.
    pub fn goes_on(&self, offsets: &Offsets<Flushes>) {
        let marks = offsets.partitions.iter().map(|(id, at)| (id.name.clone(), at.watermark));
        self.state().marks = marks.collect();
    }

    /// Where rows go.
    pub(super) fn target(&self) -> &dyn Target {
        &*self.target
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The flush under way, if it has this number and may still land.
    pub(super) fn flush(&self, number: u64) -> Option<Arc<Flush>> {
        self.state().flush.clone().filter(|flush| flush.number == number)
    }

    /// The flush of this number has ended like this. Only the first of two endings counts.
    pub(super) fn end(&self, number: u64, how: impl FnOnce(&Flush) -> Last) -> bool {
        let mut state = self.state();
        let Some(flush) = state.flush.take_if(|flush| flush.number == number) else { return false };
        state.last = how(&flush);
        if let Last::Landed { .. } = state.last {
            for (table, _) in &flush.tables {
                let mark = state.marks.entry(table.name.clone()).or_insert(flush.bound);
                *mark = flush.bound.max(*mark);
            }
        }
        drop(state);
        self.changed.notify_waiters();
        true
    }

    /// Nothing of the flush has landed or will: it is made again.
    pub(super) fn void(&self, number: u64, why: &str) {
        if self.end(number, |_| Last::Void(why.to_owned())) {
            tracing::warn!(flush = number, why, "a flush could not be finished, and is made again");
        }
    }

    /// A slice of the flush was copied, or will not be, for the reason that is given. Once that is
    /// said of the last one, its rows are deleted while they are still being staged; or, if one was
    /// not copied, the flush is void: what was staged of it finds that at its commit.
    pub(super) fn copied(self: &Arc<Self>, flush: &Arc<Flush>, has_rows: bool, lost: Option<&str>) {
        if has_rows {
            flush.has_rows.store(true, Ordering::Release);
        }
        if let Some(why) = lost {
            flush.lost.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| why.to_owned());
            flush.goes_to(Progress::Lost);
        }
        if flush.left.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        let lost = flush.lost.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match lost {
            Some(why) => self.void(flush.number, &why),
            None if !flush.has_rows.load(Ordering::Acquire) => self.void(flush.number, "it has no rows to copy"),
            None => {
                let flush = flush.clone();
                tokio::spawn(async move {
                    flush.delete().await;
                });
            }
        }
    }

    /// Everything up to flush `number` has landed. Returns whether the tables are due for a vacuum.
    pub(super) fn landed(&self, number: u64) -> bool {
        let ended = self.end(number, |flush| Last::Landed { more: flush.more });
        let every = self.settings.vacuum_every;
        ended && every > 0 && number.is_multiple_of(every)
    }

    /// Waits until no flush is under way; how the last one ended.
    pub(super) async fn last(&self) -> Last {
        loop {
            let changed = self.changed.notified();
            {
                let mut state = self.state();
                if state.flush.is_none() {
                    return std::mem::replace(&mut state.last, Last::None);
                }
            }
            changed.await;
        }
    }

    /// A connection without a transaction.
    pub(super) async fn connection(&self) -> Result<Client, StoreError> {
        while let Some(client) = self.idle.lock().await.pop() {
            if !client.is_closed() {
                return Ok(client);
            }
        }
        postgres::connect(&self.settings.location, "lakefront").await
    }

    /// Takes a connection back that has no transaction.
    pub(super) async fn keep(&self, client: Client) {
        self.idle.lock().await.push(client);
    }
}

impl Flush {
    pub(super) fn progress(&self) -> Progress {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn goes_to(&self, progress: Progress) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }
}
