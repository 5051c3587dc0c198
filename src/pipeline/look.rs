//! What a pipeline's kind tells the commands that only look.

use std::sync::Arc;

use lakefront_operators::error::Stop;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::document::{Process, Recorded};
use lakefront_operators::protocol::kind::Kind;
use lakefront_operators::protocol::names::Held;
use lakefront_operators::protocol::offsets_files::OffsetsFiles;
use lakefront_operators::run::clock::{Stopwatch, SystemClock};
use lakefront_operators::sink::delta::{self, DeltaTable, TableSpec};
use serde_json::{Map, Value};

use crate::replay::Sighting;

/// What `status` shows.
pub(crate) struct Look {
    /// In their order.
    pub(crate) tables: Vec<TableLook>,
    /// What the source holds that waits for more, for programs.
    pub(crate) unfinished: Value,
    /// The same, as lines for people.
    pub(crate) notes: String,
    /// What else this kind has to say of the lake, for programs.
    pub(crate) more: Map<String, Value>,
}

/// One table.
pub(crate) struct TableLook {
    /// What it is for.
    pub(crate) role: String,
    /// Its name.
    pub(crate) name: String,
    /// Where it stands; `None` before its first run.
    pub(crate) held: Option<Held>,
    /// The process of the run that claimed it last, if its claim says so.
    pub(crate) process: Option<Process>,
    /// What the source has and the table lacks, in the unit of positions; `None` if the source
    /// could not be looked at.
    pub(crate) lag: Option<u64>,
    /// Where each partition stands, for programs; null before the first run.
    pub(crate) offsets: Value,
    /// The same, as lines for people.
    pub(crate) details: String,
    /// What else this kind has to say of the table, for programs.
    pub(crate) more: Map<String, Value>,
}

/// The tables of a pipeline, as `replay` follows them.
pub(crate) struct Followed {
    /// The source, without credentials.
    pub(crate) source: String,
    /// The tables in their order; `None` if the pipeline does not read what is to be followed.
    pub(crate) tables: Option<Vec<Box<dyn Follow>>>,
}

/// Follows what one table holds of a file or blob, as any reader of the lake can.
pub(crate) trait Follow: Send + Sync {
    /// The table's name.
    fn table(&self) -> &str;

    /// Calls `tell` with each sighting, until that returns `false`: first once the table holds a
    /// position of the pipeline, then after each commit. Their times are those of `watch`.
    fn follow<'a>(
        &'a self,
        watch: Stopwatch,
        tell: &'a mut (dyn FnMut(Sighting) -> bool + Send),
    ) -> Pending<'a, Result<(), Stop>>;
}

/// Where a Delta table of `pipeline` stands, and what it has recorded.
pub(super) async fn standing<K: Kind>(spec: &TableSpec, pipeline: &str) -> Result<Option<(Held, Recorded<K>)>, Stop> {
    let held = async || Ok::<_, Stop>(delta::read(&spec.place, pipeline).await?.and_then(|s| s.state.held));
    let table = DeltaTable::attach(spec.clone(), pipeline, Arc::new(SystemClock));
    while let Some(now) = held().await? {
        match OffsetsFiles::read(&table, now).await {
            Ok(recorded) => return Ok(Some((now, recorded))),
            // A live run has committed since, and deleted the offsets file of the position before.
            Err(_) if held().await? != Some(now) => {}
            Err(stop) => return Err(stop),
        }
    }
    Ok(None)
}
