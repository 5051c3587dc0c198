//! The world around a run: time, growing files, three tables, a state file per machine, and a
//! network that loses replies.

use std::collections::BTreeSet;

use lakefront_operators::error::StoreError;
use lakefront_operators::position::Position;

use crate::files::File;
use crate::saboteur::Rule;
use crate::table::{Lake, MAIN};

/// One tick of the schedule, in milliseconds of the protocol's clock.
pub(crate) const TICK_MS: u64 = 1_000;
/// When a schedule begins, on every clock: late enough that a clock can be set back.
const START_MS: u64 = 100_000_000;
/// How long a delayed write may be on its way: less than half the retention, as the protocol
/// assumes.
const LATE_MS: u64 = 25 * TICK_MS;

/// Writes a line of the trace, if there is one.
macro_rules! ev {
    ($w:expr, $($text:tt)*) => {
        if $w.trace.is_some() { let text = format!($($text)*); $w.event(text); }
    };
}
pub(crate) use ev;

/// A splitmix64 generator: small, seeded, good enough.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Rng(seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(0x9e37_79b9_7f4a_7c15))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number in `0..n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// A number in `0.0..1.0`.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// How long files must be quiet: mostly so short that many are finished within a schedule.
pub(crate) fn some_settle(rng: &mut Rng) -> u64 {
    let (low, high) = rng.pick(&[(1, 4), (2, 12), (5, 40)]);
    rng.between(low, high) * TICK_MS
}

pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A row in a table: the line it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) uid: u64,
    pub(crate) generation: u32,
    pub(crate) start: u64,
    pub(crate) torn: bool,
}

type Effect = Box<dyn FnOnce(&mut World) -> String + Send>;

/// A write on its way, which may arrive after its run has died.
struct Late {
    sent_ms: u64,
    table: usize,
    incarnation: u32,
    what: String,
    effect: Effect,
}

pub(crate) struct World {
    pub(crate) rng: Rng,
    /// The time of stores and writers, and of the runs' steady clocks.
    pub(crate) now_ms: u64,
    /// How far the runs' time of day is ahead of `now_ms`: somebody sets it now and then.
    pub(crate) set_ms: i64,
    pub(crate) ids: u64,
    /// Whether there are no faults any more.
    pub(crate) calm: bool,
    pub(crate) files: Vec<File>,
    /// Files that can be brought back.
    pub(crate) deleted: Vec<File>,
    /// Names under which there was more than one file.
    pub(crate) reused: BTreeSet<String>,
    /// Names of files that changed when they may have been taken for finished.
    pub(crate) suspects: BTreeSet<String>,
    /// How long a file must be quiet to be taken for finished, and the shortest that this ever was.
    pub(crate) settle_ms: u64,
    pub(crate) settle_least_ms: u64,
    /// Whether writers leave a file alone once it may be taken for finished.
    pub(crate) punctual: bool,
    /// Whether the files lie on a disk, where they can be renamed and the store has no clock.
    pub(crate) on_disk: bool,
    /// Whether the schedule is long and has many files.
    pub(crate) turnover: bool,
    pub(crate) lakes: Vec<Lake>,
    pub(crate) backups: Vec<Option<Lake>>,
    pub(crate) state: [Option<Position>; 2],
    late: Vec<Late>,
    pub(crate) latest: bool,
    /// The role maps that runs have used, and the current one.
    pub(crate) routes_used: BTreeSet<usize>,
    pub(crate) routes_now: usize,
    pub(crate) ratio_off: bool,
    /// `on_rewrite = "restart"`.
    pub(crate) restart: bool,
    /// Whether a run is now and then started with a mistyped source, which has no files.
    pub(crate) typos: bool,
    /// Whether somebody now and then starts a pipeline that reads the same files under another
    /// spelling.
    pub(crate) twins: bool,
    /// Whether the next run is `run --adopt`.
    pub(crate) adopt: bool,
    /// Whether tables were restored or deleted, so that a state file may be ahead.
    pub(crate) meddled: bool,
    pub(crate) without: Option<Rule>,
    pub(crate) violation: Option<String>,
    pub(crate) trace: Option<Vec<String>>,
}

impl World {
    pub(crate) fn new(seed: u64, without: Option<Rule>, traced: bool) -> Self {
        let mut rng = Rng::new(seed);
        let files = (1..=rng.pick(&[1, 2, 2, 3])).map(|i| File::new(format!("f{i}"), i, START_MS)).collect();
        let (latest, punctual) = (rng.chance(0.3), rng.chance(0.6));
        let settle_ms = some_settle(&mut rng);
        let turnover = rng.chance(0.4);
        let on_disk = rng.chance(0.35);
        let (typos, twins, strangers) = (rng.chance(0.2), rng.chance(0.1), rng.chance(0.1));
        let mut world = World {
            rng,
            now_ms: START_MS,
            set_ms: 0,
            ids: 100,
            calm: false,
            files,
            deleted: Vec::new(),
            reused: BTreeSet::new(),
            suspects: BTreeSet::new(),
            settle_ms,
            settle_least_ms: settle_ms,
            punctual,
            on_disk,
            turnover,
            lakes: vec![Lake::default(), Lake::default(), Lake::default()],
            backups: vec![None, None, None],
            state: [None, None],
            late: Vec::new(),
            latest,
            routes_used: BTreeSet::new(),
            routes_now: 0,
            ratio_off: false,
            restart: false,
            typos,
            twins,
            adopt: false,
            meddled: false,
            without,
            violation: None,
            trace: traced.then(Vec::new),
        };
        if strangers {
            world.strangers();
        }
        world
    }

    pub(crate) fn event(&mut self, text: String) {
        let tick = (self.now_ms - START_MS) as f64 / TICK_MS as f64;
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{tick:7.2} {text}"));
        }
    }

    pub(crate) fn violate(&mut self, text: String) {
        ev!(self, "VIOLATION {text}");
        self.violation.get_or_insert(text);
    }

    pub(crate) fn id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    pub(crate) fn lacks(&self, rule: Rule) -> bool {
        self.without == Some(rule)
    }

    /// The runs' time of day.
    pub(crate) fn wall_ms(&self) -> u64 {
        self.now_ms.saturating_add_signed(self.set_ms)
    }

    /// The clock by which a run measures durations.
    pub(crate) fn steady_ms(&self) -> u64 {
        if self.lacks(Rule::Steady) { self.wall_ms() } else { self.now_ms }
    }

    /// Somebody, or a service, sets the time of day, mostly back.
    pub(crate) fn set_clock(&mut self) {
        self.set_ms = self.rng.pick(&[-7_200_000, -3_600_000, -90_000, -20_000, 0, 20_000, 90_000]);
        ev!(self, "the time of day is set {} ms beside the time", self.set_ms);
    }

    /// One call over the network. A fault may lose it, lose its reply, or delay it.
    pub(crate) fn send<R: std::fmt::Debug>(
        &mut self,
        table: usize,
        what: String,
        effect: impl FnOnce(&mut World) -> R + Send + 'static,
    ) -> Result<R, StoreError> {
        let x = if self.calm { 1.0 } else { self.rng.unit() };
        let fault = if x < 0.04 {
            effect(self);
            "reply lost"
        } else if x < 0.07 {
            "dropped"
        } else if x < 0.11 {
            let late: Effect = Box::new(move |w| format!("{:?}", effect(w)));
            let (sent_ms, incarnation) = (self.now_ms, self.lakes[table].incarnation);
            self.late.push(Late { sent_ms, table, incarnation, what: what.clone(), effect: late });
            "delayed"
        } else {
            return Ok(effect(self));
        };
        ev!(self, "    {fault}: {what}");
        Err(StoreError::transient(what, fault))
    }

    /// A read, which can only fail.
    pub(crate) fn ask<R>(&mut self, what: &str, answer: impl FnOnce(&mut World) -> R) -> Result<R, StoreError> {
        if !self.calm && self.rng.chance(0.003) {
            ev!(self, "    no answer: {what}");
            return Err(StoreError::transient(what, "no answer"));
        }
        Ok(answer(self))
    }

    /// The source is told that it may forget everything up to `position`.
    pub(crate) fn acknowledge(&mut self, pipeline: usize, position: Position) {
        ev!(self, "the source hears of {position}");
        // Of a table that was deleted or restored since, nobody knows what it held.
        if pipeline != MAIN || self.meddled {
            return;
        }
        let behind = |lake: &&Lake| lake.held.is_none_or(|held| held.position < position);
        if let Some(held) = self.lakes.iter().find(behind).map(|lake| lake.held) {
            self.violate(format!("FORGOTTEN: the source may forget up to {position}, but a table holds {held:?}"));
        }
    }

    /// Delivers one delayed write, if there is one.
    pub(crate) fn deliver(&mut self) {
        let (now, lakes) = (self.now_ms, &self.lakes);
        self.late.retain(|l| now - l.sent_ms <= LATE_MS && l.incarnation == lakes[l.table].incarnation);
        if !self.late.is_empty() {
            let late = self.late.swap_remove(self.rng.below(self.late.len()));
            let answer = (late.effect)(self);
            ev!(self, "    late arrival: {} -> {answer}", late.what);
        }
    }

    pub(crate) fn forget_late(&mut self) {
        self.late.clear();
    }
}
