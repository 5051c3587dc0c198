//! Watches a pipeline's tables as a reader does, to find what each holds of the target, and
//! measures what the run that fills them uses.
//!
//! One task per table follows its log. The time of a sighting is that of the look that found the
//! commit; the offsets file, which says what the commit holds of the target, is read after that.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lakefront_operators::clock::{Stopwatch, SystemClock};
use lakefront_operators::error::{Stop, StoreError, chain};
use lakefront_operators::lines::OffsetsFiles;
use lakefront_operators::protocol::names::Held;
use lakefront_operators::sink::delta::{DeltaTable, Follower, TableSpec};
use lakefront_operators::sink::files::Place;
use lakefront_operators::source::files::file::FileSource;
use lakefront_operators::source::files::{ByteSource, azure};
use tokio::sync::mpsc::UnboundedSender;

use super::drive::Event;
use super::target;
use super::visible::Sighting;
use crate::config::{Common, Config, Kind, SourceUrl};
use crate::exit::Usage;
use crate::pipeline::pg_logs;
use crate::process::Resources;
use crate::{lock, process};

/// Time between two looks at a log: on a disk, and in Azure and S3, where each is a request.
const LOOKS: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(50)];
/// After this long without a new version the newest is asked for, because a clean-up may have
/// removed the next one.
const SILENCE: Duration = Duration::from_secs(10);
/// What cannot be read after this many looks is given up.
const TRIES: u32 = 200;

/// A pipeline that is watched.
pub(super) struct Watched {
    pub(super) common: Common,
    pub(super) file: PathBuf,
    pub(super) tables: [TableSpec; 3],
    /// The target's name in the pipeline's source.
    name: String,
    /// The process of its run, and what it had used when it was found; `None` if none was found on
    /// this machine.
    run: Option<(u32, Resources)>,
    /// What the run had used at the last look.
    used: Option<Resources>,
}

impl Watched {
    /// Watches the pipeline of `config`, which must read `target`.
    pub(super) fn new(config: Config, file: &Path, target: &target::Destination) -> anyhow::Result<Watched> {
        let Config { common, kind: Kind::PgLogs(logs) } = config;
        let (name, source) = match (&logs.source.url, target) {
            (SourceUrl::File(source), target::Destination::File(path)) => {
                let source = FileSource::open(source)?;
                (source.name_of(path), source.identity().to_owned())
            }
            (SourceUrl::Azure(source), target::Destination::Blob(blob)) => {
                (azure::name_of(source, blob)?, source.to_string())
            }
            (SourceUrl::File(source), target::Destination::Blob(_)) => (None, format!("file:{source}")),
            (SourceUrl::Azure(source), target::Destination::File(_)) => (None, source.to_string()),
        };
        let name = name.ok_or_else(|| {
            Usage(format!(
                "{target} is not what {} reads, which is {source}: its lines would never be visible; name a target there \
                 with --to, or watch the pipeline that reads it",
                file.display()
            ))
        })?;
        let tables = pg_logs::tables(&logs)?;
        Ok(Watched { common, file: file.to_owned(), tables, name, run: None, used: None })
    }

    /// Follows the tables from now on.
    pub(super) fn follow(&self, watch: Stopwatch, events: &UnboundedSender<Event>) {
        for (table, spec) in self.tables.iter().enumerate() {
            let pipeline = self.common.pipeline.clone();
            let files = DeltaTable::attach(spec.clone(), &pipeline, Arc::new(SystemClock));
            let followed = Followed { files, place: spec.place.clone(), pipeline, name: self.name.clone(), watch };
            let events = events.clone();
            tokio::spawn(async move {
                if let Err(stop) = followed.tell(table, &events).await {
                    // Nobody listens once the replay has ended.
                    let _ = events.send(Event::Lost(stop));
                }
            });
        }
    }

    /// Looks for the run on this machine, and begins to count what it uses. Returns whether it was
    /// found.
    pub(super) fn find_run(&mut self) -> bool {
        let holder = lock::holder(&self.common.state_file);
        self.run = holder.and_then(|process| Some((process, process::usage_of(process)?)));
        self.run.is_some()
    }

    /// Looks at what the run uses. The run may have been started only now; if it has ended, the
    /// last look counts.
    pub(super) fn measure(&mut self) {
        if self.run.is_none() {
            self.find_run();
        }
        let now = self.run.and_then(|(process, _)| process::usage_of(process));
        self.used = now.or(self.used);
    }

    /// CPU time of the run since the replay began, or since the run was found if that was later;
    /// and its peak of memory in bytes.
    pub(super) fn used(&self) -> Option<(Duration, u64)> {
        let ((_, before), now) = self.run.zip(self.used)?;
        Some((now.cpu.saturating_sub(before.cpu), now.peak_bytes))
    }
}

/// One table, and the file or blob that is followed in it.
struct Followed {
    files: DeltaTable,
    place: Place,
    pipeline: String,
    name: String,
    watch: Stopwatch,
}

impl Followed {
    /// Waits until the table is there.
    async fn open(&self, pause: Duration) -> Result<Follower, Stop> {
        let mut failed = 0;
        loop {
            match Follower::open(&self.place, &self.pipeline).await {
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

    /// Sends each sighting: the first as soon as the table holds a position of the pipeline, then
    /// one for each commit.
    async fn tell(&self, table: usize, events: &UnboundedSender<Event>) -> Result<(), Stop> {
        let [disk, blobs] = LOOKS;
        let pause = if matches!(self.place, Place::Disk(_)) { disk } else { blobs };
        let mut follower = self.open(pause).await?;
        let (mut told, mut at, mut failed) = (None, self.watch.elapsed(), 0);
        loop {
            let held = follower.held().filter(|held| told != Some(*held));
            if let Some(held) = held {
                match self.sighting(held, at).await {
                    Ok(sighting) if events.send(Event::Seen(table, sighting)).is_err() => return Ok(()),
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
                Ok(false) if self.watch.elapsed() > at + SILENCE => follower.catch_up().await.map(|_| true),
                looked => looked,
            };
            match looked {
                Ok(true) => at = self.watch.elapsed(),
                Ok(false) => {}
                Err(error) if error.is_transient() => again(&error),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// What the table holds of the target at its position `held`.
    async fn sighting(&self, held: Held, at: Duration) -> Result<Sighting, Stop> {
        let recorded = OffsetsFiles::read(&self.files, held).await?;
        let newest = recorded.standing.offsets.newest(&self.name);
        let rows = newest.and_then(|(id, _)| recorded.totals().partitions.get(id)).map(|rows| rows.sum().rows);
        Ok(Sighting { offset: newest.map_or(0, |(_, at)| at.offset), rows: rows.unwrap_or_default(), at })
    }
}

/// Logs a look that failed. The next may succeed.
fn again(error: &StoreError) {
    tracing::debug!(error = %chain(error), "looking again");
}
