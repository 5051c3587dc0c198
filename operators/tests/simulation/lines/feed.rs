//! What feeds the planner: the production watcher over the simulated source, as in the operator
//! `plan`.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use lakefront_operators::error::Stop;
use lakefront_operators::format::logs::lines::{Lines, Standing};
use lakefront_operators::source::files::identity::Fingerprint;
use lakefront_operators::source::files::supply::Planner;
use lakefront_operators::source::files::watch::{OnRewrite, Polled, Unterminated, WatchRules, Watcher};

use crate::lines::source::SimSource;
use crate::run::Env;
use crate::saboteur::Rule;

type Looking = Pin<Box<dyn Future<Output = (Watcher, Result<Polled, Stop>)> + Send>>;

/// The watcher, or its look while one is under way.
pub(crate) struct Feed {
    watcher: Option<Watcher>,
    looking: Option<Looking>,
    /// Whether a look has been completed.
    pub(crate) polled: bool,
}

impl Feed {
    pub(crate) fn new(env: &Env<Lines>, standings: &[Standing]) -> Feed {
        let w = env.world();
        let furthest = standings.iter().max_by_key(|s| s.position()).expect("three tables");
        let mut offsets = (*furthest.offsets).clone();
        if w.lacks(Rule::Generation) {
            offsets.partitions.values_mut().for_each(|at| at.identity.fingerprint = Fingerprint::default());
        }
        let rules = WatchRules {
            on_rewrite: if w.source.restart { OnRewrite::Restart } else { OnRewrite::Stop },
            unterminated: Unterminated::Leave,
            quiet: Duration::from_millis(if w.lacks(Rule::Margin) { 0 } else { w.source.quiet_ms }),
        };
        let watcher = Watcher::new(Arc::new(SimSource::new(env.world.clone(), env.typo)), &offsets, rules);
        Feed { watcher: Some(watcher), looking: None, polled: false }
    }

    /// Begins a look now and then, and passes its result to the planner.
    pub(crate) async fn go_on(&mut self, env: &Env<Lines>, planner: &mut Planner) -> Result<(), Stop> {
        let due = !self.polled || (env.tail && env.world().rng.chance(0.5));
        if due && let Some(mut watcher) = self.watcher.take() {
            self.looking = Some(Box::pin(async move {
                let polled = watcher.poll().await;
                (watcher, polled)
            }));
        }
        let Some(looking) = &mut self.looking else { return Ok(()) };
        let Poll::Ready((mut watcher, polled)) = poll_fn(|cx| Poll::Ready(looking.as_mut().poll(cx))).await else {
            return Ok(());
        };
        self.looking = None;
        let Polled { mut limits, finished, gone, .. } = polled?;
        if env.world().lacks(Rule::Newline) {
            let w = env.world();
            let seen = |name: &str| w.source.files.iter().find(|f| f.name == name).map_or(0, |f| f.seen);
            limits.iter_mut().for_each(|(id, limit)| limit.end = limit.end.max(seen(&id.name)));
        }
        if let Some(finished) = finished.as_ref().filter(|f| !f.partitions.is_empty()) {
            let ids: Vec<_> = finished.partitions.iter().map(ToString::to_string).collect();
            env.say(|| format!("finds finished before {}: {ids:?}", finished.before_ms));
        }
        let mut known = env.world().lacks(Rule::Told).then(|| planner.supply_mut().retired());
        gone.iter().for_each(|id| _ = planner.supply_mut().gone(id));
        planner.supply_mut().limits(limits);
        finished.into_iter().for_each(|finished| planner.supply_mut().finished(finished));
        let (retired, before_ms) = known.take().unwrap_or_else(|| planner.supply_mut().retired());
        if !retired.is_empty() {
            env.say(|| format!("is told of those retired before {before_ms}: {retired:?}"));
        }
        watcher.forget(&retired, before_ms);
        self.watcher = Some(watcher);
        self.polled = true;
        Ok(())
    }
}
