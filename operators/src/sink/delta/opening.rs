//! Opens a pipeline's tables: all of them are read and must fit, and only then are those created or
//! widened that need it.
//!
//! In between, the caller can still refuse, because nothing is written yet.

use std::sync::Arc;

use futures::future::try_join_all;
use uuid::Uuid;

use super::schema::{self, Fit};
use super::snapshot::{self, Snapshot};
use super::table::{DeltaTable, TableSpec};
use super::{checkpoint, log};
use crate::error::{Stop, StoreError};
use crate::position::Position;
use crate::protocol::clock::{Clock, Stamp};
use crate::protocol::group::{Created, Group};
use crate::protocol::names::{Held, Version};
use crate::protocol::refusals;
use crate::protocol::retry::{Retry, ask};
use crate::sink::files::Place;

/// A table as it was found.
struct Found {
    spec: TableSpec,
    /// What was found; none if there is no table.
    there: Option<(Snapshot, Fit)>,
}

/// Tables that were read and fit. Nothing is written yet.
pub struct Opening {
    pipeline: String,
    clock: Arc<dyn Clock>,
    asked: Stamp,
    found: Vec<Found>,
}

/// Opens the tables of `pipeline`: checks them all, and only then creates or widens those that need
/// it. `refuse` sees where they stand before anything is written.
pub async fn open(
    specs: &[TableSpec],
    pipeline: &str,
    clock: Arc<dyn Clock>,
    refuse: impl FnOnce(&[Option<Held>]) -> Result<(), Stop>,
) -> Result<Vec<Arc<DeltaTable>>, Stop> {
    let opening = Opening::look(specs, pipeline, clock).await?;
    refuse(&opening.held())?;
    opening.make().await
}

impl Opening {
    /// Reads the tables of `pipeline`, and refuses those that cannot take its rows.
    pub async fn look(specs: &[TableSpec], pipeline: &str, clock: Arc<dyn Clock>) -> Result<Opening, Stop> {
        specs.iter().try_for_each(can_be)?;
        Opening::read(specs, pipeline, clock).await
    }

    /// The same of tables that may need features, which the caller has checked.
    pub(super) async fn read(specs: &[TableSpec], pipeline: &str, clock: Arc<dyn Clock>) -> Result<Opening, Stop> {
        let asked = Stamp::now(&*clock);
        let looks = try_join_all(specs.iter().map(|spec| look(spec, pipeline, &*clock))).await?;
        let mut found = Vec::new();
        for (spec, snapshot) in specs.iter().cloned().zip(looks) {
            let there = match snapshot {
                Some(snapshot) => {
                    let fit = fit(&spec, &snapshot)?;
                    Some((snapshot, fit))
                }
                None => None,
            };
            found.push(Found { spec, there });
        }
        Ok(Opening { pipeline: pipeline.to_owned(), clock, asked, found })
    }

    /// Where the tables stand.
    pub fn held(&self) -> Vec<Option<Held>> {
        self.found.iter().map(Found::held).collect()
    }

    /// What the tables are; none for each that does not exist yet.
    pub(super) fn snapshots(&self) -> impl Iterator<Item = Option<&Snapshot>> {
        self.found.iter().map(|found| found.there.as_ref().map(|(snapshot, _)| snapshot))
    }

    /// The tables; none for each that does not exist yet.
    pub fn there(&self) -> Vec<Option<Arc<dyn Group>>> {
        let table = |found: &Found| found.there.as_ref().map(|_| Arc::new(self.attach(found)) as Arc<dyn Group>);
        self.found.iter().map(table).collect()
    }

    /// Refuses if a table is missing while another stands beyond zero, because the missing one
    /// would start from zero.
    pub fn refuse_missing(&self) -> Result<(), Stop> {
        let beyond = |found: &&Found| found.held().is_some_and(|held| held.position > Position(0));
        let missing = self.found.iter().find(|found| found.there.is_none());
        if let (Some(with), Some(missing)) = (self.found.iter().find(beyond), missing) {
            // All tables are created before any is claimed. The claim would refuse too, but leave
            // an empty table behind.
            return Err(refusals::no_position(&missing.spec.shown(), &self.pipeline, &with.spec.shown()));
        }
        Ok(())
    }

    /// Creates and widens the tables that need it.
    pub async fn make(self) -> Result<Vec<Arc<DeltaTable>>, Stop> {
        self.refuse_missing()?;
        self.probe().await?;
        let mut tables = Vec::new();
        for found in &self.found {
            let Found { spec, there } = found;
            let now_ms = self.clock.now_ms();
            let definition = match there {
                Some((_, Fit::Fits)) => None,
                Some((_, Fit::Widen(metadata))) => Some(log::definition(None, metadata.clone(), "ADD COLUMN", now_ms)),
                None => {
                    let id = Uuid::new_v4().to_string();
                    let metadata = schema::metadata(&id, &spec.columns(), &spec.partition_columns(), now_ms);
                    let metadata = metadata.map_err(|column| would_have(spec, &column))?;
                    Some(log::definition(Some(schema::protocol()), metadata, "CREATE TABLE", now_ms))
                }
            };
            spec.place.join("_delta_log").prepare().await?;
            offsets_folder(spec, &self.pipeline).prepare().await?;
            checkpoint::sweep(&spec.place).await?;
            if let Some(content) = definition {
                let version = there.as_ref().map_or(Version(0), |(snapshot, _)| snapshot.state.head.next());
                define(spec, &self.pipeline, version, content, &*self.clock).await?;
            }
            tables.push(Arc::new(self.attach(found)));
        }
        Ok(tables)
    }

    /// Refuses a lake in which two commits could both win.
    async fn probe(&self) -> Result<(), Stop> {
        ask(&*self.clock, || Box::pin(async { probe(self.found.iter().map(|found| &found.spec)).await })).await
    }

    fn attach(&self, found: &Found) -> DeltaTable {
        let table = DeltaTable::attach(found.spec.clone(), &self.pipeline, self.clock.clone());
        match &found.there {
            Some((snapshot, _)) => table.knowing(snapshot.clone(), self.asked),
            None => table,
        }
    }
}

impl Found {
    fn held(&self) -> Option<Held> {
        self.there.as_ref().and_then(|(snapshot, _)| snapshot.state.held)
    }
}

/// Whether the place of `tables` creates a file only once: it is tried there. Tables lie in one
/// place, so the first one's is asked.
pub async fn probe(mut tables: impl Iterator<Item = &TableSpec>) -> Result<(), StoreError> {
    match tables.next() {
        Some(spec) => spec.place.join("_lakefront").probe().await,
        None => Ok(()),
    }
}

/// Whether there can be a table with these columns, and files for it.
fn can_be(spec: &TableSpec) -> Result<(), Stop> {
    spec.check_columns().map_err(|column| would_have(spec, &column))
}

fn would_have(spec: &TableSpec, column: &str) -> Stop {
    Stop::Refused(format!("table {:?} ({}) would have {column}", spec.name, spec.place))
}

/// Whether the table can take our rows.
pub fn fit(spec: &TableSpec, snapshot: &Snapshot) -> Result<Fit, Stop> {
    spec.check(snapshot).map_err(|obstacle| Stop::Refused(format!("table {:?} ({}) {obstacle}", spec.name, spec.place)))
}

/// The table as it is now; retried as long as the failure may pass.
async fn look(spec: &TableSpec, pipeline: &str, clock: &dyn Clock) -> Result<Option<Snapshot>, Stop> {
    ask(clock, || Box::pin(snapshot::read(&spec.place, pipeline))).await
}

/// Commits a definition. If another writer made that version first, or the reply was lost, the
/// table must fit as it is then.
pub(super) async fn define(
    spec: &TableSpec,
    pipeline: &str,
    version: Version,
    content: Vec<u8>,
    clock: &dyn Clock,
) -> Result<(), Stop> {
    let file = spec.place.join("_delta_log").join(&log::file_name(version));
    let mut retry = Retry::default();
    loop {
        let unknown = match file.create(content.clone()).await {
            Ok(Created::Yes) => return Ok(()),
            Ok(Created::No | Created::Void) => false,
            Err(error) => {
                retry.after(error, clock).await?;
                true
            }
        };
        match look(spec, pipeline, clock).await?.map(|s| fit(spec, &s)).transpose()? {
            Some(Fit::Fits) => return Ok(()),
            _ if unknown => {}
            _ => {
                let text = format!("table {:?} is being changed by another writer: start again", spec.name);
                return Err(Stop::Refused(text));
            }
        }
    }
}

pub(super) fn offsets_folder(spec: &TableSpec, pipeline: &str) -> Place {
    spec.place.join("_lakefront").join(pipeline)
}
