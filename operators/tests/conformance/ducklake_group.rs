//! A lake's group as the stories know it: messages call it by the name that they look for, and its
//! log is kept for some time. Rows of a lake's commits are kept for good, and no clock can be moved
//! by half of that twice.

use lakefront_operators::error::StoreError;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::group::{Commit, CommitFacts, Created, Group, GroupState, Retention, Verdict};
use lakefront_operators::protocol::names::{OffsetsName, Version};
use lakefront_operators::protocol::offsets_store::{Neighbour, OffsetsStore};
use lakefront_operators::sink::ducklake::LakeGroup;

const LOG_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// A group, and what messages call it.
pub(crate) struct Called {
    pub(crate) group: LakeGroup,
    pub(crate) name: String,
}

impl Group for Called {
    fn load(&self) -> Pending<'_, Result<GroupState, StoreError>> {
        Box::pin(async {
            let state = self.group.load().await?;
            Ok(GroupState { retention: Retention { log_ms: LOG_MS, ..state.retention }, ..state })
        })
    }

    fn put<'a>(&'a self, version: Version, commit: &'a Commit) -> Pending<'a, Result<Created, StoreError>> {
        self.group.put(version, commit)
    }

    fn read(&self, version: Version) -> Pending<'_, Result<Option<CommitFacts>, StoreError>> {
        self.group.read(version)
    }

    fn recheck<'a>(&'a self, commit: Option<&'a Commit>) -> Pending<'a, Result<Verdict, StoreError>> {
        self.group.recheck(commit)
    }

    fn discard<'a>(&'a self, commit: &'a Commit) -> Pending<'a, ()> {
        self.group.discard(commit)
    }

    fn rows(&self) -> Pending<'_, Result<u64, StoreError>> {
        self.group.rows()
    }
}

impl OffsetsStore for Called {
    fn name(&self) -> &str {
        &self.name
    }

    fn shown(&self) -> String {
        format!("lake {:?}", self.name)
    }

    fn write_offsets<'a>(&'a self, name: OffsetsName, content: &'a [u8]) -> Pending<'a, Result<Created, StoreError>> {
        self.group.write_offsets(name, content)
    }

    fn read_offsets(&self, name: OffsetsName) -> Pending<'_, Result<Option<Vec<u8>>, StoreError>> {
        self.group.read_offsets(name)
    }

    fn list_offsets(&self) -> Pending<'_, Result<Vec<OffsetsName>, StoreError>> {
        self.group.list_offsets()
    }

    fn others(&self) -> Pending<'_, Result<Vec<Neighbour>, StoreError>> {
        self.group.others()
    }

    fn delete_offsets(&self, name: OffsetsName) -> Pending<'_, Result<(), StoreError>> {
        self.group.delete_offsets(name)
    }
}
