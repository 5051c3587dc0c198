//! How far each file was seen, by its current name and by its partition, which keeps the name that
//! the file had first.

use std::collections::BTreeMap;

use crate::format::logs::lines::Mark;
use crate::protocol::offsets::PartitionId;
use crate::source::files::Listed;
use crate::source::files::identity::Identity;
use crate::source::files::supply::Limit;

/// How far one file was seen.
#[derive(Clone)]
pub(super) struct Track {
    pub(super) id: PartitionId,
    /// The current name of its file; it differs from the partition's if the file was renamed.
    pub(super) at: String,
    /// Whether its file was looked for and no longer exists.
    pub(super) is_gone: bool,
    /// Whether its file was seen to have no name any more, and to be kept open.
    pub(super) is_held: bool,
    /// The format that its first bytes indicate, if that is not text.
    pub(super) encoded: Option<&'static str>,
    pub(super) limit: Limit,
    /// There is no line end between the limit and this offset.
    pub(super) searched: u64,
    /// The file's length when it was last looked into, with the revision in the limit's identity.
    pub(super) length: u64,
    /// When it was last appended to, if the store reports it.
    pub(super) appended_ms: Option<u64>,
}

impl Track {
    /// A file that is seen for the first time.
    pub(super) fn fresh(id: PartitionId, listed: &Listed) -> Track {
        let identity = Identity { created: listed.created.clone(), ..Identity::default() };
        let limit = Limit { end: 0, identity, landed_tail: false };
        Track { at: listed.name.clone(), ..Track::at(id, limit) }
    }

    /// A file that was seen as far as `limit`, under the partition's name.
    pub(super) fn at(id: PartitionId, limit: Limit) -> Track {
        let (at, searched, length) = (id.name.clone(), limit.end, limit.end);
        Track { id, at, is_gone: false, is_held: false, encoded: None, limit, searched, length, appended_ms: None }
    }

    /// What has been or will be consumed of it.
    pub(super) fn consumed(&self) -> Mark {
        let Limit { end, identity, landed_tail } = self.limit.clone();
        Mark { offset: end, identity, landed_tail, gone: self.is_gone }
    }

    /// Whether the file, as it is listed now, was already looked into or consumed whole.
    pub(super) fn is_unchanged(&self, listed: &Listed) -> bool {
        let Identity { created, revision, .. } = &self.limit.identity;
        *revision == listed.revision && *created == listed.created && self.length == listed.length
    }
}

/// The track of each file, by the name that the file has now.
#[derive(Default)]
pub(super) struct Tracks {
    by_name: BTreeMap<String, Track>,
    /// The current names of files whose partition has another name.
    renamed: BTreeMap<PartitionId, String>,
}

impl Tracks {
    /// The track of the file that has that name now.
    pub(super) fn get(&self, name: &str) -> Option<&Track> {
        self.by_name.get(name)
    }

    /// All tracks, in the order of their names.
    pub(super) fn values(&self) -> impl Iterator<Item = &Track> {
        self.by_name.values()
    }

    /// The track of that partition.
    pub(super) fn of(&self, id: &PartitionId) -> Option<&Track> {
        let name = self.renamed.get(id).unwrap_or(&id.name);
        self.by_name.get(name).filter(|track| track.id == *id)
    }

    /// The newest generation of the partitions of that name.
    pub(super) fn newest(&self, name: &str) -> Option<u32> {
        let last = PartitionId { name: name.to_owned(), generation: u32::MAX };
        let renamed = self.renamed.range(PartitionId::first(name)..=last).next_back().map(|(id, _)| id.generation);
        let there = self.by_name.get(name).filter(|track| track.id.name == name).map(|track| track.id.generation);
        renamed.max(there)
    }

    /// Adds `track`; returns the track that had its name before.
    pub(super) fn insert(&mut self, track: Track) -> Option<Track> {
        let name = track.at.clone();
        let before = self.remove(&name);
        if track.id.name != name {
            self.renamed.insert(track.id.clone(), name.clone());
        }
        self.by_name.insert(name, track);
        before
    }

    /// Takes out the track of that name.
    pub(super) fn remove(&mut self, name: &str) -> Option<Track> {
        let track = self.by_name.remove(name)?;
        self.renamed.remove(&track.id);
        Some(track)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(name: &str, created: &str) -> Track {
        let (name, created) = (name.to_owned(), created.to_owned());
        let listed = Listed { name, created, length: 0, revision: String::new(), modified_ms: None };
        Track::fresh(PartitionId::first(&listed.name), &listed)
    }

    #[test]
    fn a_track_is_found_by_its_name_now_and_by_its_partition() {
        let mut tracks = Tracks::default();
        assert!(tracks.insert(track("a", "1")).is_none());
        let mut renamed = tracks.remove("a").expect("it was there");
        renamed.at = "a.1".into();
        assert!(tracks.insert(renamed).is_none());
        let first = PartitionId::first("a");
        assert_eq!(tracks.of(&first).map(|track| track.at.as_str()), Some("a.1"));
        assert_eq!(tracks.newest("a"), Some(1));
        let second = Track { id: PartitionId { generation: 2, ..first.clone() }, ..track("a", "2") };
        assert!(tracks.insert(second).is_none());
        assert_eq!((tracks.newest("a"), tracks.newest("a.1")), (Some(2), None));
        assert_eq!(tracks.insert(track("a.1", "3")).expect("it is displaced").id, first);
        assert!(tracks.of(&first).is_none());
    }
}
