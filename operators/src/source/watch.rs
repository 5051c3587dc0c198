//! Finds out how far each partition can be planned: up to the last line end seen, in the file that was seen before.
//!
//! A poll lists the source and looks into the files whose length or time of change moved. A file that shrank, or whose
//! first bytes changed, is another file under the same name: the run stops, or goes on with a new generation.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::{Stop, StoreError};
use crate::offsets::{Fingerprint, Identity, Offsets, PartitionId, PartitionOffset};
use crate::protocol::generation::{Sighting, Verdict, judge};
use crate::protocol::planner::Limit;
use crate::source::{Listed, Source};

/// The first step of the search for a line end, backwards from the end of a file; it doubles, up to [`STEP_MAX`].
const STEP_MIN: u64 = 16 << 10;
/// The largest step of that search.
const STEP_MAX: u64 = 1 << 20;

/// What to do when a file is no longer the one that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRewrite {
    /// Stop the run.
    Stop,
    /// Read it from its beginning, as a new generation.
    Restart,
}

/// What to do with a last line that has no newline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unterminated {
    /// Leave it in the source.
    Leave,
    /// Land it if it is a whole JSON object of at most so many bytes.
    Land {
        /// The longest line, in bytes.
        max_line: u64,
    },
}

/// How far one file was seen.
#[derive(Clone)]
struct Track {
    id: PartitionId,
    limit: Limit,
    /// No line end lies between the limit and here.
    searched: u64,
    /// The file's length when it was last looked into.
    length: u64,
    revision: String,
}

impl Track {
    /// What was or will be consumed of it.
    fn consumed(&self) -> PartitionOffset {
        let Limit { end, identity, landed_tail } = self.limit.clone();
        PartitionOffset { offset: end, identity, landed_tail }
    }
}

/// Follows the files of a source.
pub struct Watcher {
    source: Arc<dyn Source>,
    on_rewrite: OnRewrite,
    unterminated: Unterminated,
    tracks: BTreeMap<String, Track>,
    /// Files that were read under a name that another file has now.
    former: Vec<Track>,
}

impl Watcher {
    /// A watcher that takes up where `offsets` leave off.
    pub fn new(source: Arc<dyn Source>, offsets: &Offsets, on_rewrite: OnRewrite, unterminated: Unterminated) -> Self {
        let track = |(id, at): (&PartitionId, &PartitionOffset)| {
            let limit = Limit { end: at.offset, identity: at.identity.clone(), landed_tail: at.landed_tail };
            (
                id.name.clone(),
                Track { id: id.clone(), limit, searched: at.offset, length: at.offset, revision: String::new() },
            )
        };
        // In order of generation, so that the newest of a name stays.
        let (mut tracks, mut former) = (BTreeMap::new(), Vec::new());
        for (name, track) in offsets.0.iter().map(track) {
            former.extend(tracks.insert(name, track));
        }
        Watcher { source, on_rewrite, unterminated, tracks, former }
    }

    /// The limits of the files that changed since the last poll.
    pub async fn poll(&mut self) -> Result<Vec<(PartitionId, Limit)>, Stop> {
        let mut moved = Vec::new();
        for listed in self.source.list().await? {
            let known = self.tracks.get(&listed.name).cloned();
            if known.as_ref().is_some_and(|track| track.revision == listed.revision) {
                continue;
            }
            let track = match self.look_into(known, &listed).await {
                Err(Stop::Store(_)) if self.is_gone(&listed).await? => continue,
                track => track?,
            };
            moved.push((track.id.clone(), track.limit.clone()));
            let created = track.limit.identity.created.clone();
            let before = self.tracks.insert(listed.name.clone(), track);
            self.former.extend(before.filter(|before| before.limit.identity.created != created));
        }
        Ok(moved)
    }

    /// Bytes behind the last line ends: the lines that are not finished.
    pub fn unfinished(&self) -> impl Iterator<Item = (&PartitionId, u64)> {
        let rest = |track: &Track| track.length.saturating_sub(track.limit.end);
        self.tracks.values().map(move |track| (&track.id, rest(track))).filter(|(_, rest)| *rest > 0)
    }

    async fn look_into(&self, known: Option<Track>, listed: &Listed) -> Result<Track, Stop> {
        let track = self.recognise(known, listed).await?;
        self.extend(track, listed).await
    }

    /// Files are deleted and replaced between a listing and a look; the next poll sees what there is then.
    async fn is_gone(&self, was: &Listed) -> Result<bool, StoreError> {
        let now = self.source.list().await?;
        Ok(!now.iter().any(|listed| listed.name == was.name && listed.created == was.created))
    }

    /// Whether this is the file of that name that was seen before; if not, its next generation.
    async fn recognise(&self, known: Option<Track>, listed: &Listed) -> Result<Track, Stop> {
        let Some(mut track) = known else {
            self.refuse_second_name(listed).await?;
            return Ok(fresh(PartitionId::first(&listed.name), listed));
        };
        let consumed = track.consumed();
        let what = match self.compare(&consumed, listed).await? {
            Verdict::Same => {
                track.limit.identity.created = listed.created.clone();
                return Ok(track);
            }
            Verdict::Shrunk => "has shrunk",
            Verdict::Rewritten => "was written anew",
        };
        let text =
            format!("{}: {:?} {what}; it was read up to byte {}", self.source.identity(), listed.name, consumed.offset);
        match self.on_rewrite {
            OnRewrite::Stop => Err(Stop::Refused(format!(
                "{text}: put the old file back under its name, or set source.on_rewrite = \"restart\" to read the new one \
                 from its beginning as a file of its own"
            ))),
            OnRewrite::Restart => {
                self.refuse_second_name(listed).await?;
                let generation = track.id.generation + 1;
                tracing::warn!("{text}: reading the new one from its beginning, as generation {generation}");
                Ok(fresh(PartitionId { name: listed.name.clone(), generation }, listed))
            }
        }
    }

    async fn compare(&self, consumed: &PartitionOffset, listed: &Listed) -> Result<Verdict, StoreError> {
        let covered = consumed.identity.fingerprint.length;
        let fingerprint = match listed.length >= covered {
            true => Some(Fingerprint::of(&self.read(listed, 0, covered).await?)),
            false => None,
        };
        Ok(judge(consumed, &Sighting { length: listed.length, fingerprint }))
    }

    /// A file that was read under one name would land again, whole, under another.
    async fn refuse_second_name(&self, listed: &Listed) -> Result<(), Stop> {
        let known = self.tracks.values().chain(&self.former);
        for twin in known.filter(|t| t.limit.identity.created == listed.created && t.limit.end > 0) {
            if self.compare(&twin.consumed(), listed).await? == Verdict::Same {
                return Err(Stop::Refused(format!(
                    "{}: {:?} is the file that was read as {:?}, up to byte {}: its lines would land twice; give it its \
                     old name back, remove the second link, or keep it out of the source with a glob in source.url",
                    self.source.identity(),
                    listed.name,
                    twin.id.to_string(),
                    twin.limit.end
                )));
            }
        }
        Ok(())
    }

    /// Moves the track's limit to the last line end there is now.
    async fn extend(&self, mut track: Track, listed: &Listed) -> Result<Track, Stop> {
        // A file that is shorter than at the last look has other bytes where there was no line end.
        let searched = if listed.length < track.length { 0 } else { track.searched };
        let floor = searched.max(track.limit.end);
        if let Some(end) = self.last_line_end(listed, floor).await? {
            track.limit.end = end;
            track.limit.landed_tail = false;
        }
        track.searched = listed.length.max(floor);
        if let Unterminated::Land { max_line } = self.unterminated {
            let rest = listed.length.saturating_sub(track.limit.end);
            if rest > 0 && rest <= max_line && is_object(&self.read(listed, track.limit.end, listed.length).await?) {
                track.limit.end = listed.length;
                track.limit.landed_tail = true;
            }
        }
        let covered = track.limit.end.min(Fingerprint::MAX);
        if track.limit.identity.fingerprint.length < covered {
            track.limit.identity.fingerprint = Fingerprint::of(&self.read(listed, 0, covered).await?);
        }
        track.revision = listed.revision.clone();
        track.length = listed.length;
        Ok(track)
    }

    /// The byte after the last newline at or beyond `floor`.
    async fn last_line_end(&self, listed: &Listed, floor: u64) -> Result<Option<u64>, StoreError> {
        let (mut high, mut step) = (listed.length, STEP_MIN);
        while high > floor {
            let low = high.saturating_sub(step).max(floor);
            if let Some(newline) = memchr::memrchr(b'\n', &self.read(listed, low, high).await?) {
                return Ok(Some(low + newline as u64 + 1));
            }
            (high, step) = (low, (step * 2).min(STEP_MAX));
        }
        Ok(None)
    }

    async fn read(&self, listed: &Listed, start: u64, end: u64) -> Result<Vec<u8>, StoreError> {
        let identity = Identity { created: listed.created.clone(), fingerprint: Fingerprint::of(b"") };
        self.source.read(&listed.name, &identity, start..end, Vec::new()).await
    }
}

fn fresh(id: PartitionId, listed: &Listed) -> Track {
    let identity = Identity { created: listed.created.clone(), fingerprint: Fingerprint::of(b"") };
    Track { id, limit: Limit { end: 0, identity, landed_tail: false }, searched: 0, length: 0, revision: String::new() }
}

fn is_object(line: &[u8]) -> bool {
    line.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok()
}

/// The offsets of `cold_start = "latest"`: the last line end of everything there is now.
pub async fn latest(source: Arc<dyn Source>) -> Result<Offsets, Stop> {
    let mut watcher = Watcher::new(source, &Offsets::default(), OnRewrite::Stop, Unterminated::Leave);
    let limits = watcher.poll().await?;
    let at = |limit: Limit| PartitionOffset { offset: limit.end, identity: limit.identity, landed_tail: false };
    Ok(Offsets(limits.into_iter().map(|(id, limit)| (id, at(limit))).collect()))
}

#[cfg(test)]
mod tests;
