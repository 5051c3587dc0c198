//! A range of offsets of one partition: the work of a source of topics.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::kind::Settings;
use crate::protocol::offsets::PartitionId;
use crate::work::Work;

/// Offsets of one partition, handed to one worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The partition.
    pub partition: PartitionId,
    /// The id of the topic, which must be that of the records; empty if the cluster gives none.
    pub topic_id: String,
    /// The first offset.
    pub from: u64,
    /// The offset after the last. Records may lack at any of them.
    pub to: u64,
    /// Room for its records, in bytes, from what was read of the partition before.
    pub bytes: u64,
    /// Whether the range before it was handed out by this run, so that a read of that comes first.
    pub follows: bool,
    /// Whether its records are lost, and the loss was accepted: nothing is read.
    pub is_lost: bool,
    /// The settings by which its rows are made.
    pub settings: Arc<Settings>,
    /// Part of a catch-up: tables that stand here or further hold these rows, and theirs are not
    /// staged again.
    pub catch_up: bool,
}

impl Work for Range {
    fn partition(&self) -> &PartitionId {
        &self.partition
    }

    fn moves(&self) -> u64 {
        self.to - self.from
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}
