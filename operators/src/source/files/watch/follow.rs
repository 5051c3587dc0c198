//! Follows renamed files: a file is identified by its creation and its first bytes; its name is
//! only where it is.
//!
//! A log rotation renames `pg.json` to `pg.json.1` and begins a new `pg.json`. The old file is read
//! on to its end under whatever name it has now, and stays the same partition; the new one is the
//! next generation of its name. If one file has two names, only the first is read.
//!
//! If a file is gone, a copy may take its place: see `copies`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Listed, Listing, OnRewrite, PartitionId, Polled, Stop, Track, Watcher};
use crate::protocol::clock::Clock;
use crate::run::clock::SystemClock;
use crate::source::files::watch::generation::Verdict;
use crate::source::files::{Found, PassedOver, Sought, Why};

/// A file that was last written this long before the newest one is not written any more, in
/// milliseconds.
const QUIET_MS: u64 = 3_600_000;

/// A file that still exists, but has no name in the source any more.
pub(super) type Elsewhere = (PartitionId, Listed);

/// A listing, compared with the names and files that are known.
struct Compared {
    /// Partitions whose file is no longer listed under the name that it had.
    vanished: Vec<PartitionId>,
    /// Partitions whose file a later one has now.
    superseded: BTreeSet<PartitionId>,
    /// Files listed under a name that they did not have before, by that name.
    strangers: BTreeMap<String, Listed>,
}

impl Watcher {
    /// Moves tracks to where their files are now, and removes second names from the listing.
    /// Returns the files that were found outside the source.
    pub(super) async fn follow(&mut self, listing: &mut Listing, polled: &mut Polled) -> Result<Vec<Elsewhere>, Stop> {
        let Compared { mut vanished, superseded, mut strangers } = self.compare_names(listing);
        if !strangers.is_empty() {
            self.refuse_second_names(listing, &mut strangers);
            let moved = self.renamed(&vanished, &strangers).await?;
            moved.values().for_each(|name| _ = strangers.remove(name));
            vanished.retain(|id| !moved.contains_key(id));
            self.rename(moved);
            self.succeed_in_place(&mut vanished, &mut strangers).await?;
            self.succeed_rewritten(superseded, &mut strangers).await?;
            self.succeed_truncated(listing, &mut strangers).await?;
        }
        self.seek(vanished, listing, &mut strangers, polled).await
    }

    fn compare_names(&self, listing: &Listing) -> Compared {
        let listed: HashMap<&str, &Listed> = listing.files.iter().map(|file| (file.name.as_str(), file)).collect();
        let is_listed = |track: &&Track| {
            listed.get(track.at.as_str()).is_some_and(|file| file.created == track.limit.identity.created)
        };
        let (present, unlisted): (Vec<&Track>, Vec<&Track>) = self.tracks.values().partition(is_listed);
        let mut absent: Vec<&Track> = self.former.values().chain(unlisted).collect();
        // Of a file that was rewritten in place, only the newest generation exists; or, if it was
        // renamed before, the partition that has its name.
        let mut newest: HashMap<&str, &PartitionId> = HashMap::new();
        if !absent.is_empty() {
            newest
                .extend(absent.iter().chain(&present).map(|track| (track.limit.identity.created.as_str(), &track.id)));
        }
        let is_newest = |track: &mut &Track| newest.get(track.limit.identity.created.as_str()) == Some(&&track.id);
        let vanished = absent.extract_if(.., is_newest).map(|track| track.id.clone()).collect();
        let superseded = absent.into_iter().map(|track| track.id.clone()).collect();
        let is_known = |file: &&Listed| {
            self.tracks.get(&file.name).is_some_and(|track| track.limit.identity.created == file.created)
        };
        let strangers = listing.files.iter().filter(|file| !is_known(file));
        Compared { vanished, superseded, strangers: strangers.map(|file| (file.name.clone(), file.clone())).collect() }
    }

    /// If one file has several names, the known one is read, or else the first.
    fn refuse_second_names(&self, listing: &mut Listing, strangers: &mut BTreeMap<String, Listed>) {
        let present: HashMap<&str, &str> = self
            .tracks
            .values()
            .filter(|track| !strangers.contains_key(&track.at))
            .map(|track| (track.limit.identity.created.as_str(), track.at.as_str()))
            .collect();
        let listed: BTreeSet<&str> = listing.files.iter().map(|file| file.name.as_str()).collect();
        let mut first: HashMap<String, String> = HashMap::new();
        let mut second = Vec::new();
        for (name, file) in &*strangers {
            let read_as = present.get(file.created.as_str()).filter(|name| listed.contains(**name));
            let read_as = read_as.map(|name| (*name).to_owned()).or_else(|| first.get(&file.created).cloned());
            match read_as {
                Some(read_as) => second.push(PassedOver { name: name.clone(), why: Why::SecondName(read_as) }),
                None => _ = first.insert(file.created.clone(), name.clone()),
            }
        }
        second.iter().for_each(|second| _ = strangers.remove(&second.name));
        let names: BTreeSet<&str> = second.iter().map(|second| second.name.as_str()).collect();
        listing.files.retain(|file| !names.contains(file.name.as_str()));
        listing.passed_over.extend(second);
    }

    /// The names that the files of `vanished` partitions have now, among the new names.
    async fn renamed(
        &self,
        vanished: &[PartitionId],
        strangers: &BTreeMap<String, Listed>,
    ) -> Result<BTreeMap<PartitionId, String>, Stop> {
        let tracks = vanished.iter().filter_map(|id| self.track(id));
        let by_created: HashMap<&str, &Track> =
            tracks.map(|track| (track.limit.identity.created.as_str(), track)).collect();
        let mut moved = BTreeMap::new();
        for file in strangers.values() {
            let Some(track) = by_created.get(file.created.as_str()) else { continue };
            // Where a file system reports no birth time, another file may have reused the inode.
            if self.is_same(track, file).await? {
                moved.insert(track.id.clone(), file.name.clone());
            }
        }
        Ok(moved)
    }

    /// Whether `file` begins with what was read of the track's file, and is at least as long.
    pub(super) async fn is_same(&self, track: &Track, file: &Listed) -> Result<bool, Stop> {
        if file.length < track.limit.end {
            return Ok(false);
        }
        match self.compare(&track.consumed(), file).await {
            Ok(verdict) => Ok(verdict == Verdict::Same),
            // It cannot be read now, so nothing is known about it; the look into it will report
            // why.
            Err(error) if !error.is_transient() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Renames all at once, because a rotation passes names on from file to file.
    fn rename(&mut self, moved: BTreeMap<PartitionId, String>) {
        let mut tracks = Vec::new();
        for (id, name) in moved {
            let Some(mut track) = self.take(&id) else { continue };
            if track.at != name {
                let (old, new) = (track.at.escape_debug().to_string(), name.escape_debug().to_string());
                let partition = id.to_string().escape_debug().to_string();
                tracing::info!(
                    partition,
                    from = old,
                    to = new,
                    "the file was renamed: it is read on under its new name"
                );
            }
            (track.at, track.is_held) = (name, false);
            tracks.push(track);
        }
        for track in tracks {
            let displaced = self.tracks.insert(track);
            self.former.extend(displaced.map(|track| (track.id.clone(), track)));
        }
    }

    /// Looks elsewhere for files that have no name in the source any more. Returns those that were
    /// found, to be looked into.
    async fn seek(
        &mut self,
        vanished: Vec<PartitionId>,
        listing: &mut Listing,
        strangers: &mut BTreeMap<String, Listed>,
        polled: &mut Polled,
    ) -> Result<Vec<Elsewhere>, Stop> {
        let tracks = vanished.iter().filter_map(|id| self.track(id));
        let lost: Vec<Track> = tracks.filter(|track| !track.is_gone || self.first).cloned().collect();
        let sought = |track: &Track| Sought { name: track.at.clone(), identity: track.limit.identity.clone() };
        let sought: Vec<Sought> = lost.iter().map(sought).collect();
        let found = if sought.is_empty() { Vec::new() } else { self.source.find(&sought).await };
        let (mut elsewhere, mut gone) = (Vec::new(), Vec::new());
        for (track, found) in lost.into_iter().zip(found) {
            match found {
                Found::Held(file) if self.has_twin(&track, &file, strangers).await? => {
                    elsewhere.extend(self.hold_on(&track.id, file, listing, strangers));
                }
                // The look into the file that has its name refuses it.
                Found::Held(_)
                    if self.rules.on_rewrite == OnRewrite::Stop && self.is_cut_short(&track, strangers).await? => {}
                Found::Held(file) => elsewhere.extend(self.move_out(&track.id, file, true)),
                Found::At(file) => {
                    self.tell_of_rotation(&track, &file, strangers);
                    elsewhere.extend(self.move_out(&track.id, file, false));
                }
                Found::Gone if track.is_gone => {}
                Found::Gone => {
                    self.twins.remove(&track.id);
                    if self.succeed(&track, strangers).await? || strangers.contains_key(&track.at) {
                        // Another file has its name; the look into that file decides what this
                        // means.
                        continue;
                    }
                    self.set_gone(&track.id);
                    polled.gone.insert(track.id.clone());
                    gone.push(track);
                }
                Found::Unknown => {}
            }
        }
        self.tell_of_gone(&gone);
        Ok(elsewhere)
    }

    /// The partition's `file` is outside the source, or only kept open.
    pub(super) fn move_out(&mut self, id: &PartitionId, file: Listed, is_held: bool) -> Option<Elsewhere> {
        let mut track = self.take(id)?;
        track.at.clone_from(&file.name);
        track.is_held = is_held;
        self.former.insert(id.clone(), track);
        Some((id.clone(), file))
    }

    /// The track stays, because its name is known and a copy of its file may be put there.
    fn set_gone(&mut self, id: &PartitionId) {
        if let Some(track) = self.former.get_mut(id) {
            track.is_gone = true;
        } else if let Some(track) = self.take(id) {
            self.tracks.insert(Track { is_gone: true, ..track });
        }
    }

    /// Warns of a rotation during which no run was active: the files in between cannot be known if
    /// `source.url` does not match their names.
    fn tell_of_rotation(&self, track: &Track, now: &Listed, strangers: &BTreeMap<String, Listed>) {
        let is_newest = || self.next_generation(&track.id.name).generation == track.id.generation + 1;
        if self.first && now.name != track.at && strangers.contains_key(&track.at) && is_newest() {
            let (old, new) = (track.at.escape_debug().to_string(), now.name.escape_debug().to_string());
            tracing::warn!(
                from = old,
                to = new,
                "the file was renamed while no run followed it: it is read to its end, but if there were files between it and \
                 the one that has its name now, they are not read; let source.url match the names of rotated files too"
            );
        }
    }

    /// Warns of files that went before anybody could know whether they had been read to their end.
    /// Of those that were last written long before others, nothing is likely to be missing.
    fn tell_of_gone(&self, gone: &[Track]) {
        let newest = self.tracks.values().chain(gone).filter_map(|track| track.appended_ms).max();
        // Somebody may have set a file's time to the future.
        let newest = newest.map(|newest| newest.min(SystemClock.now_ms()));
        let is_quiet = |track: &&Track| {
            newest.zip(track.appended_ms).is_some_and(|(newest, at)| newest.saturating_sub(at) > QUIET_MS)
        };
        let (quiet, recent): (Vec<&Track>, Vec<&Track>) = gone.iter().partition(is_quiet);
        let when = if self.first { "while no run followed it" } else { "and was not kept open" };
        for (tracks, matters) in [(recent, true), (quiet, false)] {
            let Some(track) = tracks.first() else { continue };
            let (partition, more) = (track.id.to_string().escape_debug().to_string(), tracks.len() - 1);
            let (read, unfinished) = (track.limit.end, track.length.saturating_sub(track.limit.end));
            match matters {
                true => tracing::warn!(
                    partition,
                    read,
                    unfinished,
                    more,
                    "a file has gone {when}: what was written to it beyond the bytes that were read is lost"
                ),
                false => tracing::info!(partition, read, more, "a file has gone that nobody had written to for long"),
            }
        }
    }
}
