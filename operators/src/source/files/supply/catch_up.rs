//! Lagging tables get exactly the byte ranges between their offsets.

use std::collections::VecDeque;
use std::ops::Range;

use super::{FileSupply, Limit, chunk_end};
use crate::format::logs::lines::Standing;
use crate::protocol::offsets::PartitionId;
use crate::protocol::supply::Lost;
use crate::source::files::chunk::Chunk;

/// Bytes that a lagging table needs and that cannot be read, and why.
pub(crate) fn missing(partition: &PartitionId, range: Range<u64>, why: &str) -> Lost {
    let what = format!("bytes {}..{} of {partition}, and they cannot be read: {why}", range.start, range.end);
    Lost { what, advice: Some("put the file back as it was") }
}

impl FileSupply {
    /// The next chunk towards the first of `targets`; the error names the bytes that are missing
    /// for it.
    pub(super) fn catch_up_chunk(&mut self, targets: &VecDeque<Standing>, most: u64) -> Result<Option<Chunk>, Lost> {
        let Some(target) = targets.front() else { return Ok(None) };
        if self.lagging.is_empty() {
            let behind = target.offsets.partitions.iter().filter(|(id, to)| to.offset > self.at.at(id));
            self.lagging = behind.map(|(id, _)| id.clone()).collect();
        }
        let next = self.lagging.front().and_then(|id| target.offsets.partitions.get_key_value(id));
        let Some((id, to)) = next else { return Ok(None) };
        // If a partition is retired by the last target, a file seen under its id may be another.
        let stays = targets.back().is_some_and(|last| last.offsets.partitions.contains_key(id));
        let seen = self.limits.get(id).filter(|_| stays);
        if stays && seen.is_none() {
            // It may be back by the time of the read, but where its last line ends is not known.
            return Err(missing(id, self.at.at(id)..to.offset, "it is no longer in the source"));
        }
        // The last line before the target may go on beyond it: it starts here, so it belongs here.
        let further = targets.iter().map(|target| target.offsets.at(id)).chain(seen.map(|seen| seen.end));
        let readable = if to.landed_tail { to.offset } else { further.fold(to.offset, u64::max) };
        // A copy of the file is recognised by its first bytes, and has an identity of its own.
        let identity = seen.map_or(&to.identity, |seen| &seen.identity).clone();
        let (id, limit) = (id.clone(), Limit { end: to.offset, identity, landed_tail: to.landed_tail });
        let settings = target.settings.clone();
        let end = chunk_end(self.at.at(&id), most, &limit, settings.max_line);
        if end == limit.end {
            self.lagging.pop_front();
        }
        Ok(Some(self.chunk(id, end, readable, &limit, settings, true)))
    }
}
