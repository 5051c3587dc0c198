//! A piece of a source: what `plan` hands out and `fetch` reads.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::protocol::offsets::PartitionId;

/// A piece of a source, for one worker.
pub trait Work: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The partition that it is of.
    fn partition(&self) -> &PartitionId;

    /// By how much it moves the position.
    fn moves(&self) -> u64;

    /// How many bytes of memory it takes once it is read, without what it may hold a turn for.
    fn bytes(&self) -> u64;
}
