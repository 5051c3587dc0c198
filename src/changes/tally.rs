//! What was met beside events.

use std::collections::BTreeMap;

use lakefront_operators::format::debezium::Aside;

/// Counts of lines.
#[derive(Default)]
pub(super) struct Tally {
    /// All lines so far.
    pub(super) lines: u64,
    /// Lines that are no events.
    pub(super) wrong: u64,
    /// Where transactions begin or end.
    pub(super) boundaries: u64,
    asides: BTreeMap<Aside, u64>,
}

impl Tally {
    pub(super) fn aside(&mut self, aside: Aside) {
        *self.asides.entry(aside).or_default() += 1;
    }

    /// What was skipped, if anything was.
    pub(super) fn skipped(&self) -> Option<String> {
        let asides = self.asides.iter().map(|(aside, count)| (word(*aside), *count));
        let counts = std::iter::once(("transaction boundaries", self.boundaries)).chain(asides);
        let counts: Vec<String> =
            counts.filter(|(_, count)| *count > 0).map(|(what, count)| format!("{what}: {count}")).collect();
        (!counts.is_empty()).then(|| format!("skipped what changes no row: {}", counts.join(", ")))
    }

    /// That some lines are no events, if some are.
    pub(super) fn wrong(&self) -> Option<String> {
        let Tally { lines, wrong, .. } = self;
        (*wrong > 0).then(|| {
            format!("{wrong} of {lines} lines are no events of Debezium: in the output, each is a line with \"error\" and its number")
        })
    }
}

fn word(aside: Aside) -> &'static str {
    match aside {
        Aside::Tombstone => "tombstones",
        Aside::Heartbeat => "heartbeats",
        Aside::Message => "messages",
        Aside::SchemaChange => "schema changes",
    }
}
