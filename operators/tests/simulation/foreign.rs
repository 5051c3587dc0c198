//! What others do to the groups: they compact, vacuum, clean up, delete, and change the schema.

use lakefront_operators::protocol::names::TableId;

use crate::group::RETENTION_MS;
use crate::kind::SimKind;
use crate::lake::{DataFile, Entry, Lake};
use crate::world::{World, ev};

impl<K: SimKind> World<K> {
    /// A group exists before the pipeline does, with rows of others.
    pub(crate) fn strangers(&mut self) {
        let (g, id, at_ms) = (self.rng.below(self.groups.len()), self.id(), self.now_ms);
        self.create(g);
        let table = self.some_table(g);
        self.lakes[g].files.insert(id, DataFile { at_ms, table, rows: Vec::new(), strange: 3 });
        let _ = self.put(g, 1, Entry { adds: vec![id], ..Entry::foreign() });
        ev!(self, "{} holds rows of others", self.name(g));
    }

    /// One of the tables of a group.
    fn some_table(&mut self, g: usize) -> TableId {
        let tables: Vec<TableId> = self.layout.groups()[g].tables().collect();
        if let [table] = tables[..] { table } else { self.rng.pick(&tables) }
    }

    pub(crate) fn maintain(&mut self) {
        let g = self.rng.below(self.groups.len());
        let (now, lake) = (self.now_ms, &mut self.lakes[g]);
        if !lake.exists {
            return;
        }
        match self.rng.below(3) {
            0 if lake.active.len() > 1 => self.compact(g),
            1 => {
                let active = &lake.active;
                lake.files.retain(|f, file| active.contains(f) || now - file.at_ms <= RETENTION_MS);
                ev!(self, "vacuums {}", self.name(g));
            }
            2 => {
                let head = lake.head;
                lake.log.retain(|v, e| *v >= head || now - e.at_ms <= RETENTION_MS);
                ev!(self, "cleans up the log of {}", self.name(g));
            }
            _ => {}
        }
    }

    /// Another writer puts all files of a table into one.
    fn compact(&mut self, g: usize) {
        let table = self.some_table(g);
        let (at_ms, version) = (self.now_ms, self.lakes[g].head + 1);
        let old = || self.lakes[g].seen().filter(|(_, file)| file.table == table);
        let removes: Vec<u64> = old().map(|(id, _)| id).collect();
        let rows = old().flat_map(|(_, file)| file.rows.iter().copied()).collect();
        let strange = old().map(|(_, file)| file.strange).sum();
        let id = self.id();
        self.lakes[g].files.insert(id, DataFile { at_ms, table, rows, strange });
        let mut entry = Entry { adds: vec![id], removes, ..Entry::foreign() };
        entry.seen.is_suspect = K::MASKS;
        let _ = self.put(g, version, entry);
        ev!(self, "compacts {} in v{version}", self.name(g));
    }

    pub(crate) fn delete(&mut self, g: usize) {
        if self.lakes[g].exists {
            ev!(self, "{} deleted", self.name(g));
            self.lakes[g] = Lake { incarnation: self.lakes[g].incarnation, ..Lake::default() };
            self.meddled = true;
        }
    }

    /// Another writer changes the schema of a table. Our rows may still fit, or not.
    pub(crate) fn change_schema(&mut self, g: usize) {
        let fits = self.rng.chance(0.6);
        if self.lakes[g].exists {
            let (version, mut entry) = (self.lakes[g].head + 1, Entry { fits: Some(fits), ..Entry::foreign() });
            entry.seen.is_suspect = true;
            ev!(self, "schema of {} changes in v{version}, fits: {fits}", self.name(g));
            let _ = self.put(g, version, entry);
        }
    }

    pub(crate) fn revert_schema(&mut self) {
        for g in 0..self.groups.len() {
            if !self.lakes[g].fits {
                let (version, mut entry) = (self.lakes[g].head + 1, Entry { fits: Some(true), ..Entry::foreign() });
                entry.seen.is_suspect = true;
                ev!(self, "schema of {} is set back in v{version}", self.name(g));
                let _ = self.put(g, version, entry);
            }
        }
    }
}
