//! What a pipeline of flushes counts besides what all pipelines do: rows that come, wait and go,
//! table by table, and how flushes end.
//!
//! Rows are counted once they have landed, or are deleted for good. Times are work: a flush that is
//! void has taken its time too.

mod ended;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use self::ended::{Ended, LateRows, Void, Work};
use super::retry::Count;
use crate::protocol::clock::Clock;
use crate::protocol::names::TableId;

/// Nothing of the kind is known.
const UNKNOWN: u64 = u64::MAX;
/// No table has a watermark so low.
const NO_MARK: i64 = i64::MIN;

/// The numbers of flushes.
pub struct FlushMetrics {
    clock: Arc<dyn Clock>,
    tables: Vec<HotMetrics>,
    landed: AtomicU64,
    void: [AtomicU64; Void::ALL.len()],
    commit: Time,
    /// How long the commit under way has waited for rows to be deleted.
    waited: Time,
    last: Mutex<Option<Ended>>,
    /// When the next flush is due, in milliseconds on the steady clock.
    due_ms: AtomicU64,
    is_deleting: AtomicBool,
    failing: Mutex<Option<FailingFlush>>,
    retries: Count,
}

/// Something that keeps flushes from landing, and is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailingFlush {
    /// What fails: `a flush`.
    pub what: &'static str,
    /// When it failed first since the last success, in milliseconds on the steady clock.
    pub since_ms: u64,
    /// Why it failed last.
    pub cause: String,
}

/// A hot table's numbers.
pub struct HotMetrics {
    name: Box<str>,
    deleted: AtomicU64,
    late: [AtomicU64; LateRows::ALL.len()],
    spent: [Time; Work::ALL.len()],
    watermark: AtomicI64,
    waiting: AtomicU64,
}

/// A sum of durations, in nanoseconds.
#[derive(Default)]
struct Time(AtomicU64);

impl Time {
    fn add(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    fn get(&self) -> Duration {
        Duration::from_nanos(self.0.load(Relaxed))
    }

    fn take(&self) -> Duration {
        Duration::from_nanos(self.0.swap(0, Relaxed))
    }
}

impl FlushMetrics {
    /// Nothing was flushed yet, of these tables.
    pub fn new(clock: Arc<dyn Clock>, tables: &[String]) -> Arc<FlushMetrics> {
        Arc::new(FlushMetrics {
            clock,
            tables: tables.iter().map(|name| HotMetrics::new(name)).collect(),
            landed: AtomicU64::new(0),
            void: Default::default(),
            commit: Time::default(),
            waited: Time::default(),
            last: Mutex::default(),
            due_ms: AtomicU64::new(UNKNOWN),
            is_deleting: AtomicBool::new(false),
            failing: Mutex::default(),
            retries: Count::default(),
        })
    }

    /// Rows of a table came, waited or went: adds to its numbers by `add`.
    fn of(&self, table: TableId, add: impl FnOnce(&HotMetrics)) {
        if let Some(table) = self.tables.get(table.0) {
            add(table);
        }
    }

    /// A step took `time` for a table.
    pub fn spent(&self, table: TableId, work: Work, time: Duration) {
        self.of(table, |table| table.spent[work as usize].add(time));
    }

    /// A commit was made, in the time `took`.
    pub(super) fn committed(&self, took: Duration) {
        self.commit.add(took.saturating_sub(self.waited.take()));
    }

    /// A commit will not be made.
    pub(super) fn commit_void(&self) {
        self.waited.take();
    }

    /// A commit has waited for `time` until its rows were deleted.
    pub(crate) fn commit_waited(&self, time: Duration) {
        self.waited.add(time);
    }

    /// Whether rows are being deleted.
    pub(crate) fn deletes(&self, is_deleting: bool) {
        self.is_deleting.store(is_deleting, Relaxed);
    }

    /// Late rows of a table have come to this end.
    pub fn late(&self, table: TableId, what: LateRows, rows: u64) {
        self.of(table, |table| _ = table.late[what as usize].fetch_add(rows, Relaxed));
    }

    /// Rows of a table were deleted from PostgreSQL, for good.
    pub fn deleted(&self, table: TableId, rows: u64) {
        self.of(table, |table| _ = table.deleted.fetch_add(rows, Relaxed));
    }

    /// A table was flushed up to here.
    pub(crate) fn flushed_to(&self, name: &str, mark: i64) {
        let table = self.tables.iter().find(|table| *table.name == *name);
        table.into_iter().for_each(|table| table.watermark.store(mark, Relaxed));
    }

    /// So many rows are hot, in each table.
    pub(crate) fn waiting(&self, rows: impl IntoIterator<Item = u64>) {
        self.tables.iter().zip(rows).for_each(|(table, rows)| table.waiting.store(rows, Relaxed));
    }

    /// A flush that took so long has landed with `rows` rows.
    pub(crate) fn landed(&self, rows: u64, took: Duration) {
        self.landed.fetch_add(1, Relaxed);
        let at_ms = self.clock.now_ms();
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Ended { at_ms, rows, took });
    }

    /// Nothing of a flush has landed, or it could not begin.
    pub(crate) fn void(&self, why: Void) {
        self.void[why as usize].fetch_add(1, Relaxed);
    }

    /// A flush or `what` else could not be made, and is tried again.
    pub(crate) fn failed(&self, what: &'static str, cause: String) {
        self.retries.failed(cause.clone());
        let mut failing = self.failing();
        let since_ms = failing.as_ref().map_or_else(|| self.clock.steady_ms(), |failing| failing.since_ms);
        *failing = Some(FailingFlush { what, since_ms, cause });
    }

    /// What was tried has succeeded.
    pub(crate) fn succeeded(&self) {
        *self.failing() = None;
    }

    /// The next flush is due after so long; `None`: it is under way, or there is none.
    pub(crate) fn due_in(&self, time: Option<Duration>) {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(UNKNOWN);
        let due_ms = time.map_or(UNKNOWN, |time| self.clock.steady_ms().saturating_add(ms(time)));
        self.due_ms.store(due_ms, Relaxed);
    }

    /// The tables, in their order.
    pub fn tables(&self) -> &[HotMetrics] {
        &self.tables
    }

    /// How many flushes this run has landed.
    pub fn flushes(&self) -> u64 {
        self.landed.load(Relaxed)
    }

    /// How many flushes were made again, or could not begin, because of this.
    pub fn void_because(&self, why: Void) -> u64 {
        self.void[why as usize].load(Relaxed)
    }

    /// How long commits took, without the time in which they waited for rows to be deleted.
    pub fn commit_time(&self) -> Duration {
        self.commit.get()
    }

    /// The last flush that this run has landed.
    pub fn last(&self) -> Option<Ended> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After how long the next flush is due; none while one is under way, or if none will come.
    pub fn next_in(&self) -> Option<Duration> {
        let due_ms = Some(self.due_ms.load(Relaxed)).filter(|due_ms| *due_ms != UNKNOWN)?;
        Some(Duration::from_millis(due_ms.saturating_sub(self.clock.steady_ms())))
    }

    /// Rows that are hot in all tables; none if nobody has looked.
    pub fn waits(&self) -> Option<u64> {
        self.tables.iter().map(HotMetrics::waiting).sum()
    }

    /// Whether rows are being deleted from PostgreSQL at this moment.
    pub fn is_deleting(&self) -> bool {
        self.is_deleting.load(Relaxed)
    }

    /// What keeps flushes from landing, if something does.
    pub fn is_failing(&self) -> Option<FailingFlush> {
        self.failing().clone()
    }

    /// Counts what was tried again.
    pub fn retries(&self) -> Count {
        self.retries.clone()
    }

    fn failing(&self) -> MutexGuard<'_, Option<FailingFlush>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HotMetrics {
    fn new(name: &str) -> HotMetrics {
        HotMetrics {
            name: name.into(),
            deleted: AtomicU64::new(0),
            late: Default::default(),
            spent: Default::default(),
            watermark: AtomicI64::new(NO_MARK),
            waiting: AtomicU64::new(UNKNOWN),
        }
    }

    /// The table's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Rows that this run has deleted from PostgreSQL, late ones that the lake had included.
    pub fn deleted(&self) -> u64 {
        self.deleted.load(Relaxed)
    }

    /// Rows at or below the watermark that came to this end.
    pub fn late(&self, what: LateRows) -> u64 {
        self.late[what as usize].load(Relaxed)
    }

    /// How long a step has worked for the table, over all connections and workers.
    pub fn spent(&self, work: Work) -> Duration {
        self.spent[work as usize].get()
    }

    /// Up to where it was flushed; none before its first flush.
    pub fn watermark(&self) -> Option<i64> {
        Some(self.watermark.load(Relaxed)).filter(|mark| *mark != NO_MARK)
    }

    /// Rows that are hot, as PostgreSQL's statistics have it; none if nobody has looked.
    pub fn waiting(&self) -> Option<u64> {
        Some(self.waiting.load(Relaxed)).filter(|rows| *rows != UNKNOWN)
    }
}

#[cfg(test)]
mod tests;
