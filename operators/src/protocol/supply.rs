//! What a source has to hand out, as the [`Cutter`](super::cutter::Cutter) asks for it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::position::Position;
use crate::protocol::document::Standing;
use crate::protocol::kind::Kind;
use crate::protocol::offsets::Offsets;

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

/// Work that a lagging table needs, and that the source can give no more: as text for a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost(pub String);

/// Hands out a source's work in order. It reads nothing and waits for nothing.
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
    /// answers [`Lost`]; it must have no table that can lag.
    fn towards(&mut self, targets: &VecDeque<Standing<K>>, room: u64) -> Result<Option<Self::Work>, Lost>;

    /// Goes on from where a table stands: from here on it takes part. What lay between was handed
    /// out, or has no rows that are lacking.
    fn reach(&mut self, target: &Standing<K>);

    /// Whether a cut may end here.
    fn boundary(&self) -> Boundary {
        Boundary::May
    }

    /// A cut ends here. The offsets may change in what moves no position.
    fn close(&mut self);

    /// Every table's transaction holds everything below `position`.
    fn durable(&mut self, position: Position);

    /// Whether everything that was seen of the source has been handed out.
    fn is_exhausted(&self) -> bool;
}
