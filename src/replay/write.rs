//! Writes one append after the other, each when it is due, and durable before the next.

use std::time::Duration;

use lakefront_operators::run::clock::Stopwatch;
use lakefront_operators::run::fatal::StopRequest;
use tokio::sync::mpsc::UnboundedSender;

use super::drive::Event;
use super::input::{Input, Piece};
use super::pace::Pace;
use super::target::Target;
use super::visible::Append;
use crate::cli::Rate;

/// What was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub(super) bytes: u64,
    /// Lines that become rows.
    pub(super) lines: u64,
    pub(super) appends: u64,
    /// From the beginning to the end of the last append.
    pub(super) took: Duration,
    pub(super) pace: Pace,
}

/// How lines are written.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    pub(super) rate: Rate,
    pub(super) lasting: Option<Duration>,
    /// How long to wait for more to become visible.
    pub(super) timeout: Duration,
}

/// Writes until the input ends, its time is over, or a `stop` is requested. Events carry the time
/// of `watch`.
pub(super) async fn write(
    mut input: Input,
    mut target: Target,
    plan: Plan,
    watch: Stopwatch,
    stop: StopRequest,
    events: UnboundedSender<Event>,
) {
    let begun = Stopwatch::start();
    let mut written = Written { bytes: 0, lines: 0, appends: 0, took: Duration::ZERO, pace: Pace::new(plan.rate) };
    let ended = async {
        let left = || plan.lasting.map_or(Duration::MAX, |lasting| lasting.saturating_sub(begun.elapsed()));
        while !left().is_zero() {
            let Some(piece) = tokio::task::block_in_place(|| input.next())? else { break };
            let wait = written.pace.wait(written.bytes, begun.elapsed());
            if !wait.is_zero() {
                tokio::select! {
                    () = stop.requested() => {}
                    () = tokio::time::sleep(wait.min(left())) => {}
                }
            }
            if stop.is_requested() || left().is_zero() {
                break;
            }
            let Piece { bytes, whole, starts, has_envelopes } = piece;
            let (base, length, lines) = (written.bytes, bytes.len() as u64, starts.len() as u64);
            target.append(bytes).await?;
            written.took = begun.elapsed();
            let starts = starts.into_iter().map(|start| base + start as u64).collect();
            let append = Append { end: base + whole as u64, starts, has_envelopes, at: watch.elapsed() };
            if whole > 0 && events.send(Event::Written(append)).is_err() {
                break;
            }
            (written.bytes, written.lines, written.appends) =
                (base + length, written.lines + lines, written.appends + 1);
        }
        anyhow::Ok(written)
    };
    let ended = ended.await;
    // Nobody listens once the replay has ended.
    let _ = events.send(Event::Ended(ended));
}
