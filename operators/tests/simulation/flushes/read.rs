//! Copies a slice of a flush, and stages its rows.

use std::collections::BTreeMap;

use lakefront_operators::position::Position;
use lakefront_operators::protocol::clock::Stamp;
use lakefront_operators::protocol::kind::Kind;
use lakefront_operators::protocol::names::{GroupId, TableId};
use lakefront_operators::protocol::offsets::PartitionId;
use lakefront_operators::protocol::staged::{Counted, Staged, StagedFile};
use lakefront_operators::protocol::sums::{Bucket, Sum};
use lakefront_operators::source::postgres::{Flushes, Slice};

use crate::flushes::flush::Progress;
use crate::flushes::{Row, TABLES};
use crate::group::{SimClock, give_way};
use crate::kind::SimKind;
use crate::lake::DataFile;
use crate::run::Env;
use crate::world::ev;

/// Stages the rows of a slice, if its flush may still land.
pub(super) async fn stage(env: &Env<Flushes>, time: Position, slice: Slice) {
    let staged_at = Stamp::now(&SimClock(env.world.clone()));
    let Some(transaction) = env.world().numbered(env.tag, slice.flush) else { return };
    give_way().await;
    let rows = {
        let mut w = env.world();
        let flush = &w.source.flushes[&transaction];
        let rows = flush.rows_of(&slice);
        let is_gone = !flush.is_open || flush.progress == Progress::Lost;
        let is_lost = is_gone || (!w.calm && w.rng.chance(0.02));
        w.copied(env.tag, transaction, is_lost);
        if is_lost {
            ev!(w, "run{} could not copy {}", env.tag, Flushes::show(&slice));
            return;
        }
        rows
    };
    give_way().await;
    let (table, count) = (slice.table, rows.len() as u64);
    let id = {
        let mut w = env.world();
        let (id, at_ms) = (w.id(), w.now_ms);
        ev!(w, "run{} stages file {id} of {} at {time}: {rows:?}", env.tag, slice.partition);
        w.lakes[0].files.insert(id, DataFile { at_ms, table, rows: rows.clone(), strange: 0 });
        id
    };
    give_way().await;
    let file = StagedFile { path: id.to_string(), size: 1, rows: count, detail: String::new(), staged_at };
    let mut flow = env.flow();
    let queue = &mut flow.queues[0];
    queue.filled(time, GroupId(0));
    queue.staged(time, Staged { table, file });
    sums_of(&rows).into_iter().for_each(|counted| queue.counted(time, counted));
}

/// What the rows add to the totals.
fn sums_of(rows: &[Row]) -> Vec<Counted> {
    let mut sums: BTreeMap<_, Sum> = BTreeMap::new();
    for row in rows {
        *sums.entry((row.table, row.sequence.unsigned_abs())).or_default() += Flushes::sum_of(row);
    }
    let width = Flushes::RANGE.expect("flushes know the sums of ranges").get();
    let counted = |((table, sequence), sum): ((TableId, u64), Sum)| {
        let bucket = Bucket { partition: PartitionId::first(TABLES[table.0]), range: 0, part: sequence / width };
        Counted { table, bucket, sum }
    };
    sums.into_iter().map(counted).collect()
}
