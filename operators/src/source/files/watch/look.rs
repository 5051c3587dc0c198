//! A look into one file: whether it is the one that was read, and where its last line ends.

use std::ops::Range;

use super::encoded::encoded;
use super::{Fingerprint, Listed, Look, Mark, OnRewrite, PartitionId, PassedOver, Stop, StoreError};
use super::{Track, Unterminated, Watcher, Why};
use crate::error::chain;
use crate::source::files::identity::Anchor;
use crate::source::files::sight::sight;
use crate::source::files::watch::generation::{Verdict, judge};

/// The first step of the backward search for a line end, from the end of a file. Steps double, up
/// to [`STEP_MAX`].
const STEP_MIN: u64 = 16 << 10;
/// The largest step of that search.
const STEP_MAX: u64 = 1 << 20;

/// What the search for the last line end has found.
#[derive(Default)]
struct LastLine {
    /// The byte after the last newline, if there is one.
    end: Option<u64>,
    /// The bytes in which it was found, from `start` on.
    bytes: Vec<u8>,
    start: u64,
}

impl LastLine {
    /// The file's first bytes, if the search reached them.
    fn head(&self) -> &[u8] {
        if self.start == 0 { &self.bytes } else { &[] }
    }

    /// The bytes of `range`, if the search has read them.
    fn bytes(&self, range: &Range<u64>) -> Option<&[u8]> {
        let at = |byte: u64| usize::try_from(byte.checked_sub(self.start)?).ok();
        self.bytes.get(at(range.start)?..at(range.end)?)
    }
}

impl Watcher {
    /// The track of the file as it is now. A file may be deleted or replaced between the listing
    /// and this look; the next poll sees what exists then. In a store with links, a file that
    /// cannot be read does not stop the run: it is looked into again.
    pub(super) async fn look(&self, known: Option<Track>, listed: Listed) -> Result<Look, Stop> {
        let looked = async {
            let (track, replaced) = self.recognise(known, &listed).await?;
            Ok((self.extend(track, &listed).await?, replaced))
        };
        match looked.await {
            // A service that is out of reach could not report whether the file exists either.
            Err(Stop::Store(error)) if !error.is_transient() => match self.source.is_there(&listed).await {
                Ok(false) => Ok(Look::Gone),
                _ if self.source.has_links() => {
                    let why = Why::Unreadable(chain(&error));
                    Ok(Look::Unreadable(PassedOver { name: listed.name, why }))
                }
                Ok(true) => Err(error.into()),
                Err(error) => Err(error.into()),
            },
            looked => looked.map(|(track, replaced)| Look::At(Box::new(track), replaced)),
        }
    }

    /// Recognises the file that was seen before. If it is another, returns the next generation of
    /// its name, and the partition that it replaces.
    async fn recognise(&self, known: Option<Track>, listed: &Listed) -> Result<(Track, Option<PartitionId>), Stop> {
        let Some(mut track) = known else {
            return Ok((Track::fresh(self.next_generation(&listed.name), listed), None));
        };
        let consumed = track.consumed();
        let what = match self.compare(&consumed, listed).await? {
            Verdict::Same => {
                (track.limit.identity.created, track.is_gone) = (listed.created.clone(), false);
                return Ok((track, None));
            }
            // Its file was seen to go, so this one takes nothing from it.
            _ if track.is_gone && track.limit.identity.created != listed.created => {
                return Ok((Track::fresh(self.next_generation(&listed.name), listed), Some(track.id)));
            }
            Verdict::Shrunk => "has shrunk",
            Verdict::Rewritten => "was rewritten",
        };
        let name = &listed.name;
        let text = format!("{}: {name:?} {what}; it was read up to byte {}", self.source.identity(), consumed.offset);
        match self.rules.on_rewrite {
            OnRewrite::Stop => Err(Stop::Refused(format!(
                "{text}: put the old file back under its name, or set source.on_rewrite = \"restart\" to read the new one \
                 from its beginning as a file of its own"
            ))),
            OnRewrite::Restart => {
                let next = self.next_generation(&listed.name);
                tracing::warn!(
                    "{text}, and had {} bytes at the last look; what was added to it after that is lost: reading the new one \
                     from its beginning, as generation {}",
                    track.length,
                    next.generation
                );
                Ok((Track::fresh(next, listed), Some(track.id)))
            }
        }
    }

    /// The partition of a file that is new under that name.
    pub(super) fn next_generation(&self, name: &str) -> PartitionId {
        let last = PartitionId { name: name.to_owned(), generation: u32::MAX };
        let former = self.former.range(PartitionId::first(name)..=last).next_back().map(|(id, _)| id.generation);
        let newest = self.tracks.newest(name).max(former).unwrap_or(0);
        PartitionId { name: name.to_owned(), generation: newest + 1 }
    }

    pub(super) async fn compare(&self, consumed: &Mark, listed: &Listed) -> Result<Verdict, StoreError> {
        Ok(judge(consumed, &sight(&*self.source, consumed, listed).await?))
    }

    /// Moves the track's limit to the current last line end.
    async fn extend(&self, mut track: Track, listed: &Listed) -> Result<Track, Stop> {
        // A file that is shorter than at the last look has changed where no line end was found
        // before.
        let searched = if listed.length < track.length { 0 } else { track.searched };
        let floor = searched.max(track.limit.end);
        let head = self.head(&track, listed, floor).await?;
        let pin = if head.is_empty() { track.limit.identity.fingerprint } else { Fingerprint::of(&head) };
        let last = self.last_line(listed, pin, floor).await?;
        track.encoded = match track.limit.end {
            0 => encoded(if head.is_empty() { last.head() } else { &head }),
            _ => None,
        };
        if track.encoded.is_some() {
            track.limit.identity.revision = listed.revision.clone();
            (track.searched, track.length) = (0, listed.length);
            return Ok(track);
        }
        if let Some(end) = last.end {
            track.limit.end = end;
            track.limit.landed_tail = false;
        }
        track.searched = listed.length.max(floor);
        if let Unterminated::Land { max_line } = self.rules.unterminated {
            let rest = listed.length.saturating_sub(track.limit.end);
            if rest > 0 && rest <= max_line {
                let line = self.read(listed, pin, track.limit.end, listed.length).await?;
                if is_object(&line) {
                    track.limit.end = listed.length;
                    track.limit.landed_tail = true;
                }
            }
        }
        self.learn(&mut track, listed, &head, &last).await?;
        track.limit.identity.revision = listed.revision.clone();
        track.length = listed.length;
        track.appended_ms = self.source.appended_ms(listed);
        Ok(track)
    }

    /// Learns the bytes by which the file will be recognised, up to the limit.
    async fn learn(&self, track: &mut Track, listed: &Listed, head: &[u8], last: &LastLine) -> Result<(), StoreError> {
        let (end, identity) = (track.limit.end, &mut track.limit.identity);
        let covered = end.min(Fingerprint::MAX);
        if identity.fingerprint.length < covered {
            let head = if head.is_empty() { last.head() } else { head };
            let head = match head.get(..usize::try_from(covered).unwrap_or(usize::MAX)) {
                Some(head) => Fingerprint::of(head),
                None => Fingerprint::of(&self.read(listed, identity.fingerprint, 0, covered).await?),
            };
            identity.fingerprint = head;
        }
        // A blob's creation tells it apart; a file may be replaced by a copy.
        let known = identity.anchor.is_some_and(|anchor| anchor.end == end);
        if let Some(range) = Anchor::range(end).filter(|_| self.source.has_links() && !known) {
            identity.anchor = Some(match last.bytes(&range) {
                Some(bytes) => Anchor::of(end, bytes),
                None => {
                    let bytes = self.read(listed, identity.fingerprint, range.start, range.end).await?;
                    Anchor::of(end, &bytes)
                }
            });
        }
        Ok(())
    }

    /// The file's first bytes, unless they are known or the first step of the search will bring
    /// them. With them, later reads are refused if another file has taken the name meanwhile.
    async fn head(&self, track: &Track, listed: &Listed, floor: u64) -> Result<Vec<u8>, StoreError> {
        let covered = listed.length.min(Fingerprint::MAX);
        let in_first_step = listed.length.saturating_sub(STEP_MIN).max(floor) == 0;
        if in_first_step || listed.length <= floor || track.limit.identity.fingerprint.length >= covered {
            return Ok(Vec::new());
        }
        self.read(listed, track.limit.identity.fingerprint, 0, covered).await
    }

    /// The last line end at or beyond `floor`.
    async fn last_line(&self, listed: &Listed, pin: Fingerprint, floor: u64) -> Result<LastLine, StoreError> {
        let (mut high, mut step) = (listed.length, STEP_MIN);
        while high > floor {
            let low = high.saturating_sub(step).max(floor);
            let bytes = self.read(listed, pin, low, high).await?;
            if let Some(newline) = memchr::memrchr(b'\n', &bytes) {
                return Ok(LastLine { end: Some(low + newline as u64 + 1), bytes, start: low });
            }
            (high, step) = (low, (step * 2).min(STEP_MAX));
        }
        Ok(LastLine::default())
    }

    /// Reads a range of the listed file, if the file still begins as `pin` requires.
    async fn read(&self, listed: &Listed, pin: Fingerprint, start: u64, end: u64) -> Result<Vec<u8>, StoreError> {
        self.source.read(&listed.name, &listed.identity(pin), start..end, Vec::new()).await
    }
}

fn is_object(line: &[u8]) -> bool {
    line.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok()
}
