//! Opens lines that are not records: takes the records out of their envelope or wrapper, and
//! appends their rows.
//!
//! Only lines that would otherwise be rejected, or that have the keys of a wrapper, come here: a
//! plain line costs nothing.

use super::columns::record_layout;
use super::envelope::{Item, Items, is_bracket, is_object, listed};
use super::shape::{Opened, Shape};
use super::wrapper::{CRI_KEY, Found, Wrapper, container_line, each_member};
use super::{At, RowBuilder, ScanRules};
use crate::format::logs::record::Reason;
use crate::format::logs::settings::{Format, UnknownKeys};

/// Wrappers may be nested this deep.
const MOST_LAYERS: usize = 4;
/// The prefix, in `_rest`, of the names of keys beside a record.
const PREFIX: &str = "envelope.";

/// What a line was.
#[derive(Debug)]
pub enum Taken<'l> {
    /// A record: its row was appended.
    Row,
    /// A bracket of an array that spans many lines.
    Nothing,
    /// An envelope whose elements are still to be taken, see [`RowBuilder::take_item`].
    Items(Shape, Items<'l>),
}

impl RowBuilder {
    /// Appends the row of `line`, or returns what else it is. After an error, nothing was appended.
    ///
    /// Like [`push_text`](RowBuilder::push_text), but envelopes and wrappers are opened.
    pub fn take<'l>(&mut self, line: &'l str, offset: u64) -> Result<Taken<'l>, Reason> {
        let at = At { offset, item: None };
        match self.append(line, at, self.rules) {
            Ok(()) => Ok(Taken::Row),
            Err(reason) if self.rules.opens => self.open(line, at, reason),
            Err(reason) => Err(reason),
        }
    }

    /// Appends the row of an element of the envelope `shape`.
    pub fn take_item(&mut self, shape: Shape, item: &Item<'_>, offset: u64) -> Result<(), Reason> {
        self.opened.record(shape);
        self.detail = None;
        if !item.text.starts_with('{') {
            return Err(Reason::NotAnObject);
        }
        self.record(item.text, At { offset, item: Some(item.number) })
    }

    /// What was opened since the last call.
    pub fn opened(&mut self) -> Opened {
        std::mem::take(&mut self.opened)
    }

    /// Opens a line that was refused as a record for `reason`.
    #[cold]
    fn open<'l>(&mut self, line: &'l str, at: At, reason: Reason) -> Result<Taken<'l>, Reason> {
        let trimmed = line.trim_start_matches(super::envelope::is_space);
        let items = |builder: &mut Self, shape, array: &str| {
            builder.opened.line(shape);
            Ok(Taken::Items(shape, Items::new(line, array.as_ptr().addr() - line.as_ptr().addr())))
        };
        match reason {
            Reason::NotAnObject if trimmed.starts_with('[') => items(self, Shape::Array, trimmed),
            Reason::InvalidJson if is_bracket(line) => Ok(Taken::Nothing),
            Reason::InvalidJson => {
                if let Some(object) = listed(line) {
                    self.record(object, at)?;
                    self.note(Shape::Listed);
                } else if let Some([time, stream, content]) = container_line(line) {
                    self.in_container(time, stream, content, at)?;
                } else {
                    return Err(reason);
                }
                Ok(Taken::Row)
            }
            Reason::UnknownShape => match Wrapper::find(line, self.rules.layout) {
                Some(Found::Batch(array)) => items(self, Shape::Records, array),
                _ => self.record(line, at).map(|()| Taken::Row),
            },
            reason => Err(reason),
        }
    }

    /// Appends the row of a text that is an object: a record, or a wrapper of one.
    fn record(&mut self, text: &str, at: At) -> Result<(), Reason> {
        let appended = self.layer(text, at, PREFIX, 0);
        self.outer.clear();
        appended
    }

    fn in_container(&mut self, time: &str, stream: &str, content: &str, at: At) -> Result<(), Reason> {
        if self.rules.unknown_keys != UnknownKeys::Drop {
            self.outer.add_as(PREFIX, "time", &format!("\"{time}\""));
            self.outer.add_as(PREFIX, "stream", &format!("\"{stream}\""));
        }
        let appended = self.layer(content, at, &format!("{PREFIX}{CRI_KEY}."), 1);
        self.outer.clear();
        appended.inspect(|()| self.note(Shape::Cri))
    }

    fn layer(&mut self, text: &str, at: At, prefix: &str, depth: usize) -> Result<(), Reason> {
        match self.append(text, at, self.rules) {
            Err(Reason::UnknownShape) => {}
            judged => return judged,
        }
        let as_it_is = ScanRules { opens: false, ..self.rules };
        let Some(Found::Wrapper(wrapper)) = Wrapper::find(text, self.rules.layout) else {
            // It has keys of a wrapper, but is not one.
            return self.append(text, at, as_it_is);
        };
        let record = wrapper.record()?;
        if depth == MOST_LAYERS || !is_object(&record) || !self.keep_others(text, wrapper.key, prefix) {
            return Err(Reason::UnknownShape);
        }
        if wrapper.has_csvlog_keys() && self.format == Format::Jsonlog {
            self.append(&record, at, ScanRules { layout: record_layout(self.format), ..as_it_is })?;
        } else {
            self.layer(&record, at, &format!("{prefix}{}.", wrapper.key), depth + 1)?;
        }
        self.note(wrapper.shape);
        Ok(())
    }

    /// Keeps the keys beside the record `key`. False if one could be mistaken for a key in the
    /// record.
    fn keep_others(&mut self, text: &str, key: &str, prefix: &str) -> bool {
        let mut is_exact = true;
        let told = each_member(text, |name, value| {
            if name == key || self.rules.unknown_keys == UnknownKeys::Drop {
                return;
            }
            is_exact &= name.strip_prefix(key).is_none_or(|rest| !rest.starts_with('.'));
            self.outer.add_as(prefix, &name, value);
        });
        told.is_some() && is_exact
    }

    /// Adds the keys beside the current record to those in it. False if the two could not be told
    /// apart.
    pub(super) fn add_outer(&mut self) -> bool {
        let is_exact = !self.rest.has(PREFIX);
        self.rest.append(&self.outer);
        is_exact
    }

    fn note(&mut self, shape: Shape) {
        self.opened.line(shape);
        self.opened.record(shape);
    }
}
