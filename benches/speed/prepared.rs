//! What each operator gets from the one before it, kept in memory.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use lakefront_operators::fetch::fetch;
use lakefront_operators::format::logs::lines::{Control, Standing};
use lakefront_operators::parse::{Parsed, parse};
use lakefront_operators::plan::plan;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::last_rows::LastRows;
use lakefront_operators::route::{RatioJudge, Rejects, Routes, route};
use lakefront_operators::routed::Routed;
use lakefront_operators::run::fatal::StopRequest;
use lakefront_operators::source::files::feed::Planning;
use lakefront_operators::source::files::reader::{Fetched, FileReader};
use lakefront_operators::split::{Lines, split};
use timely::dataflow::operators::vec::Map;
use timely::dataflow::operators::{ConnectLoop, Feedback, Inspect, Probe};
use timely::dataflow::{ProbeHandle, Scope, StreamVec};
use timely::worker::Worker;

use crate::run::{Run, settings};

/// The whole file after each operator.
pub(crate) struct Prepared {
    pub(crate) blocks: Vec<Fetched>,
    pub(crate) lines: Vec<Lines>,
    pub(crate) parsed: Vec<Parsed>,
    /// In the order of the tables.
    pub(crate) routed: [Vec<Routed>; 3],
}

impl Prepared {
    /// Reads the file of `run`, whose chunks must all fit into memory at once.
    pub(crate) fn new(worker: &mut Worker, run: &Run) -> Prepared {
        let (planning, probe) = (whole_file(run), ProbeHandle::new());
        let (blocks, lines, parsed, routed) = worker.dataflow::<Position, _, _>(|scope| {
            let (blocks, read) = keep(read(scope, planning, run));
            let (lines, found) = keep(split(blocks));
            let (rows, parsed) = keep(parse(lines));
            let routed = routes(rows, run).map(|rows| {
                let (rows, routed) = keep(rows);
                rows.probe_with(&probe);
                routed
            });
            (read, found, parsed, routed)
        });
        while !probe.done() {
            worker.step_or_park(None);
        }
        let (blocks, lines, parsed) = (blocks.take(), lines.take(), parsed.take());
        Prepared { blocks, lines, parsed, routed: routed.map(|rows| rows.take()) }
    }
}

/// A plan that starts with nothing read.
pub(crate) fn whole_file(run: &Run) -> Planning {
    run.planning(&[Standing {
        offsets: Arc::default(),
        settings: settings(),
        since: Position(0),
        last_rows: LastRows::default(),
    }])
}

/// `plan` and `fetch`. Nothing is committed: a planned cut counts as acknowledged at once.
pub(crate) fn read<'s>(scope: Scope<'s, Position>, planning: Planning, run: &Run) -> StreamVec<'s, Position, Fetched> {
    let (returned, credits) = scope.feedback::<Vec<usize>>(());
    let (acknowledge, acknowledged) = scope.feedback::<Vec<Position>>(());
    let (chunks, control) = plan(scope, acknowledged, credits, Some(planning), &run.env);
    let planned = control.map(|record| match record {
        Control::Cut(cut) => cut.upper,
        Control::Settle(position) => position,
    });
    planned.connect_loop(acknowledge);
    let (blocks, returns) = fetch(chunks, Arc::new(FileReader(run.source.clone())), &run.env);
    returns.connect_loop(returned);
    blocks
}

/// `route`, set up as in the pipeline.
pub(crate) fn routes<'s>(rows: StreamVec<'s, Position, Parsed>, run: &Run) -> Routes<'s> {
    route(rows, RatioJudge::new(Arc::new(Rejects::new(0.5, StopRequest::default()))), &run.env)
}

type Kept<D> = Rc<RefCell<Vec<D>>>;

/// Passes everything on and keeps a copy.
fn keep<'s, D: Clone + 'static>(stream: StreamVec<'s, Position, D>) -> (StreamVec<'s, Position, D>, Kept<D>) {
    let kept = Kept::default();
    let into = kept.clone();
    (stream.inspect(move |record| into.borrow_mut().push(record.clone())), kept)
}
