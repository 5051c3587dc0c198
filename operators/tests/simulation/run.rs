//! One run: its operators as actors, and the executor that moves them one step at a time.

use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use lakefront_operators::error::Stop;

use crate::actors::Actor;
use crate::flow::Flow;
use crate::group::{MAIN, PIPELINES, TWIN};
use crate::kind::SimKind;
use crate::plan;
use crate::world::{World, ev};

/// How a run ended.
pub(crate) enum End {
    Done,
    Killed,
    Stopped(Stop),
}

/// What every actor of a run holds.
#[derive(Clone)]
pub(crate) struct Env<K: SimKind> {
    pub(crate) world: Arc<Mutex<World<K>>>,
    pub(crate) flow: Arc<Mutex<Flow<K>>>,
    pub(crate) tag: u64,
    pub(crate) machine: usize,
    pub(crate) routes: usize,
    pub(crate) tail: bool,
    pub(crate) judge_ratio: bool,
    /// Which pipeline it is a run of.
    pub(crate) pipeline: usize,
    /// Whether its source is mistyped.
    pub(crate) typo: bool,
    pub(crate) adopt: bool,
}

impl<K: SimKind> Env<K> {
    pub(crate) fn world(&self) -> MutexGuard<'_, World<K>> {
        self.world.lock().expect("one thread a world")
    }

    pub(crate) fn flow(&self) -> MutexGuard<'_, Flow<K>> {
        self.flow.lock().expect("one thread a world")
    }

    pub(crate) fn say(&self, text: impl FnOnce() -> String) {
        let mut w = self.world();
        if w.trace.is_some() {
            let text = format!("run{} {}", self.tag, text());
            w.event(text);
        }
    }
}

pub(crate) struct Run<K: SimKind> {
    pub(crate) env: Env<K>,
    actors: Vec<(&'static str, Actor)>,
    /// An actor that seldom gets a turn, so that its group lags.
    slow: Option<&'static str>,
    pub(crate) paused_until_ms: u64,
    pub(crate) end: Option<End>,
}

impl<K: SimKind> Run<K> {
    pub(crate) fn new(world: &Arc<Mutex<World<K>>>, last: bool) -> Self {
        let env = {
            let mut w = world.lock().expect("one thread a world");
            let often = if K::is_long(&w.source) { 0.9 } else { 0.7 };
            let (tag, machine, tail) = (w.id(), w.rng.below(2), !last && w.rng.chance(often));
            let routes = w.routes_now;
            w.routes_used.insert(routes);
            let judge_ratio = !last && !std::mem::take(&mut w.ratio_off);
            let pipeline = if !last && w.twins && w.rng.chance(0.3) { TWIN } else { MAIN };
            let typo = !last && pipeline == MAIN && w.typos && w.rng.chance(0.3);
            let adopt = pipeline == MAIN && std::mem::take(&mut w.adopt);
            let mode = if tail { "tail" } else { "backfill" };
            let name = PIPELINES[pipeline];
            ev!(
                w,
                "run{tag} of {name} starts on machine {machine}, routes {routes}, {mode}, typo: {typo}, adopt: {adopt}"
            );
            let flow = Arc::new(Mutex::new(Flow::new()));
            Env { world: world.clone(), flow, tag, machine, routes, tail, judge_ratio, pipeline, typo, adopt }
        };
        let actors: Vec<(&'static str, Actor)> = vec![("plan", Box::pin(plan::plan(env.clone())))];
        let slow = world.lock().expect("one thread a world").rng.pick(&[
            None,
            None,
            Some("commit0"),
            Some("commit1"),
            Some("commit2"),
        ]);
        let slow = slow.filter(|_| !last);
        Run { env, actors, slow, paused_until_ms: 0, end: None }
    }

    pub(crate) fn is_live(&self) -> bool {
        self.end.is_none()
    }

    /// One step of one actor.
    pub(crate) fn step(&mut self) {
        let at = {
            let mut w = self.env.world();
            let at = w.rng.below(self.actors.len());
            if self.slow == Some(self.actors[at].0) && w.rng.chance(0.9) {
                return;
            }
            at
        };
        let polled = self.actors[at].1.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        match polled {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => drop(self.actors.swap_remove(at)),
            Poll::Ready(Err(stop)) => {
                let actor = self.actors[at].0;
                self.env.say(|| format!("{actor} stops: {}", lakefront_operators::error::chain(&stop)));
                self.finish(End::Stopped(stop));
                return;
            }
        }
        self.actors.append(&mut self.env.flow().spawned);
        if self.actors.is_empty() {
            let over = self.env.flow().over.take();
            self.env.say(|| if over.is_some() { "has committed what it had read, and stops" } else { "done" }.into());
            self.finish(over.map_or(End::Done, End::Stopped));
        }
    }

    pub(crate) fn finish(&mut self, end: End) {
        self.actors.clear();
        self.env.flow().spawned.clear();
        K::ended(&mut self.env.world(), self.env.tag);
        self.end = Some(end);
    }

    pub(crate) fn kill(&mut self, how: &str) {
        self.env.say(|| how.into());
        self.finish(End::Killed);
    }

    /// Kills some of the actors; the rest go on.
    pub(crate) fn maim(&mut self) {
        let dead = self.env.world().rng.between(1, self.actors.len() as u64);
        for _ in 0..dead {
            let at = self.env.world().rng.below(self.actors.len());
            drop(self.actors.swap_remove(at));
        }
        let left: Vec<_> = self.actors.iter().map(|a| a.0).collect();
        self.env.say(|| format!("some actors killed, left: {left:?}"));
        if left.is_empty() {
            self.finish(End::Killed);
        }
    }
}
