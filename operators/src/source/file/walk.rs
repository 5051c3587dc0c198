//! A look through the source's folders: which files exist, what is passed over, and where renamed
//! files are now.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;

use super::folders::{Entry, entries};
use super::stat::{Stat, created_of};
use super::{Inner, Judged};
use crate::source::{Found, Listed, PassedOver, Sought, Why};

/// What a look has found.
#[derive(Default)]
pub(super) struct Walk {
    pub(super) files: Vec<Listed>,
    pub(super) passed_over: Vec<PassedOver>,
}

/// Where sought files were found, by their `created`.
pub(super) type Places = HashMap<String, PathBuf>;

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

    /// Where each of the sought files is: where it was found before, in one of the source's
    /// folders, or held open.
    pub(super) fn find(&self, sought: &[Sought]) -> Vec<Found> {
        let mut found: Vec<Option<Found>> = sought.iter().map(|sought| self.at_known_place(sought)).collect();
        let missing = sought.iter().zip(&found).filter(|(_, found)| found.is_none());
        let missing: Vec<&str> = missing.map(|(sought, _)| sought.created.as_str()).collect();
        let all_read = missing.is_empty() || self.search(&missing) && !self.is_blind.load(Relaxed);
        for (sought, found) in sought.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
            *found = self.at_known_place(sought).or_else(|| self.held(sought)).or(match all_read {
                true => Some(Found::Gone),
                false => Some(Found::Unknown),
            });
        }
        found.into_iter().flatten().collect()
    }

    /// The path of the file that has this `created`, if it was moved.
    pub(super) fn locate(&self, created: &str) -> Option<PathBuf> {
        let sought = Sought { name: String::new(), created: created.to_owned() };
        if self.at_known_place(&sought).is_none() {
            self.search(&[created]);
        }
        self.places().get(created).cloned()
    }

    fn places(&self) -> std::sync::MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at_known_place(&self, sought: &Sought) -> Option<Found> {
        let path = self.places().get(&sought.created).cloned()?;
        let metadata = std::fs::metadata(&path).ok().filter(|metadata| created_of(metadata) == sought.created);
        let Some(metadata) = metadata else {
            self.places().remove(&sought.created);
            return None;
        };
        let name = path.strip_prefix(&self.root).unwrap_or(&path).to_string_lossy().into_owned();
        Some(Found::At(Stat::from(&metadata).listed(name)))
    }

    /// A file that is kept open can be read on, whatever happened to its name.
    fn held(&self, sought: &Sought) -> Option<Found> {
        let file = self.handles().peek(&sought.created)?;
        Some(Found::At(Stat::from(&file.metadata().ok()?).listed(sought.name.clone())))
    }

    /// Looks for the files that have these `created` in every folder of the source, as the folders
    /// are now. Returns whether all folders could be read.
    fn search(&self, sought: &[&str]) -> bool {
        let inodes: HashMap<u64, Vec<&str>> = sought.iter().fold(HashMap::new(), |mut inodes, created| {
            inode(created).into_iter().for_each(|inode| inodes.entry(inode).or_default().push(created));
            inodes
        });
        let folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known: Vec<PathBuf> = folders.known().map(Path::to_owned).collect();
        drop(folders);
        known.extend(known.is_empty().then(|| self.root.clone()));
        let mut all_read = true;
        for folder in known {
            let entries = match entries(&folder) {
                Ok(entries) => entries,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(_) => {
                    all_read = false;
                    continue;
                }
            };
            for entry in entries.files {
                let Some(wanted) = inodes.get(&entry.inode).filter(|_| !entry.is_link) else { continue };
                let Ok(metadata) = std::fs::metadata(&entry.path) else { continue };
                let created = created_of(&metadata);
                if wanted.contains(&created.as_str()) {
                    self.places().insert(created, entry.path);
                }
            }
        }
        all_read
    }
}

/// The inode in a [`created`](super::created) text.
fn inode(created: &str) -> Option<u64> {
    u64::from_str_radix(created.split(':').nth(1)?, 16).ok()
}
