//! The world around a run: time, a source, groups of tables, a state file per machine, and a
//! network that loses replies.

use std::collections::BTreeSet;

use lakefront_operators::error::StoreError;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::layout::Layout;
use lakefront_operators::protocol::names::{Held, TableId};
use lakefront_operators::protocol::standing::Standing;
use uuid::Uuid;

use crate::group::MAIN;
use crate::kind::{Groups, SimKind};
use crate::lake::Lake;
use crate::rng::Rng;
use crate::saboteur::Rule;

/// One tick of the schedule, in milliseconds of the protocol's clock.
pub(crate) const TICK_MS: u64 = 1_000;
/// When a schedule begins, on every clock: late enough that a clock can be set back.
pub(crate) const START_MS: u64 = 100_000_000;
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

type Effect<K> = Box<dyn FnOnce(&mut World<K>) -> String + Send>;

/// Where a write goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Group(usize),
    Source,
}

/// A write on its way, which may arrive after its run has died.
struct Late<K: SimKind> {
    sent_ms: u64,
    target: Target,
    incarnation: u32,
    what: String,
    effect: Effect<K>,
}

pub(crate) struct World<K: SimKind> {
    pub(crate) rng: Rng,
    /// The time of stores and writers, and of the runs' steady clocks.
    pub(crate) now_ms: u64,
    /// How far the runs' time of day is ahead of `now_ms`: somebody sets it now and then.
    pub(crate) set_ms: i64,
    pub(crate) ids: u64,
    /// Whether there are no faults any more.
    pub(crate) calm: bool,
    pub(crate) source: K::Source,
    pub(crate) groups: Groups,
    pub(crate) layout: Layout,
    pub(crate) lakes: Vec<Lake<K>>,
    pub(crate) backups: Vec<Option<Lake<K>>>,
    pub(crate) state: [Option<Position>; 2],
    late: Vec<Late<K>>,
    /// The commits that were called void.
    pub(crate) voids: BTreeSet<Uuid>,
    /// The settings that runs have used, and the current ones.
    pub(crate) routes_used: BTreeSet<usize>,
    pub(crate) routes_now: usize,
    pub(crate) ratio_off: bool,
    /// Whether a run is now and then started with a mistyped source, which has nothing.
    pub(crate) typos: bool,
    /// Whether somebody now and then starts a pipeline that reads the same source under another
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

impl<K: SimKind> World<K> {
    pub(crate) fn new(seed: u64, without: Option<Rule>, traced: bool) -> Self {
        let mut rng = Rng::new(seed);
        let source = K::source(&mut rng);
        let (typos, twins, strangers) = (rng.chance(0.2), rng.chance(0.1), rng.chance(0.1));
        let groups = K::groups(&source);
        let mut world = World {
            rng,
            now_ms: START_MS,
            set_ms: 0,
            ids: 100,
            calm: false,
            source,
            groups,
            layout: Layout::new(groups.iter().map(|(role, tables)| (*role, tables.to_vec()))),
            lakes: groups.iter().map(|_| Lake::default()).collect(),
            backups: groups.iter().map(|_| None).collect(),
            state: [None, None],
            late: Vec::new(),
            voids: BTreeSet::new(),
            routes_used: BTreeSet::new(),
            routes_now: 0,
            ratio_off: false,
            typos: typos && !K::IS_ONLY_COPY,
            twins: twins && !K::IS_ONLY_COPY,
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

    /// The name of a group.
    pub(crate) fn name(&self, group: usize) -> &'static str {
        self.groups[group].0
    }

    /// The first table of a group.
    pub(crate) fn first_table(&self, group: usize) -> TableId {
        self.layout.groups()[group].tables().next().expect("a group has tables")
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
        target: Target,
        what: String,
        effect: impl FnOnce(&mut World<K>) -> R + Send + 'static,
    ) -> Result<R, StoreError> {
        let x = if self.calm { 1.0 } else { self.rng.unit() };
        let fault = if x < 0.04 {
            effect(self);
            "reply lost"
        } else if x < 0.07 {
            "dropped"
        } else if x < 0.11 {
            self.delay(target, what.clone(), effect);
            "delayed"
        } else {
            return Ok(effect(self));
        };
        ev!(self, "    {fault}: {what}");
        Err(StoreError::transient(what, fault))
    }

    /// A read, which can only fail.
    pub(crate) fn ask<R>(&mut self, what: &str, answer: impl FnOnce(&mut World<K>) -> R) -> Result<R, StoreError> {
        if !self.calm && self.rng.chance(0.003) {
            ev!(self, "    no answer: {what}");
            return Err(StoreError::transient(what, "no answer"));
        }
        Ok(answer(self))
    }

    /// A write that arrives later, if at all.
    pub(crate) fn delay<R: std::fmt::Debug>(
        &mut self,
        target: Target,
        what: String,
        effect: impl FnOnce(&mut World<K>) -> R + Send + 'static,
    ) {
        let effect: Effect<K> = Box::new(move |w| format!("{:?}", effect(w)));
        let (sent_ms, incarnation) = (self.now_ms, self.incarnation(target));
        self.late.push(Late { sent_ms, target, incarnation, what, effect });
    }

    /// Changes when what is on its way to the target can arrive no more: to the source, when any
    /// group is restored or made anew.
    fn incarnation(&self, target: Target) -> u32 {
        match target {
            Target::Group(group) => self.lakes[group].incarnation,
            Target::Source => self.lakes.iter().map(|lake| lake.incarnation).sum(),
        }
    }

    /// A run writes the state file of its machine.
    pub(crate) fn record(&mut self, machine: usize, position: Position) {
        self.state[machine] = Some(position);
        if let Some(held) = self.behind(position).filter(|_| !self.meddled) {
            self.violate(format!("AHEAD: the state file says {position}, but a table holds {held:?}"));
        }
    }

    /// What a group holds that does not hold everything up to `position`.
    fn behind(&self, position: Position) -> Option<Option<Held>> {
        let behind = |lake: &&Lake<K>| lake.held.is_none_or(|held| held.position < position);
        self.lakes.iter().find(behind).map(|lake| lake.held)
    }

    /// The source is told, by the run of that tag, that it may forget everything up to `standing`.
    pub(crate) fn acknowledge(&mut self, (pipeline, tag): (usize, u64), standing: &Standing<K>) {
        let position = standing.position();
        ev!(self, "the source hears of {position}");
        K::acknowledge(self, tag, standing);
        // Of a table that was deleted or restored since, nobody knows what it held. Where the
        // source forgets, what it forgot too early is missing in the end.
        if pipeline != MAIN || self.meddled || (K::FORGETS && self.lacks(Rule::Acknowledge)) {
            return;
        }
        if let Some(held) = self.behind(position) {
            self.violate(format!("FORGOTTEN: the source may forget up to {position}, but a table holds {held:?}"));
        }
    }

    /// Delivers one delayed write, if there is one.
    pub(crate) fn deliver(&mut self) {
        let mut late = std::mem::take(&mut self.late);
        late.retain(|l| self.now_ms - l.sent_ms <= LATE_MS && l.incarnation == self.incarnation(l.target));
        self.late = late;
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
