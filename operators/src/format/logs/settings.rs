//! The settings that belong to positions: what decides which table a row goes to, and what it
//! holds.
//!
//! They are kept in the offsets file of each position. A table that lags is caught up under the
//! settings that were in force there, not under today's, so that no line lands twice or nowhere
//! when the configuration changes between two runs.

mod zones;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use zones::{Zone, Zones, offset};

use crate::format::logs::record::REJECT_RAW_LIMIT;

/// Version of the row rules of this binary: how a line becomes columns. A change of meaning needs a
/// new version, and the binary keeps the old rules: a table that lags is caught up under the
/// version that it names.
///
/// 1 is the first; 2 opens envelopes and is lenient with numbers, roles, and bytes that are no part
/// of a line.
pub const ROWS_VERSION: u32 = 2;

/// The shape of the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Azure Database for PostgreSQL resource logs: an object with `properties`.
    Azure,
    /// PostgreSQL's own `jsonlog`.
    Jsonlog,
}

/// What becomes of keys that have no column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownKeys {
    /// Kept, raw, in the column `_rest`.
    Keep,
    /// Dropped.
    Drop,
    /// The line is rejected.
    Reject,
}

/// Whether a line may hold its records in something else: an array, a batch of a service, a
/// collector's wrapper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Envelope {
    /// Known shapes are opened where that is exact; see `rows::shape`.
    Auto,
    /// A line is a record or nothing.
    #[default]
    None,
}

impl Envelope {
    /// Whether nothing is opened, as before this setting existed.
    pub fn is_none(&self) -> bool {
        *self == Envelope::None
    }
}

/// Where a line goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Destination {
    /// The primary server's table.
    Primary,
    /// The replicas' table.
    Replica,
    /// The rejects table.
    Reject,
}

impl Destination {
    /// The word for it in a pipeline file.
    pub fn as_str(self) -> &'static str {
        match self {
            Destination::Primary => "primary",
            Destination::Replica => "replica",
            Destination::Reject => "reject",
        }
    }
}

/// Which lines go where. Order of precedence: `sources`, the line's own role, `servers`, `default`.
/// Roles and servers are compared without regard to case, except under version 1 of the row rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roles {
    /// Values of the line's role that go to the primary table; `"*"` is any non-empty value not
    /// named elsewhere.
    pub primary: Vec<String>,
    /// Values of the line's role that go to the replica table; `"*"` as above.
    pub replica: Vec<String>,
    /// Where lines go that have no role, or one that no list names.
    pub default: Destination,
    /// For the same lines: by logical server name, or by the server that the resource id names.
    pub servers: BTreeMap<String, Destination>,
    /// By glob over the partition's name.
    pub sources: BTreeMap<String, Destination>,
}

/// Everything that decides a row's table and content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowSettings {
    /// The version of the row rules, [`ROWS_VERSION`] for this binary.
    pub rows_version: u32,
    /// The shape of the lines.
    pub format: Format,
    /// Lines longer than this many bytes are rejected.
    pub max_line: u64,
    /// What becomes of keys that have no column.
    pub unknown_keys: UnknownKeys,
    /// The zones of times that do not state one.
    #[serde(default, skip_serializing_if = "Zones::is_empty")]
    pub zones: Zones,
    /// At most this much of a rejected line is kept, in bytes; of one over `max_line`, at most
    /// [`REJECT_RAW_LIMIT`].
    #[serde(default = "RowSettings::usual_raw", skip_serializing_if = "RowSettings::is_usual_raw")]
    pub raw: u64,
    /// Whether envelopes and wrappers are opened.
    #[serde(default, skip_serializing_if = "Envelope::is_none")]
    pub envelope: Envelope,
    /// Which lines go where.
    pub roles: Roles,
    /// The tables' names, in the order in which a run claims them.
    pub tables: Vec<String>,
}

impl RowSettings {
    /// How much of a rejected line is kept by default, in bytes.
    pub fn usual_raw() -> u64 {
        REJECT_RAW_LIMIT as u64
    }

    /// How much of a line over `max_line` is kept, in bytes: at most the default, to bound memory.
    pub fn raw_of_long_line(&self) -> u64 {
        self.raw.min(RowSettings::usual_raw())
    }

    fn is_usual_raw(raw: &u64) -> bool {
        *raw == RowSettings::usual_raw()
    }
}

#[cfg(test)]
impl RowSettings {
    /// Today's rules for lines of Azure, with nothing set: every line goes to the primary table.
    pub(crate) fn example() -> Self {
        let (primary, replica, servers, sources) = Default::default();
        RowSettings {
            rows_version: ROWS_VERSION,
            format: Format::Azure,
            max_line: 1 << 20,
            unknown_keys: UnknownKeys::Keep,
            envelope: Envelope::None,
            zones: Zones::default(),
            raw: RowSettings::usual_raw(),
            roles: Roles { primary, replica, default: Destination::Primary, servers, sources },
            tables: Vec::new(),
        }
    }
}
