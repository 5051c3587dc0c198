//! The offsets file: what a group knows about its source at one position, and how many rows it
//! holds of it.
//!
//! It is written before the commit that refers to it, and never changed. In Delta it is
//! `_lakefront/<pipeline>/<position>.<run>.json` in the table's folder. Most are deltas to a
//! *base*, an earlier full file of the same run, so that a commit costs what changed, not how many
//! files or blobs there ever were.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::position::Position;
use crate::protocol::account::Account;
use crate::protocol::kind::Kind;
use crate::protocol::last_rows::LastRows;
use crate::protocol::names::{Held, OffsetsName};
use crate::protocol::offsets::{Offsets, PartitionId};
use crate::protocol::standing::Standing;
use crate::protocol::sums::Totals;

/// The format of the offsets file: totals by table.
pub(super) const FORMAT: u32 = 3;
/// The format before, in which every table was a group of its own. Format 1 had no totals.
const ALONE: u32 = 2;

/// What stays the same for a group over all its positions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The pipeline's name.
    pub pipeline: String,
    /// The source, without credentials.
    pub source: String,
    /// The part of the source to which partition names are relative; earlier builds omitted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// The group's role in the pipeline.
    pub role: String,
    /// The position at which the group began: before it, nothing was ever landed.
    pub genesis: Position,
    /// Made at genesis and the same in all tables of the pipeline, so that tables of two geneses
    /// cannot be mixed.
    pub lineage: String,
    /// How many rows that no pipeline had landed were there when this one was allowed to land
    /// beside them; `None` if there were none, or it was not allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<u64>,
}

/// The process of a run, as it was when it claimed the group: for people who look for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The name of its machine or container.
    pub host: String,
    /// Its process id there.
    pub pid: u32,
    /// When it made its claim, by its clock, in milliseconds since 1970.
    pub since_ms: u64,
}

/// The content of an offsets file.
#[derive(Clone, Debug)]
pub struct Recorded<K: Kind> {
    /// What stays the same.
    pub origin: Origin,
    /// Where the group stands.
    pub standing: Standing<K>,
    /// What it holds there.
    pub account: Account<K>,
    /// The process of the run that wrote this; older builds did not record it.
    pub process: Option<Process>,
}

/// The content of an offsets file, as it is written.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(super) struct Document<K: Kind> {
    pub(super) format: u32,
    /// The kind of source; builds that knew only lines omitted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<String>,
    #[serde(flatten)]
    pub(super) origin: Origin,
    pub(super) held: Held,
    pub(super) settings: K::Settings,
    pub(super) since: Position,
    /// Which cut had the last rows for each group; earlier builds omitted it.
    #[serde(default, skip_serializing_if = "LastRows::is_unknown")]
    pub(super) last_cuts: LastRows,
    /// The full file that `offsets` is a delta to.
    pub(super) base: Option<OffsetsName>,
    #[serde(flatten)]
    pub(super) offsets: Offsets<K>,
    /// The base's partitions that were retired.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) gone: Vec<PartitionId>,
    /// Of each table of the group, by its role: the partitions whose totals differ from the base's,
    /// and the sums of the rest.
    #[serde(default)]
    pub(super) tables: BTreeMap<String, Totals>,
    /// Where the present settings began; in full files only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<Offsets<K>>,
    /// The process of the run that wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) process: Option<Process>,
}

impl<K: Kind> Document<K> {
    /// Reads what a file holds. The error says why it cannot be read, and what to do.
    pub(super) fn parse(content: &[u8]) -> Result<Document<K>, Box<dyn std::error::Error + Send + Sync>> {
        #[derive(Deserialize)]
        struct Form {
            format: u32,
            #[serde(default)]
            kind: Option<String>,
            /// The totals in format 2.
            totals: Option<Totals>,
            /// The totals in format 3.
            tables: Option<BTreeMap<String, IgnoredAny>>,
        }
        let Form { format, kind, totals, tables } = serde_json::from_slice(content)?;
        match format {
            ..ALONE => {
                let advice = "land into new tables, under a new pipeline name";
                return Err(format!("it has format {format}, of a build that kept no totals: {advice}").into());
            }
            ALONE..=FORMAT => {}
            _ => return Err(format!("it has format {format}, and this binary knows {FORMAT}: upgrade").into()),
        }
        if let Some(kind) = kind.filter(|kind| kind != K::NAME) {
            return Err(format!("its pipeline reads {kind}, and this one {}: name other tables", K::NAME).into());
        }
        let mut document: Document<K> = serde_json::from_slice(content)?;
        match (format, totals, tables) {
            (ALONE, Some(totals), None) => document.tables = [(document.origin.role.clone(), totals)].into(),
            (FORMAT, None, Some(tables)) if !tables.is_empty() => {}
            _ => return Err("it is damaged: it lacks the totals of its format; restore it from a backup".into()),
        }
        Ok(document)
    }
}
