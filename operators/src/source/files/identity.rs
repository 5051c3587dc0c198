//! What tells the bytes of one file or blob from those of another.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A hash of a partition's first bytes, by which it is recognised again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// How many of the first bytes the hash covers, at most [`Fingerprint::MAX`].
    pub length: u64,
    /// FNV-1a (64 bit) of those bytes.
    pub hash: u64,
}

impl Fingerprint {
    /// A fingerprint covers at most this many bytes: enough for a log line with its timestamp.
    pub const MAX: u64 = 1024;

    /// The fingerprint of `head`, of which at most [`Fingerprint::MAX`] bytes count.
    pub fn of(head: &[u8]) -> Self {
        let head = &head[..head.len().min(Self::MAX as usize)];
        let hash =
            head.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3));
        Fingerprint { length: head.len() as u64, hash }
    }
}

/// The fingerprint of no bytes, which every file begins with.
impl Default for Fingerprint {
    fn default() -> Self {
        Fingerprint::of(b"")
    }
}

/// A hash of the bytes before one byte of a partition. It tells apart files that begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The byte after those that it covers. It may lie beyond the partition's offset, never beyond
    /// what was seen.
    pub end: u64,
    /// FNV-1a (64 bit) of the [`Fingerprint::MAX`] bytes before `end`.
    pub hash: u64,
}

impl Anchor {
    /// The anchor at `end`, whose `bytes` are those of [`Anchor::range`].
    pub fn of(end: u64, bytes: &[u8]) -> Self {
        Anchor { end, hash: Fingerprint::of(bytes).hash }
    }

    /// The bytes that an anchor at `end` covers; `None` if the fingerprint covers them, too.
    pub fn range(end: u64) -> Option<Range<u64>> {
        (end > Fingerprint::MAX).then(|| end - Fingerprint::MAX..end)
    }
}

/// What tells a partition's bytes from those of another file of the same name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The store's mark of the file's creation: opaque, compared for equality only.
    pub created: String,
    /// The store's mark of the content when it was looked into (an ETag), equal only while the
    /// content is. An equal mark saves another look; a different one never means another file.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub revision: String,
    /// The partition's first bytes.
    pub fingerprint: Fingerprint,
    /// Some of its later bytes; `None` if they are not known, or the store tells files apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<Anchor>,
}
