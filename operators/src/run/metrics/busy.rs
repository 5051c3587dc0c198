//! How long each operator works, summed from timely's own log of when it calls them.
//!
//! The log reads the clock when a call begins and when it ends: some hundred nanoseconds for calls
//! of milliseconds.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use timely::logging::{StartStop, TimelyEvent, TimelyEventBuilder};
use timely::worker::Worker;

use crate::run::metrics::Metrics;

/// From now on, sums the time that `worker` spends in each step. Called before the dataflow is
/// built, because the log says only then which operator is which.
pub fn measure(worker: &Worker, metrics: &Arc<Metrics>) {
    let (index, metrics) = (worker.index(), metrics.clone());
    let Some(mut log) = worker.log_register() else { return };
    // The steps by the log's numbers, and when the current call of each began. Other operators
    // (scopes, feedback) are ignored.
    let mut steps: HashMap<usize, (usize, Duration)> = HashMap::new();
    log.insert::<TimelyEventBuilder, _>("timely", move |_, events| {
        for (at, event) in events.iter_mut().flat_map(|events| events.drain(..)) {
            match event {
                TimelyEvent::Operates(operator) => {
                    let step = metrics.steps.iter().position(|step| step.name() == operator.name);
                    steps.extend(step.map(|step| (operator.id, (step, at))));
                }
                TimelyEvent::Schedule(call) => {
                    let Some((step, began)) = steps.get_mut(&call.id) else { continue };
                    match call.start_stop {
                        StartStop::Start => *began = at,
                        StartStop::Stop => metrics.steps.at(*step).was_busy(index, at.saturating_sub(*began)),
                    }
                }
                _ => {}
            }
        }
    });
}
