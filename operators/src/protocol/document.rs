//! The offsets file: what a table knows about its source at one position.
//!
//! `_lakefront/<pipeline>/<position>.<run>.json` in the table's folder. It is written before the commit that refers to it and
//! never changed. Most are deltas to a *base*, an earlier full file of the same run, so that a commit's cost follows what
//! changed and not how many files or blobs there ever were.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Stop, StoreError};
use crate::offsets::{Delta, Offsets, PartitionId};
use crate::position::Position;
use crate::protocol::commit::ask;
use crate::protocol::table::{Clock, Created, Held, OffsetsName, Table};
use crate::settings::{ROWS_VERSION, RowSettings};

/// The version of the offsets file's form.
const FORMAT: u32 = 1;

/// A base is replaced once a delta has more entries than this and half the base's.
const DELTA_ENTRIES: usize = 64;

/// What stays the same for a table over all its positions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The pipeline's name.
    pub pipeline: String,
    /// The source, without credentials.
    pub source: String,
    /// What the table is for in the pipeline.
    pub role: String,
    /// The position at which the table began: before it, nothing was ever landed.
    pub genesis: Position,
    /// Made at genesis, the same in all tables of the pipeline: tables of two lives cannot be mixed.
    pub lineage: String,
}

/// The offsets and settings of one position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Where the next read of each partition starts.
    pub offsets: Arc<Offsets>,
    /// The settings that were in force up to this position.
    pub settings: Arc<RowSettings>,
    /// The position from which they were in force: a table that stands below it cannot be caught up by them.
    pub since: Position,
}

impl Standing {
    /// The position of the offsets.
    pub fn position(&self) -> Position {
        self.offsets.position()
    }
}

#[derive(Serialize, Deserialize)]
struct Document {
    format: u32,
    #[serde(flatten)]
    origin: Origin,
    held: Held,
    settings: RowSettings,
    since: Position,
    /// The full file that `offsets` is a delta to.
    base: Option<OffsetsName>,
    #[serde(flatten)]
    offsets: Offsets,
    /// The base's partitions that have left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gone: Vec<PartitionId>,
}

/// One pipeline's offsets files in one table.
pub struct OffsetsFiles {
    origin: Origin,
    base: Option<(OffsetsName, Arc<Offsets>)>,
    /// Files that exist, as far as this run knows.
    known: BTreeSet<OffsetsName>,
}

impl OffsetsFiles {
    /// No file is known yet.
    pub fn new(origin: Origin) -> Self {
        OffsetsFiles { origin, base: None, known: BTreeSet::new() }
    }

    /// What stays the same for this table.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Learns which files exist, so that [`OffsetsFiles::tidy`] can delete those of earlier runs too.
    pub async fn survey(&mut self, table: &dyn Table, clock: &dyn Clock) -> Result<(), Stop> {
        self.known.extend(ask(clock, || table.list_offsets()).await?);
        Ok(())
    }

    /// Writes the file of `held`. `Ok(false)`: another run has written other content under that name.
    pub async fn write(&mut self, table: &dyn Table, held: Held, standing: &Standing) -> Result<bool, StoreError> {
        debug_assert_eq!(held.position, standing.position(), "a position has exactly one Offsets");
        let name = OffsetsName(held);
        let delta = self.base.as_ref().map(|(base, offsets)| (*base, offsets.len(), standing.offsets.since(offsets)));
        let (base, Delta { changed: offsets, gone }) = match delta {
            Some((base, len, delta)) if delta.len() <= DELTA_ENTRIES.max(len / 2) => (Some(base), delta),
            _ => (None, Delta { changed: (*standing.offsets).clone(), gone: Vec::new() }),
        };
        let full = base.is_none();
        let document = Document {
            format: FORMAT,
            origin: self.origin.clone(),
            held,
            settings: (*standing.settings).clone(),
            since: standing.since,
            base,
            offsets,
            gone,
        };
        let content = serde_json::to_vec_pretty(&document).map_err(|e| StoreError::definite("write offsets", e))?;
        if table.write_offsets(name, &content).await? == Created::No {
            // Ours, if an earlier reply was lost; or a rival's that computed the same number.
            let there = table.read_offsets(name).await?;
            if there.as_deref() != Some(&content[..]) {
                return Ok(false);
            }
        }
        self.known.insert(name);
        if full {
            self.base = Some((name, standing.offsets.clone()));
        }
        Ok(true)
    }

    /// Reads the file of `held`, and its base if it is a delta.
    pub async fn read(table: &dyn Table, held: Held) -> Result<(Origin, Standing), Stop> {
        let document = Self::document(table, held, OffsetsName(held)).await?;
        let offsets = match document.base {
            None => document.offsets,
            Some(base) => {
                let full = Self::document(table, held, base).await?;
                full.offsets.updated(Delta { changed: document.offsets, gone: document.gone })
            }
        };
        if offsets.position() != held.position {
            return Err(Stop::Refused(format!(
                "table {:?}: its offsets file {} is damaged: its offsets add up to {}",
                table.name(),
                OffsetsName(held),
                offsets.position()
            )));
        }
        let settings = Arc::new(document.settings);
        let standing = Standing { offsets: Arc::new(offsets), settings, since: document.since };
        Ok((document.origin, standing))
    }

    async fn document(table: &dyn Table, held: Held, name: OffsetsName) -> Result<Document, Stop> {
        let Some(content) = table.read_offsets(name).await? else {
            return Err(Stop::offsets_missing(table.name(), held.position, &name.to_string()));
        };
        let document = Self::parse(&content)
            .map_err(|e| StoreError::definite(format!("read offsets file {name} of table {:?}", table.name()), e))?;
        if document.settings.rows_version > ROWS_VERSION {
            return Err(Stop::Refused(format!(
                "table {:?} was written by a newer lakefront (row rules {}, this binary knows {ROWS_VERSION}): upgrade",
                table.name(),
                document.settings.rows_version
            )));
        }
        Ok(document)
    }

    fn parse(content: &[u8]) -> Result<Document, Box<dyn std::error::Error + Send + Sync>> {
        let document: Document = serde_json::from_slice(content)?;
        if document.format != FORMAT {
            return Err(format!("format {} is unknown to this binary", document.format).into());
        }
        Ok(document)
    }

    /// The origin that another pipeline's offsets file names.
    pub fn origin_of(content: &[u8]) -> Option<Origin> {
        Self::parse(content).ok().map(|d| d.origin)
    }

    /// Deletes the files below `committed`, but for the base that newer files rest on. Only below: a file at or above it may
    /// belong to a commit that is still under way, ours or a rival's, however many newer ones there are.
    pub async fn tidy(&mut self, table: &dyn Table, committed: Position) -> Result<(), StoreError> {
        let base = self.base.as_ref().map(|(name, _)| *name);
        let old = |name: &&OffsetsName| name.0.position < committed && Some(**name) != base;
        for name in self.known.iter().filter(old).copied().collect::<Vec<_>>() {
            table.delete_offsets(name).await?;
            fail::fail_point!("offsets-deleted");
            self.known.remove(&name);
        }
        Ok(())
    }
}
