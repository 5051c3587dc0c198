//! The source's files as they are now, and which of them each partition was read from; a file may
//! have been renamed since.

use std::collections::{BTreeMap, HashMap};

use crate::format::logs::lines::{Mark, Offsets};
use crate::protocol::offsets::PartitionId;
use crate::source::files::{ByteSource, Found, Listed, Sought};

/// The files of one listing.
pub(super) struct There<'l> {
    by_name: BTreeMap<&'l str, &'l Listed>,
    /// Where files can be renamed: by their creation.
    by_created: Option<HashMap<&'l str, &'l Listed>>,
}

impl<'l> There<'l> {
    /// The files that `source` has listed.
    pub(super) fn new(files: &'l [Listed], source: &dyn ByteSource) -> There<'l> {
        let by_name = files.iter().map(|file| (file.name.as_str(), file)).collect();
        let by_created = || files.iter().rev().map(|file| (file.created.as_str(), file)).collect();
        There { by_name, by_created: source.has_links().then(by_created) }
    }

    /// All files, in the order of their names.
    pub(super) fn files(&self) -> impl Iterator<Item = &'l Listed> {
        self.by_name.values().copied()
    }

    /// The file with that creation; or with that name, where files cannot be renamed.
    pub(super) fn created(&self, name: &str, created: &str) -> Option<&'l Listed> {
        match &self.by_created {
            Some(by_created) => by_created.get(created).copied(),
            None => self.by_name.get(name).copied(),
        }
    }

    /// The files of the partitions of `offsets`, wherever they are now.
    pub(super) async fn files_of(&self, offsets: &Offsets, source: &dyn ByteSource) -> BTreeMap<PartitionId, Listed> {
        let mut files = BTreeMap::new();
        let Some(by_created) = &self.by_created else {
            let named =
                offsets.partitions.keys().filter_map(|id| Some((id.clone(), (*self.by_name.get(&*id.name)?).clone())));
            return named.collect();
        };
        let mut missing: Vec<(&PartitionId, &Mark)> = Vec::new();
        for (id, at) in &offsets.partitions {
            match by_created.get(at.identity.created.as_str()) {
                Some(file) => _ = files.insert(id.clone(), (*file).clone()),
                None => missing.push((id, at)),
            }
        }
        let sought = |(id, at): &(&PartitionId, &Mark)| Sought { name: id.name.clone(), identity: at.identity.clone() };
        let sought: Vec<Sought> = missing.iter().map(sought).collect();
        let found = if sought.is_empty() { Vec::new() } else { source.find(&sought).await };
        // A file that has a partition's name, and is no other partition's, may be a copy of its
        // file.
        let known = |file: &Listed| files.values().any(|other: &Listed| other.created == file.created);
        let mut more = BTreeMap::new();
        for ((id, _), found) in missing.into_iter().zip(found) {
            let file = match found {
                Found::At(file) | Found::Held(file) => Some(file),
                Found::Gone | Found::Unknown => {
                    self.by_name.get(&*id.name).map(|file| (*file).clone()).filter(|f| !known(f))
                }
            };
            more.extend(file.map(|file| (id.clone(), file)));
        }
        files.append(&mut more);
        files
    }
}
