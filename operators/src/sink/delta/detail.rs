//! What a Delta commit says of a staged file, beside its path, size and rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::protocol::staged::StagedFile;

/// The detail of a file that was staged for a Delta table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// Partition columns and their values in this file.
    pub partition_values: BTreeMap<String, Option<String>>,
    /// Its statistics, as the `add` action has them: JSON in a text.
    pub stats: String,
}

impl Detail {
    /// As [`StagedFile`] carries it.
    pub fn note(&self) -> Result<String, StoreError> {
        serde_json::to_string(self).map_err(|e| StoreError::definite("note the detail of a file", e))
    }

    /// The detail of `file`.
    pub fn of(file: &StagedFile) -> Result<Detail, StoreError> {
        serde_json::from_str(&file.detail)
            .map_err(|e| StoreError::definite(format!("read the detail of {}", file.path), e))
    }
}
