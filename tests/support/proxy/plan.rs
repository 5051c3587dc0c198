//! Which requests fail, and how: by rules that count requests, and by chances.

use std::collections::HashMap;

use super::{Fault, Kind};
use crate::support::Random;

/// Fails certain requests; by default the first of its kind.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    kind: Kind,
    name: String,
    nth: u64,
    every: u64,
    times: u64,
    fault: Fault,
    /// How many requests of this kind and name there were.
    met: u64,
}

impl Rule {
    pub(crate) fn new(kind: Kind, fault: Fault) -> Rule {
        Rule { kind, name: String::new(), nth: 1, every: 1, times: 1, fault, met: 0 }
    }

    /// Counts only blobs whose names, or lists whose prefixes, contain `part`.
    pub(crate) fn named(self, part: &str) -> Rule {
        Rule { name: part.to_owned(), ..self }
    }

    /// Begins with the `nth` request, counted from 1.
    pub(crate) fn nth(self, nth: u64) -> Rule {
        Rule { nth, ..self }
    }

    /// From there on, fails one in `every` requests: with 3, every third.
    pub(crate) fn every(self, every: u64) -> Rule {
        Rule { every, ..self }
    }

    /// Ends after `times` failures.
    pub(crate) fn times(self, times: u64) -> Rule {
        Rule { times, ..self }
    }

    pub(crate) fn always(self) -> Rule {
        self.times(u64::MAX)
    }

    /// Counts a request. Returns whether it fails.
    fn fails(&mut self, kind: Kind, name: &str) -> bool {
        if kind != self.kind || !name.contains(&self.name) {
            return false;
        }
        self.met += 1;
        let Some(since) = self.met.checked_sub(self.nth) else { return false };
        since.is_multiple_of(self.every) && since / self.every < self.times
    }
}

/// What a proxy is told to fail.
pub(super) struct Plan {
    seed: u64,
    pub(super) rules: Vec<Rule>,
    pub(super) chances: Vec<(Kind, u64, Fault)>,
    /// How many requests each blob has had, by kind.
    counts: HashMap<(Kind, String), u64>,
}

impl Plan {
    pub(super) fn new(seed: u64) -> Plan {
        Plan { seed, rules: Vec::new(), chances: Vec::new(), counts: HashMap::new() }
    }

    /// Whether a rule may hold requests.
    pub(super) fn holds(&self) -> bool {
        self.rules.iter().any(|rule| rule.fault == Fault::Hold)
    }

    /// Counts a request. Returns its fault, if it has one.
    pub(super) fn fault(&mut self, kind: Kind, name: &str) -> Option<Fault> {
        let count = self.counts.entry((kind, name.to_owned())).or_default();
        *count += 1;
        if let Some(rule) = self.rules.iter_mut().find_map(|rule| rule.fails(kind, name).then_some(rule.fault)) {
            return Some(rule);
        }
        let words = [self.seed, *count, kind as u64].into_iter().chain(name.bytes().map(u64::from));
        let seed = words.fold(0, |seed, word| Random::new(seed ^ word).next());
        let mut random = Random::new(seed);
        let chances = self.chances.iter().filter(|(of, _, _)| *of == kind);
        chances.filter(|(_, one_in, _)| random.one_in(*one_in)).map(|(_, _, fault)| *fault).next()
    }
}
