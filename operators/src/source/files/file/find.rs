//! Where files are that are no longer listed: renamed, kept open, or gone.

use std::collections::HashMap;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::Inner;
use super::folders::entries;
use super::handles::MOST;
use super::stat::{Stat, created_of, has_birth};
use crate::source::files::identity::{Fingerprint, Identity};
use crate::source::files::{Found, Listed, Sought};

/// Where sought files were found, by their `created`.
pub(super) type Places = HashMap<String, PathBuf>;

impl Inner {
    /// Where each of the sought files is: where it was found before, in one of the source's
    /// folders, or held open.
    pub(super) fn find(&self, sought: &[Sought]) -> Vec<Found> {
        let mut found: Vec<Option<Found>> = sought.iter().map(|sought| self.at_known_place(sought)).collect();
        let missing = sought.iter().zip(&found).filter(|(_, found)| found.is_none());
        let missing: Vec<&str> = missing.map(|(sought, _)| sought.identity.created.as_str()).collect();
        let all_read = missing.is_empty() || self.search(&missing) && !self.is_blind.load(Relaxed);
        for (sought, found) in sought.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
            *found = self.at_known_place(sought).or_else(|| self.held(sought)).or(match all_read {
                true => Some(Found::Gone),
                false => Some(Found::Unknown),
            });
        }
        found.into_iter().flatten().collect()
    }

    /// The path of the file of that identity, if it was moved.
    pub(super) fn locate(&self, identity: &Identity) -> Option<PathBuf> {
        let sought = Sought { name: String::new(), identity: identity.clone() };
        if self.at_known_place(&sought).is_none() {
            self.search(&[&identity.created]);
        }
        self.places().get(&identity.created).cloned()
    }

    /// Opens those of the `files` that are not open, the last ones if there are too many.
    pub(super) fn hold(&self, files: &[Listed]) {
        for listed in &files[files.len().saturating_sub(MOST)..] {
            if self.handles().peek(&listed.created).is_some() {
                continue;
            }
            // A look will report why it cannot be read.
            let Ok(file) = File::open(self.root.join(&listed.name)) else { continue };
            if file.metadata().is_ok_and(|metadata| created_of(&metadata) == listed.created) {
                self.handles().keep(&listed.created, &Arc::new(file));
            }
        }
    }

    pub(super) fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at_known_place(&self, sought: &Sought) -> Option<Found> {
        let Identity { created, fingerprint, .. } = &sought.identity;
        let path = self.places().get(created).cloned()?;
        let metadata = std::fs::metadata(&path).ok().filter(|metadata| created_of(metadata) == *created);
        // Without a birth time, another file may have the inode now.
        let is_it = |_: &std::fs::Metadata| has_birth(created) || begins_with(&path, fingerprint);
        let Some(metadata) = metadata.filter(is_it) else {
            self.places().remove(created);
            return None;
        };
        let name = path.strip_prefix(&self.root).unwrap_or(&path).to_string_lossy().into_owned();
        Some(Found::At(Stat::from(&metadata).listed(name)))
    }

    /// A file that is kept open can be read on, whatever happened to its name.
    fn held(&self, sought: &Sought) -> Option<Found> {
        let file = self.handles().peek(&sought.identity.created)?;
        Some(Found::Held(Stat::from(&file.metadata().ok()?).listed(sought.name.clone())))
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

/// Whether the file at `path` begins with those bytes.
fn begins_with(path: &Path, fingerprint: &Fingerprint) -> bool {
    let mut head = vec![0; usize::try_from(fingerprint.length).unwrap_or_default()];
    File::open(path)
        .is_ok_and(|file| file.read_exact_at(&mut head, 0).is_ok() && Fingerprint::of(&head) == *fingerprint)
}
