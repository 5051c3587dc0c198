//! Reads a chunk by the split rule, routes its lines, and stages its rows.

use std::ops::Range;

use lakefront_operators::error::{Stop, StoreError};
use lakefront_operators::format::logs::lines::Lines;
use lakefront_operators::format::logs::settings::{
    Destination, Envelope, Format, ROWS_VERSION, Roles, RowSettings, UnknownKeys,
};
use lakefront_operators::position::Position;
use lakefront_operators::protocol::clock::Stamp;
use lakefront_operators::protocol::names::{GroupId, TableId};
use lakefront_operators::protocol::offsets::PartitionId;
use lakefront_operators::protocol::staged::{Counted, Staged, StagedFile};
use lakefront_operators::protocol::sums::Bucket;
use lakefront_operators::source::files::chunk::Chunk;

use crate::group::{SimClock, give_way};
use crate::kind::SimKind;
use crate::lake::DataFile;
use crate::lines::files::File;
use crate::lines::{NAMES, Row};
use crate::run::Env;
use crate::saboteur::Rule;
use crate::world::{World, ev};

/// The settings of a role map.
pub(crate) fn row_settings(routes: usize) -> RowSettings {
    let replica = if routes == 2 { Destination::Primary } else { Destination::Replica };
    let default = if routes == 1 { Destination::Replica } else { Destination::Reject };
    let roles = Roles {
        primary: Vec::new(),
        replica: Vec::new(),
        default,
        servers: [("P".to_owned(), Destination::Primary), ("R".to_owned(), replica)].into(),
        sources: Default::default(),
    };
    RowSettings {
        rows_version: ROWS_VERSION,
        format: Format::Azure,
        max_line: 100,
        unknown_keys: UnknownKeys::Keep,
        zones: Default::default(),
        raw: RowSettings::usual_raw(),
        envelope: Envelope::None,
        roles,
        tables: NAMES.map(str::to_owned).to_vec(),
    }
}

/// The table that a line goes to.
pub(crate) fn route(settings: &RowSettings, role: char) -> usize {
    match settings.roles.servers.get(&role.to_string()).unwrap_or(&settings.roles.default) {
        Destination::Primary => 0,
        Destination::Replica => 1,
        Destination::Reject => 2,
    }
}

/// Reads `chunk` and stages its rows for the tables that lack them.
pub(crate) async fn stage(env: &Env<Lines>, time: Position, chunk: Chunk) -> Result<(), Stop> {
    let staged_at = Stamp::now(&SimClock(env.world.clone()));
    let rows = rows_of(env, &mut env.world(), &chunk)?;
    if env.judge_ratio {
        judge_ratio(env, &chunk, &rows);
    }
    give_way().await;
    for (t, rows) in rows.into_iter().enumerate() {
        if rows.is_empty() || env.flow().claimed[t] > time {
            continue;
        }
        let (file, sum) = {
            let mut w = env.world();
            let id = w.id();
            let count = rows.len() as u64;
            let sum = rows.iter().map(Lines::sum_of).sum();
            let at_ms = w.now_ms;
            w.lakes[t].files.insert(id, DataFile { at_ms, table: TableId(t), rows, strange: 0 });
            ev!(w, "run{} stages {} file {id} at {time}, rows={count}", env.tag, NAMES[t]);
            (StagedFile { path: id.to_string(), size: 1, rows: count, detail: String::new(), staged_at }, sum)
        };
        give_way().await;
        let bucket = Bucket { partition: chunk.partition.clone(), range: 0, part: 0 };
        let mut flow = env.flow();
        if !env.world().lacks(Rule::Rows) {
            flow.queues.iter_mut().for_each(|queue| queue.filled(time, GroupId(t)));
        }
        // Each group is one table.
        let table = TableId(t);
        flow.queues[t].staged(time, Staged { table, file });
        flow.queues[t].counted(time, Counted { table, bucket, sum });
    }
    Ok(())
}

/// The lines that start in the chunk, by table. A line that ends beyond the visible bytes or the
/// limit is torn.
fn rows_of(env: &Env<Lines>, w: &mut World<Lines>, chunk: &Chunk) -> Result<[Vec<Row>; 3], Stop> {
    let is_it = |f: &&File| match w.source.on_disk {
        true => f.born.to_string() == chunk.identity.created,
        false => f.name == chunk.partition.name,
    };
    let Some(file) = w.source.files.iter().find(is_it) else {
        return match chunk.catch_up {
            // As `fetch` does: a file that was deleted before it was read yields nothing.
            false if w.source.on_disk => Ok([const { Vec::new() }; 3]),
            true => Err(gone(&chunk.partition, &(chunk.start..chunk.end))),
            false => Err(StoreError::definite("read a chunk", "the file is gone").into()),
        };
    };
    let length = chunk.identity.fingerprint.length;
    let same = file.seen >= chunk.end
        && w.created(file) == chunk.identity.created
        && file.fingerprint(length) == chunk.identity.fingerprint;
    if !same && !w.lacks(Rule::Generation) {
        return match chunk.catch_up {
            true => Err(gone(&chunk.partition, &(chunk.start..chunk.end))),
            false => Err(Stop::Refused(format!("{:?} was rewritten while it was read", chunk.partition.name))),
        };
    }
    let today = w.lacks(Rule::Settings).then(|| row_settings(env.routes));
    let settings = today.as_ref().unwrap_or(&chunk.settings);
    let mut rows = [Vec::new(), Vec::new(), Vec::new()];
    for line in file.lines.iter().filter(|l| (chunk.start..chunk.end).contains(&l.start)) {
        let torn = line.end > file.seen.min(chunk.limit);
        let table = if torn { 2 } else { route(settings, line.role) };
        rows[table].push(Row { uid: file.uid, generation: chunk.partition.generation, start: line.start, torn });
    }
    Ok(rows)
}

pub(crate) fn gone(partition: &PartitionId, range: &Range<u64>) -> Stop {
    Stop::Refused(format!("{:?}: bytes that a table lacks are gone, {}..{}", partition.name, range.start, range.end))
}

/// If more than half of the lines of new cuts are rejected, the run commits what it has read, and
/// stops. Catch-up is exempt, because it repeats lines that were judged before.
fn judge_ratio(env: &Env<Lines>, chunk: &Chunk, rows: &[Vec<Row>; 3]) {
    if chunk.catch_up && !env.world().lacks(Rule::Ratio) {
        return;
    }
    let mut flow = env.flow();
    let lines = rows.iter().map(|r| r.len() as u64).sum::<u64>();
    flow.lines = (flow.lines.0 + lines, flow.lines.1 + rows[2].len() as u64);
    let (of, rejected) = flow.lines;
    if of < 3 || rejected * 2 <= of {
        return;
    }
    flow.terminate = true;
    flow.over.get_or_insert(Stop::RejectRatio { rejected, of, ratio: 0.5, reasons: Vec::new() });
    if chunk.catch_up {
        drop(flow);
        env.world().violate("RATIO: it stops a catch-up that another table holds already".into());
    }
}
