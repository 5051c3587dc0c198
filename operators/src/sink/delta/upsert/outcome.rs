//! What a shard has made of a cut, on its way to the commit.
//!
//! It is one staged file for the protocol: named by its data file if there is one, and with as many
//! rows as there were changes, so that what was counted on the way can be compared.

use std::collections::BTreeMap;

use roaring::RoaringTreemap;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::counts::Counts;
use crate::error::StoreError;
use crate::protocol::staged::StagedFile;

/// A shard's part of a cut.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Outcome {
    /// The files with the rows that are new, or others now.
    pub(super) data: Vec<Written>,
    /// The files with what rows were before they changed or went. Empty without a change feed.
    pub(super) before: Vec<Written>,
    /// By file, the rows that die.
    pub(super) dead: BTreeMap<String, Dead>,
    /// What became of the changes.
    pub(super) counts: Counts,
}

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Written {
    /// Relative to the table.
    pub(super) path: String,
    /// In bytes.
    pub(super) size: u64,
    pub(super) rows: u64,
    /// Its statistics, as the `add` action has them; empty for a file that is none of the table's.
    pub(super) stats: String,
    /// When it was begun, in milliseconds since 1970.
    pub(super) begun_ms: u64,
}

impl Outcome {
    /// As [`StagedFile::detail`] carries it.
    pub(super) fn note(&self) -> Result<String, StoreError> {
        serde_json::to_string(self).map_err(|e| StoreError::definite("note what a cut changes", e))
    }

    /// The outcome that `file` carries.
    pub(super) fn of(file: &StagedFile) -> Result<Outcome, StoreError> {
        serde_json::from_str(&file.detail)
            .map_err(|e| StoreError::definite(format!("read what the cut with {} changes", file.path), e))
    }
}

/// Rows of a file, counted from its first: a bitmap in Roaring's portable form, as text in Z85.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Dead(pub(super) RoaringTreemap);

impl Serialize for Dead {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::with_capacity(self.0.serialized_size());
        self.0.serialize_into(&mut bytes).map_err(S::Error::custom)?;
        serializer.serialize_str(&z85::encode(bytes))
    }
}

impl<'d> Deserialize<'d> for Dead {
    fn deserialize<D: Deserializer<'d>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = z85::decode(String::deserialize(deserializer)?).map_err(D::Error::custom)?;
        RoaringTreemap::deserialize_from(&bytes[..]).map(Dead).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_rows_are_the_same_after_their_way() {
        for rows in [vec![], vec![0], vec![1, 2, 3, 70_000, 5_000_000_000], (0..100_000).collect()] {
            let dead = BTreeMap::from([("part-1".to_owned(), Dead(rows.into_iter().collect()))]);
            let outcome = Outcome { dead, ..Outcome::default() };
            let detail = outcome.note().unwrap();
            let staged_at = crate::protocol::clock::Stamp::default();
            let file = StagedFile { path: String::new(), size: 0, rows: 0, detail, staged_at };
            assert_eq!(Outcome::of(&file).unwrap(), outcome);
        }
    }
}
