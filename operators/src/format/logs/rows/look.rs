//! Looks: what rejected lines look like, for messages to people.
//!
//! Nothing here decides what becomes of a line.

use super::columns::layout;
use super::envelope::is_space;
use super::shape::{Opened, Shape};
use super::wrapper::{Found, Wrapper};
use super::{RowBuilder, Taken};
use crate::format::logs::record::Reason;
use crate::format::logs::settings::{Format, RowSettings, UnknownKeys};

/// What a rejected line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Looks {
    /// A piece of a JSON document that spans many lines.
    Document,
    /// A shape that was not opened: the settings do not allow it, or what it holds is no record.
    Closed(Shape),
    /// A record of another format.
    Of(Format),
    /// An object about which nothing is known.
    Strange,
}

impl Looks {
    /// What a line that was rejected for `reason` looks like; none if the reason says it all.
    pub fn like(raw: &[u8], reason: Reason, settings: &RowSettings) -> Option<Looks> {
        let text = std::str::from_utf8(raw).ok()?;
        match reason {
            Reason::InvalidJson => opens_document(text).then_some(Looks::Document),
            Reason::NotAnObject => {
                text.trim_start_matches(is_space).starts_with('[').then_some(Looks::Closed(Shape::Array))
            }
            Reason::UnknownShape => Some(unknown(text, settings)),
            _ => None,
        }
    }
}

/// Whether a line opens an object or an array, as in a document that spans many lines: `{`, or
/// `"key": {`.
fn opens_document(text: &str) -> bool {
    let text = text.trim_matches(is_space);
    text == "{" || text.starts_with('"') && text.ends_with(['{', '['])
}

fn unknown(text: &str, settings: &RowSettings) -> Looks {
    match Wrapper::find(text, layout(settings.format)) {
        Some(Found::Batch(_)) => return Looks::Closed(Shape::Records),
        Some(Found::Wrapper(wrapper)) => return Looks::Closed(wrapper.shape),
        None => {}
    }
    let other = match settings.format {
        Format::Azure => Format::Jsonlog,
        Format::Jsonlog => Format::Azure,
    };
    match RowBuilder::new(other, UnknownKeys::Drop).opening().take(text, 0) {
        Ok(Taken::Row) => Looks::Of(other),
        _ => Looks::Strange,
    }
}

/// What the lines of a file were found to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Lines, or records in them, that are rows under the settings.
    pub rows: u64,
    /// Lines, or records in them, that are not.
    pub rejects: u64,
    /// The shapes that rows were taken out of.
    pub opened: Opened,
    /// What rejects look like, each once.
    pub looks: Vec<Looks>,
}

impl Looked {
    /// Reads `bytes`, the beginning of a file, up to their last newline.
    pub fn at(bytes: &[u8], settings: &RowSettings) -> Looked {
        let mut looked = Looked::default();
        let mut rows = RowBuilder::of(settings);
        let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else { return looked };
        for line in bytes[..end].split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
            let Ok(text) = std::str::from_utf8(line) else {
                looked.rejects += 1;
                continue;
            };
            if text.trim_matches(is_space).is_empty() {
                continue;
            }
            match rows.take(text, 0) {
                Ok(Taken::Row) => looked.rows += 1,
                Ok(Taken::Nothing) => {}
                Ok(Taken::Items(shape, items)) => {
                    for item in items {
                        let taken = rows.take_item(shape, &item, 0);
                        looked.judge(item.text, taken, settings);
                    }
                }
                Err(reason) => looked.judge(text, Err(reason), settings),
            }
        }
        looked.opened = rows.opened();
        looked
    }

    fn judge(&mut self, text: &str, taken: Result<(), Reason>, settings: &RowSettings) {
        let Err(reason) = taken else {
            self.rows += 1;
            return;
        };
        self.rejects += 1;
        let looks = Looks::like(text.as_bytes(), reason, settings).filter(|looks| !self.looks.contains(looks));
        self.looks.extend(looks);
    }
}

#[cfg(test)]
mod tests;
