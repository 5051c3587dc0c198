//! What has to be read again: which bytes of which files a table's rows came from, and which of
//! these files are gone.
//!
//! Rows of a partition count from where the table's present settings began
//! ([`Account::from`](crate::protocol::account::Account)) up to the table's position. A file is
//! identified by its name, its length and its first bytes, as they were when it was first read.
//! What cannot be read again is [`Unverifiable`], with the reason and the extent; it is not a
//! difference.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::Serialize;

use super::there::There;
use crate::error::{Stop, StoreError};
use crate::format::logs::lines::{Mark, Offsets, Recorded};
use crate::protocol::offsets::PartitionId;
use crate::source::files::identity::{Fingerprint, Identity};
use crate::source::files::sight::sight;
use crate::source::files::watch::generation::{Sighting, Verdict, judge};
use crate::source::files::{ByteSource, Listed};

/// Rows that can no longer be read from the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unverifiable {
    /// Why.
    pub reason: String,
    /// The partition, if it is a single one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// How many bytes of the source they take.
    pub bytes: u64,
    /// How many rows the totals count there.
    pub rows: u64,
}

/// Bytes of one file that are to be read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) id: PartitionId,
    /// Identifies the file in requests.
    pub(super) identity: Identity,
    /// The piece consists of the lines that start in this range.
    pub(super) range: Range<u64>,
    /// Whether a line starts where the range does.
    pub(super) is_line_start: bool,
    /// The last line ends here at the latest.
    pub(super) limit: u64,
    /// Whether the partition is retired.
    pub(super) retired: bool,
}

impl Piece {
    /// Extends the piece to cover `other`, a piece of the same file, too.
    pub(super) fn widen(&mut self, other: &Piece) {
        if other.range.start < self.range.start {
            (self.range.start, self.is_line_start) = (other.range.start, other.is_line_start);
        }
        if other.range.end > self.range.end {
            (self.range.end, self.limit) = (other.range.end, other.limit);
        }
    }
}

/// Where the rows of a table come from.
#[derive(Debug, Default)]
pub(super) struct Extent {
    pub(super) pieces: Vec<Piece>,
    pub(super) unverifiable: Vec<Unverifiable>,
    /// The partitions among the offsets that cannot be read again.
    pub(super) gone: BTreeSet<PartitionId>,
    /// Whether everything that is retired can be read again.
    pub(super) retired_are_there: bool,
}

/// What became of a file.
enum Fate {
    There(Identity),
    Not(&'static str),
}

/// Finds the files of `recorded` in `there`, the source as it is now.
pub(super) async fn extent(recorded: &Recorded, there: &There<'_>, source: &dyn ByteSource) -> Result<Extent, Stop> {
    let (now, from) = (&recorded.standing.offsets, &recorded.account.from);
    let totals = recorded.totals();
    let mut extent = Extent::default();
    // Newest generation first, because a file that is there belongs to only one of them.
    let files = there.files_of(now, source).await;
    let mut taken: BTreeSet<&str> = BTreeSet::new();
    for (id, at) in now.partitions.iter().rev() {
        let range = from.at(id)..at.offset;
        let file = files.get(id);
        let seen = match file {
            Some(file) if taken.contains(file.name.as_str()) => {
                Fate::Not("another file, a later generation, now has this name")
            }
            Some(file) => see(at, file, source).await?,
            None => Fate::Not("it is no longer in the source"),
        };
        match seen {
            Fate::There(identity) => {
                taken.extend(file.map(|file| file.name.as_str()));
                if !range.is_empty() {
                    let limit = if at.landed_tail { at.offset } else { file.map_or(at.offset, |file| file.length) };
                    let is_line_start = from.partitions.get(id).is_some_and(|from| from.landed_tail);
                    extent.pieces.push(Piece { id: id.clone(), identity, range, is_line_start, limit, retired: false });
                }
            }
            Fate::Not(_) if range.is_empty() => {}
            Fate::Not(reason) => {
                let rows = totals.partitions.get(id).map_or(0, |buckets| buckets.sum().rows);
                let (source, bytes) = (Some(id.to_string()), range.end - range.start);
                extent.unverifiable.push(Unverifiable { reason: reason.to_owned(), source, bytes, rows });
                extent.gone.insert(id.clone());
            }
        }
    }
    extent.add_retired(recorded, there, source);
    extent.add_earlier(recorded);
    extent.unverifiable.sort_by(|a, b| a.source.cmp(&b.source));
    Ok(extent)
}

impl Extent {
    /// Adds the retired files: they were read whole, were created before a certain time, and are
    /// not among the partitions. If their lengths do not add up to the retired bytes, it is unknown
    /// which files these are.
    fn add_retired(&mut self, recorded: &Recorded, there: &There<'_>, source: &dyn ByteSource) {
        let (now, from) = (&recorded.standing.offsets, &recorded.account.from);
        let gone_since = from.partitions.iter().filter(|(id, _)| !now.partitions.contains_key(*id));
        let known: u64 = from.retired.bytes + gone_since.map(|(_, at)| at.offset).sum::<u64>();
        let wanted = now.retired.bytes.saturating_sub(known);
        let mut pieces = Vec::new();
        for file in there.files() {
            let among = now.newest(&file.name).is_some();
            let created = source.created_ms(&file.created);
            if among || created.is_none_or(|created| created >= now.retired.before_ms) {
                continue;
            }
            let before = from.newest(&file.name).filter(|(_, at)| at.identity.created == file.created);
            if before.is_none() && created.is_some_and(|created| created < from.retired.before_ms) {
                continue;
            }
            let (id, start, is_line_start) = match before {
                Some((id, at)) => (id.clone(), at.offset, at.landed_tail),
                None => (PartitionId::first(&file.name), 0, true),
            };
            if start < file.length {
                let (identity, range) = (file.identity(Fingerprint::default()), start..file.length);
                pieces.push(Piece { id, identity, range, is_line_start, limit: file.length, retired: true });
            }
        }
        let there: u64 = pieces.iter().map(|piece| piece.range.end - piece.range.start).sum();
        self.retired_are_there = there == wanted;
        if self.retired_are_there {
            self.pieces.extend(pieces);
            return;
        }
        let reason = match there < wanted {
            true => format!("{} bytes of finished blobs are no longer in the source", wanted - there),
            false => format!("finished blobs have {} bytes more than were read", there - wanted),
        };
        self.give_up_left(reason, wanted, recorded);
    }

    /// Gives up on finished blobs that are there, with as many bytes as were read, but under other
    /// names.
    pub(super) fn rename_left(&mut self, recorded: &Recorded) {
        let retired = self.pieces.extract_if(.., |piece| piece.retired);
        let bytes = retired.map(|piece| piece.range.end - piece.range.start).sum();
        self.retired_are_there = false;
        self.give_up_left("finished blobs were renamed after they were read".to_owned(), bytes, recorded);
    }

    fn give_up_left(&mut self, reason: String, bytes: u64, recorded: &Recorded) {
        let rows = recorded.totals().retired.rows;
        self.unverifiable.push(Unverifiable { reason, source: None, bytes, rows });
    }

    /// Gives up on a piece that disappeared while it was being read.
    pub(super) fn lose(&mut self, piece: &Piece, recorded: &Recorded) {
        let totals = recorded.totals();
        let rows = match piece.retired {
            true => totals.retired.rows,
            false => totals.partitions.get(&piece.id).map_or(0, |buckets| buckets.sum().rows),
        };
        let (reason, source) = ("it disappeared while it was being read".to_owned(), Some(piece.id.to_string()));
        self.unverifiable.push(Unverifiable { reason, source, bytes: piece.range.end - piece.range.start, rows });
        match piece.retired {
            true => self.retired_are_there = false,
            false => _ = self.gone.insert(piece.id.clone()),
        }
        self.pieces.retain(|other| (&other.id, other.retired) != (&piece.id, piece.retired));
    }

    /// Adds the rows that landed under settings that are no longer known.
    fn add_earlier(&mut self, recorded: &Recorded) {
        let bytes = recorded.account.from.position().since(recorded.origin.genesis);
        if bytes > 0 {
            let reason = "they landed under other settings ([rows], [roles], [tables]), which are no longer known";
            let rows = recorded.totals().earlier.rows;
            self.unverifiable.push(Unverifiable { reason: reason.to_owned(), source: None, bytes, rows });
        }
    }
}

/// Whether `file` is the one that was read as `id`, up to `at`.
async fn see(at: &Mark, file: &Listed, source: &dyn ByteSource) -> Result<Fate, StoreError> {
    // In a store without its own clock, anyone can set a revision.
    let is_told = file.modified_ms.is_some();
    let unchanged = is_told && file.created == at.identity.created && file.revision == at.identity.revision;
    let sighting = match unchanged {
        true => Sighting { length: file.length, fingerprint: Some(at.identity.fingerprint), anchor: None },
        false => match sight(source, at, file).await {
            Ok(sighting) => sighting,
            Err(_) if !source.is_there(file).await? => {
                return Ok(Fate::Not("it disappeared while it was being checked"));
            }
            Err(error) => return Err(error),
        },
    };
    Ok(match judge(at, &sighting) {
        Verdict::Same => Fate::There(file.identity(at.identity.fingerprint)),
        Verdict::Shrunk => Fate::Not("it is now shorter than the part that was read"),
        Verdict::Rewritten if sighting.fingerprint == Some(at.identity.fingerprint) => {
            Fate::Not("another file now has this name: it begins alike, and later bytes differ")
        }
        Verdict::Rewritten => Fate::Not("another file now has this name: its first bytes differ"),
    })
}

/// The offset from which on rows of each `_source` landed under the present settings, where that is
/// not its beginning.
pub(super) fn floors(from: &Offsets) -> BTreeMap<String, u64> {
    from.partitions.iter().map(|(id, at)| (id.to_string(), at.offset)).collect()
}
