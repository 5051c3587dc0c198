//! Flushes, one at a time: what the owner of a snapshot sees, and how it ends.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, Notify, OnceCell, Semaphore};
use tokio_postgres::Client;

use super::blocks::Blocks;
use super::counts::Counts;
use super::delete::Deleted;
use super::deletion::{Deletion, Window};
use super::discover::HotTable;
use super::kind::{Flushes, Watermark};
use super::lacking::Listed;
use super::late::Marks;
use super::reach::Reach;
use super::seen::{Seen, Witness};
use super::settings::BufferSettings;
use super::settle::Unsettled;
use super::slices::Slice;
use super::target::Target;
use super::types::Plan;
use crate::error::StoreError;
use crate::postgres::{self, CopySession, Pool};
use crate::protocol::offsets::Offsets;
use crate::run::metrics::FlushMetrics;
use crate::run::metrics::flushes::Void;
use crate::sink::ducklake::Replaced;

/// How the last flush ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Last {
    /// There was none yet.
    None,
    /// Its rows are in the lake, and gone from PostgreSQL.
    Landed {
        /// Whether there is more to do: rows that waited when it began, or that could not be
        /// deleted.
        more: bool,
    },
    /// Nothing of it is in the lake, and it is made again.
    Void(String),
}

/// Hot tables, and the flush that is under way.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::collections::BTreeMap;
/// use std::sync::Arc;
///
/// use lakefront_operators::postgres::{Location, Pool};
/// use lakefront_operators::protocol::offsets::Offsets;
/// use lakefront_operators::run::clock::SystemClock;
/// use lakefront_operators::run::metrics::FlushMetrics;
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
/// let target = LakeTarget {
///     lake,
///     tables: Arc::new(Tables::default()),
///     partition_by: Vec::new(),
///     partitions: BTreeMap::new(),
/// };
/// let table = |name: &str, late| BufferTable {
///     name: name.to_owned(),
///     sequence: "sequence".to_owned(),
///     late,
///     retain: false,
/// };
/// let settings = BufferSettings {
///     sessions: Pool::new(location, "lakefront"),
///     schema: "public".to_owned(),
///     watermark: ("ledgers".to_owned(), "sequence".to_owned()),
///     tables: vec![table("ledgers", Late::Skip), table("notes", Late::Append)],
///     connections: 4,
///     max_rows: 5_000_000,
///     gate: None,
///     vacuum_every: 10,
/// };
/// let names = ["ledgers".to_owned(), "notes".to_owned()];
/// let metrics = FlushMetrics::new(Arc::new(SystemClock), &names);
/// let buffer = Buffer::new(settings, Arc::new(target), metrics);
/// // The lake has nothing of these tables yet.
/// buffer.goes_on(&Offsets::default());
/// // Rows that could not be deleted are looked for anew.
/// assert!(buffer.hands_out_again());
/// # Ok(())
/// # }
/// ```
pub struct Buffer {
    pub(super) settings: BufferSettings,
    pub(super) metrics: Arc<FlushMetrics>,
    target: Arc<dyn Target>,
    state: Mutex<State>,
    changed: Notify,
    /// Sessions that copy, without a transaction.
    readers: AsyncMutex<Vec<CopySession>>,
    /// Memory for slices.
    pub(super) blocks: Arc<Blocks>,
    /// Those that copy at the moment.
    pub(super) copying: Semaphore,
    /// Knows whether the server has lived since the last flush.
    pub(super) witness: AsyncMutex<Option<Witness>>,
    /// Whether enough flushes have landed since the last vacuum.
    vacuum_is_due: AtomicBool,
    /// Whether the lake is in another database.
    pub(super) is_apart: AtomicBool,
}

pub(super) struct State {
    pub(super) flush: Option<Arc<Flush>>,
    last: Last,
    pub(super) marks: Marks,
    /// The watermark that the last flush has seen, if it did not go so far.
    pub(super) reached: Option<i64>,
    /// A flush that could not be finished, whose DELETE may be under way.
    ending: Option<Arc<Flush>>,
    /// What the lake is known to have of what is hot.
    pub(super) seen: Option<Arc<Seen>>,
    /// The last flush that has landed, until it is known that its rows are gone.
    pub(super) unsettled: Option<Unsettled>,
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
    /// Other sessions there.
    pub(super) sessions: Arc<Pool>,
    /// All tables, with how they are copied.
    pub(super) tables: Vec<(HotTable, Plan)>,
    /// How far it reaches into each of them.
    pub(super) reaches: Vec<Reach>,
    /// The rows that are copied by their place.
    pub(super) listed: Listed,
    /// What the lake is known to have once it has landed.
    pub(super) seen: Option<Arc<Seen>>,
    /// The rows of the lake that it replaces.
    pub(super) replaced: Arc<Replaced>,
    /// Up to where tables were flushed when it began.
    pub(super) landed: Marks,
    /// What there is to copy.
    pub(super) slices: Vec<Slice>,
    /// Connections that see the snapshot and are not in use.
    pub(super) readers: AsyncMutex<Vec<CopySession>>,
    pub(super) progress: Mutex<Progress>,
    /// How many slices are still to be copied.
    pub(super) left: AtomicUsize,
    pub(super) has_rows: AtomicBool,
    /// Why it cannot land.
    pub(super) lost: Mutex<Option<(Void, String)>>,
    pub(super) counts: Counts,
    /// What has become of the rows that were copied.
    pub(super) deleted: OnceCell<Deleted>,
    /// What its snapshot may have seen, if the lake is in another database.
    pub(super) window: Option<Window>,
    /// The numbers of the leaves of each table, as relations.
    pub(super) relations: Vec<Vec<u32>>,
    /// What the lake notes of its deletion.
    pub(super) deletion: OnceCell<Option<Deletion>>,
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
    /// The hot tables of `settings`, whose rows go to `target`. Nothing is connected to yet. What
    /// is done is counted in `metrics`.
    pub fn new(settings: BufferSettings, target: Arc<dyn Target>, metrics: Arc<FlushMetrics>) -> Arc<Buffer> {
        let copying = Semaphore::new(settings.connections);
        let state = Mutex::new(State {
            flush: None,
            last: Last::None,
            marks: Marks::new(),
            reached: None,
            ending: None,
            seen: None,
            unsettled: None,
        });
        Arc::new(Buffer {
            settings,
            metrics,
            target,
            state,
            changed: Notify::new(),
            readers: AsyncMutex::default(),
            blocks: Arc::default(),
            copying,
            witness: AsyncMutex::default(),
            vacuum_is_due: AtomicBool::new(false),
            is_apart: AtomicBool::new(false),
        })
    }

    /// Goes on after the flushes in `offsets`, which a lake has.
    pub fn goes_on(&self, offsets: &Offsets<Flushes>) {
        let marks = offsets.partitions.iter().map(|(id, at)| (id.name.clone(), at.watermark));
        let marks: Marks = marks.collect();
        marks.iter().for_each(|(table, mark)| self.metrics.flushed_to(table, *mark));
        self.state().marks = marks;
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
            for (table, end) in flush.ends() {
                let mark = state.marks.entry(table.to_owned()).or_insert(end.watermark);
                *mark = end.watermark.max(*mark);
                self.metrics.flushed_to(table, *mark);
            }
            if let Some(seen) = &flush.seen {
                state.seen = Some(seen.clone());
            }
        }
        drop(state);
        self.changed.notify_waiters();
        true
    }

    /// Nothing of the flush has landed or will: it is made again.
    pub(super) fn void(&self, number: u64, (class, why): (Void, &str)) {
        // Its DELETE has the locks that the next one needs.
        let deleting = self.flush(number).filter(|flush| flush.deleted.get().is_none());
        if deleting.is_some() {
            self.state().ending.clone_from(&deleting);
        }
        if !self.end(number, |_| Last::Void(why.to_owned())) {
            return;
        }
        self.metrics.void(class);
        tracing::warn!(flush = number, why, "a flush could not be finished, and is made again");
        if let Some(flush) = deleting {
            let location = self.sessions().location().clone();
            tokio::spawn(async move { postgres::cancel(&location, &flush.owner).await });
        }
    }

    /// Waits until the DELETE of a flush that could not be finished has ended.
    pub(super) async fn let_go(&self) {
        let ending = self.state().ending.take();
        if let Some(flush) = ending {
            flush.delete().await;
        }
    }

    /// A slice of the flush was copied, or will not be, for the reason that is given. Once that is
    /// said of the last one, and one was not copied, the flush is void: what was staged of it finds
    /// that at its commit.
    pub(super) fn copied(self: &Arc<Self>, flush: &Arc<Flush>, has_rows: bool, lost: Option<&str>) {
        if has_rows {
            flush.has_rows.store(true, Ordering::Release);
        }
        if let Some(why) = lost {
            flush.is_lost(Void::NotCopied, why);
            flush.goes_to(Progress::Lost);
        }
        if flush.left.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        match flush.lost() {
            Some((class, why)) => self.void(flush.number, (class, &why)),
            None if !flush.has_rows.load(Ordering::Acquire) => {
                self.void(flush.number, (Void::Empty, "it has no rows to copy"));
            }
            None => {}
        }
    }

    /// Everything up to flush `number` has landed, and its rows are gone as far as `is_gone` says:
    /// else the next one sees to that. Returns whether it was under way.
    pub(super) fn landed(&self, number: u64, is_gone: bool) -> bool {
        let every = self.settings.vacuum_every;
        self.end(number, |flush| {
            if every > 0 && number.is_multiple_of(every) {
                self.vacuum_is_due.store(true, Ordering::Release);
            }
            Last::Landed { more: flush.more || !is_gone }
        })
    }

    /// Whether the tables are due for a vacuum; only the first to ask is told so.
    pub(super) fn vacuum_is_due(&self) -> bool {
        self.vacuum_is_due.swap(false, Ordering::AcqRel)
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

    /// Sessions that do not copy.
    pub(super) fn sessions(&self) -> &Pool {
        &self.settings.sessions
    }

    /// Begins to connect the sessions that copy, which the first flush then need not wait for. One
    /// that fails is met there.
    pub fn connect_ahead(self: &Arc<Self>) {
        for _ in 0..self.settings.connections {
            let buffer = self.clone();
            tokio::spawn(async move {
                if let Ok(session) = postgres::connect_to_copy(buffer.sessions().location(), "lakefront").await {
                    buffer.readers.lock().await.push(session);
                }
            });
        }
    }

    /// A session that copies, without a transaction.
    pub(super) async fn copy_session(&self) -> Result<CopySession, StoreError> {
        while let Some(session) = self.readers.lock().await.pop() {
            if !session.is_closed() {
                return Ok(session);
            }
        }
        postgres::connect_to_copy(self.sessions().location(), "lakefront").await
    }

    /// Keeps the sessions that copied for a flush that has ended, and gives the memory of its
    /// slices back.
    pub(super) async fn recycle(&self, flush: &Flush) {
        let readers = std::mem::take(&mut *flush.readers.lock().await);
        // An old snapshot would keep others from cleaning up.
        let ended = readers.into_iter().map(|reader| async {
            let is_kept = reader.batch_execute("ROLLBACK").await.is_ok();
            is_kept.then_some(reader)
        });
        let kept = futures::future::join_all(ended).await;
        self.readers.lock().await.extend(kept.into_iter().flatten());
        self.blocks.clear();
    }
}

impl Flush {
    /// Up to which sequence it takes each table; those of which it takes nothing are left out.
    pub(super) fn ends(&self) -> impl Iterator<Item = (&str, Watermark)> {
        let tables = self.tables.iter().zip(&self.reaches);
        let end = |reach: &Reach| Some(Watermark { watermark: reach.end(self.bound)?, keeps: reach.keeps(self.bound) });
        tables.filter_map(move |((table, _), reach)| Some((&*table.name, end(reach)?)))
    }

    pub(super) fn progress(&self) -> Progress {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It cannot land, for this reason. Only the first counts.
    pub(super) fn is_lost(&self, class: Void, why: &str) {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| (class, why.to_owned()));
    }

    /// Why it cannot land, if that is known.
    pub(super) fn lost(&self) -> Option<(Void, String)> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn goes_to(&self, progress: Progress) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }
}
