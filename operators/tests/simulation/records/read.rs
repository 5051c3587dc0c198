//! Reads a piece of the log, routes its records, and stages their rows. A record that takes the
//! place of an earlier one masks that one's row, wherever in the group it lies by then.

use std::collections::BTreeMap;

use lakefront_operators::error::{Stop, StoreError};
use lakefront_operators::position::Position;
use lakefront_operators::protocol::clock::Stamp;
use lakefront_operators::protocol::names::TableId;
use lakefront_operators::protocol::staged::{Counted, Staged, StagedFile};
use lakefront_operators::protocol::sums::{Bucket, Sum};

use crate::group::{SimClock, give_way};
use crate::kind::SimKind;
use crate::lake::DataFile;
use crate::plan::lacking;
use crate::records::log::id_of;
use crate::records::supply::Piece;
use crate::records::{Records, Routing, Row};
use crate::rng::mix;
use crate::run::Env;
use crate::saboteur::Rule;
use crate::world::{World, ev};

/// How many records fall into one range of the totals.
const RANGE: u64 = 4;

/// The table that a record goes to.
pub(crate) fn route(settings: &Routing, row: &Row) -> TableId {
    let key = (mix(row.uid << 20 | row.number) >> 32) as usize % 3;
    TableId(match (settings.route, key) {
        (0, key) => key,
        (1, key) => (key + 1) % 3,
        (_, 1) => 0,
        (_, key) => key,
    })
}

/// Stages the rows of a piece for the groups that lack them.
pub(crate) async fn stage(env: &Env<Records>, time: Position, piece: Piece) -> Result<(), Stop> {
    let mut staged_at = Stamp::now(&SimClock(env.world.clone()));
    if env.world().lacks(Rule::Begun) {
        staged_at.steady_ms = u64::MAX;
    }
    let rows = rows_of(env, &piece)?;
    give_way().await;
    for (table, rows) in rows {
        let group = env.world().layout.group_of(table).expect("every table is in a group");
        if env.flow().claimed[group.0] > time {
            continue;
        }
        let sums = sums_of(table, &rows);
        let (id, count) = (env.world().id(), rows.len() as u64);
        let detail = {
            let mut w = env.world();
            let masks = masks_of(&w, group.0, &rows);
            ev!(w, "run{} stages file {id} of table {} at {time}, rows={count} masks={masks:?}", env.tag, table.0);
            let at_ms = w.now_ms;
            w.lakes[group.0].files.insert(id, DataFile { at_ms, table, rows, strange: 0 });
            serde_json::to_string(&masks).expect("masks are JSON")
        };
        give_way().await;
        let file = StagedFile { path: id.to_string(), size: 1, rows: count, detail, staged_at };
        let mut flow = env.flow();
        if !env.world().lacks(Rule::Rows) {
            flow.queues.iter_mut().for_each(|queue| queue.filled(time, group));
        }
        let queue = &mut flow.queues[group.0];
        queue.staged(time, Staged { table, file });
        sums.into_iter().for_each(|counted| queue.counted(time, counted));
    }
    Ok(())
}

/// The rows of a piece, by table.
fn rows_of(env: &Env<Records>, piece: &Piece) -> Result<BTreeMap<TableId, Vec<Row>>, Stop> {
    let w = env.world();
    let today = Records::settings(env.routes);
    let settings = if w.lacks(Rule::Settings) { &today } else { &*piece.settings };
    let mut rows: BTreeMap<TableId, Vec<Row>> = BTreeMap::new();
    for (uid, range) in &piece.ranges {
        if w.source.partitions[uid].forgotten > range.start {
            return Err(match piece.catch_up {
                true => lacking::<Records>(&format!("{range:?} of p{uid}")),
                false => StoreError::definite("read records", format!("{range:?} of p{uid} were forgotten")).into(),
            });
        }
        for number in range.clone() {
            let row = Row { uid: *uid, number };
            rows.entry(route(settings, &row)).or_default().push(row);
        }
    }
    Ok(rows)
}

/// The rows that lie in the group now, and whose place the new ones take.
fn masks_of(w: &World<Records>, group: usize, rows: &[Row]) -> Vec<(u64, Row)> {
    let old = |row: &Row| Some(Row { uid: row.uid, number: w.source.replaced_by(row.uid, row.number)? });
    let find = |old: Row| Some((w.lakes[group].seen().find(|(_, file)| file.rows.contains(&old))?.0, old));
    rows.iter().filter_map(old).filter_map(find).collect()
}

/// What the rows add to the totals, by partition and range.
fn sums_of(table: TableId, rows: &[Row]) -> Vec<Counted> {
    let mut sums: BTreeMap<(u64, u64), Sum> = BTreeMap::new();
    for row in rows {
        let sum = sums.entry((row.uid, row.number / RANGE)).or_default();
        *sum = [*sum, Records::sum_of(row)].into_iter().sum();
    }
    let bucket = |uid, range| Bucket { partition: id_of(uid), range, part: 0 };
    sums.into_iter().map(|((uid, range), sum)| Counted { table, bucket: bucket(uid, range), sum }).collect()
}
