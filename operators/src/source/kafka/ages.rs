//! When records came, as well as looks can tell: a record is as old as the look that has found it,
//! which is short by at most the pause between two looks. What the first look finds was there
//! before the run, and has no age.

use std::collections::{HashMap, VecDeque};

use super::kind::name_of;
use super::range::Range;
use super::supply::Sight;

/// Looks that are remembered of a partition. Later ones count as old as the last of them.
const LOOKS: usize = 256;

/// The records that were found and not handed out yet.
#[derive(Default)]
pub(super) struct Ages {
    /// By partition, where it ended, and when that was first seen, on the steady clock; none at the
    /// first look.
    ends: HashMap<String, VecDeque<(u64, Option<u64>)>>,
    has_looked: bool,
}

impl Ages {
    /// A look at `now_ms` has found `sights`.
    pub(super) fn found(&mut self, sights: &[Sight], now_ms: u64) {
        // A partition that comes later has nothing that was there before.
        let seen_ms = std::mem::replace(&mut self.has_looked, true).then_some(now_ms);
        // Without a leader, nobody knows where it ends.
        for sight in sights.iter().filter(|sight| sight.has_leader) {
            let ends = self.ends.entry(name_of(&sight.topic, sight.partition)).or_default();
            // A topic that was created anew begins anew.
            ends.retain(|(end, _)| *end <= sight.end);
            let is_full = ends.len() >= LOOKS;
            match ends.back_mut() {
                Some((end, _)) if *end == sight.end => {}
                Some((end, _)) if is_full => *end = sight.end,
                _ => ends.push_back((sight.end, seen_ms)),
            }
        }
    }

    /// `range` is handed out. Returns when its oldest record was seen; `None` if that was before
    /// the run.
    pub(super) fn handed_out(&mut self, range: &Range) -> Option<u64> {
        let ends = self.ends.get_mut(&range.partition.name)?;
        let seen_ms = ends.iter().find(|(end, _)| *end > range.from).and_then(|(_, seen_ms)| *seen_ms);
        // The last stays: it tells what is new.
        while ends.len() > 1 && ends.front().is_some_and(|(end, _)| *end <= range.to) {
            ends.pop_front();
        }
        seen_ms
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::protocol::offsets::PartitionId;
    use crate::source::kafka::kind::Settings;

    fn sight(end: u64) -> Vec<Sight> {
        let (topic, topic_id) = ("a".to_owned(), String::new());
        vec![Sight { topic, partition: 0, topic_id, has_leader: true, earliest: 0, end }]
    }

    fn range(from: u64, to: u64) -> Range {
        let (partition, settings) = (PartitionId::first("a/0"), Arc::new(Settings::default()));
        let (follows, is_lost, catch_up) = (false, false, false);
        Range { partition, topic_id: String::new(), from, to, bytes: 0, follows, is_lost, settings, catch_up }
    }

    #[test]
    fn a_record_is_as_old_as_the_look_that_found_it() {
        let mut ages = Ages::default();
        for (end, at) in [(10, 100), (10, 200), (15, 300), (20, 400)] {
            ages.found(&sight(end), at);
        }
        // The oldest of a range counts.
        assert_eq!(ages.handed_out(&range(0, 12)), None, "it was there before the run");
        assert_eq!(ages.handed_out(&range(12, 16)), Some(300));
        assert_eq!(ages.handed_out(&range(16, 20)), Some(400));
        ages.found(&sight(21), 500);
        assert_eq!(ages.handed_out(&range(20, 21)), Some(500));
        // Created anew.
        ages.found(&sight(3), 600);
        assert_eq!(ages.handed_out(&range(0, 3)), Some(600));
    }
}
