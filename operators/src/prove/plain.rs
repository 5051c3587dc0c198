//! The second path from bytes to rows: one line after the other, on one thread.

use super::columns::{Columns, REJECT, RESOURCE, ROLE, SERVER};
use super::lines::Line;
use super::roles::Routing;
use super::row::{self, Fault};
use crate::error::Stop;
use crate::record::{REJECT_RAW_LIMIT, Reason};
use crate::settings::{Destination, RowSettings};
use crate::totals::hash;

/// The tables' places in the order in which a run claims them.
const PRIMARY: usize = 0;
const REPLICA: usize = 1;
/// The place of the rejects table.
pub(super) const REJECTS: usize = 2;

/// The rules of one pipeline's settings.
pub(super) struct Plain<'s> {
    settings: &'s RowSettings,
    columns: Columns,
    routing: Routing<'s>,
    reject: [hash::Column; 4],
}

impl<'s> Plain<'s> {
    /// The rules of `settings`. Fails only on a glob that is none.
    pub(super) fn new(settings: &'s RowSettings) -> Result<Self, Stop> {
        let [reason, raw, length, detail] = REJECT;
        let reject = [(reason, "string"), (raw, "binary"), (length, "long"), (detail, "string")];
        Ok(Plain {
            settings,
            columns: Columns::of(settings.format),
            routing: Routing::new(settings)?,
            reject: reject.map(|(name, kind)| hash::Column::new(name, kind)),
        })
    }

    /// Lines longer than this are rejects.
    pub(super) fn max_line(&self) -> u64 {
        self.settings.max_line
    }

    /// What all lines of files of that `name` share.
    pub(super) fn of_file(&self, name: &str) -> Option<Destination> {
        self.routing.of_file(name)
    }

    /// The table of a line's row, and what the row's values add up to; none if there is nothing on the line.
    pub(super) fn row(&self, of_file: Option<Destination>, line: &Line<'_>) -> Option<(usize, u128)> {
        if line.length > self.settings.max_line {
            return Some((REJECTS, self.reject(line, &Reason::LineTooLong.into())));
        }
        if line.is_blank(self.settings.rows_version) {
            return None;
        }
        let routed = row::read(line.text(self.settings.rows_version), &self.columns, self.settings).and_then(|row| {
            let text = |name| row.text(&self.columns, name);
            let to = self.routing.of_row(of_file, text(ROLE), [text(SERVER), text(RESOURCE)])?;
            Ok((if to == Destination::Replica { REPLICA } else { PRIMARY }, row.sum(&self.columns)))
        });
        Some(routed.unwrap_or_else(|fault| (REJECTS, self.reject(line, &fault))))
    }

    fn reject(&self, line: &Line<'_>, fault: &Fault) -> u128 {
        let [of_reason, of_raw, of_length, of_detail] = self.reject;
        let is_long = line.length > self.settings.max_line;
        let most = if is_long { self.settings.raw.min(REJECT_RAW_LIMIT as u64) } else { self.settings.raw };
        let raw = &line.bytes[..line.bytes.len().min(usize::try_from(most).unwrap_or(usize::MAX))];
        let values = [
            of_reason.bytes(fault.reason.as_str().as_bytes()),
            of_raw.bytes(raw),
            of_length.number(line.length.cast_signed()),
            fault.detail.as_ref().map_or(0, |detail| of_detail.bytes(detail.as_bytes())),
        ];
        values.into_iter().fold(0, u128::wrapping_add)
    }
}
