//! Whether a file is still the one whose bytes were consumed.

use crate::format::logs::lines::Mark;
use crate::source::files::identity::{Anchor, Fingerprint};

/// A file or blob as the source shows it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sighting {
    /// Its length in bytes.
    pub(crate) length: u64,
    /// The hash of as many first bytes as the known fingerprint covers; `None` if there are fewer.
    pub(crate) fingerprint: Option<Fingerprint>,
    /// The bytes at the known anchor; `None` if there is none, or the file ends before it.
    pub(crate) anchor: Option<Anchor>,
}

/// What has become of a file since its bytes were consumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the same, possibly longer. A copy with the same first bytes counts as the same:
    /// reading it again would double rows.
    Same,
    /// It is shorter than what was consumed of it.
    Shrunk,
    /// Its first bytes are different, or those at its anchor.
    Rewritten,
}

/// Compares what was consumed with what is there now.
pub(crate) fn judge(consumed: &Mark, now: &Sighting) -> Verdict {
    if now.length < consumed.offset {
        return Verdict::Shrunk;
    }
    let differs = now.anchor.is_some() && now.anchor != consumed.identity.anchor;
    match now.fingerprint {
        Some(fingerprint) if fingerprint == consumed.identity.fingerprint && !differs => Verdict::Same,
        _ => Verdict::Rewritten,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::files::identity::Identity;

    fn consumed(offset: u64, head: &[u8]) -> Mark {
        let identity = Identity { created: "once".into(), fingerprint: Fingerprint::of(head), ..Identity::default() };
        Mark { offset, identity, landed_tail: false, gone: false }
    }

    fn seen(length: u64, head: Option<&[u8]>) -> Sighting {
        Sighting { length, fingerprint: head.map(Fingerprint::of), anchor: None }
    }

    #[test]
    fn a_file_that_stayed_or_grew_is_the_same() {
        for length in [4, 9] {
            assert_eq!(judge(&consumed(4, b"head"), &seen(length, Some(b"head"))), Verdict::Same);
        }
    }

    #[test]
    fn a_copy_with_the_same_first_bytes_is_the_same() {
        assert_eq!(judge(&consumed(4, b"head"), &seen(4, Some(b"head"))), Verdict::Same);
    }

    #[test]
    fn a_file_shorter_than_what_was_consumed_has_shrunk() {
        assert_eq!(judge(&consumed(9, b"head"), &seen(8, Some(b"head"))), Verdict::Shrunk);
        assert_eq!(judge(&consumed(4, b"head"), &seen(3, None)), Verdict::Shrunk);
    }

    #[test]
    fn other_first_bytes_are_another_file_at_the_same_place() {
        assert_eq!(judge(&consumed(4, b"head"), &seen(9, Some(b"Head"))), Verdict::Rewritten);
    }

    #[test]
    fn other_bytes_at_the_anchor_are_another_file_that_begins_alike() {
        let anchor = |bytes: &[u8]| Some(Anchor::of(9, bytes));
        let mut consumed = consumed(9, b"head");
        consumed.identity.anchor = anchor(b"tail");
        let seen = |anchor| Sighting { anchor, ..seen(12, Some(b"head")) };
        assert_eq!(judge(&consumed, &seen(anchor(b"tail"))), Verdict::Same);
        assert_eq!(judge(&consumed, &seen(anchor(b"tile"))), Verdict::Rewritten);
        assert_eq!(judge(&consumed, &seen(None)), Verdict::Same, "it ends before the anchor: nothing is known");
    }

    #[test]
    fn a_file_of_which_nothing_was_consumed_is_the_same_whatever_it_holds() {
        assert_eq!(judge(&consumed(0, b""), &seen(0, Some(b""))), Verdict::Same);
    }
}
