//! Looks at the bytes by which a file is recognised.

use super::{ByteSource, Listed};
use crate::error::StoreError;
use crate::format::logs::lines::Mark;
use crate::source::files::identity::{Anchor, Fingerprint, Identity};
use crate::source::files::watch::generation::Sighting;

/// What `listed` shows now where the fingerprint and the anchor of the file consumed as `at` lie.
pub(crate) async fn sight(source: &dyn ByteSource, at: &Mark, listed: &Listed) -> Result<Sighting, StoreError> {
    let Identity { fingerprint: Fingerprint { length: covered, .. }, anchor, .. } = at.identity;
    let is_there = |end: u64| listed.length >= end;
    let fingerprint = match is_there(covered) {
        true => Some(Fingerprint::of(&read(source, listed, 0, covered).await?)),
        false => None,
    };
    let anchor = match anchor.filter(|anchor| is_there(anchor.end)).and_then(|anchor| Anchor::range(anchor.end)) {
        Some(range) => Some(Anchor::of(range.end, &read(source, listed, range.start, range.end).await?)),
        None => None,
    };
    Ok(Sighting { length: listed.length, fingerprint, anchor })
}

/// Reads the listed file, whatever it begins with.
async fn read(source: &dyn ByteSource, listed: &Listed, start: u64, end: u64) -> Result<Vec<u8>, StoreError> {
    source.read(&listed.name, &listed.identity(Fingerprint::default()), start..end, Vec::new()).await
}
