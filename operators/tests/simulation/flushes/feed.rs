//! Looks for rows that wait, and hands them out: a flush begins once the one before has ended.

use std::collections::VecDeque;
use std::sync::Arc;

use lakefront_operators::error::{Stop, StoreError};
use lakefront_operators::position::Position;
use lakefront_operators::protocol::names::TableId;
use lakefront_operators::protocol::offsets::{Offsets, PartitionId};
use lakefront_operators::protocol::standing::Standing;
use lakefront_operators::protocol::supply::{Boundary, Lost, Supply};
use lakefront_operators::source::postgres::{FlushSupply, Flushes, Slice, Watermark};

use crate::flushes::flush::{Buffer, Flush, Progress};
use crate::flushes::hot::Marks;
use crate::flushes::{Row, TABLES};
use crate::group::give_way;
use crate::kind::{Planner, Transaction};
use crate::run::Env;
use crate::saboteur::Rule;
use crate::world::{World, ev};

/// Looks for a run.
pub(crate) struct Watch {
    /// The number of the last flush.
    number: u64,
    pub(crate) has_looked: bool,
    /// Whether nothing waited when it was last looked, and that is enough.
    pub(crate) is_done: bool,
}

/// What a look has found.
enum Found {
    Flush(Transaction),
    Nothing,
    /// It is to be made again.
    Again,
}

impl Watch {
    pub(super) fn new(env: &Env<Flushes>, standing: &Standing<Flushes>) -> Watch {
        let marks = marks(&standing.offsets);
        env.world().source.buffers.insert(env.tag, Buffer { flush: None, marks, reached: None });
        Watch { number: standing.position().0, has_looked: false, is_done: false }
    }

    /// Begins a flush, if none is under way.
    pub(super) async fn look(&mut self, env: &Env<Flushes>, planner: &mut Planner<Flushes>) -> Result<(), Stop> {
        {
            let mut w = env.world();
            let waits = env.tail && self.has_looked && !w.calm && w.rng.chance(0.7);
            if self.is_done || waits || w.under_way(env.tag).is_some() {
                return Ok(());
            }
        }
        match begin(env, self.number + 1).await? {
            Found::Flush(transaction) => {
                self.number += 1;
                let mut w = env.world();
                let landed = match w.lacks(Rule::Marks) {
                    true => marks(planner.supply().offsets()),
                    false => w.source.buffers[&env.tag].marks.clone(),
                };
                let flush = w.flush(transaction);
                let end = Watermark { watermark: flush.bound, keeps: false };
                let ends = TABLES.iter().map(|table| (*table, end));
                planner.supply_mut().inner.take(slices(flush), ends, &landed);
                self.has_looked = true;
            }
            Found::Nothing => {
                self.has_looked = true;
                self.is_done = !env.tail;
            }
            Found::Again => {}
        }
        Ok(())
    }
}

fn marks(offsets: &Offsets<Flushes>) -> Marks {
    offsets.partitions.iter().map(|(id, at)| (id.name.clone(), at.watermark)).collect()
}

/// Begins flush `number`.
async fn begin(env: &Env<Flushes>, number: u64) -> Result<Found, Stop> {
    let snapshot: Vec<Row> = {
        let mut w = env.world();
        if !w.lakes[0].fits {
            return Err(StoreError::definite("begin a flush", "the schema does not fit").into());
        }
        if !w.calm && w.rng.chance(0.02) {
            return Ok(Found::Again);
        }
        w.source.rows.values().copied().collect()
    };
    give_way().await;
    let leftovers = env.world().leftovers(env.tag, &snapshot);
    if !leftovers.is_empty() {
        give_way().await;
        env.world().skip(&leftovers);
        give_way().await;
        return Ok(Found::Again);
    }
    let mut w = env.world();
    let Some((rows, bound)) = w.bound(env.tag, snapshot) else { return Ok(Found::Nothing) };
    let transaction = Transaction(w.id());
    ev!(w, "run{} begins flush {number}, {transaction:?}, up to {bound}: {rows:?}", env.tag);
    let mut flush = Flush {
        number,
        rows,
        bound,
        progress: Progress::Copying,
        is_open: true,
        left: 0,
        has_rows: false,
        is_lost: false,
    };
    flush.left = slices(&flush).len();
    w.source.flushes.insert(transaction, flush);
    w.source.buffers.get_mut(&env.tag).expect("the run is alive").flush = Some(transaction);
    // The owner deletes while others copy.
    if w.rng.chance(0.5) {
        w.delete_rows(transaction);
    }
    Ok(Found::Flush(transaction))
}

impl World<Flushes> {
    /// The late rows whose key the lake has.
    fn leftovers(&self, tag: u64, snapshot: &[Row]) -> Vec<Row> {
        let marks = &self.source.buffers[&tag].marks;
        let is_late = |row: &&Row| marks.get(TABLES[row.table.0]).is_some_and(|mark| row.sequence <= *mark);
        let looks = self.source.skips && !self.lacks(Rule::Leftover);
        snapshot.iter().filter(|row| looks && is_late(row) && self.has(row.key)).copied().collect()
    }

    /// Deletes rows that the lake has, in a transaction of their own, unless somebody was before.
    fn skip(&mut self, rows: &[Row]) {
        let is_free = |row: &Row| {
            !self.source.locks.contains_key(&row.key) && self.source.rows.get(&row.key).is_some_and(|now| now == row)
        };
        match rows.iter().all(is_free) {
            true => {
                ev!(self, "rows that the lake has are deleted: {rows:?}");
                self.forget_rows(rows.iter().map(|row| row.key));
            }
            false => ev!(self, "rows that the lake has cannot be deleted now"),
        }
    }

    /// What a flush takes of what its snapshot sees, and up to where it goes. The first table has
    /// the watermark.
    fn bound(&mut self, tag: u64, snapshot: Vec<Row>) -> Option<(Vec<Row>, i64)> {
        let most = self.source.most;
        let buffer = self.source.buffers.get_mut(&tag).expect("the run is alive");
        let first = snapshot.iter().filter(|row| row.table == TableId(0)).map(|row| row.sequence);
        let highest = first.max().max(buffer.reached)?;
        let mut sequences: Vec<i64> = snapshot.iter().map(|row| row.sequence).filter(|at| *at <= highest).collect();
        sequences.sort_unstable();
        let bound = match sequences.len() > most {
            true => sequences[most - 1],
            false => highest,
        };
        let mut rows: Vec<Row> = snapshot.into_iter().filter(|row| row.sequence <= bound).collect();
        if rows.is_empty() {
            return None;
        }
        rows.sort_unstable();
        buffer.reached = (bound < highest).then_some(highest);
        Some((rows, bound))
    }
}

/// The slices of a flush: at most three rows each.
fn slices(flush: &Flush) -> Vec<Slice> {
    let mut slices = Vec::new();
    for (table, name) in TABLES.iter().enumerate() {
        let count = flush.rows.iter().filter(|row| row.table == TableId(table)).count() as u32;
        for from in (0..count).step_by(3) {
            slices.push(Slice {
                partition: PartitionId::first(*name),
                table: TableId(table),
                flush: flush.number,
                leaf: 0,
                is_listed: false,
                from,
                to: Some((from + 3).min(count)),
                bytes: 1,
                is_first: slices.is_empty(),
                is_whole: count <= 3,
            });
        }
    }
    slices
}

/// The supply of a run, which may lack the rule that its flushes are not divided.
pub(crate) struct SimSupply {
    inner: FlushSupply,
    is_lax: bool,
}

impl SimSupply {
    pub(super) fn new(at: Offsets<Flushes>, is_lax: bool) -> SimSupply {
        SimSupply { inner: FlushSupply::new(at), is_lax }
    }
}

impl Supply<Flushes> for SimSupply {
    type Work = Slice;

    fn offsets(&self) -> &Offsets<Flushes> {
        self.inner.offsets()
    }

    fn next(&mut self, room: u64, settings: &Arc<u32>) -> Option<Slice> {
        self.inner.next(room, settings)
    }

    fn towards(&mut self, targets: &VecDeque<Standing<Flushes>>, room: u64) -> Result<Option<Slice>, Lost> {
        self.inner.towards(targets, room)
    }

    fn reach(&mut self, target: &Standing<Flushes>) {
        self.inner.reach(target);
    }

    fn boundary(&self) -> Boundary {
        if self.is_lax { Boundary::May } else { self.inner.boundary() }
    }

    fn close(&mut self) {
        self.inner.close();
    }

    fn acknowledged(&mut self, position: Position) {
        self.inner.acknowledged(position);
    }

    fn is_exhausted(&self) -> bool {
        self.inner.is_exhausted()
    }
}
