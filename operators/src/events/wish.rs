//! What users want to become of a table.

use super::table::key_of;
use crate::format::debezium::typed::{LakeType, Unrepresentable};
use crate::format::debezium::{Event, Operation};

/// What becomes of a TRUNCATE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnTruncate {
    /// The lake's table loses its rows too.
    #[default]
    Apply,
    /// They stay.
    Ignore,
}

impl OnTruncate {
    /// The word that pipeline files have for it.
    pub fn word(self) -> &'static str {
        match self {
            OnTruncate::Apply => "apply",
            OnTruncate::Ignore => "ignore",
        }
    }
}

/// What becomes of a table that has no key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keyless {
    /// Its new rows are appended.
    #[default]
    Append,
    /// Its events are rejects.
    Refuse,
}

impl Keyless {
    /// The word that pipeline files have for it.
    pub fn word(self) -> &'static str {
        match self {
            Keyless::Append => "append",
            Keyless::Refuse => "refuse",
        }
    }
}

/// What becomes of a table one of whose columns has another type in PostgreSQL now, or whose key
/// is another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnIncompatible {
    /// It stands still: its topic is not read further until somebody decides.
    #[default]
    Stop,
    /// Its events are rejects.
    Reject,
}

impl OnIncompatible {
    /// The word that pipeline files have for it.
    pub fn word(self) -> &'static str {
        match self {
            OnIncompatible::Stop => "stop",
            OnIncompatible::Reject => "reject",
        }
    }
}

/// What becomes of a table one of whose columns has a wider type in PostgreSQL now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnWiden {
    /// The same as of one that has any other type.
    #[default]
    Stop,
    /// Its rows are written anew with the wider type, and it goes on.
    Widen,
}

impl OnWiden {
    /// The word that pipeline files have for it.
    pub fn word(self) -> &'static str {
        match self {
            OnWiden::Stop => "stop",
            OnWiden::Widen => "widen",
        }
    }
}

/// What the rows that are there have in a column that is new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnAddDefault {
    /// What they have in PostgreSQL, as far as that tells.
    #[default]
    Backfill,
    /// Null.
    Null,
}

impl OnAddDefault {
    /// The word that pipeline files have for it.
    pub fn word(self) -> &'static str {
        match self {
            OnAddDefault::Backfill => "backfill",
            OnAddDefault::Null => "null",
        }
    }
}

/// What is wanted of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableWish {
    /// The columns that tell rows apart; `None` for those that PostgreSQL has.
    pub key: Option<Vec<String>>,
    /// What becomes of it if there are none.
    pub keyless: Keyless,
    /// Whether the table has a change feed.
    pub feed: bool,
    /// Whether it has columns that say where each row's last change is from.
    pub metadata: bool,
    /// What becomes of a TRUNCATE.
    pub on_truncate: OnTruncate,
    /// What becomes of a value that the lake has none for.
    pub unrepresentable: Unrepresentable,
    /// The columns that are texts, whatever PostgreSQL has.
    pub texts: Vec<String>,
    /// What rows have in a new column.
    pub on_add_default: OnAddDefault,
    /// What becomes of another type or key.
    pub on_incompatible: OnIncompatible,
    /// What becomes of a wider type.
    pub on_widen: OnWiden,
}

impl TableWish {
    /// The columns that tell rows apart of a new table, of which `event` is: none if its rows are
    /// only appended; `None` if it cannot be made.
    pub(super) fn key_for(&self, event: &Event<'_>) -> Option<Vec<String>> {
        let key = self.key.clone().or_else(|| key_of(event));
        let is_new_row = matches!(event.operation, Operation::Insert | Operation::Read);
        key.or_else(|| (self.keyless == Keyless::Append && is_new_row).then(Vec::new))
    }

    /// The type of a column, which would be `of`.
    pub(super) fn type_of(&self, name: &str, of: &LakeType) -> LakeType {
        if self.texts.iter().any(|text| text == name) { LakeType::Text } else { of.clone() }
    }
}

impl Default for TableWish {
    fn default() -> TableWish {
        TableWish {
            key: None,
            keyless: Keyless::default(),
            feed: true,
            metadata: false,
            on_truncate: OnTruncate::default(),
            unrepresentable: Unrepresentable::default(),
            texts: Vec::new(),
            on_add_default: OnAddDefault::default(),
            on_incompatible: OnIncompatible::default(),
            on_widen: OnWiden::default(),
        }
    }
}
