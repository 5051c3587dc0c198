//! What the operators of one run share, with the default settings of a pipeline file.

use std::process::exit;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use lakefront_operators::error::chain;
use lakefront_operators::format::logs::lines::Standing;
use lakefront_operators::format::logs::settings::{
    Destination, Envelope, Format, ROWS_VERSION, Roles, RowSettings, UnknownKeys,
};
use lakefront_operators::plan::Mode;
use lakefront_operators::protocol::clock::Clock;
use lakefront_operators::protocol::cutter::Bounds;
use lakefront_operators::run::bridge::Bridge;
use lakefront_operators::run::clock::SystemClock;
use lakefront_operators::run::env::Env;
use lakefront_operators::run::fatal::{Fatal, StopRequest};
use lakefront_operators::run::memory::Budget;
use lakefront_operators::run::metrics::Metrics;
use lakefront_operators::run::metrics::retry::Count;
use lakefront_operators::run::space::{self, Guard, OnLow};
use lakefront_operators::source::files::ByteSource;
use lakefront_operators::source::files::feed::{FileFeed, Planning};
use lakefront_operators::source::files::file::FileSource;
use lakefront_operators::source::files::needs::Needs;
use lakefront_operators::source::files::supply::Planner;
use lakefront_operators::source::files::watch::{OnRewrite, Unterminated, WatchRules, Watcher};
use lakefront_topologies::pg_logs::{TABLES, outline};
use tokio::runtime::Runtime;

use crate::input::Input;

const MIB: u64 = 1 << 20;
/// A chunk's bytes.
pub(crate) const CHUNK: u64 = 8 * MIB;
/// A cut's bytes.
pub(crate) const CUT: u64 = 256 * MIB;
/// The longest line that becomes a row, in bytes.
const MAX_LINE: u64 = 16 * MIB;

/// One for the whole process.
static TOKIO: LazyLock<Runtime> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("the runtime starts")
});

/// What the operators of a run share.
pub(crate) struct Run {
    pub(crate) source: Arc<dyn ByteSource>,
    pub(crate) env: Env,
    in_flight: usize,
}

impl Run {
    /// A run over `input` with `workers` workers, each of which may have `in_flight` chunks in
    /// memory.
    pub(crate) fn new(input: &Input, workers: usize, in_flight: usize) -> Run {
        let path = input.path();
        let source = FileSource::open(path.to_str().expect("a path of plain characters")).expect("the file is there");
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let needs = Needs { workers, tables: TABLES.len(), chunk: CHUNK, in_flight, max_line: MAX_LINE, uploads: 0 };
        Run {
            source: Arc::new(source),
            env: Env {
                metrics: Arc::new(Metrics::new(clock.clone(), outline(), workers, Count::default())),
                clock,
                budget: Budget::new(needs.parts().usual(), needs.parts()),
                bridge: Bridge::new(TOKIO.handle().clone()),
                fatal: supervised(),
            },
            in_flight,
        }
    }

    /// The plan of worker 0: the whole file, once, for tables that stand at `standings`.
    pub(crate) fn planning(&self, standings: &[Standing]) -> Planning {
        let bounds = Bounds { work: CHUNK, cut: CUT, cut_ms: 10_000, ahead: 4 * CUT };
        let rules = WatchRules {
            on_rewrite: OnRewrite::Stop,
            unterminated: Unterminated::Leave,
            quiet: Duration::from_secs(3600),
        };
        let nothing =
            space::Settings { watched: vec![], min_free: 0, on_low: OnLow::Stop, clean: vec![], kept: vec![] };
        let (mut guard, space) = Guard::new(nothing);
        guard.look_first(&*self.env.clock).expect("nothing is low");
        let furthest = standings.iter().max_by_key(|standing| standing.position()).expect("a table");
        Planning {
            cutter: Planner::new(standings, settings(), bounds),
            watch: Watcher::new(self.source.clone(), &furthest.offsets, rules),
            feed: FileFeed::new(self.env.metrics.clone(), false),
            mode: Mode::Backfill,
            in_flight: self.in_flight,
            space,
            stop: StopRequest::default(),
        }
    }
}

/// Rows of Azure's format, routed by role.
pub(crate) fn settings() -> Arc<RowSettings> {
    Arc::new(RowSettings {
        rows_version: ROWS_VERSION,
        format: Format::Azure,
        max_line: MAX_LINE,
        unknown_keys: UnknownKeys::Keep,
        zones: Default::default(),
        raw: RowSettings::usual_raw(),
        envelope: Envelope::None,
        roles: Roles {
            primary: vec!["Primary".to_owned()],
            replica: vec!["*".to_owned()],
            default: Destination::Reject,
            servers: [].into(),
            sources: [].into(),
        },
        tables: TABLES.map(str::to_owned).to_vec(),
    })
}

/// Waits for `future` on the calling thread.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    TOKIO.block_on(future)
}

/// A cell for a fatal error. The error ends the process, because failed work never completes and
/// would be waited for.
fn supervised() -> Fatal {
    let (fatal, supervisor) = Fatal::new();
    std::thread::spawn(move || {
        if let Ok(stop) = supervisor.recv() {
            eprintln!("lost: {}", chain(&stop));
            exit(1);
        }
    });
    fatal
}
