//! Drives the real path over files in memory: watcher, planner, chunks in any order, blocks, lines.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lakefront_operators::error::StoreError;
use lakefront_operators::format::logs::lines::{Control, Cut, Offsets, Standing};
use lakefront_operators::format::logs::record::{Reason, Reject};
use lakefront_operators::format::logs::settings::{
    Destination, Envelope, Format, ROWS_VERSION, Roles, RowSettings, UnknownKeys,
};
use lakefront_operators::position::Position;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::cutter::Bounds;
use lakefront_operators::protocol::last_rows::LastRows;
use lakefront_operators::run::memory::Budget;
use lakefront_operators::source::files::chunk::Chunk;
use lakefront_operators::source::files::identity::Identity;
use lakefront_operators::source::files::needs::Needs;
use lakefront_operators::source::files::supply::{Decision, Planner};
use lakefront_operators::source::files::watch::{OnRewrite, Unterminated, WatchRules, Watcher};
use lakefront_operators::source::files::{ByteSource, Listed, Listing, block};
use lakefront_operators::split;

use crate::naive::Found;

/// Files, and the bytes that each grows by from poll to poll.
pub(crate) type Growth = BTreeMap<String, Vec<Vec<u8>>>;

/// How files are cut.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) bounds: Bounds,
    pub(crate) max_line: u64,
    pub(crate) unterminated: Unterminated,
    /// Determines the order in which chunks are read.
    pub(crate) order: u64,
}

/// What a drive has found.
pub(crate) struct Driven {
    /// Lines and rejects, in order.
    pub(crate) found: Vec<Found>,
    /// Where the tables stood at first, and where each cut ended.
    pub(crate) standings: Vec<Standing>,
}

impl Driven {
    pub(crate) fn texts(&self) -> Vec<&str> {
        let lines = self.found.iter().filter(|found| found.too_long.is_none());
        lines.map(|found| std::str::from_utf8(&found.text).unwrap()).collect()
    }

    /// Offset and length of the lines that are too long.
    pub(crate) fn rejects(&self) -> Vec<(u64, u64)> {
        self.found.iter().filter_map(|found| Some((found.offset, found.too_long?))).collect()
    }
}

/// Plans and reads files from their beginning, while they grow.
pub(crate) fn drive(growth: &Growth, plan: &Plan) -> Driven {
    let start = Standing {
        offsets: Arc::new(Offsets::default()),
        settings: settings(plan.max_line),
        since: Position(0),
        last_rows: LastRows::default(),
    };
    follow(&[start], growth, plan, false)
}

/// Plans and reads files that are fully grown, for tables that stand at `standings`.
pub(crate) fn from(standings: &[Standing], growth: &Growth, plan: &Plan) -> Driven {
    follow(standings, growth, plan, true)
}

fn follow(standings: &[Standing], growth: &Growth, plan: &Plan, grown: bool) -> Driven {
    let source = Arc::new(Memory::default());
    let furthest = standings.iter().max_by_key(|standing| standing.position()).unwrap();
    let rules = WatchRules { on_rewrite: OnRewrite::Stop, unterminated: plan.unterminated, quiet: Duration::MAX };
    let mut watcher = Watcher::new(source.clone(), &furthest.offsets, rules);
    let mut planned = Planned::new(standings, plan);
    let polls = growth.values().map(Vec::len).max().unwrap_or(0);
    for poll in 0..polls {
        source.grow(growth, poll);
        if grown && poll + 1 < polls {
            continue;
        }
        let limits = wait(watcher.poll()).unwrap().limits;
        planned.planner.supply_mut().limits(limits);
        planned.run();
    }
    assert!(planned.planner.is_exhausted(), "everything up to the limits is planned");
    planned.planner.finish();
    planned.run();
    let found = read_all(&source, planned.chunks, plan);
    let standings = standings.iter().cloned().chain(planned.cuts.iter().map(Cut::standing)).collect();
    Driven { found, standings }
}

/// A planner, and what it has handed out.
struct Planned {
    planner: Planner,
    bounds: Bounds,
    /// The longest tail that is landed. It is not divided, whatever the bounds.
    tail: u64,
    now_ms: u64,
    chunks: Vec<Chunk>,
    open_bytes: u64,
    cuts: Vec<Cut>,
}

impl Planned {
    fn new(standings: &[Standing], plan: &Plan) -> Self {
        let planner = Planner::new(standings, settings(plan.max_line), plan.bounds);
        let tail = match plan.unterminated {
            Unterminated::Leave => 0,
            Unterminated::Land { max_line } => max_line,
        };
        Planned { planner, bounds: plan.bounds, tail, now_ms: 0, chunks: Vec::new(), open_bytes: 0, cuts: Vec::new() }
    }

    /// Plans until there is nothing left to do. Tables settle at once.
    fn run(&mut self) {
        loop {
            self.now_ms += 1;
            match self.planner.next(self.now_ms, true) {
                Decision::Work(chunk) => {
                    assert!(
                        !chunk.is_empty() && chunk.len() <= self.bounds.work + self.tail && chunk.end <= chunk.limit,
                        "{chunk:?}"
                    );
                    self.open_bytes += chunk.len();
                    self.chunks.push(chunk);
                }
                Decision::Tell(Control::Cut(cut)) => {
                    assert_eq!(cut.upper.since(cut.lower), std::mem::take(&mut self.open_bytes));
                    assert!(cut.upper.since(cut.lower) <= self.bounds.cut + self.tail);
                    assert_eq!(cut.offsets.position(), cut.upper);
                    assert!(self.cuts.last().is_none_or(|before| before.upper == cut.lower), "cuts leave no gap");
                    self.cuts.push(cut);
                }
                Decision::Tell(Control::Settle(position)) => self.planner.acknowledged(position),
                Decision::Wait(_) | Decision::Done => return,
                Decision::Lost(lost) => panic!("{} are there", lost.what),
            }
        }
    }
}

fn read_all(source: &Memory, mut chunks: Vec<Chunk>, plan: &Plan) -> Vec<Found> {
    let Plan { bounds, max_line, .. } = *plan;
    let needs = Needs { workers: 1, tables: 1, chunk: bounds.work, in_flight: 1, max_line, uploads: 0 };
    let budget = Budget::new(needs.parts().least(), needs.parts());
    chunks.sort_by_key(|chunk| (chunk.start ^ plan.order).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut found = Vec::new();
    for chunk in chunks {
        let file = chunk.partition.to_string();
        let (block, _) = wait(block::read(source, &chunk, &budget)).unwrap();
        let (mut lines, mut rejects, mut from) = (Vec::new(), Vec::new(), Some(block.begin));
        while let Some(begin) = from {
            let batch = split::lines(&block, begin, &file, &chunk.settings);
            lines.extend(batch.lines);
            rejects.extend(batch.rejects);
            from = batch.next;
        }
        found.extend(lines.iter().map(|line| {
            let (offset, text) = (line.offset(&block), line.text(&block).to_vec());
            assert!((chunk.start..chunk.end).contains(&offset), "a chunk owns the lines that start in it");
            Found { file: file.clone(), offset, text, too_long: None }
        }));
        found.extend(rejects.into_iter().map(|Reject { offset, reason, raw, length, .. }| {
            assert_eq!(reason, Reason::LineTooLong);
            Found { file: file.clone(), offset, text: raw, too_long: Some(length) }
        }));
    }
    found.sort();
    found
}

/// Runs a future that never waits for anything.
fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(future)
}

/// Files in memory.
#[derive(Default)]
struct Memory(Mutex<BTreeMap<String, Vec<u8>>>);

impl Memory {
    fn grow(&self, growth: &Growth, poll: usize) {
        let mut files = self.0.lock().unwrap();
        for (name, polls) in growth {
            files.entry(name.clone()).or_default().extend(polls.get(poll).into_iter().flatten());
        }
    }
}

impl ByteSource for Memory {
    fn identity(&self) -> &str {
        "memory"
    }

    fn list(&self) -> Pending<'_, Result<Listing, StoreError>> {
        let files = self.0.lock().unwrap();
        let listed = files.iter().map(|(name, bytes)| Listed {
            name: name.clone(),
            created: name.clone(),
            length: bytes.len() as u64,
            revision: bytes.len().to_string(),
            modified_ms: None,
        });
        let listing = Listing { files: listed.collect(), whole: true, ..Listing::default() };
        Box::pin(async move { Ok(listing) })
    }

    fn is_there<'a>(&'a self, _listed: &'a Listed) -> Pending<'a, Result<bool, StoreError>> {
        Box::pin(async { Ok(true) })
    }

    fn is_empty(&self) -> Pending<'_, Result<bool, StoreError>> {
        Box::pin(async move { Ok(self.list().await?.files.is_empty()) })
    }

    fn has_links(&self) -> bool {
        false
    }

    fn created_ms(&self, _created: &str) -> Option<u64> {
        None
    }

    fn read<'a>(
        &'a self,
        name: &'a str,
        identity: &'a Identity,
        range: Range<u64>,
        mut into: Vec<u8>,
    ) -> Pending<'a, Result<Vec<u8>, StoreError>> {
        assert_eq!(identity.created, name);
        let (start, end) = (range.start as usize, range.end as usize);
        into.extend_from_slice(&self.0.lock().unwrap()[name][start..end]);
        Box::pin(async move { Ok(into) })
    }
}

fn settings(max_line: u64) -> Arc<RowSettings> {
    let roles = Roles {
        primary: Vec::new(),
        replica: Vec::new(),
        default: Destination::Reject,
        servers: [].into(),
        sources: [].into(),
    };
    let (format, unknown_keys) = (Format::Azure, UnknownKeys::Keep);
    Arc::new(RowSettings {
        rows_version: ROWS_VERSION,
        format,
        max_line,
        unknown_keys,
        zones: Default::default(),
        raw: RowSettings::usual_raw(),
        envelope: Envelope::None,
        roles,
        tables: Vec::new(),
    })
}
