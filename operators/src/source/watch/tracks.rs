//! How far each file was seen, by its name, and by what the store says of its creation: a file that was renamed is found by that.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::offsets::{Identity, PartitionId, PartitionOffset};
use crate::protocol::planner::Limit;
use crate::source::Listed;

/// How far one file was seen.
#[derive(Clone)]
pub(super) struct Track {
    pub(super) id: PartitionId,
    pub(super) limit: Limit,
    /// No line end lies between the limit and here.
    pub(super) searched: u64,
    /// The file's length when it was last looked into, with the revision in the limit's identity.
    pub(super) length: u64,
    /// When it was last appended to, if the store says.
    pub(super) appended_ms: Option<u64>,
}

impl Track {
    /// A file that is seen for the first time.
    pub(super) fn fresh(id: PartitionId, listed: &Listed) -> Track {
        let identity = Identity { created: listed.created.clone(), ..Identity::default() };
        Track { id, limit: Limit { end: 0, identity, landed_tail: false }, searched: 0, length: 0, appended_ms: None }
    }

    /// What was or will be consumed of it.
    pub(super) fn consumed(&self) -> PartitionOffset {
        let Limit { end, identity, landed_tail } = self.limit.clone();
        PartitionOffset { offset: end, identity, landed_tail }
    }

    /// Whether it was looked into, or consumed whole, as it is listed now.
    pub(super) fn is_unchanged(&self, listed: &Listed) -> bool {
        let Identity { created, revision, .. } = &self.limit.identity;
        *revision == listed.revision && *created == listed.created && self.length == listed.length
    }
}

/// The newest file of each name.
#[derive(Default)]
pub(super) struct Tracks {
    by_name: BTreeMap<String, Track>,
    /// The names of what was created so.
    names: HashMap<String, BTreeSet<String>>,
}

impl Tracks {
    /// The track of that name.
    pub(super) fn get(&self, name: &str) -> Option<&Track> {
        self.by_name.get(name)
    }

    /// All, in the order of their names.
    pub(super) fn values(&self) -> impl Iterator<Item = &Track> {
        self.by_name.values()
    }

    /// Those of files that were created so.
    pub(super) fn created(&self, created: &str) -> impl Iterator<Item = &Track> {
        self.names.get(created).into_iter().flatten().filter_map(|name| self.by_name.get(name))
    }

    /// Keeps `track`; the answer is what its name had before.
    pub(super) fn insert(&mut self, track: Track) -> Option<Track> {
        let name = track.id.name.clone();
        let before = self.remove(&name);
        self.names.entry(track.limit.identity.created.clone()).or_default().insert(name.clone());
        self.by_name.insert(name, track);
        before
    }

    /// Takes out the track of that name.
    pub(super) fn remove(&mut self, name: &str) -> Option<Track> {
        let track = self.by_name.remove(name)?;
        let created = &track.limit.identity.created;
        if let Some(names) = self.names.get_mut(created) {
            names.remove(name);
            if names.is_empty() {
                self.names.remove(created);
            }
        }
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
    fn a_track_is_found_by_its_creation_as_long_as_it_is_there() {
        let mut tracks = Tracks::default();
        let found = |tracks: &Tracks, created: &str| -> Vec<String> {
            tracks.created(created).map(|track| track.id.name.clone()).collect()
        };
        for (name, created) in [("a", "1"), ("b", "1"), ("c", "2")] {
            assert!(tracks.insert(track(name, created)).is_none());
        }
        assert_eq!(found(&tracks, "1"), ["a", "b"]);
        let before = tracks.insert(track("a", "2")).expect("it was there");
        assert_eq!(before.limit.identity.created, "1");
        assert_eq!((found(&tracks, "1"), found(&tracks, "2")), (vec!["b".into()], vec!["a".into(), "c".into()]));
        tracks.remove("b");
        assert!(found(&tracks, "1").is_empty() && tracks.names.len() == 1);
    }
}
