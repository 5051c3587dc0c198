//! The source's side: each piece is read once for all tables, and each row is counted for its
//! table.

use std::collections::BTreeMap;
use std::ops::Range;

use super::extent::Piece;
use super::logs::lines::{Line, Splitter};
use super::logs::plain::Plain;
use super::sums::{At, Mebibytes, RowSums, bytes};
use super::{Progress, TABLES};
use crate::error::StoreError;
use crate::protocol::offsets::PartitionId;
use crate::protocol::sums::{FINEST_LOG2, Sum};
use crate::source::files::{ByteSource, Listed};
use crate::totals::hash;

/// Bytes per request.
const STEP: u64 = 4 << 20;
/// Bytes per request while looking for the end of the last line.
const STEP_BEHIND: u64 = 64 << 10;

/// Identifies a piece: its partition, and whether that is retired.
pub(super) type PieceId = (PartitionId, bool);

/// One piece to read, and the range that each table wants of it.
pub(super) struct Reading {
    pub(super) piece: Piece,
    pub(super) wanted: [Option<Range<u64>>; TABLES],
}

/// Merges the pieces that the tables want, so that each file is read once.
pub(super) fn readings<'p>(wishes: impl Iterator<Item = (usize, &'p Piece)>) -> Vec<Reading> {
    let mut readings: BTreeMap<PieceId, Reading> = BTreeMap::new();
    for (table, piece) in wishes {
        let empty = || Reading { piece: piece.clone(), wanted: [const { None }; TABLES] };
        let reading = readings.entry((piece.id.clone(), piece.retired)).or_insert_with(empty);
        reading.piece.widen(piece);
        reading.wanted[table] = Some(piece.range.clone());
    }
    readings.into_values().collect()
}

/// Reads a piece and counts its rows by table; none if its file disappeared meanwhile.
pub(super) async fn count(
    reading: &Reading,
    plain: &Plain<'_>,
    listed: Option<&Listed>,
    source: &dyn ByteSource,
    progress: &Progress,
) -> Result<Option<[Mebibytes; TABLES]>, StoreError> {
    let mut counted = [const { Mebibytes::new() }; TABLES];
    let read =
        each_row(&reading.piece, reading.piece.range.clone(), plain, source, progress, |table, (offset, _), row| {
            if reading.wanted[table].as_ref().is_some_and(|wanted| wanted.contains(&offset)) {
                *counted[table].entry(offset >> FINEST_LOG2).or_default() += Sum::row(row);
            }
        });
    match (read.await, listed) {
        (Ok(()), _) => Ok(Some(counted)),
        (Err(_), Some(file)) if !source.is_there(file).await? => Ok(None),
        (Err(error), _) => Err(error),
    }
}

/// The rows of `table` in one mebibyte of a piece.
pub(super) async fn rows(
    piece: &Piece,
    mebibyte: u64,
    table: usize,
    plain: &Plain<'_>,
    source: &dyn ByteSource,
) -> Result<RowSums, StoreError> {
    let mut rows = RowSums::new();
    let bytes = bytes(mebibyte);
    let range = bytes.start.max(piece.range.start)..bytes.end.min(piece.range.end);
    each_row(piece, range, plain, source, &Progress::default(), |of, at, row| {
        if of == table {
            rows.entry(at).or_default().push(row);
        }
    })
    .await?;
    Ok(rows)
}

/// Calls `tell` with table, place and checksum of each row whose line starts in `range`, a part of
/// the piece.
///
/// Positions lie at the ends of chunks, so a range may begin and end within a line. A line belongs
/// to the range in which it starts.
async fn each_row(
    piece: &Piece,
    range: Range<u64>,
    plain: &Plain<'_>,
    source: &dyn ByteSource,
    progress: &Progress,
    mut tell: impl FnMut(usize, At, u128),
) -> Result<(), StoreError> {
    let name = &piece.id.name;
    let (of_file, of_source) = (plain.of_file(name), hash::PartitionHash::new(&piece.id.to_string()));
    // If no line is known to start here, the first one starts after the first newline, searched
    // from the byte before.
    let is_line_start = range.start == 0 || piece.is_line_start && range.start == piece.range.start;
    let mut at = if is_line_start { range.start } else { range.start - 1 };
    let mut row = |line: Line<'_>| {
        if range.contains(&line.offset) {
            plain.rows(of_file, &line, |table, item, values| {
                tell(table, (line.offset, item), of_source.row(line.offset, values));
            });
        }
    };
    let mut splitter = Splitter::new(at, plain.max_line());
    let mut bytes = Vec::new();
    while at < piece.limit && splitter.line_start() < range.end {
        let step = if at < range.end { (range.end - at).min(STEP) } else { STEP_BEHIND };
        let to = piece.limit.min(at + step);
        bytes.clear();
        bytes = source.read(name, &piece.identity, at..to, bytes).await?;
        progress.read(bytes.len() as u64);
        splitter.feed(&bytes, &mut row);
        at = to;
    }
    splitter.finish(&mut row);
    Ok(())
}
