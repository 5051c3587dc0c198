//! Follows what each table of a `pg_logs` pipeline holds of one file or blob, as any reader of the
//! lake can, for `replay`.
//!
//! The time of a sighting is that of the look that found the commit; the offsets file, which says
//! what the commit holds of the file, is read after that.

use std::sync::Arc;
use std::time::Duration;

use lakefront_operators::error::{Stop, StoreError, chain};
use lakefront_operators::format::logs::lines::OffsetsFiles;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::names::Held;
use lakefront_operators::run::clock::{Stopwatch, SystemClock};
use lakefront_operators::sink::delta::{DeltaTable, Follower, TableSpec};
use lakefront_operators::sink::files::Place;
use lakefront_operators::source::files::file::FileSource;
use lakefront_operators::source::files::{ByteSource, azure};

use super::{Described, tables};
use crate::config::SourceUrl;
use crate::pipeline::{Follow, Followed};
use crate::replay::{Destination, Sighting};

/// Time between two looks at a log: on a disk, and in Azure and S3, where each is a request.
const LOOKS: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(50)];
/// After this long without a new version the newest is asked for, because a clean-up may have
/// removed the next one.
const SILENCE: Duration = Duration::from_secs(10);
/// What cannot be read after this many looks is given up.
const TRIES: u32 = 200;

/// What is to be followed of the lines in `of`.
pub(super) fn followed(pipeline: &Described, of: &Destination) -> anyhow::Result<Followed> {
    let (name, source) = match (&pipeline.logs.source.url, of) {
        (SourceUrl::File(source), Destination::File(path)) => {
            let source = FileSource::open(source)?;
            (source.name_of(path), source.identity().to_owned())
        }
        (SourceUrl::Azure(source), Destination::Blob(blob)) => (azure::name_of(source, blob)?, source.to_string()),
        (SourceUrl::File(source), Destination::Blob(_)) => (None, format!("file:{source}")),
        (SourceUrl::Azure(source), Destination::File(_)) => (None, source.to_string()),
    };
    let Some(name) = name else { return Ok(Followed { source, tables: None }) };
    let table = |spec: TableSpec| {
        let pipeline = pipeline.common.pipeline.clone();
        let files = DeltaTable::attach(spec.clone(), &pipeline, Arc::new(SystemClock));
        Box::new(Table { spec, files, pipeline, file: name.clone() }) as Box<dyn Follow>
    };
    Ok(Followed { source, tables: Some(tables(&pipeline.logs)?.map(table).into()) })
}

/// One table, and the file or blob that is followed in it.
struct Table {
    spec: TableSpec,
    files: DeltaTable,
    pipeline: String,
    file: String,
}

impl Follow for Table {
    fn table(&self) -> &str {
        &self.spec.name
    }

    fn follow<'a>(
        &'a self,
        watch: Stopwatch,
        tell: &'a mut (dyn FnMut(Sighting) -> bool + Send),
    ) -> Pending<'a, Result<(), Stop>> {
        Box::pin(self.tell(watch, tell))
    }
}

impl Table {
    /// Waits until the table is there.
    async fn open(&self, pause: Duration) -> Result<Follower, Stop> {
        let mut failed = 0;
        loop {
            match Follower::open(&self.spec.place, &self.pipeline).await {
                Ok(Some(follower)) => return Ok(follower),
                Ok(None) => {}
                // The table may be in the making. A store that is out of reach is tried until
                // nobody waits any more.
                Err(error) if error.is_transient() || failed < TRIES => {
                    again(&error);
                    failed += 1;
                }
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Tells each sighting: the first as soon as the table holds a position of the pipeline, then
    /// one for each commit.
    async fn tell(&self, watch: Stopwatch, tell: &mut (dyn FnMut(Sighting) -> bool + Send)) -> Result<(), Stop> {
        let [disk, blobs] = LOOKS;
        let pause = if matches!(self.spec.place, Place::Disk(_)) { disk } else { blobs };
        let mut follower = self.open(pause).await?;
        let (mut told, mut at, mut failed) = (None, watch.elapsed(), 0);
        loop {
            let held = follower.held().filter(|held| told != Some(*held));
            if let Some(held) = held {
                match self.sighting(held, at).await {
                    Ok(sighting) if !tell(sighting) => return Ok(()),
                    Ok(_) => (told, failed) = (Some(held), 0),
                    // Tried without end, because whoever waits for a sighting gives up in time.
                    Err(Stop::Store(error)) if error.is_transient() => again(&error),
                    // The run has committed since, and deleted the file: the next look finds the
                    // new one.
                    Err(_) if failed < TRIES => failed += 1,
                    Err(stop) => return Err(stop),
                }
            }
            tokio::time::sleep(pause).await;
            let looked = match follower.look().await {
                Ok(false) if watch.elapsed() > at + SILENCE => follower.catch_up().await.map(|_| true),
                looked => looked,
            };
            match looked {
                Ok(true) => at = watch.elapsed(),
                Ok(false) => {}
                Err(error) if error.is_transient() => again(&error),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// What the table holds of the file at its position `held`.
    async fn sighting(&self, held: Held, at: Duration) -> Result<Sighting, Stop> {
        let recorded = OffsetsFiles::read(&self.files, held).await?;
        let newest = recorded.standing.offsets.newest(&self.file);
        let rows = newest.and_then(|(id, _)| recorded.totals().partitions.get(id)).map(|rows| rows.sum().rows);
        Ok(Sighting { offset: newest.map_or(0, |(_, at)| at.offset), rows: rows.unwrap_or_default(), at })
    }
}

/// Logs a look that failed. The next may succeed.
fn again(error: &StoreError) {
    tracing::debug!(error = %chain(error), "looking again");
}
