//! What others do to the tables: they compact, vacuum, clean up, delete, and change the schema.

use crate::table::{Entry, FOREIGN, Lake, NAMES, RETENTION_MS};
use crate::world::{Row, World, ev};

impl World {
    /// A table exists before the pipeline does, with rows of others.
    pub(crate) fn strangers(&mut self) {
        let (t, id, now) = (self.rng.below(NAMES.len()), self.id(), self.now_ms);
        let row = |start| Row { uid: FOREIGN, generation: 1, start, torn: false };
        self.create(t);
        self.lakes[t].files.insert(id, (now, (0..3).map(row).collect()));
        let _ = self.put(t, 1, Entry { adds: vec![id], ..Entry::foreign() });
        ev!(self, "{} holds rows of others", NAMES[t]);
    }

    pub(crate) fn maintain(&mut self) {
        let t = self.rng.below(NAMES.len());
        let (now, lake) = (self.now_ms, &mut self.lakes[t]);
        if !lake.exists {
            return;
        }
        match self.rng.below(3) {
            0 if lake.active.len() > 1 => {
                let removes: Vec<u64> = lake.active.iter().copied().collect();
                let rows = removes.iter().flat_map(|f| lake.files[f].1.clone()).collect();
                let version = lake.head + 1;
                let id = self.id();
                self.lakes[t].files.insert(id, (now, rows));
                let _ = self.put(t, version, Entry { adds: vec![id], removes, ..Entry::foreign() });
                ev!(self, "compacts {} in v{version}", NAMES[t]);
            }
            1 => {
                let active = &lake.active;
                lake.files.retain(|f, (at, _)| active.contains(f) || now - *at <= RETENTION_MS);
                ev!(self, "vacuums {}", NAMES[t]);
            }
            2 => {
                let head = lake.head;
                lake.log.retain(|v, e| *v >= head || now - e.at_ms <= RETENTION_MS);
                ev!(self, "cleans up the log of {}", NAMES[t]);
            }
            _ => {}
        }
    }

    pub(crate) fn delete(&mut self, t: usize) {
        if self.lakes[t].exists {
            ev!(self, "{} deleted", NAMES[t]);
            self.lakes[t] = Lake { incarnation: self.lakes[t].incarnation, ..Lake::default() };
            self.meddled = true;
        }
    }

    /// Another writer changes a table's schema. Our rows may still fit, or not.
    pub(crate) fn change_schema(&mut self, t: usize) {
        let fits = self.rng.chance(0.6);
        if self.lakes[t].exists {
            let (version, mut entry) = (self.lakes[t].head + 1, Entry { fits: Some(fits), ..Entry::foreign() });
            entry.seen.is_suspect = true;
            ev!(self, "schema of {} changes in v{version}, fits: {fits}", NAMES[t]);
            let _ = self.put(t, version, entry);
        }
    }

    pub(crate) fn revert_schema(&mut self) {
        for (t, name) in NAMES.iter().enumerate() {
            if !self.lakes[t].fits {
                let (version, mut entry) = (self.lakes[t].head + 1, Entry { fits: Some(true), ..Entry::foreign() });
                entry.seen.is_suspect = true;
                ev!(self, "schema of {name} is set back in v{version}");
                let _ = self.put(t, version, entry);
            }
        }
    }
}
