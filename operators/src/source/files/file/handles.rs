//! Recently read files are kept open, so that one that is renamed or deleted before its end was
//! read can be read on.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::Duration;

use crate::run::clock::Stopwatch;

/// Files kept open at most: a process may open 1,024 files on most systems, and tables need some.
pub(super) const MOST: usize = 256;

/// How long a deleted file is kept open after its last read: it takes its space until it is closed.
const DELETED: Duration = Duration::from_secs(300);

/// Open files, by their [`created`](super::created).
#[derive(Default)]
pub(super) struct Handles {
    open: HashMap<String, Handle>,
    /// Counts uses.
    uses: u64,
}

struct Handle {
    file: Arc<File>,
    used: u64,
    since: Stopwatch,
}

impl Handles {
    /// The open file that has this `created`.
    pub(super) fn get(&mut self, created: &str) -> Option<Arc<File>> {
        let handle = self.open.get_mut(created)?;
        self.uses += 1;
        (handle.used, handle.since) = (self.uses, Stopwatch::start());
        Some(handle.file.clone())
    }

    /// The same for a look at its metadata, which does not count as a use.
    pub(super) fn peek(&self, created: &str) -> Option<Arc<File>> {
        self.open.get(created).map(|handle| handle.file.clone())
    }

    /// Keeps `file` open. If there are too many, closes the least recently used one, if possible
    /// one that has a name and so can be opened again.
    pub(super) fn keep(&mut self, created: &str, file: &Arc<File>) {
        if self.open.len() >= MOST {
            let oldest = self.oldest();
            oldest.into_iter().for_each(|oldest| _ = self.open.remove(&oldest));
        }
        self.uses += 1;
        let handle = Handle { file: file.clone(), used: self.uses, since: Stopwatch::start() };
        self.open.insert(created.to_owned(), handle);
    }

    fn oldest(&self) -> Option<String> {
        let by_use = |(_, handle): &(&String, &Handle)| handle.used;
        let oldest = self.open.iter().min_by_key(by_use)?;
        if !is_deleted(&oldest.1.file) {
            return Some(oldest.0.clone());
        }
        // Deleted files must not crowd out those that are still written.
        let named: Vec<_> = self.open.iter().filter(|(_, handle)| !is_deleted(&handle.file)).collect();
        let named = named.into_iter().min_by_key(by_use).filter(|_| self.open.len() > 2 * self.deleted());
        Some(named.unwrap_or(oldest).0.clone())
    }

    fn deleted(&self) -> usize {
        self.open.values().filter(|handle| is_deleted(&handle.file)).count()
    }

    /// Closes deleted files that nobody has read for a while.
    pub(super) fn tidy(&mut self) {
        self.tidy_after(DELETED);
    }

    fn tidy_after(&mut self, most: Duration) {
        self.open.retain(|_, handle| handle.since.elapsed() < most || !is_deleted(&handle.file));
    }
}

fn is_deleted(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
}

#[cfg(test)]
mod tests;
