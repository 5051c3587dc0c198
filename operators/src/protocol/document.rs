//! The offsets file: what a table knows about its source at one position, and how many rows it
//! holds of it.
//!
//! It is `_lakefront/<pipeline>/<position>.<run>.json` in the table's folder, written before the
//! commit that refers to it and never changed. Most are deltas to a *base*, an earlier full file of
//! the same run, so that a commit costs what changed, not how many files or blobs there ever were.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Stop, StoreError};
use crate::position::Position;
use crate::protocol::commit::ask;
use crate::protocol::kind::{Kind, TooNew};
use crate::protocol::last_rows::LastRows;
use crate::protocol::offsets::{Delta, Offsets, PartitionId};
use crate::protocol::table::{Clock, Created, Held, OffsetsName, Table};
use crate::totals::{Bucket, Sum, Totals};

/// The format of the offsets file. Format 1 had no totals.
const FORMAT: u32 = 2;

/// A base is replaced once a delta has more entries than this and than half the base.
const DELTA_ENTRIES: usize = 64;

/// What stays the same for a table over all its positions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The pipeline's name.
    pub pipeline: String,
    /// The source, without credentials.
    pub source: String,
    /// The part of the source to which partition names are relative; earlier builds omitted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// The table's role in the pipeline.
    pub role: String,
    /// The position at which the table began: before it, nothing was ever landed.
    pub genesis: Position,
    /// Made at genesis and the same in all tables of the pipeline, so that tables of two geneses
    /// cannot be mixed.
    pub lineage: String,
    /// How many rows that no pipeline had landed were there when this one was allowed to land
    /// beside them; `None` if there were none, or it was not allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<u64>,
}

/// The process of a run, as it was when it claimed the table: for people who look for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The name of its machine or container.
    pub host: String,
    /// Its process id there.
    pub pid: u32,
    /// When it made its claim, by its clock, in milliseconds since 1970.
    pub since_ms: u64,
}

/// The offsets and settings of one position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing<K: Kind> {
    /// Where the next read of each partition starts.
    pub offsets: Arc<Offsets<K>>,
    /// The settings that were in force up to this position.
    pub settings: Arc<K::Settings>,
    /// The position from which they were in force: they cannot catch up a table below it.
    pub since: Position,
    /// Which cut had the last rows for each table.
    pub last_rows: LastRows,
}

impl<K: Kind> Standing<K> {
    /// The position of the offsets.
    pub fn position(&self) -> Position {
        self.offsets.position()
    }
}

/// What a table holds at its position, for `prove`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account<K: Kind> {
    /// The rows.
    pub totals: Totals,
    /// Where the present settings began. Rows before that are counted in [`Totals::earlier`], or
    /// were never meant to land.
    pub from: Arc<Offsets<K>>,
}

impl<K: Kind> Account<K> {
    /// The account of a table that begins at `offsets`.
    pub fn genesis(offsets: Arc<Offsets<K>>) -> Self {
        Account { totals: Totals::default(), from: offsets }
    }

    /// Moves from `before` to `after`, and adds the rows that land there.
    pub fn land(&mut self, before: &Standing<K>, after: &Standing<K>, sums: &[(Bucket, Sum)]) {
        if after.since != before.since {
            self.totals.begin_anew();
            self.from = before.offsets.clone();
        }
        sums.iter().for_each(|(bucket, sum)| self.totals.add(bucket, *sum));
        self.totals.retire(&after.offsets);
    }
}

/// The content of an offsets file.
#[derive(Clone, Debug)]
pub struct Recorded<K: Kind> {
    /// What stays the same.
    pub origin: Origin,
    /// Where the table stands.
    pub standing: Standing<K>,
    /// What it holds there.
    pub account: Account<K>,
    /// The process of the run that wrote this; older builds did not record it.
    pub process: Option<Process>,
}

#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
struct Document<K: Kind> {
    format: u32,
    /// The kind of source; builds that knew only lines omitted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(flatten)]
    origin: Origin,
    held: Held,
    settings: K::Settings,
    since: Position,
    /// Which cut had the last rows for each table; earlier builds omitted it.
    #[serde(default, skip_serializing_if = "LastRows::is_unknown")]
    last_cuts: LastRows,
    /// The full file that `offsets` is a delta to.
    base: Option<OffsetsName>,
    #[serde(flatten)]
    offsets: Offsets<K>,
    /// The base's partitions that have left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gone: Vec<PartitionId>,
    /// The partitions whose totals differ from the base's, and the sums of the rest.
    totals: Totals,
    /// Where the present settings began; in full files only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Offsets<K>>,
    /// The process of the run that wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    process: Option<Process>,
}

/// A full file that this run has written.
struct Base<K: Kind> {
    name: OffsetsName,
    offsets: Arc<Offsets<K>>,
    account: Account<K>,
}

/// One pipeline's offsets files in one table.
pub struct OffsetsFiles<K: Kind> {
    now: Recorded<K>,
    base: Option<Base<K>>,
    /// Files that exist, as far as this run knows.
    known: BTreeSet<OffsetsName>,
}

impl<K: Kind> OffsetsFiles<K> {
    /// The files of a table, with `now` to be written first. No file is known yet.
    pub fn new(now: Recorded<K>) -> Self {
        OffsetsFiles { now, base: None, known: BTreeSet::new() }
    }

    /// What stays the same for this table.
    pub fn origin(&self) -> &Origin {
        &self.now.origin
    }

    /// Sets what is written next: the table stands at `standing`, with the rows of `sums` added.
    pub fn advance(&mut self, standing: &Standing<K>, sums: &[(Bucket, Sum)]) {
        self.now.account.land(&self.now.standing, standing, sums);
        self.now.standing = standing.clone();
    }

    /// Learns which files exist, so that [`OffsetsFiles::tidy`] can delete those of earlier runs
    /// too.
    pub async fn survey(&mut self, table: &dyn Table, clock: &dyn Clock) -> Result<(), Stop> {
        self.known.extend(ask(clock, || table.list_offsets()).await?);
        Ok(())
    }

    /// Writes the file of `held`. `Ok(false)` means that another run has written other content
    /// under that name.
    pub async fn write(&mut self, table: &dyn Table, held: Held) -> Result<bool, StoreError> {
        debug_assert_eq!(held.position, self.now.standing.position(), "a position has exactly one Offsets");
        let name = OffsetsName(held);
        let document = self.compose(held);
        let full = document.base.is_none();
        let content = serde_json::to_vec_pretty(&document).map_err(|e| StoreError::definite("write offsets", e))?;
        if table.write_offsets(name, &content).await? == Created::No {
            // It is ours if an earlier reply was lost, or a rival's that computed the same run
            // number.
            let there = table.read_offsets(name).await?;
            if there.as_deref() != Some(&content[..]) {
                return Ok(false);
            }
        }
        self.known.insert(name);
        if full {
            let Recorded { standing, account, .. } = &self.now;
            self.base = Some(Base { name, offsets: standing.offsets.clone(), account: account.clone() });
        }
        Ok(true)
    }

    /// A delta to the base; a full file if there is no base, or it has another `from`, or too much
    /// has changed.
    fn compose(&self, held: Held) -> Document<K> {
        let Recorded { origin, standing, account, process } = &self.now;
        let delta = self.base.as_ref().filter(|base| base.account.from == account.from).and_then(|base| {
            let delta = standing.offsets.since(&base.offsets);
            (delta.len() <= DELTA_ENTRIES.max(base.offsets.len() / 2)).then_some((base, delta))
        });
        let (base, offsets, gone, totals, from) = match delta {
            Some((base, Delta { changed, gone })) => {
                (Some(base.name), changed, gone, account.totals.since(&base.account.totals, &standing.offsets), None)
            }
            None => {
                let from = (*account.from).clone();
                (None, (*standing.offsets).clone(), Vec::new(), account.totals.clone(), Some(from))
            }
        };
        Document {
            format: FORMAT,
            kind: Some(K::NAME.to_owned()),
            origin: origin.clone(),
            held,
            settings: (*standing.settings).clone(),
            since: standing.since,
            last_cuts: standing.last_rows.clone(),
            base,
            offsets,
            gone,
            totals,
            from,
            process: process.clone(),
        }
    }

    /// Reads the file of `held`, and its base if it is a delta.
    pub async fn read(table: &dyn Table, held: Held) -> Result<Recorded<K>, Stop> {
        let document = Self::document(table, held, OffsetsName(held)).await?;
        let (offsets, totals, from) = match document.base {
            None => (document.offsets, document.totals, document.from),
            Some(base) => {
                let full = Self::document(table, held, base).await?;
                let offsets = full.offsets.updated(Delta { changed: document.offsets, gone: document.gone });
                let totals = full.totals.updated(document.totals, &offsets);
                (offsets, totals, full.from)
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
        let Document { since, last_cuts: last_rows, .. } = document;
        let standing = Standing { offsets: Arc::new(offsets), settings, since, last_rows };
        let account = Account { totals, from: Arc::new(from.unwrap_or_default()) };
        Ok(Recorded { origin: document.origin, standing, account, process: document.process })
    }

    async fn document(table: &dyn Table, held: Held, name: OffsetsName) -> Result<Document<K>, Stop> {
        let Some(content) = table.read_offsets(name).await? else {
            return Err(Stop::offsets_missing(table.name(), held.position, &name.to_string()));
        };
        let document = Self::parse(&content)
            .map_err(|e| StoreError::definite(format!("read offsets file {name} of table {:?}", table.name()), e))?;
        if let Err(TooNew { version, known }) = K::check(&document.settings) {
            return Err(Stop::Refused(format!(
                "table {:?} was written by a newer lakefront (row rules {version}, this binary knows {known}): upgrade",
                table.name()
            )));
        }
        Ok(document)
    }

    fn parse(content: &[u8]) -> Result<Document<K>, Box<dyn std::error::Error + Send + Sync>> {
        #[derive(Deserialize)]
        struct Form {
            format: u32,
            #[serde(default)]
            kind: Option<String>,
        }
        let Form { format, kind } = serde_json::from_slice(content)?;
        match (format, kind) {
            (FORMAT, Some(kind)) if kind != K::NAME => {
                Err(format!("its pipeline reads {kind}, and this one {}: name other tables", K::NAME).into())
            }
            (FORMAT, _) => Ok(serde_json::from_slice(content)?),
            (format, _) if format < FORMAT => Err(format!(
                "it has format {format}, of a build that kept no totals: land into new tables, under a new pipeline name"
            )
            .into()),
            (format, _) => Err(format!("it has format {format}, and this binary knows {FORMAT}: upgrade").into()),
        }
    }

    /// Deletes the files below `committed`, except the base that newer files refer to. A file at or
    /// above it stays: it may belong to a commit that is still under way, ours or a rival's,
    /// however many newer files there are.
    pub async fn tidy(&mut self, table: &dyn Table, committed: Position) -> Result<(), StoreError> {
        let base = self.base.as_ref().map(|base| base.name);
        let old = |name: &&OffsetsName| name.0.position < committed && Some(**name) != base;
        for name in self.known.iter().filter(old).copied().collect::<Vec<_>>() {
            table.delete_offsets(name).await?;
            fail::fail_point!("offsets-deleted");
            self.known.remove(&name);
        }
        Ok(())
    }
}
