//! Tables whose events cannot become rows any more until somebody decides, while others go on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// A table that stands still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoppedTable {
    /// Its role.
    pub role: String,
    /// Why, and what to do.
    pub reason: String,
    /// Since when, in milliseconds since the run began.
    pub since_ms: u64,
}

/// The tables that stand still.
#[derive(Debug, Default)]
pub(super) struct Stopped {
    /// By role.
    tables: Mutex<BTreeMap<String, Entry>>,
    /// Whether there are any.
    is_any: AtomicBool,
}

#[derive(Debug)]
struct Entry {
    reason: String,
    since_ms: u64,
    /// Whether the table's topic is not read further by this run.
    is_held: bool,
}

impl Stopped {
    /// The topic of the table of `role` is not read further by this run.
    pub(super) fn holds(&self, role: &str, reason: &str, now_ms: u64) {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_any.store(true, Relaxed);
        let entry = Entry { reason: reason.to_owned(), since_ms: now_ms, is_held: true };
        tables.entry(role.to_owned()).or_insert(entry);
    }

    /// An event of the table of `role` could not become a row for a reason that others share.
    /// Returns whether that is news.
    pub(super) fn stops(&self, role: &str, reason: &str, now_ms: u64) -> bool {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_any.store(true, Relaxed);
        match tables.get_mut(role) {
            Some(known) => {
                let is_news = known.reason != reason;
                reason.clone_into(&mut known.reason);
                is_news
            }
            None => {
                let entry = Entry { reason: reason.to_owned(), since_ms: now_ms, is_held: false };
                tables.insert(role.to_owned(), entry);
                true
            }
        }
    }

    /// An event of the table of `role` became a row: one of another partition, if it is held.
    pub(super) fn goes_on(&self, role: &str) -> bool {
        if !self.is_any.load(Relaxed) {
            return false;
        }
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if tables.get(role).is_none_or(|entry| entry.is_held) {
            return false;
        }
        let did_stop = tables.remove(role).is_some();
        self.is_any.store(!tables.is_empty(), Relaxed);
        did_stop
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<StoppedTable> {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let stopped = |(role, entry): (&String, &Entry)| StoppedTable {
            role: role.clone(),
            reason: entry.reason.clone(),
            since_ms: entry.since_ms,
        };
        tables.iter().map(stopped).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_stops_once_for_each_reason_until_it_goes_on() {
        let stopped = Stopped::default();
        assert!(!stopped.goes_on("public.a"));
        assert!(stopped.stops("public.a", "type", 5));
        assert!(!stopped.stops("public.a", "type", 6));
        assert!(stopped.stops("public.a", "key", 7));
        let expected = StoppedTable { role: "public.a".to_owned(), reason: "key".to_owned(), since_ms: 5 };
        assert_eq!(stopped.all(), [expected]);
        assert!(stopped.goes_on("public.a") && !stopped.goes_on("public.a"));
        assert!(stopped.all().is_empty());
    }

    #[test]
    fn a_table_that_is_held_stays_so_whatever_comes_of_other_partitions() {
        let stopped = Stopped::default();
        stopped.holds("public.a", "type", 1);
        assert!(!stopped.goes_on("public.a"));
        assert_eq!(stopped.all().len(), 1);
    }
}
