//! Logs what is passed over: each thing once, and of each kind only the first few.

use std::collections::{BTreeSet, HashMap};
use std::mem::{Discriminant, discriminant};

use super::hash;
use crate::source::files::{PassedOver, Why};

/// How many things of one kind are named.
const NAMED: usize = 5;

/// What has been logged.
#[derive(Default)]
pub(super) struct NamedOnce {
    things: BTreeSet<u64>,
    kinds: HashMap<Discriminant<Why>, usize>,
}

impl NamedOnce {
    /// Logs what has not been logged yet.
    pub(super) fn tell(&mut self, passed_over: &[PassedOver]) {
        for thing in passed_over {
            if !self.things.insert(hash(&format!("{thing:?}"))) {
                continue;
            }
            let told = self.kinds.entry(discriminant(&thing.why)).or_default();
            *told += 1;
            // Escaped, so that a file name cannot send control characters to a terminal.
            let name = thing.name.escape_debug();
            match (thing.why.matters(), *told) {
                (_, more) if more > NAMED + 1 => {}
                (true, more) if more > NAMED => {
                    tracing::warn!("others are not read for the same reason; no more names are logged")
                }
                (true, _) => tracing::warn!(%name, "not read: {}", thing.why),
                (false, more) if more > NAMED => {
                    tracing::info!("others are passed over for the same reason; no more names are logged")
                }
                (false, _) => tracing::info!(%name, "passed over: {}", thing.why),
            }
        }
    }
}
