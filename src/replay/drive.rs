//! Drives a replay: one task writes, one task per table looks, and their events come together here
//! until all is written and visible.

use std::fs::File;
use std::time::{Duration, SystemTime};

use lakefront_operators::error::Stop;
use lakefront_operators::protocol::clock::Clock;
use lakefront_operators::run::clock::{Stopwatch, SystemClock};
use lakefront_operators::run::fatal::StopRequest;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::input::Input;
use super::latency::Latencies;
use super::target::{Destination, Target};
use super::visible::{Append, Sighting, Waiting};
use super::watch::Watched;
use super::write::{Plan, Written, write};
use crate::exit::Usage;
use crate::shutdown::Signals;

/// Time between two looks at what the run uses, and at whether it is time to give up.
const TICK: Duration = Duration::from_millis(200);

/// An event of a replay.
pub(super) enum Event {
    /// An append is durable.
    Written(Append),
    /// The writing has ended, or failed.
    Ended(anyhow::Result<Written>),
    /// What the table with this number holds of the target.
    Seen(usize, Sighting),
    /// A table can no longer be read.
    Lost(Stop),
}

/// What became visible.
pub(super) struct Seen {
    pub(super) latencies: Latencies,
    /// Rows of the target in the tables.
    pub(super) rows: u64,
    /// Bytes that were durable but not visible: the maximum, after the last append, and at the end.
    pub(super) behind: [u64; 3],
    /// How far each table has come in the target.
    pub(super) offsets: Vec<u64>,
    /// From the first append to the last sighting.
    pub(super) took: Duration,
    /// Whether it gave up, because nothing more became visible for too long.
    pub(super) gave_up: bool,
}

/// A replay that has ended.
pub(super) struct Outcome {
    pub(super) written: Written,
    pub(super) seen: Option<Seen>,
    /// When it began.
    pub(super) began: SystemTime,
    /// The file for the latencies.
    pub(super) log: Option<File>,
}

/// Writes `input` to `place`, and watches it if `watched` is given. Nothing is made before the
/// tables are known to hold nothing of that name, because a file that is shorter than what they
/// hold stops a run. `log` opens the log of latencies.
pub(super) async fn drive(
    input: Input,
    place: &Destination,
    log: impl FnOnce() -> anyhow::Result<Option<File>>,
    mut watched: Option<&mut Watched>,
    plan: Plan,
    mut signals: Signals,
) -> anyhow::Result<Outcome> {
    let watch = Stopwatch::start();
    let (events, mut news) = unbounded_channel();
    let mut waiting = None;
    if let Some(watched) = watched.as_deref_mut() {
        watched.follow(watch, &events);
        waiting = Some(ready(watched, &mut news, plan.timeout, &mut signals).await?);
    }
    let target = tokio::select! {
        target = Target::begin(place, watched.is_some()) => target?,
        _ = signals.next() => anyhow::bail!("stopped before anything was written"),
    };
    let log = log()?;
    if let Some(watched) = watched.as_deref_mut() {
        if !watched.find_run() {
            tracing::warn!("no run of this pipeline was found on this machine: what it uses is not reported");
        }
        watched.measure();
    }
    let began = SystemTime::UNIX_EPOCH + Duration::from_millis(SystemClock.now_ms());
    let stop = StopRequest::default();
    tokio::spawn(write(input, target, plan, watch, stop.clone(), events));
    let run = Running { began: watch.elapsed(), timeout: plan.timeout, watch, stop };
    let (written, seen) = run.until_its_end(waiting, watched, &mut news, &mut signals).await?;
    Ok(Outcome { written, seen, began, log })
}

/// Waits until every table holds a position of the pipeline. Refuses if one holds bytes of the
/// target.
async fn ready(
    watched: &Watched,
    news: &mut UnboundedReceiver<Event>,
    timeout: Duration,
    signals: &mut Signals,
) -> anyhow::Result<Waiting> {
    let mut known = vec![false; watched.tables.len()];
    let deadline = tokio::time::sleep(timeout);
    tokio::pin!(deadline);
    while let Some(missing) = known.iter().position(|known| !known) {
        tokio::select! {
            Some(event) = news.recv() => match event {
                Event::Seen(_, sighting) if sighting.offset > 0 => {
                    let text = "the tables hold bytes of an earlier file of that name: name another target with --to";
                    return Err(Usage(text.to_owned()).into());
                }
                Event::Seen(table, _) => known[table] = true,
                Event::Lost(stop) => return Err(stop.into()),
                Event::Written(_) | Event::Ended(_) => {}
            },
            () = &mut deadline => anyhow::bail!(
                "table {:?} holds no position of pipeline {:?} after {} s: start `lakefront run {}` first",
                watched.tables[missing], watched.pipeline, timeout.as_secs_f32(), watched.file.display()
            ),
            _ = signals.next() => anyhow::bail!("stopped before the tables held a position: nothing was written"),
        }
    }
    Ok(Waiting::new(known.len()))
}

/// A replay that has begun.
struct Running {
    began: Duration,
    timeout: Duration,
    watch: Stopwatch,
    stop: StopRequest,
}

impl Running {
    /// The first signal ends the writing, the second ends the wait until all is visible.
    async fn until_its_end(
        self,
        mut waiting: Option<Waiting>,
        mut watched: Option<&mut Watched>,
        news: &mut UnboundedReceiver<Event>,
        signals: &mut Signals,
    ) -> anyhow::Result<(Written, Option<Seen>)> {
        let (mut latencies, mut behind) = (Latencies::default(), [0; 3]);
        let (mut written, mut headway, mut gave_up, mut left) = (None, self.began, false, false);
        let mut ticks = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                Some(event) = news.recv() => {
                    let visible = match (event, &mut waiting) {
                        (Event::Written(append), Some(waiting)) => waiting.appended(append),
                        (Event::Seen(table, sighting), Some(waiting)) => waiting.seen(table, sighting),
                        (Event::Lost(stop), _) => return Err(stop.into()),
                        (Event::Ended(ended), _) => {
                            written = Some(ended?);
                            behind[1] = waiting.as_ref().map_or(0, Waiting::behind);
                            Vec::new()
                        }
                        (_, None) => Vec::new(),
                    };
                    for seen in visible {
                        headway = headway.max(seen.at);
                        latencies.record(seen);
                    }
                    behind[0] = behind[0].max(waiting.as_ref().map_or(0, Waiting::behind));
                }
                _ = signals.next() => {
                    left = self.stop.is_requested();
                    anyhow::ensure!(!left || written.is_some(), "stopped at once: the append under way may be written in part");
                    self.stop.request();
                }
                _ = ticks.tick() => {
                    watched.iter_mut().for_each(|watched| watched.measure());
                    let oldest = waiting.as_ref().and_then(Waiting::oldest).map(|append| append.at.max(headway));
                    if oldest.is_some_and(|since| self.watch.elapsed() > since + self.timeout) {
                        gave_up = true;
                        self.stop.request();
                    }
                }
            }
            let is_visible = waiting.as_ref().is_none_or(|waiting| waiting.oldest().is_none());
            let Some(written) = written.filter(|_| is_visible || gave_up || left) else { continue };
            watched.iter_mut().for_each(|watched| watched.measure());
            let seen = waiting.map(|waiting| Seen {
                rows: waiting.rows(),
                behind: [behind[0], behind[1], waiting.behind()],
                offsets: waiting.offsets().collect(),
                took: latencies.last().map_or(Duration::ZERO, |last| last.saturating_sub(self.began)),
                latencies: latencies.since(self.began),
                gave_up,
            });
            return Ok((written, seen));
        }
    }
}
