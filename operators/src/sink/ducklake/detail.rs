//! What the sink keeps of a staged file for its commit.

use serde::{Deserialize, Serialize};

use crate::error::StoreError;

/// What the catalog will say of a file, and what the file was written for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Detail {
    /// The number of its table.
    pub(super) table: i64,
    /// Its columns, with their types: the commit is void if the table has other ones by then.
    pub(super) columns: Vec<(i64, String)>,
    /// The number of the table's partitioning, if it is partitioned.
    pub(super) partition: Option<i64>,
    /// The values of the partition's keys; none for null.
    pub(super) values: Vec<Option<String>>,
    /// The length of its footer, in bytes.
    pub(super) footer: u32,
    /// What each column holds; those of lists are under the number of their elements.
    pub(super) leaves: Vec<LeafDetail>,
}

/// What a column of a file holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LeafDetail {
    pub(super) column: i64,
    /// Whether it is within a list: then the table keeps no statistics of it.
    pub(super) is_listed: bool,
    /// In bytes.
    pub(super) bytes: u64,
    /// How many values, and how many nulls.
    pub(super) values: u64,
    pub(super) nulls: u64,
    /// Bounds, as the catalog has them.
    pub(super) min: Option<String>,
    pub(super) max: Option<String>,
    /// Whether there is a NaN; none for types without.
    pub(super) nan: Option<bool>,
}

impl Detail {
    pub(super) fn note(&self) -> Result<String, StoreError> {
        serde_json::to_string(self).map_err(|e| StoreError::definite("note what a staged file holds", e))
    }

    pub(super) fn read(note: &str) -> Result<Detail, StoreError> {
        serde_json::from_str(note).map_err(|e| StoreError::definite("read what a staged file holds", e))
    }
}
