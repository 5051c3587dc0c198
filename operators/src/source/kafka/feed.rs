//! Feeds `plan` with what looks find of topics.

use super::ages::Ages;
use super::kind::Topics;
use super::look::{Seen, Watch};
use super::range::Range;
use super::scout::Scouted;
use super::supply::TopicSupply;
use crate::error::Stop;
use crate::plan::{self, Feed};
use crate::position::Position;
use crate::protocol::Pending;
use crate::protocol::clock::Stamp;
use crate::run::metrics::Lag;

/// What worker 0 needs to plan topics.
pub type Planning = plan::Planning<Topics, TopicFeed>;

/// Feeds a [`TopicSupply`].
#[derive(Default)]
pub struct TopicFeed {
    ages: Ages,
}

impl Feed<Topics> for TopicFeed {
    type Work = Range;
    type Supply = TopicSupply;
    type Watch = Watch;
    type Found = Seen;

    fn look(watch: &mut Watch) -> Pending<'_, Result<Seen, Stop>> {
        Box::pin(watch.look_ahead())
    }

    fn found(&mut self, watch: &mut Watch, found: Seen, supply: &mut TopicSupply, now: Stamp) -> bool {
        let Seen { sights, scouted: Scouted { steps, is_behind } } = found;
        self.ages.found(&sights, now.steady_ms);
        watch.losses = supply.see(sights, now.steady_ms);
        steps.into_iter().for_each(|step| supply.may_go(step));
        watch.waiting = supply.waiting();
        // The next look ends the run, also that of a backfill.
        !watch.losses.is_empty() || supply.is_short() || is_behind
    }

    fn handed_out(&mut self, work: &Range) -> Option<u64> {
        self.ages.handed_out(work)
    }

    fn end(supply: &TopicSupply) -> Position {
        supply.end()
    }

    fn lags_most(supply: &TopicSupply) -> Option<Lag> {
        supply.lags_most()
    }

    fn is_small(supply: &TopicSupply, room: u64, bytes: u64) -> bool {
        supply.rest_of_next().is_some_and(|rest| rest.offsets <= room && rest.bytes <= bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::source::kafka::sizes::Sizes;
    use crate::source::kafka::supply::{OnLoss, Sight};

    #[test]
    fn what_shares_a_credit_fits_into_its_memory_too() {
        let sizes = Arc::new(Sizes::default());
        sizes.learn("a/0", 1, 100 << 10);
        let mut supply = TopicSupply::new(&[], sizes, 1 << 20, OnLoss::Stop);
        let (topic, topic_id) = ("a".to_owned(), "id".to_owned());
        supply.see(vec![Sight { topic, partition: 0, topic_id, has_leader: true, earliest: 0, end: 3 }], 0);
        let is_small = |room, bytes| TopicFeed::is_small(&supply, room, bytes);
        let rest = supply.rest_of_next().expect("all that is left");
        assert_eq!((rest.offsets, rest.bytes), (3, 600 << 10), "with room for twice what is expected");
        assert_eq!(
            [(3, rest.bytes), (2, rest.bytes), (3, rest.bytes - 1)].map(|(room, bytes)| is_small(room, bytes)),
            [true, false, false]
        );
    }
}
