//! One schedule: which step, fault or meddling comes next.

use std::sync::{Arc, Mutex, MutexGuard};

use lakefront_operators::error::{Stop, chain};

use crate::check::check;
use crate::kind::SimKind;
use crate::run::{End, Run};
use crate::saboteur::Rule;
use crate::world::{TICK_MS, World, ev};

/// The most steps that a run may take to finish in a quiet world.
const PATIENCE: u32 = 60_000;

/// The result of a schedule.
pub(crate) struct Outcome {
    pub(crate) violation: Option<String>,
    pub(crate) trace: Vec<String>,
}

pub(crate) struct Schedule<K: SimKind> {
    world: Arc<Mutex<World<K>>>,
    pub(crate) runs: Vec<Run<K>>,
    rivals: bool,
    maintenance: bool,
    meddling: bool,
    /// Which kinds of meddling happen. With all of them at once, no history would last long enough
    /// to go wrong.
    kinds: [bool; 4],
}

/// Plays schedule `seed`, with one rule taken away or none.
pub(crate) fn play<K: SimKind>(seed: u64, without: Option<Rule>, traced: bool) -> Outcome {
    let mut world = World::<K>::new(seed, without, traced);
    let (rivals, maintenance, meddling) = (world.rng.chance(0.5), world.rng.chance(0.5), world.rng.chance(0.35));
    // Now and then a long, plain history with only backups and restores, so that there is something
    // to go back to.
    let history = world.rng.chance(0.1);
    let kinds = match history {
        true => [false, true, false, false],
        // Where files come and go, a restore has more to undo.
        false => {
            std::array::from_fn(|kind| world.rng.chance(if K::is_long(&world.source) && kind == 1 { 0.8 } else { 0.4 }))
        }
    };
    let kinds = if K::IS_ONLY_COPY { [kinds[0], false, false, kinds[3]] } else { kinds };
    let (rivals, meddling) = (rivals && !history, meddling || history);
    let world = Arc::new(Mutex::new(world));
    let mut schedule = Schedule { world: world.clone(), runs: Vec::new(), rivals, maintenance, meddling, kinds };
    let is_long = K::is_long(&schedule.w().source);
    schedule.storm(if history {
        1_500
    } else if is_long {
        400
    } else {
        60
    });
    schedule.calm();
    drop(schedule);
    let mut w = world.lock().expect("one thread a world");
    if w.violation.is_none()
        && let Err(text) = check(&w)
    {
        w.violate(text);
    }
    Outcome { violation: w.violation.take(), trace: w.trace.take().unwrap_or_default() }
}

impl<K: SimKind> Schedule<K> {
    pub(crate) fn w(&self) -> MutexGuard<'_, World<K>> {
        self.world.lock().expect("one thread a world")
    }

    fn storm(&mut self, least: u64) {
        let steps = self.w().rng.between(least, least + 900);
        for _ in 0..steps {
            if self.w().violation.is_some() {
                return;
            }
            self.happen();
        }
    }

    /// Lets one thing happen.
    fn happen(&mut self) {
        let mut w = self.w();
        w.now_ms += TICK_MS / 4;
        // Where files come and go, runs live long enough to see it.
        let spared = K::is_long(&w.source) && w.rng.chance(0.7);
        let x = if spared { w.rng.unit().max(0.022) } else { w.rng.unit() };
        let live: Vec<usize> = (0..self.runs.len()).filter(|i| self.runs[*i].is_live()).collect();
        if live.is_empty() || (self.rivals && x < 0.004 && live.len() < 3) {
            drop(w);
            self.begin();
            return;
        }
        let at = live[w.rng.below(live.len())];
        match x {
            x if x < 0.007 => {
                drop(w);
                self.runs[at].kill("SIGKILL");
            }
            x if x < 0.011 && self.rivals => {
                drop(w);
                self.runs[at].maim();
            }
            x if x < 0.014 => {
                ev!(w, "run{} SIGTERM", self.runs[at].env.tag);
                drop(w);
                self.runs[at].env.flow().terminate = true;
            }
            x if x < 0.020 => {
                let ticks = w.rng.between(5, 160);
                let until = w.now_ms + ticks * TICK_MS;
                ev!(w, "run{} pauses for {ticks}", self.runs[at].env.tag);
                drop(w);
                self.runs[at].paused_until_ms = until;
            }
            x if x < 0.0205 => w.set_clock(),
            x if x < 0.022 => {
                w.now_ms += w.rng.pick(&[20, 40, 80]) * TICK_MS;
                ev!(w, "time passes");
            }
            x if x < 0.155 => K::happen(&mut w, x),
            x if x < 0.175 => w.deliver(),
            x if x < 0.205 && self.maintenance => w.maintain(),
            x if x < 0.22 && self.meddling && !spared => {
                drop(w);
                self.meddle();
            }
            _ if self.runs[at].paused_until_ms <= w.now_ms => {
                drop(w);
                self.step(at);
            }
            _ => {}
        }
    }

    /// Begins a run. The configuration or the state file may have changed since the last one.
    fn begin(&mut self) {
        // An operator who starts a run after a table is gone has stopped all others first.
        if self.w().lakes.iter().any(|l| !l.exists) {
            self.kill_all();
        }
        let mut w = self.w();
        if !w.calm && w.rng.chance(0.4) {
            w.routes_now = w.rng.below(K::ROUTES);
        }
        if !w.calm && w.rng.chance(0.15) {
            K::reconfigure(&mut w);
        }
        if !w.calm && w.rng.chance(0.1) {
            let machine = w.rng.below(2);
            w.state[machine] = None;
            ev!(w, "state file of machine {machine} wiped");
        }
        let last = w.calm;
        drop(w);
        let run = Run::new(&self.world, last);
        self.runs.push(run);
    }

    fn step(&mut self, at: usize) {
        self.runs[at].step();
        if let Some(End::Stopped(stop)) = &self.runs[at].end {
            let text = chain(stop);
            match stop {
                Stop::Bug(_) | Stop::Abandoned(_) | Stop::Anew(_) => self.w().violate(format!("BUG: {text}")),
                Stop::Fenced { .. } => {}
                Stop::RejectRatio { .. } => self.w().ratio_off = true,
                Stop::Store(_) if text.contains("schema") => self.w().revert_schema(),
                Stop::Store(_) => {}
                Stop::Refused(_) => self.obey(at, &text),
            }
        }
    }

    fn meddle(&mut self) {
        let mut w = self.w();
        let groups = w.groups.len();
        let g = w.rng.below(groups);
        match w.rng.below(20) {
            what @ 0..4 if self.kinds[0] => K::meddle(&mut w, what),
            4..10 if self.kinds[1] && w.lakes[g].exists => {
                let copy = w.lakes[g].clone();
                ev!(w, "backup of {} at v{}", w.name(g), copy.head);
                w.backups[g] = Some(copy);
            }
            10..14 if w.backups[g].is_some() => {
                drop(w);
                self.restore(g);
            }
            14..16 if self.kinds[2] => {
                drop(w);
                self.delete(g..g + 1);
            }
            16 if self.kinds[2] => {
                let all = 0..w.groups.len();
                drop(w);
                self.delete(all);
            }
            17..20 if self.kinds[3] => w.change_schema(g),
            _ => {}
        }
    }

    /// Someone deletes the tables of groups. Runs that wrote to them go on and must notice; a run
    /// that is only starting is killed, because it would create them anew.
    fn delete(&mut self, groups: std::ops::Range<usize>) {
        for run in self.runs.iter_mut().filter(|r| r.is_live()) {
            let starting = run.env.flow().claimed.is_empty();
            if starting {
                run.kill("killed: a table is deleted while it starts");
            }
        }
        groups.for_each(|g| self.w().delete(g));
    }

    /// Runs that are still alive get a few last steps. Then, in a quiet world, clean runs must
    /// recover and finish.
    fn calm(&mut self) {
        for at in 0..self.runs.len() {
            let words = self.w().rng.below(60);
            for _ in 0..words {
                if !self.runs[at].is_live() {
                    break;
                }
                self.w().now_ms += TICK_MS / 4;
                self.step(at);
            }
        }
        self.kill_all();
        let mut w = self.w();
        (0..3).for_each(|_| w.deliver());
        w.forget_late();
        K::quieten(&mut w);
        w.calm = true;
        ev!(w, "-- quiet world: clean runs must recover and finish");
        drop(w);
        for _ in 0..8 {
            if self.w().violation.is_some() {
                return;
            }
            self.begin();
            let at = self.runs.len() - 1;
            for _ in 0..PATIENCE {
                if !self.runs[at].is_live() {
                    break;
                }
                self.w().now_ms += 1;
                self.step(at);
            }
            match &self.runs[at].end {
                Some(End::Done) => return,
                Some(End::Stopped(Stop::Fenced { .. })) => break,
                Some(_) => {}
                None => break,
            }
        }
        let end = match &self.runs.last().and_then(|r| r.end.as_ref()) {
            Some(End::Stopped(stop)) => chain(stop),
            _ => "stuck".into(),
        };
        self.w().violate(format!("CANNOT RECOVER: {end}"));
    }
}
