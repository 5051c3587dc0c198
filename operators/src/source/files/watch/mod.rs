//! Finds out how far each partition can be planned: up to the last line end seen, in the file that
//! was seen before.
//!
//! A poll lists the source and looks into the files whose revision changed. A file that shrank, or
//! whose first bytes changed, is another file under the same name: the run stops, or continues with
//! a new generation. A blob that has been quiet for long enough, or is gone, is finished; the
//! planner takes it out of the offsets.

mod copies;
mod encoded;
mod follow;
pub(crate) mod generation;
mod look;
mod told;
mod tracks;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};

use self::told::NamedOnce;
use self::tracks::{Track, Tracks};
use crate::error::{Stop, StoreError};
use crate::format::logs::lines::{Mark, Offsets};
use crate::protocol::offsets::PartitionId;
use crate::source::files::appends::Append;
use crate::source::files::identity::{Fingerprint, Identity};
use crate::source::files::supply::{Finished, Limit};
use crate::source::files::{ByteSource, Listed, Listing, PassedOver, Why};

/// How many files are looked into at once.
const LOOKS: usize = 16;

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
    /// Land it if it is a whole JSON object of at most `max_line` bytes.
    Land {
        /// The longest line, in bytes.
        max_line: u64,
    },
}

/// How a watcher handles files that were rewritten, are unterminated, or are quiet.
#[derive(Clone, Copy, Debug)]
pub struct WatchRules {
    /// What to do when a file is no longer the one that was read.
    pub on_rewrite: OnRewrite,
    /// What to do with a last line that has no newline.
    pub unterminated: Unterminated,
    /// A blob unchanged for this long is finished. Files of a source without a clock of its own
    /// never are.
    pub quiet: Duration,
}

/// What a poll has found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Polled {
    /// The limits of the files that changed.
    pub limits: Vec<(PartitionId, Limit)>,
    /// What was appended since the previous poll; empty at the first.
    pub appended: Vec<Append>,
    /// What is finished, if the whole source was looked at.
    pub finished: Option<Finished>,
    /// Partitions whose file no longer exists: what was not read of it cannot be read.
    pub gone: BTreeSet<PartitionId>,
    /// What is in the source now but is not read, so that lines may be missed.
    pub passed_over: Vec<PassedOver>,
    /// A listed file had gone, or had been replaced, by the look into it: only another look can
    /// tell whether it is there.
    pub again: bool,
}

/// A file that is to be looked into, and what is known of it.
type Changed = (Option<Track>, Listed);

/// What a look into a file has shown.
enum Look {
    /// How far it can be read, and the partition that it has replaced, if any.
    At(Box<Track>, Option<PartitionId>),
    /// It went away meanwhile.
    Gone,
    /// It cannot be read.
    Unreadable(PassedOver),
}

/// Follows the files of a source.
pub struct Watcher {
    source: Arc<dyn ByteSource>,
    rules: WatchRules,
    tracks: Tracks,
    /// Files that were read under a name that another file has now, or that have no name in the
    /// source any more.
    former: BTreeMap<PartitionId, Track>,
    /// Copies of files that are only kept open, by the partition: the name and creation of each.
    twins: BTreeMap<PartitionId, (String, String)>,
    /// What has been logged already.
    told: NamedOnce,
    /// A file that was created before this and has no track is retired.
    retired_before_ms: u64,
    /// Hashed names of retired files: those in the last whole listing, and those that were
    /// left since. Hashed, because there may be many.
    retired: BTreeSet<u64>,
    /// Whether this is the first poll: the planner must hear of every file once, changed or not.
    first: bool,
}

impl Watcher {
    /// A watcher that takes up where `offsets` leave off.
    pub fn new(source: Arc<dyn ByteSource>, offsets: &Offsets, rules: WatchRules) -> Self {
        let track = |(id, at): (&PartitionId, &Mark)| {
            let limit = Limit { end: at.offset, identity: at.identity.clone(), landed_tail: at.landed_tail };
            let Identity { created, revision, .. } = at.identity.clone();
            let then = Listed { name: id.name.clone(), created, revision, length: at.offset, modified_ms: None };
            let appended_ms = source.appended_ms(&then);
            Track { is_gone: at.gone, appended_ms, ..Track::at(id.clone(), limit) }
        };
        // `offsets` is in order of generation, so the newest of a name stays in `tracks`.
        let (mut tracks, mut former) = (Tracks::default(), BTreeMap::new());
        for track in offsets.partitions.iter().map(track) {
            former.extend(tracks.insert(track).map(|earlier| (earlier.id.clone(), earlier)));
        }
        let retired_before_ms = offsets.retired.before_ms;
        let (twins, told, retired) = Default::default();
        Watcher { source, rules, tracks, former, twins, told, retired_before_ms, retired, first: true }
    }

    /// Lists the source and looks into what changed.
    pub async fn poll(&mut self) -> Result<Polled, Stop> {
        let mut listing = self.source.list().await?;
        let (mut changed, mut polled) = (Vec::new(), Polled::default());
        let mut retired = BTreeSet::new();
        let mut elsewhere = Vec::new();
        if self.source.has_links() {
            for (id, file) in self.follow(&mut listing, &mut polled).await? {
                self.judge_listed(self.track(&id).cloned(), &file, &mut changed, &mut polled);
                elsewhere.push(file);
            }
        }
        for listed in &listing.files {
            match self.tracks.get(&listed.name) {
                None if self.has_left(listed) => {
                    self.warn_of_old(listed);
                    retired.insert(hash(&listed.name));
                    changed.extend(self.grown_late(listed)?);
                }
                known => self.judge_listed(known.cloned(), listed, &mut changed, &mut polled),
            }
        }
        if self.source.has_links() {
            self.hold(&listing, elsewhere, &changed).await;
        }
        let this = &*self;
        let looks = stream::iter(changed).map(|(known, listed)| this.look(known, listed));
        let looks: Vec<Look> = looks.buffered(LOOKS).try_collect().await?;
        let mut all_there = true;
        for look in looks {
            match look {
                Look::At(track, replaced) => {
                    polled.gone.extend(replaced);
                    self.keep(*track, &mut polled);
                }
                Look::Gone => (all_there, polled.again) = (false, true),
                Look::Unreadable(passed_over) => {
                    all_there = false;
                    listing.passed_over.push(passed_over);
                }
            }
        }
        match listing.whole {
            true => self.retired = retired,
            false => self.retired.extend(retired),
        }
        self.first = false;
        // A listed file that could not be looked into may come back.
        polled.finished = self.finished(&listing).filter(|_| all_there);
        polled.passed_over = self.passed_over(listing.passed_over);
        Ok(polled)
    }

    /// An unchanged file need not be looked into, but the planner must hear of every file once.
    fn judge_listed(&self, known: Option<Track>, file: &Listed, changed: &mut Vec<Changed>, polled: &mut Polled) {
        match known {
            Some(track) if track.is_unchanged(file) && !track.is_gone => {
                polled.limits.extend(self.first.then_some((track.id, track.limit)));
            }
            known => changed.push((known, file.clone())),
        }
    }

    /// Keeps open what may be deleted before the next look has read it: at first all files, the
    /// latest written last; then those that no look into them has opened.
    async fn hold(&self, listing: &Listing, elsewhere: Vec<Listed>, changed: &[Changed]) {
        let mut files = elsewhere;
        match self.first {
            true => {
                files.extend(listing.files.iter().cloned());
                files.sort_by_key(|file| self.source.appended_ms(file));
            }
            false => files.extend(changed.iter().map(|(_, file)| file).filter(|file| file.length == 0).cloned()),
        }
        self.source.hold(&files).await;
    }

    /// What is passed over and might matter; everything passed over is logged once.
    fn passed_over(&mut self, mut passed_over: Vec<PassedOver>) -> Vec<PassedOver> {
        let there = self.tracks.values().filter(|track| !track.is_gone);
        let encoded = there.filter_map(|track| {
            track.encoded.map(|what| PassedOver { name: track.at.clone(), why: Why::Encoded(what) })
        });
        passed_over.extend(encoded);
        self.told.tell(&passed_over);
        passed_over.retain(|passed_over| passed_over.why.matters());
        passed_over
    }

    /// Learns which partitions are retired, and that every file created before
    /// `before_ms` that has no partition is retired too.
    pub fn forget(&mut self, retired: &BTreeSet<PartitionId>, before_ms: u64) {
        if !retired.is_empty() {
            self.retired.extend(retired.iter().map(|id| hash(&id.name)));
            for id in retired {
                if self.tracks.get(&id.name).is_some_and(|track| track.id == *id) {
                    self.tracks.remove(&id.name);
                }
            }
            self.former.retain(|id, _| !retired.contains(id));
        }
        // A planner that brings up a lagging table stands at a position where less was retired.
        self.retired_before_ms = self.retired_before_ms.max(before_ms);
    }

    /// Bytes after the last line ends, in lines that are not finished.
    pub fn unfinished(&self) -> impl Iterator<Item = (&PartitionId, u64)> {
        let rest = |track: &Track| track.length.saturating_sub(track.limit.end);
        let there = self.tracks.values().chain(self.former.values()).filter(|t| !t.is_gone && t.encoded.is_none());
        there.map(move |track| (&track.id, rest(track))).filter(|(_, rest)| *rest > 0)
    }

    /// The track of that partition, wherever its file is.
    fn track(&self, id: &PartitionId) -> Option<&Track> {
        self.tracks.of(id).or_else(|| self.former.get(id))
    }

    /// Takes that track out, wherever it is.
    fn take(&mut self, id: &PartitionId) -> Option<Track> {
        if let Some(name) = self.tracks.of(id).map(|track| track.at.clone()) {
            return self.tracks.remove(&name);
        }
        self.former.remove(id)
    }

    fn keep(&mut self, track: Track, polled: &mut Polled) {
        let (id, limit, at_ms) = (track.id.clone(), track.limit.clone(), track.appended_ms);
        let before = match self.former.get_mut(&id) {
            Some(former) => Some(std::mem::replace(former, track)),
            None => self.tracks.insert(track),
        };
        let start = before.as_ref().filter(|before| before.id == id).map_or(0, |before| before.limit.end);
        if !self.first && start < limit.end {
            polled.appended.push(Append { partition: id.clone(), range: start..limit.end, at_ms });
        }
        // Another file has taken its name, and it was not found elsewhere.
        let replaced = before.filter(|before| before.id != id);
        let gone = replaced.map(|before| (before.id.clone(), Track { is_gone: true, ..before }));
        self.former.extend(gone);
        polled.limits.push((id, limit));
    }

    fn has_left(&self, listed: &Listed) -> bool {
        self.source.created_ms(&listed.created).is_some_and(|created| created < self.retired_before_ms)
    }

    /// A file that is old and was not there before counts as read nevertheless: it may have been
    /// read before it was deleted. Whoever renamed it into the source must hear of it.
    fn warn_of_old(&self, listed: &Listed) {
        if !self.first && !self.retired.contains(&hash(&listed.name)) {
            tracing::warn!(
                "{}: {:?} has appeared, and is older than what was last looked at: it counts as read; copy it to have it read, \
                 because a copy is new",
                self.source.identity(),
                listed.name
            );
        }
    }

    /// A blob that is retired must not grow any more, because nobody knows how far it was
    /// read.
    fn grown_late(&self, listed: &Listed) -> Result<Option<(Option<Track>, Listed)>, Stop> {
        // An empty blob has no line to miss: it may be the entry of a folder whose permissions were
        // changed.
        let Some(modified_ms) = listed.modified_ms.filter(|at| listed.length > 0 && *at >= self.retired_before_ms)
        else {
            return Ok(None);
        };
        let text = format!(
            "{}: {:?} has grown after it had been quiet for source.settle and was taken for finished",
            self.source.identity(),
            listed.name
        );
        match self.rules.on_rewrite {
            OnRewrite::Stop => Err(Stop::Refused(format!(
                "{text}: move it away if you can do without its new lines, or set source.on_rewrite = \"restart\" to read it again \
                 from its beginning as a generation of its own; a longer source.quiet keeps this from happening"
            ))),
            OnRewrite::Restart => {
                let generation = generation_at(modified_ms);
                tracing::warn!("{text}: reading it again from its beginning, as generation {generation}");
                let id = PartitionId { name: listed.name.clone(), generation };
                Ok(Some((Some(Track::fresh(id, listed)), listed.clone())))
            }
        }
    }

    /// The partitions that will not grow any more: those of blobs that are gone, and of blobs read
    /// to their end that have been quiet for long enough.
    fn finished(&self, listing: &Listing) -> Option<Finished> {
        let settle_ms = u64::try_from(self.rules.quiet.as_millis()).unwrap_or(u64::MAX);
        let before_ms = listing.at_ms.filter(|_| listing.whole)?.checked_sub(settle_ms)?;
        let listed: BTreeMap<&str, &Listed> = listing.files.iter().map(|file| (file.name.as_str(), file)).collect();
        let old = |track: &&Track| {
            self.source.created_ms(&track.limit.identity.created).is_some_and(|created| created < before_ms)
        };
        let quiet = |track: &&Track| match listed.get(track.id.name.as_str()) {
            Some(file) => {
                track.limit.end == file.length && file.modified_ms.is_some_and(|modified| modified < before_ms)
            }
            None => true,
        };
        // A copy that was put in a file's place is the same partition and may still grow.
        let replaced = |track: &&Track| self.tracks.get(&track.id.name).is_none_or(|newest| newest.id != track.id);
        let former = self.former.values().filter(replaced);
        let finished = self.tracks.values().filter(quiet).chain(former).filter(old);
        Some(Finished { before_ms, partitions: finished.map(|track| track.id.clone()).collect() })
    }
}

/// A generation that no file of the name has had. Earlier ones are forgotten, so it is the time of
/// the change, in seconds since the beginning of 2020.
fn generation_at(modified_ms: u64) -> u32 {
    const YEAR_2020: u64 = 1_577_836_800;
    let since = (modified_ms / 1000).saturating_sub(YEAR_2020);
    u32::try_from(since).unwrap_or(u32::MAX).max(2)
}

fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// The offsets of `cold_start = "latest"`: the last line end of everything there is now.
pub async fn latest(source: Arc<dyn ByteSource>) -> Result<Offsets, Stop> {
    let rules = WatchRules { on_rewrite: OnRewrite::Stop, unterminated: Unterminated::Leave, quiet: Duration::MAX };
    let polled = Watcher::new(source, &Offsets::default(), rules).poll().await.map_err(|stop| match stop {
        // The source has retried for as long as it is configured to; the caller must not retry all
        // of that again.
        Stop::Store(error) => Stop::Store(error.for_good()),
        stop => stop,
    })?;
    let at = |limit: Limit| Mark { offset: limit.end, identity: limit.identity, landed_tail: false, gone: false };
    Ok(polled.limits.into_iter().map(|(id, limit)| (id, at(limit))).collect())
}

#[cfg(test)]
mod follow_tests;
#[cfg(test)]
mod settle_tests;
#[cfg(test)]
mod tests;
