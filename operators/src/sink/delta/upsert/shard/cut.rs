//! What a shard makes of a cut: its files, and the rows that die.
//!
//! It is made slice by slice. What rows were is in memory for one slice at a time, and a truncation
//! reads the rows that go batch by batch, so memory follows the changes and not what they meet.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use roaring::RoaringTreemap;

use super::{Gap, Prepared, Shard};
use crate::error::StoreError;
use crate::sink::delta::upsert::collapse::Net;
use crate::sink::delta::upsert::counts::Counts;
use crate::sink::delta::upsert::index::Place;
use crate::sink::delta::upsert::keys;
use crate::sink::delta::upsert::lookup::{self, Found};
use crate::sink::delta::upsert::merge::{self, Plan};
use crate::sink::delta::upsert::numbered::DataFile;
use crate::sink::delta::upsert::outcome::{Dead, Outcome};
use crate::sink::delta::upsert::read::Target;
use crate::sink::delta::upsert::slices::{Slice, Slices};
use crate::sink::delta::upsert::stage::{Open, Writing, with_types};
use crate::sink::files::blocking;

/// How many changes a slice has at most, and how many rows it meets.
pub(super) const SLICE: usize = 1 << 16;
/// What the rows of a slice take, and those that they meet, by what others took on average, in
/// bytes.
const SLICE_BYTES: usize = 64 << 20;
/// How many rows the first slice meets. What they take is not known before.
pub(super) const FIRST_SLICE: usize = 1 << 10;
/// A slice is at most so many times the one before.
const GROWTH: usize = 8;
/// How many places of the index are looked at before others have a turn.
const TURN: usize = 1 << 16;

/// A cut that is being made.
struct Making {
    data: Writing,
    before: Writing,
    /// The hashes of the keys of the rows in `data`.
    hashes: Vec<u64>,
    /// By file, the rows that die.
    dead: BTreeMap<String, Dead>,
    counts: Counts,
    /// The changes that cannot be made.
    gaps: Vec<usize>,
}

impl Shard {
    /// Makes what was `prepared`, and goes on as if it had landed.
    pub(super) async fn make(&mut self, prepared: Prepared) -> Result<(Outcome, Vec<Gap>), StoreError> {
        let prepared = Arc::new(prepared);
        let collapsed = &prepared.collapsed;
        let counts = Counts {
            changes: prepared.changes.len() as u64,
            superseded: collapsed.undone,
            gaps: collapsed.gaps.len() as u64,
            ..Counts::default()
        };
        let mut making = Making {
            data: self.stages.data(),
            before: self.stages.before(),
            hashes: Vec::new(),
            dead: BTreeMap::new(),
            counts,
            gaps: collapsed.gaps.clone(),
        };
        if !prepared.changes.truncations.is_empty() {
            self.truncate(&mut making).await?;
        }
        let mut slices = Slices::of(collapsed.nets.len(), self.candidates(&prepared));
        let most = self.most.min(SLICE_BYTES / prepared.changes.row_bytes().max(1));
        let is_whole = self.spec.feed || collapsed.nets.iter().any(Net::needs_lake);
        while let Some(slice) = slices.next(most, if is_whole { self.slice } else { self.most }) {
            let found = self.look(&prepared, &slice).await?;
            self.fit_slices(&found);
            let plan = self.plan(&prepared, slice, found).await?;
            self.write(&prepared, plan, &mut making).await?;
        }
        self.finish(&prepared, making).await
    }

    /// The rows that may have the keys of a cut, each with its change.
    fn candidates(&self, prepared: &Prepared) -> Vec<(usize, Place)> {
        let hashes: Vec<u64> = prepared.hashes.iter().map(|(hash, _)| *hash).collect();
        let found = self.index.find(&hashes).into_iter().filter(|(_, place)| self.files.is_alive(*place));
        found.map(|(number, place)| (prepared.hashes[number].1, place)).collect()
    }

    /// The rows of the table that have the keys of a slice.
    async fn look(&self, prepared: &Prepared, slice: &Slice) -> Result<Found, StoreError> {
        let (by, cut) = ((&self.reader, &*self.keys), (&prepared.collapsed, &prepared.keys));
        let target = |file: u32| self.files.target(file).clone();
        lookup::look(by, cut, slice.candidates.clone(), target, self.spec.feed).await
    }

    /// Goes by what rows take that were `found`, for the slices that come.
    fn fit_slices(&mut self, found: &Found) {
        if let Some(row_bytes) = found.row_bytes() {
            let fits = SLICE_BYTES / row_bytes.max(1);
            self.slice = fits.min(self.slice * GROWTH).clamp(1, self.most);
        }
    }

    async fn plan(&self, prepared: &Arc<Prepared>, slice: Slice, found: Found) -> Result<Plan, StoreError> {
        let (spec, whole, prepared) = (self.spec.clone(), self.whole.clone(), prepared.clone());
        let plan = move || {
            let changes = (&prepared.changes, &prepared.collapsed);
            merge::plan((&spec, &whole), changes, &slice.nets, &found)
        };
        blocking(plan).await
    }

    async fn write(&mut self, prepared: &Prepared, plan: Plan, making: &mut Making) -> Result<(), StoreError> {
        for place in &plan.dead {
            self.files.kill(*place);
            let path = self.files.target(place.file).path.clone();
            making.dead.entry(path).or_default().0.insert(place.row.into());
        }
        let of = |net: &usize| keys::hash(prepared.keys.row(prepared.collapsed.nets[*net].row));
        making.hashes.extend(plan.nets.iter().map(of));
        making.gaps.extend(plan.gaps);
        making.counts += plan.counts;
        futures::try_join!(making.data.write(plan.data), making.before.write(plan.before))?;
        Ok(())
    }

    /// All rows of the shard die.
    async fn truncate(&mut self, making: &mut Making) -> Result<(), StoreError> {
        let alive = self.alive().await;
        // Nothing is left for it to point at. One that is kept from before is of no use any more.
        self.index = Arc::default();
        self.added += 1;
        for (number, rows) in (0..).zip(alive).filter(|(_, rows)| !rows.is_empty()) {
            let target = self.files.target(number).clone();
            if self.spec.feed {
                self.tell_deleted(&mut making.before, target.clone(), rows.clone()).await?;
            }
            making.counts.truncated += rows.len();
            self.files.kill_all(number, &rows);
            making.dead.entry(target.path).or_default().0 |= rows;
        }
        Ok(())
    }

    /// By the number of its file, the rows of the shard that are alive.
    async fn alive(&self) -> Vec<RoaringTreemap> {
        let mut alive = vec![RoaringTreemap::new(); self.files.next() as usize];
        for places in self.index.runs().flat_map(|(_, places)| places.chunks(TURN)) {
            for place in places.iter().filter(|place| self.files.is_alive(**place)) {
                alive[place.file as usize].insert(place.row.into());
            }
            tokio::task::yield_now().await;
        }
        alive
    }

    /// Writes the rows of a file as ones that were deleted, as they are read.
    async fn tell_deleted(&self, before: &mut Writing, target: Target, rows: RoaringTreemap) -> Result<(), StoreError> {
        let (spec, columns) = (self.spec.clone(), (0..self.reader.columns()).collect());
        let write = move |batch: RecordBatch, open: &mut Open| {
            let told = with_types(&spec, &batch, vec!["delete"; batch.num_rows()]);
            let failed = |e| StoreError::definite(format!("change rows of {}", spec.table.shown()), e);
            open.write(&told.map_err(failed)?)
        };
        let open = self.reader.scan((target, columns, Some(rows)), before.take(), write).await?;
        before.put(open);
        Ok(())
    }

    /// Completes the files, and adds their rows to the index.
    async fn finish(&mut self, prepared: &Prepared, making: Making) -> Result<(Outcome, Vec<Gap>), StoreError> {
        let Making { data, before, hashes, dead, counts, gaps } = making;
        debug_assert_eq!(counts.changes, counts.accounted(), "each change is counted once: {counts:?}");
        let (data, before) = futures::try_join!(data.finish(), before.finish())?;
        let mut hashes = hashes.into_iter();
        for written in &data {
            let target = Target { path: written.path.clone(), size: written.size };
            let file = self.files.add(DataFile::told(target, None, RoaringTreemap::new()));
            let rows = (0..written.rows as u32).zip(&mut hashes);
            self.add(rows.map(|(row, hash)| (hash, Place { file, row })).collect());
        }
        debug_assert!(hashes.next().is_none(), "every row is in a file");
        let gaps = gaps.into_iter().map(|change| self.gap(&prepared.changes, change)).collect();
        Ok((Outcome { data, before, dead, counts }, gaps))
    }
}
