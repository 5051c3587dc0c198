//! Whether a file is still the one whose bytes were consumed.

use crate::offsets::{Fingerprint, PartitionOffset};

/// A file or blob as the source shows it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Its length in bytes.
    pub length: u64,
    /// The hash of as many first bytes as the known fingerprint covers, if there are so many.
    pub fingerprint: Option<Fingerprint>,
}

/// What became of a file since its bytes were consumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the same, possibly longer. A copy with the same first bytes counts as the same: reading it again would double rows.
    Same,
    /// It is shorter than what was consumed of it.
    Shrunk,
    /// Its first bytes are others.
    Rewritten,
}

/// Compares what was consumed with what is there now.
pub fn judge(consumed: &PartitionOffset, now: &Sighting) -> Verdict {
    if now.length < consumed.offset {
        return Verdict::Shrunk;
    }
    match now.fingerprint {
        Some(fingerprint) if fingerprint == consumed.identity.fingerprint => Verdict::Same,
        _ => Verdict::Rewritten,
    }
}
