//! What a scan finds in one line, whichever way it was scanned.

use super::columns::{Layout, MAX_COLUMNS, Scope, layout};
use super::rest::Rest;
use super::wrapper::Hints;
use crate::format::logs::settings::{Envelope, Format, RowSettings, UnknownKeys};

/// What one line has for each column.
pub(super) struct Line<'line> {
    /// The JSON text of each column's value, by the column's place; `None` if the key is absent.
    pub(super) values: [Option<Raw<'line>>; MAX_COLUMNS],
    /// What type `properties` has, if it is neither an object nor null.
    pub(super) properties_mistyped: Option<&'static str>,
    /// Which keys of wrappers it has, see `wrapper.rs`.
    pub(super) hints: Hints,
}

impl Line<'_> {
    pub(super) fn empty() -> Self {
        Line { values: [None; MAX_COLUMNS], properties_mistyped: None, hints: Hints::default() }
    }
}

/// A value as it stands in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Raw<'line> {
    /// The JSON text; a string includes its quotes.
    pub(super) text: &'line str,
    /// What is known about it.
    pub(super) known: Known,
}

/// What a scan knows about a value besides its text. It is as wide as a word because a narrower
/// one, written alone and copied with its padding, makes the processor wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Known {
    /// It is JSON.
    Nothing,
    /// It has no escapes.
    NoEscapes,
    /// Its text is the one that the column looked up last.
    SameAsLast,
}

/// How lines are scanned.
#[derive(Clone, Copy)]
pub(super) struct ScanRules {
    pub(super) layout: &'static Layout,
    pub(super) unknown_keys: UnknownKeys,
    /// Version 2 or later: a value is read if it can mean only one thing, and a line must have a
    /// key of the format.
    pub(super) lenient: bool,
    /// Envelopes and wrappers are opened.
    pub(super) opens: bool,
}

impl ScanRules {
    /// The newest rules, under which a line is a record or nothing.
    pub(super) fn new(format: Format, unknown_keys: UnknownKeys) -> Self {
        ScanRules { layout: layout(format), unknown_keys, lenient: true, opens: false }
    }

    /// The rules of `settings`.
    pub(super) fn of(settings: &RowSettings) -> Self {
        let RowSettings { rows_version, format, unknown_keys, envelope, .. } = *settings;
        let lenient = rows_version >= 2;
        ScanRules { lenient, opens: lenient && envelope == Envelope::Auto, ..ScanRules::new(format, unknown_keys) }
    }

    /// Whether a top-level key that is spelled like one of `properties` is told apart from it.
    pub(super) fn keeps_apart(&self) -> bool {
        self.lenient && self.layout.has_properties()
    }

    /// Adds an unknown key to `rest`, unless unknown keys are dropped.
    pub(super) fn unknown(&self, rest: &mut Rest, scope: Scope, name: &str, value: &str) {
        if self.unknown_keys != UnknownKeys::Drop {
            rest.add(scope, name, value);
        }
    }
}
