//! What was met beside events.

use std::collections::BTreeMap;

use lakefront_operators::format::debezium::Aside;

/// Counts of lines.
#[derive(Default)]
pub(super) struct Tally {
    /// All lines or records so far.
    pub(super) lines: u64,
    /// Those that are no events.
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

    /// That some are no events, if some are; `what` says of what.
    pub(super) fn wrong(&self, what: &str) -> Option<String> {
        let Tally { lines, wrong, .. } = self;
        (*wrong > 0).then(|| {
            let place = if what == "lines" { "number" } else { "place" };
            format!("{wrong} of {lines} {what} are no events of Debezium: in the output, each is a line with \"error\" and its {place}")
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
