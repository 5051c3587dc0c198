//! A file that is gone may still exist as a copy (`copytruncate`, a restored backup, a move between
//! file systems). A new file is taken for it if it appears in the same look, is at least as long as
//! what was read, and has the same first bytes and the same ones before the end of that. While the
//! file itself is kept open, its writer may have it open, too: it is read on, and the copy waits
//! until it has more.

use std::collections::{BTreeMap, BTreeSet};

use super::follow::Elsewhere;
use super::{Fingerprint, Identity, Listed, Listing, PartitionId, Stop, Track, Watcher};

impl Watcher {
    /// `copytruncate`: the file is shorter than what was read of it, and its copy has appeared.
    pub(super) async fn succeed_truncated(
        &mut self,
        listing: &Listing,
        strangers: &mut BTreeMap<String, Listed>,
    ) -> Result<(), Stop> {
        if strangers.is_empty() {
            return Ok(());
        }
        let is_shorter = |file: &&Listed| {
            let is_it = |track: &Track| track.limit.identity.created == file.created;
            self.tracks.get(&file.name).is_some_and(|track| is_it(track) && file.length < track.limit.end)
        };
        let shorter: Vec<String> = listing.files.iter().filter(is_shorter).map(|file| file.name.clone()).collect();
        for name in shorter {
            let Some(track) = self.tracks.get(&name).cloned() else { continue };
            self.succeed(&track, strangers).await?;
        }
        Ok(())
    }

    /// `copytruncate` before this run began: the offsets name the truncated file for both
    /// generations, because nothing was read from the copy, and so nothing said whose it is.
    pub(super) async fn succeed_rewritten(
        &mut self,
        superseded: BTreeSet<PartitionId>,
        strangers: &mut BTreeMap<String, Listed>,
    ) -> Result<(), Stop> {
        for id in superseded.into_iter().filter(|_| self.first).collect::<Vec<_>>() {
            let Some(track) = self.track(&id).cloned() else { continue };
            self.succeed(&track, strangers).await?;
        }
        Ok(())
    }

    /// Takes a new file for the track's file if it begins with all that is known of that file.
    /// Returns whether there is one.
    pub(super) async fn succeed(
        &mut self,
        track: &Track,
        strangers: &mut BTreeMap<String, Listed>,
    ) -> Result<bool, Stop> {
        if track.limit.end == 0 {
            return Ok(false);
        }
        for file in strangers.values() {
            if self.is_same(track, file).await? {
                let copy = file.clone();
                self.replace(&track.id, copy, strangers);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A longer copy was put in the place of the file (`rsync`, a restored backup). The file itself
    /// may still exist: kept open here, or as a backup next to the copy.
    pub(super) async fn succeed_in_place(
        &mut self,
        vanished: &mut Vec<PartitionId>,
        strangers: &mut BTreeMap<String, Listed>,
    ) -> Result<(), Stop> {
        let mut replaced = BTreeMap::new();
        for track in vanished.iter().filter_map(|id| self.track(id)).filter(|track| track.limit.end > 0) {
            let held = self.source.held(&track.limit.identity);
            if let Some(file) = strangers.get(&track.at).filter(|file| held.is_none_or(|held| file.length > held))
                && self.is_same(track, file).await?
            {
                replaced.insert(track.id.clone(), file.clone());
            }
        }
        vanished.retain(|id| !replaced.contains_key(id));
        for (id, copy) in replaced {
            self.replace(&id, copy, strangers);
        }
        Ok(())
    }

    /// Makes `copy` the partition's file.
    fn replace(&mut self, id: &PartitionId, copy: Listed, strangers: &mut BTreeMap<String, Listed>) {
        let Some(mut track) = self.take(id) else { return };
        strangers.remove(&copy.name);
        (track.limit.identity.created, track.at, track.is_held) = (copy.created, copy.name, false);
        // A copy may have the old file's times and length: it is looked into all the same.
        track.limit.identity.revision.clear();
        let displaced = self.tracks.insert(track);
        self.former.extend(displaced.map(|track| (track.id.clone(), track)));
    }

    /// Whether there is a copy of the track's file, which is only kept open, as `held`: one that
    /// came as it lost its name, with all that it had.
    pub(super) async fn has_twin(
        &mut self,
        track: &Track,
        held: &Listed,
        strangers: &BTreeMap<String, Listed>,
    ) -> Result<bool, Stop> {
        if let Some((name, created)) = self.twins.get(&track.id) {
            return Ok(strangers.get(name).is_some_and(|file| file.created == *created));
        }
        if track.is_held || track.limit.end == 0 {
            return Ok(false);
        }
        for file in strangers.values().filter(|file| file.length >= held.length) {
            if self.is_same(track, file).await? {
                self.twins.insert(track.id.clone(), (file.name.clone(), file.created.clone()));
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads on in the `held` file, and passes over its copy; or goes on in the copy, if that has
    /// more.
    pub(super) fn hold_on(
        &mut self,
        id: &PartitionId,
        held: Listed,
        listing: &mut Listing,
        strangers: &mut BTreeMap<String, Listed>,
    ) -> Option<Elsewhere> {
        let (name, _) = self.twins.get(id)?.clone();
        let copy = strangers.get(&name)?.clone();
        if copy.length > held.length {
            self.twins.remove(id);
            self.replace(id, copy, strangers);
            return None;
        }
        strangers.remove(&name);
        listing.files.retain(|file| file.name != name);
        self.move_out(id, held, true)
    }

    /// Whether the file that has the name of the track's now is the beginning of it: an older copy,
    /// or one that is still being made. A new log does not begin with the old one's first line.
    pub(super) async fn is_cut_short(&self, track: &Track, strangers: &BTreeMap<String, Listed>) -> Result<bool, Stop> {
        let Some(file) = strangers.get(&track.at).filter(|file| file.length < track.limit.end) else {
            return Ok(false);
        };
        let (length, any) = (file.length.min(Fingerprint::MAX), Fingerprint::default());
        let held = Identity { created: track.limit.identity.created.clone(), ..file.identity(any) };
        let now = file.identity(any);
        let read = |identity| self.source.read(&file.name, identity, 0..length, Vec::new());
        match (read(&held).await, read(&now).await) {
            (Ok(held), Ok(head)) => Ok(memchr::memrchr(b'\n', &head).is_some_and(|end| head[..=end] == held[..=end])),
            _ => Ok(false),
        }
    }
}
