//! What the log was told of what is passed over: each thing once, and of many of a kind only the first few.

use std::collections::{BTreeSet, HashMap};
use std::mem::{Discriminant, discriminant};

use super::hash;
use crate::source::{PassedOver, Why};

/// Of one kind, so many are named.
const NAMED: usize = 5;

/// What the log was told.
#[derive(Default)]
pub(super) struct Told {
    things: BTreeSet<u64>,
    kinds: HashMap<Discriminant<Why>, usize>,
}

impl Told {
    /// Tells of what was not told yet.
    pub(super) fn tell(&mut self, passed_over: &[PassedOver]) {
        for thing in passed_over {
            if !self.things.insert(hash(&format!("{thing:?}"))) {
                continue;
            }
            let told = self.kinds.entry(discriminant(&thing.why)).or_default();
            *told += 1;
            // Whoever names files shall not write to somebody's terminal.
            let name = thing.name.escape_debug();
            match (thing.why.matters(), *told) {
                (_, more) if more > NAMED + 1 => {}
                (true, more) if more > NAMED => {
                    tracing::warn!("more is not read for the same reason; no more is named")
                }
                (true, _) => tracing::warn!(%name, "not read: {}", thing.why),
                (false, more) if more > NAMED => {
                    tracing::info!("more is passed over for the same reason; no more is named")
                }
                (false, _) => tracing::info!(%name, "passed over: {}", thing.why),
            }
        }
    }
}
