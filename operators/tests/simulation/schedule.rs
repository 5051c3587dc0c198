//! One schedule: which step, fault or meddling comes next, and what the operator does when a run
//! stops.

use std::sync::{Arc, Mutex, MutexGuard};

use lakefront_operators::error::{Stop, chain};

use crate::check::check;
use crate::read::ROUTES;
use crate::run::{End, Run};
use crate::saboteur::Rule;
use crate::table::{Lake, MAIN, NAMES};
use crate::world::{TICK_MS, World, ev, some_settle};

/// The most steps that a run may take to finish in a quiet world.
const PATIENCE: u32 = 60_000;

/// The result of a schedule.
pub(crate) struct Outcome {
    pub(crate) violation: Option<String>,
    pub(crate) trace: Vec<String>,
}

struct Schedule {
    world: Arc<Mutex<World>>,
    runs: Vec<Run>,
    rivals: bool,
    maintenance: bool,
    meddling: bool,
    /// Which kinds of meddling happen. With all of them at once, no history would last long enough
    /// to go wrong.
    kinds: [bool; 4],
}

/// Plays schedule `seed`, with one rule taken away or none.
pub(crate) fn play(seed: u64, without: Option<Rule>, traced: bool) -> Outcome {
    let mut world = World::new(seed, without, traced);
    let (rivals, maintenance, meddling) = (world.rng.chance(0.5), world.rng.chance(0.5), world.rng.chance(0.35));
    // Now and then a long, plain history with only backups and restores, so that there is something
    // to go back to.
    let history = world.rng.chance(0.1);
    let kinds = match history {
        true => [false, true, false, false],
        // Where files come and go, a restore has more to undo.
        false => std::array::from_fn(|kind| world.rng.chance(if world.turnover && kind == 1 { 0.8 } else { 0.4 })),
    };
    let (rivals, meddling) = (rivals && !history, meddling || history);
    let world = Arc::new(Mutex::new(world));
    let mut schedule = Schedule { world: world.clone(), runs: Vec::new(), rivals, maintenance, meddling, kinds };
    let turnover = schedule.w().turnover;
    schedule.storm(if history {
        1_500
    } else if turnover {
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

impl Schedule {
    fn w(&self) -> MutexGuard<'_, World> {
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
        let spared = w.turnover && w.rng.chance(0.7);
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
            x if x < 0.08 => w.grow(),
            x if x < 0.15 && w.turnover => w.grow(),
            x if x < 0.155 && w.on_disk && w.rng.chance(0.7) => w.rename(),
            x if x < 0.155 => w.delete_file(false),
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
            w.routes_now = w.rng.below(ROUTES);
        }
        if !w.calm && w.rng.chance(0.15) {
            w.settle_ms = some_settle(&mut w.rng);
            w.settle_least_ms = w.settle_least_ms.min(w.settle_ms);
            w.restart = w.rng.chance(0.5);
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
                Stop::Bug(_) => self.w().violate(format!("BUG: {text}")),
                Stop::Fenced { .. } => {}
                Stop::RejectRatio { .. } => self.w().ratio_off = true,
                Stop::Store(_) if text.contains("schema") => self.w().revert_schema(),
                Stop::Store(_) => {}
                Stop::Refused(_) => self.obey(at, &text),
            }
        }
    }

    /// The operator does what the message says.
    fn obey(&mut self, at: usize, text: &str) {
        let meddled = self.w().meddled;
        let (pipeline, typo) = (self.runs[at].env.pipeline, self.runs[at].env.typo);
        if text.contains("already receives") && self.w().twins {
            // Two that claim at once may refuse each other. Then, or if the twin was first, the
            // operator starts over.
            if pipeline == MAIN {
                self.start_over();
            }
        } else if text.contains("run --adopt") {
            self.w().adopt = true;
        } else if text.contains("but source.url is") && (typo || meddled) {
            // The message is enough to notice a typo.
            if !typo {
                self.start_over();
            }
        } else if pipeline != MAIN {
            // The twin need not recover.
        } else if text.contains("the state file says") && meddled {
            self.w().state = [None, None];
        } else if text.contains("holds no position") && meddled {
            let t =
                (0..NAMES.len()).find(|t| text.starts_with(&format!("table {:?}", NAMES[*t]))).expect("it names one");
            let backed_up = self.w().backups[t].as_ref().is_some_and(|b| b.held.is_some());
            match backed_up {
                true => self.restore(t),
                false => self.start_over(),
            }
        } else if ["was rewritten", "has shrunk"].iter().any(|what| text.contains(what)) {
            self.read_anew(text, |w, name| w.reused.contains(name));
        } else if text.contains("has grown after") {
            self.read_anew(text, |w, name| w.suspects.contains(name));
        } else if text.contains("are gone") || (meddled && beyond_repair(text)) {
            self.start_over();
        } else if !text.contains("staged so long ago") {
            self.w().violate(format!("REFUSED: {text}"));
        }
    }

    /// If there was cause, the file that the message names is removed, or may be read as another
    /// generation from now on.
    fn read_anew(&mut self, text: &str, cause: impl Fn(&World, &str) -> bool) {
        let mut w = self.w();
        let name = text.split('"').nth(1).unwrap_or_default().to_owned();
        if !cause(&w, &name) {
            w.violate(format!("REFUSED: without cause, {text}"));
        } else if w.rng.chance(0.3) {
            w.files.retain(|f| f.name != name);
            w.reused.insert(name);
        } else {
            w.restart = true;
        }
    }

    fn kill_all(&mut self) {
        for run in self.runs.iter_mut().filter(|r| r.is_live()) {
            run.kill("killed: the operator stops everything first");
        }
    }

    fn meddle(&mut self) {
        let mut w = self.w();
        let t = w.rng.below(NAMES.len());
        match w.rng.below(20) {
            0 if self.kinds[0] => w.delete_file(true),
            1..3 if self.kinds[0] => w.rewrite(),
            3 if self.kinds[0] && !w.on_disk => w.undelete(),
            4..10 if self.kinds[1] && w.lakes[t].exists => {
                let copy = w.lakes[t].clone();
                ev!(w, "backup of {} at v{}", NAMES[t], copy.head);
                w.backups[t] = Some(copy);
            }
            10..14 if w.backups[t].is_some() => {
                drop(w);
                self.restore(t);
            }
            14..16 if self.kinds[2] => {
                drop(w);
                self.delete(t..=t);
            }
            16 if self.kinds[2] => {
                drop(w);
                self.delete(0..=2);
            }
            17..20 if self.kinds[3] => w.change_schema(t),
            _ => {}
        }
    }

    /// Someone deletes tables. Runs that wrote to them go on and must notice; a run that is only
    /// starting is killed, because it would create them anew.
    fn delete(&mut self, tables: std::ops::RangeInclusive<usize>) {
        for run in self.runs.iter_mut().filter(|r| r.is_live()) {
            let starting = run.env.flow().claimed.is_empty();
            if starting {
                run.kill("killed: a table is deleted while it starts");
            }
        }
        tables.for_each(|t| self.w().delete(t));
    }

    /// A backup replaces a table. Nothing may run meanwhile, and no write to the old table may be
    /// under way.
    fn restore(&mut self, t: usize) {
        self.kill_all();
        let mut w = self.w();
        let backup = w.backups[t].clone().expect("there is a backup");
        ev!(w, "{} restored to v{} at {:?}", NAMES[t], backup.head, backup.held);
        let old = std::mem::take(&mut w.lakes[t]);
        let mut log = backup.log.clone();
        if !old.exists {
            log.extend(old.log.into_iter().filter(|(v, _)| *v > backup.head));
        }
        w.lakes[t] = Lake { incarnation: old.incarnation + 1, log, ..backup };
        w.meddled = true;
    }

    /// Starts over: new tables, no state file, no backups.
    fn start_over(&mut self) {
        self.kill_all();
        let mut w = self.w();
        (0..NAMES.len()).for_each(|t| w.delete(t));
        w.lakes.iter_mut().for_each(|l| l.incarnation += 1);
        w.backups = vec![None, None, None];
        w.state = [None, None];
        ev!(w, "the operator starts over");
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

/// Tables of two lineages, or tables between which the settings have changed.
fn beyond_repair(text: &str) -> bool {
    text.contains("were not written by one pipeline") || text.contains("the settings have changed since")
}
