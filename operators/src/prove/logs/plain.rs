//! The second path from bytes to rows: line by line, on one thread.

use super::columns::{Columns, ITEM, REJECT, RESOURCE, ROLE, SERVER};
use super::lines::Line;
use super::roles::Routing;
use super::row::Fault;
use super::shape::{self, LineRules};
use crate::error::Stop;
use crate::format::logs::record::{REJECT_RAW_LIMIT, Reason};
use crate::format::logs::settings::{Destination, RowSettings};
use crate::totals::hash;

/// The tables' indices, in the order in which a run claims them.
const PRIMARY: usize = 0;
const REPLICA: usize = 1;
/// The index of the rejects table.
pub(in crate::prove) const REJECTS: usize = 2;

/// The rules of one pipeline's settings.
pub(in crate::prove) struct Plain<'s> {
    settings: &'s RowSettings,
    columns: Columns,
    csvlog: Columns,
    routing: Routing<'s>,
    reject: [hash::Column; 4],
    item: hash::Column,
}

impl<'s> Plain<'s> {
    /// The rules of `settings`. Fails only on an invalid glob.
    pub(in crate::prove) fn new(settings: &'s RowSettings) -> Result<Self, Stop> {
        let [reason, raw, length, detail] = REJECT;
        let reject = [(reason, "string"), (raw, "binary"), (length, "long"), (detail, "string")];
        Ok(Plain {
            settings,
            columns: Columns::of(settings.format),
            csvlog: Columns::of_csvlog(),
            item: hash::Column::new(ITEM, "long"),
            routing: Routing::new(settings)?,
            reject: reject.map(|(name, kind)| hash::Column::new(name, kind)),
        })
    }

    /// Lines longer than this are rejects.
    pub(in crate::prove) fn max_line(&self) -> u64 {
        self.settings.max_line
    }

    /// Where all lines of files of that `name` go, if they go to one table.
    pub(in crate::prove) fn of_file(&self, name: &str) -> Option<Destination> {
        self.routing.of_file(name)
    }

    /// Calls `tell` with each row of a line: its table, its number among the records of the line,
    /// and the sum of its values. A blank line has no row; most lines have one.
    pub(in crate::prove) fn rows(
        &self,
        of_file: Option<Destination>,
        line: &Line<'_>,
        mut tell: impl FnMut(usize, Option<u64>, u128),
    ) {
        if line.length > self.settings.max_line {
            let most = self.settings.raw.min(REJECT_RAW_LIMIT as u64);
            return tell(REJECTS, None, self.reject(line.bytes, line.length, most, &Reason::LineTooLong.into()));
        }
        let version = self.settings.rows_version;
        if line.is_blank(version) {
            return;
        }
        let rules = LineRules { columns: &self.columns, csvlog: &self.csvlog, settings: self.settings };
        shape::records(line.text(version), rules, |item, record, row| {
            let routed = row.and_then(|row| {
                let text = |name| row.text(&self.columns, name);
                let to = self.routing.of_row(of_file, text(ROLE), [text(SERVER), text(RESOURCE)])?;
                Ok((if to == Destination::Replica { REPLICA } else { PRIMARY }, row.sum(&self.columns)))
            });
            let (table, values) = routed.unwrap_or_else(|fault| {
                // A line that is one record is kept as it is, including what is not part of the
                // record.
                let raw = if item.is_some() { record } else { line.bytes };
                (REJECTS, self.reject(raw, raw.len() as u64, self.settings.raw, &fault))
            });
            let number = item.map_or(0, |item| self.item.number(item.cast_signed()));
            tell(table, item, values.wrapping_add(number));
        });
    }

    /// The sum of a reject's values, of which `most` bytes of `raw` are kept.
    fn reject(&self, raw: &[u8], length: u64, most: u64, fault: &Fault) -> u128 {
        let [of_reason, of_raw, of_length, of_detail] = self.reject;
        let values = [
            of_reason.bytes(fault.reason.as_str().as_bytes()),
            of_raw.bytes(&raw[..raw.len().min(usize::try_from(most).unwrap_or(usize::MAX))]),
            of_length.number(length.cast_signed()),
            fault.detail.as_ref().map_or(0, |detail| of_detail.bytes(detail.as_bytes())),
        ];
        values.into_iter().fold(0, u128::wrapping_add)
    }
}
