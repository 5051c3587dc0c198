//! The data files that a shard knows, by the numbers that its index has for them.
//!
//! Of each file that is active, every row of the shard is in the index or among the dead rows here:
//! the index drops places of dead rows in its own time. So a file of which a row is alive again, as
//! after a RESTORE, is one that has to be read again, under a new number.

use std::collections::HashMap;

use roaring::RoaringTreemap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::index::Place;
use super::outcome::Dead;
use super::read::Target;

/// A file that is kept with an index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct KeptFile {
    pub(super) target: Target,
    /// Its rows whose places may be missing from the index, all of them dead when it was kept.
    pub(super) dead: Dead,
}

/// A data file, as a shard knows it.
pub(super) struct DataFile {
    pub(super) target: Target,
    /// Its rows that are dead, or will be once the shard's cuts have landed. Those of other shards
    /// may be missing.
    pub(super) dead: RoaringTreemap,
    /// Its deletion vector when the log was last gone by, which says the same as `dead`; the outer
    /// is none if that is not known.
    told: Option<Option<Value>>,
    is_active: bool,
}

impl DataFile {
    /// A file of the table, with the vector that the log has for it and what is in that.
    pub(super) fn told(target: Target, vector: Option<&Value>, dead: RoaringTreemap) -> DataFile {
        DataFile { target, dead, told: Some(vector.cloned()), is_active: true }
    }
}

/// Data files by their numbers.
#[derive(Default)]
pub(super) struct Numbered {
    files: Vec<DataFile>,
    /// The newest number of each path.
    numbers: HashMap<String, u32>,
}

impl Numbered {
    /// Files as they were kept, whose numbers are their places.
    pub(super) fn of(kept: Vec<KeptFile>) -> Numbered {
        let numbers = kept.iter().map(|file| file.target.path.clone()).zip(0..).collect();
        let file = |KeptFile { target, dead }| DataFile { target, dead: dead.0, told: None, is_active: true };
        Numbered { files: kept.into_iter().map(file).collect(), numbers }
    }

    /// The files to be kept; none for the number of one that is the table's no more.
    pub(super) fn kept(&self) -> Vec<Option<KeptFile>> {
        let kept = |file: &DataFile| KeptFile { target: file.target.clone(), dead: Dead(file.dead.clone()) };
        self.files.iter().map(|file| file.is_active.then(|| kept(file))).collect()
    }

    /// The number that the next file gets.
    pub(super) fn next(&self) -> u32 {
        u32::try_from(self.files.len()).expect("fewer files than memory has room for")
    }

    /// Adds a file that has no number, and returns the one that it gets.
    pub(super) fn add(&mut self, file: DataFile) -> u32 {
        let number = self.next();
        self.numbers.insert(file.target.path.clone(), number);
        self.files.push(file);
        number
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.numbers.contains_key(path)
    }

    pub(super) fn target(&self, number: u32) -> &Target {
        &self.files[number as usize].target
    }

    /// Whether the row at `place` is alive, as far as the shard knows.
    pub(super) fn is_alive(&self, place: Place) -> bool {
        let file = &self.files[place.file as usize];
        file.is_active && !file.dead.contains(place.row.into())
    }

    /// The row at `place` dies by a cut of the shard.
    pub(super) fn kill(&mut self, place: Place) {
        let file = &mut self.files[place.file as usize];
        file.dead.insert(place.row.into());
        file.told = None;
    }

    /// The rows of a file die by a cut of the shard.
    pub(super) fn kill_all(&mut self, number: u32, rows: &RoaringTreemap) {
        let file = &mut self.files[number as usize];
        file.dead |= rows;
        file.told = None;
    }

    /// A file is the table's no more: no row of it is alive.
    pub(super) fn retire(&mut self, path: &str) {
        if let Some(number) = self.numbers.get(path) {
            let file = &mut self.files[*number as usize];
            (file.is_active, file.dead) = (false, RoaringTreemap::new());
        }
    }

    /// Retires all files that are not among those that the table `has`.
    pub(super) fn retain(&mut self, has: impl Fn(&str) -> bool) {
        for (path, number) in &self.numbers {
            if !has(path) {
                let file = &mut self.files[*number as usize];
                (file.is_active, file.dead) = (false, RoaringTreemap::new());
            }
        }
    }

    /// Forgets the files that are the table's no more, if they are at least so many, and most of
    /// all. Those that stay get other numbers: by the number that each had, the one that it has
    /// now, none if it is forgotten. Returns none if nothing was.
    pub(super) fn forget(&mut self, least: usize) -> Option<Vec<Option<u32>>> {
        let gone = self.files.iter().filter(|file| !file.is_active).count();
        if gone < least.max(self.files.len() / 2 + 1) {
            return None;
        }
        let mut next = 0..;
        let numbers = self.files.iter().map(|file| file.is_active.then(|| next.next()).flatten()).collect();
        self.files.retain(|file| file.is_active);
        self.files.shrink_to_fit();
        // A path has one file that is active, at most.
        self.numbers = self.files.iter().map(|file| file.target.path.clone()).zip(0..).collect();
        Some(numbers)
    }

    /// Whether the dead rows of a file that the table has are known to be those of `vector`.
    pub(super) fn is_told(&self, path: &str, vector: Option<&Value>) -> bool {
        let file = self.numbers.get(path).map(|number| &self.files[*number as usize]);
        file.is_some_and(|file| file.is_active && file.told.as_ref().is_some_and(|told| told.as_ref() == vector))
    }

    /// Goes by what the log says of a file that the table has: its `vector`, and the rows that are
    /// `dead` by it. If a row is alive that was dead, the file has no number any more.
    pub(super) fn go_by(&mut self, path: &str, vector: Option<&Value>, dead: &RoaringTreemap) {
        let Some(number) = self.numbers.get(path) else { return };
        let file = &mut self.files[*number as usize];
        if file.is_active && file.dead.is_subset(dead) {
            (file.told, file.dead) = (Some(vector.cloned()), dead.clone());
        } else {
            self.retire(path);
            self.numbers.remove(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows(of: &[u64]) -> RoaringTreemap {
        of.iter().collect()
    }

    /// A file `part-1` with the number 0, of which the row 3 is dead.
    fn known() -> Numbered {
        let mut files = Numbered::default();
        let target = Target { path: "part-1".to_owned(), size: 9 };
        files.add(DataFile::told(target, Some(&json!("first")), rows(&[3])));
        files
    }

    fn place(row: u32) -> Place {
        Place { file: 0, row }
    }

    #[test]
    fn rows_that_the_log_tells_are_dead_too() {
        let mut files = known();
        files.kill(place(4));
        assert!(!files.is_told("part-1", Some(&json!("first"))), "a row of it has died since");
        files.go_by("part-1", Some(&json!("second")), &rows(&[3, 4, 5]));
        assert!(files.is_told("part-1", Some(&json!("second"))));
        assert_eq!([2, 3, 4, 5].map(|row| files.is_alive(place(row))), [true, false, false, false]);
    }

    #[test]
    fn a_file_with_a_row_that_lives_again_is_not_known_any_more() {
        for (vector, dead) in [(None, rows(&[])), (Some(json!("other")), rows(&[2, 4]))] {
            let mut files = known();
            files.go_by("part-1", vector.as_ref(), &dead);
            assert!(!files.has("part-1"));
            assert!(!files.is_alive(place(2)), "its places under the old number are of no use");
            assert_eq!(files.kept(), [None]);
        }
    }

    #[test]
    fn a_file_that_comes_back_is_not_known_any_more() {
        let mut files = known();
        files.retain(|_| false);
        assert!(!files.is_told("part-1", Some(&json!("first"))));
        files.go_by("part-1", Some(&json!("first")), &rows(&[3]));
        assert!(!files.has("part-1"));
        let target = files.target(0).clone();
        assert_eq!(files.add(DataFile::told(target, None, rows(&[]))), 1);
    }

    #[test]
    fn files_that_are_gone_are_forgotten_once_they_are_the_most() {
        let mut files = known();
        let target = |path: &str| Target { path: path.to_owned(), size: 9 };
        for path in ["part-2", "part-3", "part-4"] {
            files.add(DataFile::told(target(path), None, rows(&[])));
        }
        files.retire("part-1");
        files.go_by("part-2", None, &rows(&[]));
        files.retain(|path| path != "part-3");
        assert_eq!(files.forget(0), None, "half of them are not the most");
        // One comes back under another number.
        files.go_by("part-1", None, &rows(&[3]));
        files.add(DataFile::told(target("part-1"), None, rows(&[1])));
        files.retire("part-4");
        assert_eq!(files.forget(4), None);
        assert_eq!(files.forget(3), Some(vec![None, Some(0), None, None, Some(1)]));
        assert_eq!((files.target(0), files.target(1)), (&target("part-2"), &target("part-1")));
        assert!(!files.has("part-3") && !files.is_alive(Place { file: 1, row: 1 }) && files.next() == 2);
    }

    #[test]
    fn what_is_kept_is_compared_with_the_log() {
        let kept: Vec<KeptFile> = known().kept().into_iter().flatten().collect();
        let mut same = Numbered::of(kept.clone());
        assert!(!same.is_told("part-1", None), "nobody has looked yet");
        same.go_by("part-1", None, &rows(&[3]));
        assert!(same.has("part-1") && same.is_alive(place(2)));
        let mut older = Numbered::of(kept);
        older.go_by("part-1", None, &rows(&[]));
        assert!(!older.has("part-1"), "the table stands at an older version than the index");
    }
}
