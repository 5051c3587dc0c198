//! Disk: the free space that a run leaves on the file systems it writes to.
//!
//! ```text
//! look ─enough─▶ chunks may go
//!   └─low─▶ clean, give memory back ─▶ look again ─enough─▶ chunks may go
//!                                          └─low─▶ stop the run, or pause it and keep looking
//! ```
//!
//! The guard looks before the tables are claimed, before the first chunk is handed out, and every
//! second from then on, alongside the workers. A pause holds back new chunks and nothing else: what
//! is open is closed and committed as usual, because its rows are on disk already and a commit
//! takes little. A clean-up that fails is only a warning, because the second look decides. An
//! account of space cannot be exact: others write to the same file systems, and so does this run
//! between two looks. `min_free` is for that.

mod clean;
mod free;
mod own;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use self::clean::Clean;
use self::clean::Deleted;
pub use self::free::{Free, FreeSpace};

use crate::error::{Stop, StoreError};
use crate::protocol::clock::{Clock, Stamp};
use crate::run::allocator;
use crate::run::fatal::Fatal;

/// The time between two looks, in milliseconds.
const LOOK_MS: u64 = 1_000;
/// The time between two clean-ups while a run is paused, in milliseconds: files grow old slowly,
/// and a folder may be large.
const CLEAN_MS: u64 = 10_000;

/// What happens to a run when space stays low.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLow {
    /// It stops, with all that was committed intact.
    Stop,
    /// It waits until there is room.
    Pause,
}

/// A place that a run writes to.
#[derive(Clone, Debug)]
pub struct Guarded {
    /// What it is for, such as `lake`.
    pub name: &'static str,
    /// A folder, which need not be there yet.
    pub path: PathBuf,
}

/// What is guarded, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the run writes.
    pub watched: Vec<Guarded>,
    /// Free bytes that each of these must have.
    pub min_free: u64,
    /// What happens to the run when one has less.
    pub on_low: OnLow,
    /// What is deleted first when space is low.
    pub clean: Vec<Clean>,
    /// Files and folders of the run. Neither they nor anything in them is ever deleted.
    pub kept: Vec<PathBuf>,
}

/// Watches over free space.
pub struct Guard {
    settings: Settings,
    space: Arc<FreeSpace>,
    /// When space was last cleaned, on the steady clock.
    cleaned_ms: Option<u64>,
}

/// The free space of one watched place, as available to an unprivileged user.
#[derive(Clone, Debug)]
struct Look {
    watched: Guarded,
    /// The device of its file system.
    device: u64,
    free: u64,
}

impl Guard {
    /// A guard, and the place where others see what it saw.
    pub fn new(settings: Settings) -> (Guard, Arc<FreeSpace>) {
        let space = Arc::new(FreeSpace::default());
        (Guard { settings, space: space.clone(), cleaned_ms: None }, space)
    }

    /// Looks once, before the tables are claimed: a run that is restarted again and again and stops
    /// for lack of space must not fill the disk with its claims.
    pub fn look_first(&mut self, clock: &dyn Clock) -> Result<(), Stop> {
        self.check(Stamp::now(clock))
    }

    /// Looks until the run is lost or the process ends.
    pub async fn watch(mut self, clock: Arc<dyn Clock>, fatal: Fatal) {
        while !fatal.is_raised() {
            let now = Stamp::now(&*clock);
            let checked = tokio::task::spawn_blocking(move || {
                let checked = self.check(now);
                (self, checked)
            });
            match checked.await {
                Ok((guard, Ok(()))) => self = guard,
                Ok((_, Err(stop))) => return fatal.raise(stop),
                // It panicked, and the process is ending.
                Err(_) => return,
            }
            clock.pause(LOOK_MS).await;
        }
    }

    /// One look, and what follows from it.
    fn check(&mut self, now: Stamp) -> Result<(), Stop> {
        let (mut looks, mut deleted) = (self.look()?, Deleted::default());
        let was_low = self.space.is_low();
        if !self.low(&looks).is_empty() && self.cleaned_ms.is_none_or(|then| now.steady_ms >= then + CLEAN_MS) {
            self.cleaned_ms = Some(now.steady_ms);
            // Cleaning a large folder takes a while, so no new chunk is handed out meanwhile.
            self.space.set(self.free(&looks), false);
            deleted = self.make_room(now.wall_ms);
            looks = self.look()?;
        }
        let low = self.low(&looks);
        let (min_free, free) = (self.settings.min_free, self.free(&looks));
        let told = told(&low, &deleted);
        match (low.is_empty(), self.settings.on_low) {
            (true, _) => {
                self.cleaned_ms = None;
                if self.space.set(free, true) {
                    tracing::info!("there is room again: the run goes on");
                }
            }
            (false, OnLow::Pause) => {
                self.space.set(free, false);
                if !was_low {
                    tracing::warn!(min_free, "no new chunks are read until there is room: {told}");
                }
            }
            (false, OnLow::Stop) => {
                self.space.set(free, false);
                return Err(Stop::Refused(format!(
                    "{told}, less than disk.min_free = {min_free} bytes: make room, name what may be deleted in disk.clean, or set \
                     disk.min_free lower, and start again; all that was committed is intact"
                )));
            }
        }
        Ok(())
    }

    fn look(&self) -> Result<Vec<Look>, StoreError> {
        self.settings.watched.iter().map(look).collect()
    }

    fn free(&self, looks: &[Look]) -> Vec<Free> {
        let low = |look: &Look| look.free < self.settings.min_free;
        looks.iter().map(|look| Free { name: look.watched.name, bytes: look.free, low: low(look) }).collect()
    }

    fn low<'l>(&self, looks: &'l [Look]) -> Vec<&'l Look> {
        looks.iter().filter(|look| look.free < self.settings.min_free).collect()
    }

    /// The age of files is measured by the wall clock, because their times are.
    fn make_room(&self, now_ms: u64) -> Deleted {
        let mut all = Deleted::default();
        for clean in &self.settings.clean {
            let (deleted, failed) = clean::clean(clean, &self.settings.kept, now_ms);
            let dir = clean.dir.display();
            if deleted.files > 0 {
                tracing::info!(%dir, files = deleted.files, bytes = deleted.bytes, "deleted old files, because space is low");
            }
            if let Some(error) = failed {
                tracing::warn!(%dir, error = crate::error::chain(&error), "the clean-up did not delete everything that it should");
            }
            all.files += deleted.files;
            all.bytes += deleted.bytes;
        }
        allocator::give_memory_back();
        all
    }
}

/// `the file system of state (state) and lake (lake) has 12 bytes free`, for each file system, and
/// what was done about it.
fn told(low: &[&Look], deleted: &Deleted) -> String {
    let mut systems: BTreeMap<u64, (Vec<String>, u64)> = BTreeMap::new();
    for look in low {
        let (names, free) = systems.entry(look.device).or_default();
        names.push(format!("{} ({})", look.watched.name, look.watched.path.display()));
        *free = look.free;
    }
    let told = systems.into_values().map(|(names, free)| {
        let names = names.join(" and ");
        format!("the file system of {names} has {free} bytes free")
    });
    let told = told.collect::<Vec<_>>().join(", and ");
    match deleted.files {
        0 => told,
        files => format!("{told} after {files} old files of {} bytes were deleted", deleted.bytes),
    }
}

fn look(watched: &Guarded) -> Result<Look, StoreError> {
    let failed =
        |e: io::Error| StoreError::definite(format!("look at the free space of {}", watched.path.display()), e);
    let there = there(&watched.path).map_err(failed)?;
    let stat = rustix::fs::stat(&there).map_err(|e| failed(e.into()))?;
    let space = rustix::fs::statvfs(&there).map_err(|e| failed(e.into()))?;
    // Some network file systems report no blocks; their free space has no known limit.
    let free = if space.f_blocks == 0 { u64::MAX } else { space.f_bavail.saturating_mul(space.f_frsize) };
    Ok(Look { watched: watched.clone(), device: stat.st_dev, free })
}

/// `path`, or its nearest existing ancestor, on whose file system `path` will be created.
fn there(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let mut above = path.ancestors().filter(|above| above.exists());
    above.next().map(Path::to_owned).ok_or(io::ErrorKind::NotFound.into())
}

impl Clean {
    /// Whether files in this folder could be among those of `kept`, or the other way round, judged
    /// by the paths as they are written.
    pub fn touches(&self, kept: &Path) -> io::Result<bool> {
        let (dir, kept) = (std::path::absolute(&self.dir)?, std::path::absolute(kept)?);
        Ok(dir.starts_with(&kept) || kept.starts_with(&dir))
    }

    /// `older_than` in milliseconds.
    fn older_than_ms(&self) -> u64 {
        u64::try_from(self.older_than.min(Duration::from_secs(u64::MAX / 1_000)).as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests;
