//! What users want to become of a table.

use crate::format::debezium::typed::{LakeType, Unrepresentable};

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

/// What is wanted of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableWish {
    /// The columns that tell rows apart; `None` for those that PostgreSQL has.
    pub key: Option<Vec<String>>,
    /// Whether the table has a change feed.
    pub feed: bool,
    /// What becomes of a TRUNCATE.
    pub on_truncate: OnTruncate,
    /// What becomes of a value that the lake has none for.
    pub unrepresentable: Unrepresentable,
    /// The columns that are texts, whatever PostgreSQL has.
    pub texts: Vec<String>,
}

impl TableWish {
    /// The type of a column, which would be `of`.
    pub(super) fn type_of(&self, name: &str, of: &LakeType) -> LakeType {
        if self.texts.iter().any(|text| text == name) { LakeType::Text } else { of.clone() }
    }
}

impl Default for TableWish {
    fn default() -> TableWish {
        TableWish {
            key: None,
            feed: true,
            on_truncate: OnTruncate::default(),
            unrepresentable: Unrepresentable::default(),
            texts: Vec::new(),
        }
    }
}
