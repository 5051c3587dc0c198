//! A group of tables as its store has it: one log, the tables' files, the offsets files.

use std::collections::{BTreeMap, BTreeSet};

use lakefront_operators::error::StoreError;
use lakefront_operators::protocol::group::{CommitFacts, Created};
use lakefront_operators::protocol::names::{Held, OffsetsName, TableId};
use serde_json::Value;

use crate::group::MAIN;
use crate::kind::SimKind;
use crate::saboteur::Rule;
use crate::world::{World, ev};

/// One version of a group.
#[derive(Clone)]
pub(crate) struct Entry<K: SimKind> {
    /// For a commit of ours: the pipeline that made it.
    pub(crate) pipeline: usize,
    pub(crate) seen: CommitFacts,
    pub(crate) held: Option<Held>,
    pub(crate) adds: Vec<u64>,
    pub(crate) removes: Vec<u64>,
    /// Rows that are not seen any more, with the files that hold them.
    pub(crate) masks: Vec<(u64, K::Row)>,
    pub(crate) fits: Option<bool>,
    pub(crate) at_ms: u64,
}

impl<K: SimKind> Entry<K> {
    /// A commit of another writer.
    pub(crate) fn foreign() -> Self {
        let seen = CommitFacts { id: None, ours: false, is_suspect: false, removes_rows: false };
        let (adds, removes, masks) = (Vec::new(), Vec::new(), Vec::new());
        Entry { pipeline: MAIN, seen, held: None, adds, removes, masks, fits: None, at_ms: 0 }
    }
}

/// A file of one of the tables.
#[derive(Clone)]
pub(crate) struct DataFile<K: SimKind> {
    pub(crate) at_ms: u64,
    pub(crate) table: TableId,
    pub(crate) rows: Vec<K::Row>,
    /// How many rows of others it holds.
    pub(crate) strange: usize,
}

/// Everything in a group's folder, and a reader's view of it.
#[derive(Clone)]
pub(crate) struct Lake<K: SimKind> {
    pub(crate) exists: bool,
    /// Changes with a restore or a re-creation: writes on their way to the old tables are lost.
    pub(crate) incarnation: u32,
    pub(crate) log: BTreeMap<u64, Entry<K>>,
    pub(crate) head: u64,
    pub(crate) active: BTreeSet<u64>,
    pub(crate) files: BTreeMap<u64, DataFile<K>>,
    /// Rows that files of ours have masked.
    pub(crate) masked: Vec<(TableId, K::Row)>,
    pub(crate) offsets: BTreeMap<OffsetsName, Vec<u8>>,
    pub(crate) held: Option<Held>,
    /// `offsets` and `held` of the twin.
    pub(crate) twin_offsets: BTreeMap<OffsetsName, Vec<u8>>,
    pub(crate) twin_held: Option<Held>,
    /// The lineage that the group is in.
    pub(crate) lineage: Value,
    /// Where the group began.
    pub(crate) base: K::Base,
    /// Whether our rows fit the schema of every table.
    pub(crate) fits: bool,
}

impl<K: SimKind> Default for Lake<K> {
    fn default() -> Self {
        Lake {
            exists: false,
            incarnation: 0,
            log: BTreeMap::new(),
            head: 0,
            active: BTreeSet::new(),
            files: BTreeMap::new(),
            masked: Vec::new(),
            offsets: BTreeMap::new(),
            held: None,
            twin_offsets: BTreeMap::new(),
            twin_held: None,
            lineage: Value::Null,
            base: K::Base::default(),
            fits: true,
        }
    }
}

impl<K: SimKind> Lake<K> {
    pub(crate) fn offsets_of(&mut self, pipeline: usize) -> &mut BTreeMap<OffsetsName, Vec<u8>> {
        if pipeline == MAIN { &mut self.offsets } else { &mut self.twin_offsets }
    }

    pub(crate) fn held_by(&self, pipeline: usize) -> Option<Held> {
        if pipeline == MAIN { self.held } else { self.twin_held }
    }

    /// The files that a reader sees.
    pub(crate) fn seen(&self) -> impl Iterator<Item = (u64, &DataFile<K>)> {
        self.active.iter().filter_map(|file| Some((*file, self.files.get(file)?)))
    }

    /// The rows that a reader sees, but for those of others.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (TableId, &K::Row)> {
        self.seen().flat_map(|(_, file)| file.rows.iter().map(|row| (file.table, row)))
    }

    /// All rows that have landed: those that a reader sees, and those that were masked since.
    pub(crate) fn landed(&self) -> impl Iterator<Item = (TableId, &K::Row)> {
        self.rows().chain(self.masked.iter().map(|(table, row)| (*table, row)))
    }

    /// How many rows of others a reader sees.
    pub(crate) fn strangers(&self) -> usize {
        self.seen().map(|(_, file)| file.strange).sum()
    }

    /// The masks that have nothing to mask any more.
    pub(crate) fn misses(&self, masks: &[(u64, K::Row)]) -> Option<u64> {
        let is_there = |(file, row): &&(u64, K::Row)| {
            self.active.contains(file) && self.files.get(file).is_some_and(|file| file.rows.contains(row))
        };
        masks.iter().find(|mask| !is_there(mask)).map(|(file, _)| *file)
    }

    pub(crate) fn document(&self, held: Held) -> Value {
        let content = self.offsets.get(&OffsetsName(held)).map(Vec::as_slice).unwrap_or_default();
        serde_json::from_slice(content).unwrap_or_default()
    }
}

impl<K: SimKind> World<K> {
    /// Version 0, as a sink creates it when it opens missing tables.
    pub(crate) fn create(&mut self, g: usize) {
        let (incarnation, strays) = (self.lakes[g].incarnation + 1, std::mem::take(&mut self.lakes[g].log));
        self.lakes[g] = Lake { exists: true, incarnation, log: strays, ..Lake::default() };
        self.lakes[g].log.insert(0, Entry { at_ms: self.now_ms, ..Entry::foreign() });
    }

    /// The conditional write of a version.
    pub(crate) fn put(&mut self, g: usize, version: u64, entry: Entry<K>) -> Result<Created, StoreError> {
        let lake = &mut self.lakes[g];
        let entry = Entry { at_ms: self.now_ms, ..entry };
        if !lake.exists || version > lake.head + 1 {
            if self.without == Some(Rule::Predecessor) {
                lake.log.entry(version).or_insert(entry);
                ev!(self, "    STRAY {} v{version}", self.name(g));
                return Ok(Created::Yes);
            }
            return Err(StoreError::definite("commit", "the version before it is gone"));
        }
        if lake.log.contains_key(&version) {
            return Ok(Created::No);
        }
        if version <= lake.head {
            // Log clean-up removed this version: the write succeeds, and nobody sees it.
            ev!(self, "    GHOST {} v{version}", self.name(g));
            return Ok(Created::Yes);
        }
        lake.log.insert(version, entry);
        while let Some(entry) = self.lakes[g].log.get(&(self.lakes[g].head + 1)).cloned() {
            self.lakes[g].head += 1;
            self.apply(g, entry);
        }
        Ok(Created::Yes)
    }

    fn apply(&mut self, g: usize, entry: Entry<K>) {
        if let Err(text) = self.may_apply(g, &entry) {
            self.violate(text);
        }
        let (ours, anew) = (entry.pipeline == MAIN, entry.adds.is_empty());
        // A group begins with its first claim, and again with one of another lineage.
        let begins = |h: &Held| {
            let lake = &self.lakes[g];
            lake.held.is_none() || (anew && lake.document(*h)["lineage"] != lake.lineage)
        };
        let genesis = entry.held.filter(|held| ours && begins(held));
        let lake = &mut self.lakes[g];
        lake.active.retain(|f| !entry.removes.contains(f));
        lake.active.extend(entry.adds);
        for (file, row) in entry.masks {
            if let Some(file) = lake.files.get_mut(&file) {
                file.rows.retain(|other| *other != row);
                lake.masked.push((file.table, row));
            }
        }
        match ours {
            true => lake.held = entry.held.or(lake.held),
            false => lake.twin_held = entry.held.or(lake.twin_held),
        }
        lake.fits = entry.fits.unwrap_or(lake.fits);
        if let Some(held) = genesis {
            self.learn_base(g, held);
        }
    }

    /// What must be true of every commit.
    fn may_apply(&self, g: usize, entry: &Entry<K>) -> Result<(), String> {
        let (name, lake) = (self.name(g), &self.lakes[g]);
        let head = lake.head;
        if let Some((before, held)) = lake.held.zip(entry.held.filter(|_| entry.pipeline == MAIN))
            && held.position < before.position
        {
            return Err(format!("BACK: {name} v{head} holds {held:?} after {before:?}"));
        }
        if entry.adds.iter().any(|f| !lake.files.contains_key(f)) {
            return Err(format!("VACUUMED: {name} v{head} points at a file that is gone"));
        }
        if let Some(file) = lake.misses(&entry.masks) {
            return Err(format!("CONFLICT: {name} v{head} masks a row of file {file}, which others have taken"));
        }
        if !entry.seen.ours || entry.adds.is_empty() {
            return Ok(());
        }
        if !lake.fits {
            return Err(format!("MISFIT: {name} v{head} adds rows to a table whose schema changed"));
        }
        let rows: Vec<K::Row> = entry.adds.iter().flat_map(|file| &lake.files[file].rows).copied().collect();
        K::may_appear(self, g, &rows).map_err(|text| format!("{text}, in {name} v{head}"))
    }

    /// Takes the beginning of a group from the offsets of its first commit.
    fn learn_base(&mut self, g: usize, held: Held) {
        let document = self.lakes[g].document(held);
        let strangers = self.lakes[g].strangers();
        if self.lakes[g].held == Some(held) && strangers > 0 && document["adopted"].is_null() {
            self.violate(format!("SILENT: {} is claimed beside {strangers} rows of others", self.name(g)));
        }
        self.lakes[g].lineage = document["lineage"].clone();
        // Assumed: once a group has begun anew beside the others, nobody restores an earlier state
        // of the same lineage.
        let lineage = |b: &mut Lake<K>| b.held.map(|h| b.document(h)["lineage"].clone());
        self.backups[g].take_if(|b| lineage(b).as_ref() == Some(&document["lineage"]));
        self.lakes[g].base = K::base(&document);
    }
}
