//! A look through the source's folders: which files exist, and what is passed over.

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;

use super::folders::Entry;
use super::stat::Stat;
use super::{Inner, Judged};
use crate::source::files::{Listed, PassedOver, Why};

/// What a look has found.
#[derive(Default)]
pub(super) struct Walk {
    pub(super) files: Vec<Listed>,
    pub(super) passed_over: Vec<PassedOver>,
}

impl Walk {
    fn pass_over(&mut self, name: &Path, why: Why) {
        self.passed_over.push(PassedOver { name: name.to_string_lossy().into_owned(), why });
    }
}

impl Inner {
    /// All files of the source. What cannot be read is passed over, except the root: all its files
    /// would seem to be gone.
    pub(super) fn walk(&self) -> io::Result<Walk> {
        let mut walk = Walk::default();
        if let Some(name) = self.select.single() {
            // If the file does not exist yet, the source is empty.
            match Stat::of(&self.root.join(name), None) {
                Ok(stat) => walk.files.push(stat.listed(name.to_owned())),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            return Ok(walk);
        }
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        let mut is_blind = false;
        let root = folders.read(&self.root)?;
        // A folder may go away while we look; the root may not.
        let mut waiting = vec![root.ok_or_else(|| io::Error::new(ErrorKind::NotFound, "the folder is gone"))?];
        while let Some(entries) = waiting.pop() {
            for entry in &entries.files {
                self.see(entry, entries.open.as_ref(), &mut walk);
            }
            for folder in &entries.folders {
                let name = folder.strip_prefix(&self.root).unwrap_or(folder);
                match self.select.folder(name) {
                    Judged::Wanted => match folders.read(folder) {
                        Ok(entries) => waiting.extend(entries),
                        Err(error) => {
                            is_blind = true;
                            walk.pass_over(name, Why::Unreadable(error.to_string()));
                        }
                    },
                    Judged::Temporary => walk.pass_over(name, Why::Temporary),
                    Judged::Other => {}
                }
            }
        }
        folders.end_look();
        self.is_blind.store(is_blind, Relaxed);
        // Sorted, so that decisions made file by file are the same each time.
        walk.files.sort_by(|a, b| a.name.cmp(&b.name));
        walk.passed_over.sort();
        Ok(walk)
    }

    /// Judges an entry by its name before the file itself is looked at.
    fn see(&self, entry: &Entry, folder: Option<&OwnedFd>, walk: &mut Walk) {
        let name = entry.path.strip_prefix(&self.root).unwrap_or(&entry.path);
        match self.select.file(name) {
            Judged::Wanted => {}
            Judged::Temporary => return walk.pass_over(name, Why::Temporary),
            Judged::Other => return,
        }
        if entry.is_link && self.leads_inside(&entry.path) {
            return;
        }
        match (Stat::of(&entry.path, folder), name.to_str()) {
            // It went away between the listing and the look, or is a link that leads nowhere: there
            // is no file.
            (Err(error), _) if error.kind() == ErrorKind::NotFound => {}
            (Err(error), _) => walk.pass_over(name, Why::Unreadable(error.to_string())),
            (Ok(stat), _) if !stat.is_file => {}
            (Ok(_), None) => walk.pass_over(name, Why::NotUtf8),
            (Ok(stat), Some(name)) => walk.files.push(stat.listed(name.to_owned())),
        }
    }

    /// Whether `link` leads to a file of this source. It is then a second name, and the lines land
    /// under the first.
    fn leads_inside(&self, link: &Path) -> bool {
        let Ok(target) = std::fs::canonicalize(link) else { return false };
        target.strip_prefix(&self.root).is_ok_and(|name| self.select.file(name) == Judged::Wanted)
    }
}
