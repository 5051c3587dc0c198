//! The files of the source and their life: they appear, grow, fall quiet, grow late, are
//! re-created, deleted and brought back. On a disk they are renamed too, within the source and out
//! of it.

use lakefront_operators::format::logs::lines::Lines;
use lakefront_operators::source::files::identity::Fingerprint;

use crate::world::{TICK_MS, World, ev};

/// The most files at once.
const FILES: usize = 8;

/// A line: `[start, end)` and the role it names.
#[derive(Clone, Copy)]
pub(crate) struct Line {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) role: char,
}

/// The file that has a name now. A re-created file has another `uid`.
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) uid: u64,
    /// The creation that the store reports. A file written anew in its place is the same file to
    /// the store.
    pub(crate) born: u64,
    /// The names it had before.
    pub(crate) former: Vec<String>,
    /// Whether its name is one that the source's URL does not match.
    pub(crate) outside: bool,
    pub(crate) lines: Vec<Line>,
    /// Bytes that a reader sees; the last line may be torn.
    pub(crate) seen: u64,
    pub(crate) created_ms: u64,
    pub(crate) modified_ms: u64,
    /// How often it changed once it may have been taken for finished. It may be refused or read
    /// again that often.
    pub(crate) late: usize,
    /// Its length when it was deleted: what had not been read by then need not land.
    pub(crate) forgiven: u64,
}

/// The file that a revision belongs to.
pub(crate) fn uid_of(revision: &str) -> u64 {
    revision.split('.').next().and_then(|uid| uid.parse().ok()).unwrap_or_default()
}

impl File {
    pub(crate) fn new(name: String, uid: u64, now_ms: u64) -> File {
        let (created_ms, modified_ms) = (now_ms, now_ms);
        let (born, former, outside, lines) = (uid, Vec::new(), false, Vec::new());
        File { name, uid, born, former, outside, lines, seen: 0, created_ms, modified_ms, late: 0, forgiven: 0 }
    }

    /// The byte after the last newline seen.
    pub(crate) fn newline(&self) -> u64 {
        self.lines.iter().map(|l| l.end).take_while(|end| *end <= self.seen).last().unwrap_or(0)
    }

    pub(crate) fn revision(&self) -> String {
        format!("{}.{}", self.uid, self.seen)
    }

    /// Its first two bytes distinguish it from every other file; a first line is longer than that.
    pub(crate) fn bytes(&self, range: std::ops::Range<u64>) -> Vec<u8> {
        let is_newline = |at: u64| self.lines.binary_search_by_key(&(at + 1), |l| l.end).is_ok();
        let byte = |at: u64| match at {
            at if is_newline(at) => b'\n',
            0 => 0x80 + (self.uid % 100) as u8,
            1 => 0x80 + (self.uid / 100 % 100) as u8,
            _ => b'x',
        };
        range.map(byte).collect()
    }

    /// The fingerprint of the first `length` bytes.
    pub(crate) fn fingerprint(&self, length: u64) -> Fingerprint {
        Fingerprint::of(&self.bytes(0..length))
    }
}

impl World<Lines> {
    /// Whether a run may have taken the file for finished.
    fn may_have_left(&self, file: &File) -> bool {
        self.now_ms - file.modified_ms >= self.source.quiet_least_ms.saturating_sub(TICK_MS)
    }

    /// A writer appends; now and then its last line is torn. A punctual writer begins a new file in
    /// time.
    pub(crate) fn grow(&mut self) {
        // The newest file is written most; the others linger.
        let newest = self.source.files.len().saturating_sub(1);
        let at = if self.rng.chance(0.5) { newest } else { self.rng.below(self.source.files.len().max(1)) };
        let late = self.source.files.get(at).is_none_or(|file| self.may_have_left(file));
        if self.source.files.is_empty() || (late && self.source.punctual) || self.rng.chance(0.05) {
            return self.appear();
        }
        self.append(at, late);
    }

    fn append(&mut self, at: usize, late: bool) {
        let (rng, file, now_ms) = (&mut self.rng, &mut self.source.files[at], self.now_ms);
        let mut end = file.lines.last().map_or(0, |l| l.end);
        if file.seen >= end || rng.chance(0.7) {
            let least = if end == 0 { 3 } else { 1 };
            let (end_of_it, role) = (end + rng.between(least, 3), rng.pick(&['P', 'P', 'P', 'R', 'R', '?']));
            file.lines.push(Line { start: end, end: end_of_it, role });
            end = end_of_it;
        }
        file.seen = if rng.chance(0.7) { end } else { rng.between(file.seen, end) };
        file.modified_ms = now_ms;
        file.late += usize::from(late || file.late > 0);
        if late {
            self.source.suspects.insert(self.source.files[at].name.clone());
            ev!(
                self,
                "file {} uid {} grows late, to {}",
                self.source.files[at].name,
                self.source.files[at].uid,
                self.source.files[at].seen
            );
        }
    }

    /// A new file, possibly under a name that was used before.
    fn appear(&mut self) {
        if self.source.files.len() >= FILES {
            return;
        }
        let free: Vec<String> =
            (1..).map(|i| format!("f{i}")).filter(|n| self.source.files.iter().all(|f| f.name != *n)).take(3).collect();
        let (name, uid) = (free[self.rng.below(free.len())].clone(), self.id());
        if self.source.reused.contains(&name) || self.source.deleted.iter().any(|f| f.name == name) {
            self.source.reused.insert(name.clone());
        }
        ev!(self, "file {name} appears, uid {uid}");
        self.source.files.push(File::new(name, uid, self.now_ms));
        for _ in 0..self.rng.below(3) {
            self.append(self.source.files.len() - 1, false);
        }
    }

    /// A file is re-created under its old name, or written anew in its place.
    pub(crate) fn rewrite(&mut self) {
        if self.source.files.is_empty() {
            return;
        }
        let (at, uid, in_place) = (self.rng.below(self.source.files.len()), self.id(), self.rng.chance(0.3));
        let old = &self.source.files[at];
        let mut file = File::new(old.name.clone(), uid, self.now_ms);
        // A run may know it by an earlier name.
        self.source.reused.extend(old.former.iter().cloned());
        if in_place {
            // To a run that has forgotten the old file, it looks like late growth.
            (file.created_ms, file.born, file.late) = (old.created_ms, old.born, 1);
            file.outside = old.outside;
            self.source.suspects.insert(file.name.clone());
        }
        ev!(self, "file {} re-created, uid {uid}{}", file.name, if in_place { ", in its place" } else { "" });
        self.source.reused.insert(file.name.clone());
        self.source.files[at] = file;
        for _ in 0..self.rng.below(6) {
            self.grow();
        }
    }

    /// Deletes a file: an old one, or any.
    pub(crate) fn delete_file(&mut self, any: bool) {
        let old = |f: &File| self.now_ms - f.modified_ms > 2 * self.source.quiet_least_ms;
        let which: Vec<usize> = (0..self.source.files.len()).filter(|i| any || old(&self.source.files[*i])).collect();
        if which.is_empty() {
            return;
        }
        let mut file = self.source.files.remove(which[self.rng.below(which.len())]);
        ev!(self, "file {} uid {} deleted", file.name, file.uid);
        file.forgiven = file.seen;
        // A run that knew it by an earlier name finds another file there.
        self.source.reused.extend(file.former.iter().cloned());
        self.source.deleted.push(file);
    }

    /// Renames a file of a disk, within the source or out of it, often with a new file under its
    /// old name, as log rotation does.
    pub(crate) fn rename(&mut self) {
        if self.source.files.is_empty() {
            return;
        }
        let (at, out) = (self.rng.below(self.source.files.len()), self.rng.chance(0.5));
        let uid = self.source.files[at].uid;
        let free = |name: &String| self.source.files.iter().chain(&self.source.deleted).all(|f| f.name != *name);
        let inside = (1..).map(|i| format!("f{i}")).find(free).expect("there are many names");
        let name = if out { format!("out{uid}") } else { inside };
        let old = std::mem::replace(&mut self.source.files[at].name, name.clone());
        ev!(self, "file {old} uid {uid} renamed to {name}");
        // A file that was written anew is known as such by its new name too.
        if self.source.reused.contains(&old) {
            self.source.reused.insert(name.clone());
        }
        let was_outside = std::mem::replace(&mut self.source.files[at].outside, out);
        self.source.files[at].former.push(old.clone());
        if !was_outside && self.rng.chance(0.7) && self.source.files.len() < FILES {
            let uid = self.id();
            ev!(self, "file {old} appears in its place, uid {uid}");
            self.source.files.push(File::new(old, uid, self.now_ms));
            for _ in 0..self.rng.below(3) {
                self.append(self.source.files.len() - 1, false);
            }
        }
    }

    /// Brings a deleted file back as it was, if nothing has taken its name.
    pub(crate) fn undelete(&mut self) {
        let free = |f: &File| self.source.files.iter().all(|other| other.name != f.name);
        let which: Vec<usize> = (0..self.source.deleted.len()).filter(|i| free(&self.source.deleted[*i])).collect();
        if which.is_empty() {
            return;
        }
        let mut file = self.source.deleted.remove(which[self.rng.below(which.len())]);
        ev!(self, "file {} uid {} brought back", file.name, file.uid);
        file.late += 1;
        self.source.suspects.insert(file.name.clone());
        if self.source.deleted.iter().any(|f| f.name == file.name) {
            self.source.reused.insert(file.name.clone());
        }
        self.source.files.push(file);
    }
}
