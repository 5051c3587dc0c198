//! Follows a table's log as a reader does: version by version, each as soon as its file exists.
//!
//! What it reports is in the log, so any reader sees it too. While nothing happens, it costs one
//! request for one file, however long the log is. It steps over commits of others, compaction and
//! log checkpoints; where a clean-up has removed versions, it continues at the newest. It writes
//! nothing.

use super::log::{self, AppIds};
use super::snapshot;
use crate::error::StoreError;
use crate::position::Position;
use crate::protocol::names::{Held, RunId, Version};
use crate::sink::files::Place;

/// A reader of one table's log.
pub struct Follower {
    place: Place,
    pipeline: String,
    ids: AppIds,
    next: Version,
    position: Option<Position>,
    run: Option<RunId>,
}

impl Follower {
    /// Begins at the newest version of the table in `place`; none if there is no table yet.
    pub async fn open(place: &Place, pipeline: &str) -> Result<Option<Follower>, StoreError> {
        let Some(now) = snapshot::read(place, pipeline).await? else { return Ok(None) };
        let held = now.state.held;
        Ok(Some(Follower {
            place: place.clone(),
            pipeline: pipeline.to_owned(),
            ids: AppIds::of(pipeline),
            next: now.state.head.next(),
            position: held.map(|held| held.position),
            run: held.map(|held| held.run),
        }))
    }

    /// Where the pipeline stands in the part of the log read so far; none before its first claim.
    pub fn held(&self) -> Option<Held> {
        self.position.zip(self.run).map(|(position, run)| Held { position, run })
    }

    /// Reads on to the newest version, and returns whether there was a new one. After an error, it
    /// can be called again.
    pub async fn look(&mut self) -> Result<bool, StoreError> {
        let first = self.next;
        loop {
            let file = self.place.join("_delta_log").join(&log::file_name(self.next));
            let Some(content) = file.read().await? else { return Ok(self.next != first) };
            let told = log::told(&content, &self.ids).map_err(|error| {
                let (attempt, cause) = log::torn(&file, &error);
                StoreError::definite(attempt, cause)
            })?;
            self.position = told.position.or(self.position);
            self.run = told.run.or(self.run);
            self.next = self.next.next();
        }
    }

    /// Goes to the newest version, wherever that is, for a reader that was away for so long that
    /// versions may have been cleaned up.
    pub async fn catch_up(&mut self) -> Result<(), StoreError> {
        if let Some(newest) =
            Follower::open(&self.place, &self.pipeline).await?.filter(|newest| newest.next > self.next)
        {
            *self = newest;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
