//! What a kind of source brings to the protocol, which stores it, compares it, and hands it back.

use std::fmt::Debug;
use std::num::NonZeroU64;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::position::Position;
use crate::protocol::offsets::{Offsets, Partitions};

/// A value that offsets files hold.
pub trait Stored: Clone + Debug + PartialEq + Eq + Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<T: Clone + Debug + PartialEq + Eq + Serialize + DeserializeOwned + Send + Sync + 'static> Stored for T {}

/// Where one partition stands.
///
/// Offsets files have its fields beside the partition's `name` and `generation`, so it is a struct
/// whose fields have other names.
///
/// ```
/// use lakefront_operators::protocol::kind::Mark;
/// use serde::{Deserialize, Serialize};
///
/// /// A place in a log that may be written anew: its edition, and the next record of that.
/// #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
/// struct At {
///     edition: u32,
///     next: u64,
/// }
///
/// impl Mark for At {
///     fn precedes(&self, later: &At) -> bool {
///         (self.edition, self.next) <= (later.edition, later.next)
///     }
/// }
///
/// let (old, new) = (At { edition: 1, next: 900 }, At { edition: 2, next: 3 });
/// assert!(old.precedes(&new) && !new.precedes(&old));
/// ```
pub trait Mark: Stored {
    /// Whether `later` is as far, or further.
    fn precedes(&self, later: &Self) -> bool;
}

/// A kind of source, and of settings by which its work becomes rows.
///
/// ```
/// use lakefront_operators::position::Position;
/// use lakefront_operators::protocol::kind::{Kind, Mark, TooNew};
/// use lakefront_operators::protocol::offsets::{Offsets, PartitionId, Partitions};
/// use serde::{Deserialize, Serialize};
///
/// /// Numbered records, of which nothing ever leaves.
/// #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
/// struct Records;
///
/// /// The number of the next record.
/// #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
/// struct Next {
///     next: u64,
/// }
///
/// impl Mark for Next {
///     fn precedes(&self, later: &Next) -> bool {
///         self.next <= later.next
///     }
/// }
///
/// impl Kind for Records {
///     const NAME: &'static str = "records";
///     type Mark = Next;
///     type Retired = ();
///     type Settings = u32;
///
///     fn sum(partitions: &Partitions<Next>, _retired: &()) -> Option<Position> {
///         Some(Position(partitions.values().map(|at| at.next).sum()))
///     }
///
///     fn adds_up(_lower: &Offsets<Records>, _higher: &Offsets<Records>) -> bool {
///         true
///     }
///
///     fn check(_settings: &u32) -> Result<(), TooNew> {
///         Ok(())
///     }
/// }
///
/// let at = |name: &str, next| (PartitionId::first(name), Next { next });
/// let offsets: Offsets<Records> =
///     Offsets::new(Position(7), [at("a", 3), at("b", 4)].into(), ());
/// let later = Offsets::new(Position(9), [at("a", 5), at("b", 4)].into(), ());
/// assert!(offsets.precede(&later) && !later.precede(&offsets));
/// ```
pub trait Kind: Clone + Copy + Debug + Default + PartialEq + Eq + Send + Sync + 'static {
    /// Its name in offsets files.
    const NAME: &'static str;

    /// Where one partition stands.
    type Mark: Mark;

    /// Whether a cut without rows may move the position: its work is done, and there was nothing in
    /// it. If not, its work is handed out again.
    const MAY_BE_EMPTY: bool = true;

    /// Whether a table may leave the group that has rows of it: the account keeps them. If not, a
    /// group with rows of another table than its own is refused.
    const TABLES_MAY_LEAVE: bool = false;

    /// How wide the ranges of offsets are of which a commit knows the sums, beside the running
    /// totals; `None` if they are those of the totals.
    const RANGE: Option<NonZeroU64> = None;

    /// What is kept of retired partitions.
    type Retired: Stored + Default;

    /// What decides which rows work becomes. It belongs to positions: a table that lags is caught
    /// up under the settings of its time.
    type Settings: Stored;

    /// The position of such offsets, if that is a sum; `None` if the source counts otherwise, and
    /// the offsets carry it.
    fn sum(partitions: &Partitions<Self::Mark>, retired: &Self::Retired) -> Option<Position>;

    /// Whether the partitions of `lower` that are missing in `higher` were retired at the marks
    /// that they have in `lower`.
    fn adds_up(lower: &Offsets<Self>, higher: &Offsets<Self>) -> bool;

    /// Whether a pipeline with these settings has a group of this role. A group that has not landed
    /// anything, and that the others' settings do not know, joins them where the furthest of them
    /// stands. So a source whose tables are not all known at the start ends a run before the first
    /// row of one that is new: no group has committed a cut with it then.
    fn has_role(_settings: &Self::Settings, _role: &str) -> bool {
        true
    }

    /// Whether this binary knows these settings.
    fn check(settings: &Self::Settings) -> Result<(), TooNew>;
}

/// Settings of a newer binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooNew {
    /// The version that they name.
    pub version: u32,
    /// The newest version that this binary knows.
    pub known: u32,
}
