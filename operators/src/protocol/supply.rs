//! What a source has to hand out, as the [`Cutter`](super::cutter::Cutter) asks for it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::position::Position;
use crate::protocol::kind::Kind;
use crate::protocol::offsets::Offsets;
use crate::protocol::standing::Standing;

/// Whether a cut may end where the supply stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boundary {
    /// It may.
    May,
    /// It must: what comes next belongs to another cut.
    Must,
    /// It must not: what was handed out and what comes next belong together, whatever that takes.
    MustNot,
}

/// Work that a lagging table needs, and that the source can give no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// What it is, as text for a message.
    pub what: String,
    /// How to bring it back; `None` if nothing can.
    pub advice: Option<&'static str>,
}

impl Lost {
    /// What nothing brings back.
    pub fn for_good(what: String) -> Lost {
        Lost { what, advice: None }
    }
}

/// Hands out a source's work in order. It reads nothing and waits for nothing.
///
/// Here, a source of numbers that forgets what is acknowledged, and whose cuts end at each hundred:
///
/// ```
/// use std::collections::VecDeque;
/// use std::sync::Arc;
///
/// use lakefront_operators::position::Position;
/// use lakefront_operators::protocol::standing::Standing;
/// use lakefront_operators::protocol::kind::{Kind, Mark, TooNew};
/// use lakefront_operators::protocol::offsets::{Offsets, PartitionId, Partitions};
/// use lakefront_operators::protocol::supply::{Boundary, Lost, Supply};
/// use serde::{Deserialize, Serialize};
///
/// # #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
/// # struct Numbers;
/// # #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
/// # struct Next {
/// #     next: u64,
/// # }
/// # impl Mark for Next {
/// #     fn precedes(&self, later: &Next) -> bool {
/// #         self.next <= later.next
/// #     }
/// # }
/// # impl Kind for Numbers {
/// #     const NAME: &'static str = "numbers";
/// #     type Mark = Next;
/// #     type Retired = ();
/// #     type Settings = u32;
/// #     fn sum(partitions: &Partitions<Next>, _retired: &()) -> Option<Position> {
/// #         Some(Position(partitions.values().map(|at| at.next).sum()))
/// #     }
/// #     fn adds_up(_lower: &Offsets<Numbers>, _higher: &Offsets<Numbers>) -> bool {
/// #         true
/// #     }
/// #     fn check(_settings: &u32) -> Result<(), TooNew> {
/// #         Ok(())
/// #     }
/// # }
/// struct Counter {
///     at: Offsets<Numbers>,
///     end: u64,
///     forgotten: Position,
/// }
///
/// fn at(next: u64) -> Offsets<Numbers> {
///     Offsets::new(Position(next), [(PartitionId::first("n"), Next { next })].into(), ())
/// }
///
/// impl Supply<Numbers> for Counter {
///     type Work = std::ops::Range<u64>;
///
///     fn offsets(&self) -> &Offsets<Numbers> {
///         &self.at
///     }
///
///     fn next(&mut self, room: u64, _settings: &Arc<u32>) -> Option<Self::Work> {
///         let from = self.at.position().0;
///         let to = self.end.min(from + room).min((from / 100 + 1) * 100);
///         self.at = at(to);
///         (to > from).then_some(from..to)
///     }
///
///     fn towards(
///         &mut self,
///         targets: &VecDeque<Standing<Numbers>>,
///         room: u64,
///     ) -> Result<Option<Self::Work>, Lost> {
///         let (from, target) = (self.at.position(), targets[0].position().0);
///         if from < self.forgotten {
///             return Err(Lost::for_good(format!("numbers from {from}, which are forgotten")));
///         }
///         let to = target.min(from.0 + room);
///         self.at = at(to);
///         Ok((to > from.0).then_some(from.0..to))
///     }
///
///     fn reach(&mut self, target: &Standing<Numbers>) {
///         self.at = (*target.offsets).clone();
///     }
///
///     fn boundary(&self) -> Boundary {
///         if self.at.position().0 % 100 == 0 { Boundary::Must } else { Boundary::May }
///     }
///
///     fn close(&mut self) {}
///
///     fn acknowledged(&mut self, position: Position) {
///         self.forgotten = position;
///     }
///
///     fn is_exhausted(&self) -> bool {
///         self.at.position().0 == self.end
///     }
/// }
///
/// let mut counter = Counter { at: at(80), end: 250, forgotten: Position(0) };
/// assert_eq!(counter.next(60, &Arc::new(1)), Some(80..100));
/// assert_eq!(counter.boundary(), Boundary::Must);
/// ```
pub trait Supply<K: Kind> {
    /// What a worker turns into rows.
    type Work;

    /// The offsets up to which work was handed out; they carry the position.
    fn offsets(&self) -> &Offsets<K>;

    /// The next work, of at most `room` positions, to become rows by `settings`; `None` if there is
    /// none now. Where no boundary may be, `room` may be exceeded.
    fn next(&mut self, room: u64, settings: &Arc<K::Settings>) -> Option<Self::Work>;

    /// The next work between here and the first of `targets`, where tables stand, nearest first. It
    /// becomes rows by the settings of that target. A source that forgets what was acknowledged
    /// answers [`Lost`]: its pipeline has a single group, so that none can lag.
    fn towards(&mut self, targets: &VecDeque<Standing<K>>, room: u64) -> Result<Option<Self::Work>, Lost>;

    /// Goes on from where a table stands: from here on it takes part. What lay between was handed
    /// out, or has no rows that are lacking.
    fn reach(&mut self, target: &Standing<K>);

    /// Whether a cut may end here.
    fn boundary(&self) -> Boundary {
        Boundary::May
    }

    /// Whether nothing more may be handed out before something is acknowledged, because what is
    /// under way takes too much memory by the source's own measure. The cutter has one of its own,
    /// in positions.
    fn is_full(&self) -> bool {
        false
    }

    /// A cut ends here. The offsets may change in what moves no position.
    fn close(&mut self);

    /// Everything below `position` was acknowledged: every group holds it, and the source was told.
    fn acknowledged(&mut self, position: Position);

    /// Whether everything that was seen of the source has been handed out.
    fn is_exhausted(&self) -> bool;
}
