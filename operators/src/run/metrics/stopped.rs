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
    tables: Mutex<BTreeMap<String, (String, u64)>>,
    /// Whether there are any.
    is_any: AtomicBool,
}

impl Stopped {
    /// An event of the table of `role` could not become a row for a reason that others share.
    /// Returns whether that is news.
    pub(super) fn stops(&self, role: &str, reason: &str, now_ms: u64) -> bool {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_any.store(true, Relaxed);
        match tables.get_mut(role) {
            Some((known, _)) => {
                let is_news = known != reason;
                reason.clone_into(known);
                is_news
            }
            None => {
                tables.insert(role.to_owned(), (reason.to_owned(), now_ms));
                true
            }
        }
    }

    /// An event of the table of `role` became a row.
    pub(super) fn goes_on(&self, role: &str) -> bool {
        if !self.is_any.load(Relaxed) {
            return false;
        }
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let did_stop = tables.remove(role).is_some();
        self.is_any.store(!tables.is_empty(), Relaxed);
        did_stop
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<StoppedTable> {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let stopped = |(role, (reason, since_ms)): (&String, &(String, u64))| StoppedTable {
            role: role.clone(),
            reason: reason.clone(),
            since_ms: *since_ms,
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
}
