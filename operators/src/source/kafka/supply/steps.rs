//! How far partitions may be handed out before a cut may end, step by step.

use std::collections::VecDeque;

use super::{Known, TopicSupply};
use crate::protocol::offsets::PartitionId;
use crate::source::kafka::transactions::Step;

impl TopicSupply {
    /// The same, whose cuts end only between steps: no partition goes further than they say.
    pub fn by_steps(self) -> TopicSupply {
        TopicSupply { steps: Some(VecDeque::new()), ..self }
    }

    /// Partitions may be handed out so far, once all of the steps before is.
    pub(in crate::source::kafka) fn may_go(&mut self, step: Step) {
        self.steps.get_or_insert_default().push_back(step);
        self.find_ready();
        self.step_on();
    }

    /// How many offsets of all steps can be handed out and are not.
    pub(in crate::source::kafka) fn waiting(&self) -> u64 {
        let Some(last) = self.steps.as_ref().and_then(VecDeque::back) else { return 0 };
        self.known.keys().map(|id| self.left_to(id, last)).sum()
    }

    /// Goes on to the next step if the first is handed out.
    pub(super) fn step_on(&mut self) {
        while self.is_done() && self.steps.as_ref().is_some_and(|steps| steps.len() > 1) {
            self.steps.as_mut().and_then(VecDeque::pop_front);
            self.find_ready();
        }
    }

    /// Whether all of the first step is handed out, but for what is held or gone. A partition that
    /// is shorter for a moment is waited for.
    pub(super) fn is_done(&self) -> bool {
        let Some(step) = self.steps.as_ref().and_then(VecDeque::front) else { return true };
        let is_behind = |(id, known): (&PartitionId, &Known)| {
            let held = self.held.get(id).copied().unwrap_or(u64::MAX);
            let is_there = known.limit.is_some() && self.is_newest(id);
            is_there && step.get(&id.name).is_some_and(|end| self.next_of(id) < held.min(*end))
        };
        !self.known.iter().any(is_behind)
    }

    /// How many there are up to where a step ends.
    pub(super) fn left_to(&self, id: &PartitionId, step: &Step) -> u64 {
        let end = step.get(&id.name).filter(|_| self.is_newest(id)).copied().unwrap_or_default();
        self.left_of(id).min(end.saturating_sub(self.next_of(id)))
    }
}
