// What examples of the documentation share. They include this file as a module.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use lakefront_operators::error::Stop;
use lakefront_operators::fetch::{Assigned, Read, Reader, fetch};
use lakefront_operators::format::logs::lines::{Claimed, Intent, Mark, Offsets, Standing};
use lakefront_operators::format::logs::settings::RowSettings;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::claim::claim;
use lakefront_operators::protocol::clock::Clock;
use lakefront_operators::protocol::group::Group;
use lakefront_operators::protocol::last_rows::LastRows;
use lakefront_operators::protocol::layout::Layout;
use lakefront_operators::protocol::names::TableId;
use lakefront_operators::protocol::offsets::PartitionId;
use lakefront_operators::routed::Routed;
use lakefront_operators::run::bridge::Bridge;
use lakefront_operators::run::clock::SystemClock;
use lakefront_operators::run::env::Env;
use lakefront_operators::run::fatal::Fatal;
use lakefront_operators::run::memory::{Budget, Parts};
use lakefront_operators::run::metrics::retry::Count;
use lakefront_operators::run::metrics::{Metrics, Outline, Unit};
use lakefront_operators::sink::delta::{self, TableSpec};
use lakefront_operators::sink::files::Place;
use lakefront_operators::source::files::block::Block;
use lakefront_operators::source::files::chunk::Chunk;
use lakefront_operators::source::files::reader::Fetched;
use lakefront_operators::source::files::reading::{File, Files};
use timely::dataflow::operators::vec::{Map, ToStream};
use timely::dataflow::{Scope, StreamVec};

/// What operators share, as in the example of `Env`: one worker, and one table, `events`. The
/// runtime is never dropped.
pub fn env() -> Env {
    let runtime: &'static _ = Box::leak(Box::new(tokio::runtime::Runtime::new().expect("a runtime")));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let steps = vec![("plan", Unit::BYTES), ("fetch", Unit::ROWS)];
    let outline = Outline { unit: Unit::BYTES, steps, reasons: Vec::new(), layout: Layout::each(&["events"]) };
    let (workers, work, in_flight) = (1, 1 << 20, 2);
    let parts = Parts { workers, groups: 1, work, beyond: 0, in_flight, turn: 0, batches: 0, uploads: 0 };
    let (fatal, supervisor) = Fatal::new();
    std::thread::spawn(move || {
        if let Ok(stop) = supervisor.recv() {
            eprintln!("{stop}");
            std::process::exit(1);
        }
    });
    Env {
        metrics: Arc::new(Metrics::new(clock.clone(), outline, workers, Count::default())),
        clock,
        budget: Budget::new(parts.usual(), parts),
        bridge: Bridge::new(runtime.handle().clone()),
        fatal,
    }
}

/// Rows of Azure's format. Lines of primary servers go to one table, those of all others that name
/// their role to another, and the rest are rejected.
pub fn settings() -> Arc<RowSettings> {
    let roles = serde_json::json!({
        "primary": ["Primary"],
        "replica": ["*"],
        "default": "reject",
        "servers": {},
        "sources": {},
    });
    let settings = serde_json::json!({
        "rows_version": 2,
        "format": "azure",
        "max_line": 1024,
        "unknown_keys": "keep",
        "roles": roles,
        "tables": [],
    });
    Arc::new(serde_json::from_value(settings).expect("settings"))
}

/// `a.log` is read up to this position.
pub fn standing(position: u64) -> Standing {
    let mark = Mark { offset: position, identity: Default::default(), landed_tail: false, gone: false };
    Standing {
        offsets: Arc::new([(PartitionId::first("a.log"), mark)].into_iter().collect()),
        settings: settings(),
        since: Position(0),
        last_rows: LastRows::default(),
    }
}

/// The block of a file that holds `text`, as `fetch` reads it.
pub fn blocks<'s>(scope: Scope<'s, Position>, text: &'static str, env: &Env) -> StreamVec<'s, Position, Fetched> {
    let length = text.len() as u64;
    let chunk = Chunk {
        partition: PartitionId::first("a.log"),
        identity: Default::default(),
        start: 0,
        end: length,
        limit: length,
        line_start: true,
        settings: settings(),
        catch_up: false,
    };
    let assigned = [Assigned { worker: 0, work: vec![chunk] }].to_stream(scope);
    let (blocks, _credits) = fetch(assigned, Arc::new(Text(text)), env);
    blocks
}

/// A source of one file.
struct Text(&'static str);

impl Reader<Chunk> for Text {
    type Block = Block;

    fn read<'a>(&'a self, chunk: &'a Chunk, _budget: &'a Arc<Budget>) -> Pending<'a, Result<Read<Block>, Stop>> {
        let block = Block { bytes: self.0.into(), begin: 0, base: chunk.start, oversized: None, lenient: true };
        Box::pin(async { Ok(Read { block, turn: None }) })
    }
}

/// Rows at these offsets of `a.log`, on their way to the table.
pub fn rows<'s>(scope: Scope<'s, Position>, offsets: &[i64], env: &Env) -> StreamVec<'s, Position, Routed> {
    let batch = batch(offsets);
    blocks(scope, "\n", env).map(move |fetched| Routed {
        table: TableId(0),
        rows: batch.clone(),
        partition: fetched.work.partition.clone(),
        credit: fetched.credit,
        is_last: false,
    })
}

/// Rows at these offsets. Each has a number, too.
pub fn batch(offsets: &[i64]) -> RecordBatch {
    let column = || Arc::new(Int64Array::from(offsets.to_vec())) as ArrayRef;
    let columns = [("number", column(), true), ("_offset", column(), true)];
    RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length")
}

/// A new Delta table in `folder`, claimed as in the example of `claim`.
pub async fn claimed(folder: &Path, env: &Env) -> Vec<Claimed> {
    let (place, schema) = (Place::Disk(folder.to_owned()), batch(&[]).schema());
    let spec = TableSpec { place, name: "events".to_owned(), schema, partition: None };
    let tables = delta::open(&[spec], "logs", env.clock.clone(), |_| Ok(())).await.expect("a new table");
    let groups: Vec<_> = tables.into_iter().map(|table| table as Arc<dyn Group>).collect();
    let listed = || -> Pending<'_, Result<Vec<File>, Stop>> { Box::pin(async { Ok(Vec::new()) }) };
    let cold_start = || -> Pending<'_, Result<Offsets, Stop>> { Box::pin(async { Ok(Offsets::default()) }) };
    let intent = Intent {
        pipeline: "logs",
        reading: &Files::new("file:/var/log/a.log", "file:/var/log", &listed),
        layout: &Layout::each(&["events"]),
        settings: settings(),
        known: None,
        process: None,
        adopt: false,
        cold_start: &cold_start,
    };
    claim(&groups, env.clock.clone(), &intent).await.expect("nobody else claims it")
}
