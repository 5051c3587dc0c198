//! A piece of a source: what `plan` hands out and `fetch` reads.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::protocol::offsets::PartitionId;

/// A piece of a source, for one worker.
///
/// ```
/// use lakefront_operators::protocol::offsets::PartitionId;
/// use lakefront_operators::work::Work;
/// use serde::{Deserialize, Serialize};
///
/// /// Records of one partition.
/// #[derive(Clone, Serialize, Deserialize)]
/// struct Records {
///     partition: PartitionId,
///     numbers: std::ops::Range<u64>,
/// }
///
/// impl Work for Records {
///     fn partition(&self) -> &PartitionId {
///         &self.partition
///     }
///
///     fn moves(&self) -> u64 {
///         self.numbers.end - self.numbers.start
///     }
///
///     fn bytes(&self) -> u64 {
///         self.moves() * 1024
///     }
/// }
///
/// let work = Records { partition: PartitionId::first("orders"), numbers: 10..30 };
/// assert_eq!((work.moves(), work.bytes()), (20, 20 << 10));
/// ```
pub trait Work: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The partition that it is of.
    fn partition(&self) -> &PartitionId;

    /// By how much it moves the position.
    fn moves(&self) -> u64;

    /// How many bytes of memory it takes once it is read, without what it may hold a turn for.
    fn bytes(&self) -> u64;
}
