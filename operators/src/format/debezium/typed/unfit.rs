//! Why a value does not fit the column of a lake. No text shows the value, because rows are secret.

use thiserror::Error;

use super::super::reason::Reason;

/// Why a row cannot be a row of the lake's table.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unfit {
    /// PostgreSQL has a value there that the lake has none for.
    #[error(
        "column {column:?} holds {what}, which its type in the lake cannot hold: take the column as text \
         (types = {{ {column:?} = \"string\" }}), or let such values be null (on_unrepresentable = \"null\")"
    )]
    Unrepresentable {
        /// The column.
        column: String,
        /// What it holds, such as "infinity".
        what: &'static str,
    },
    /// The value is none of the type that the lake's column has.
    #[error("the value of column {column:?} is no {expected}")]
    Type {
        /// The column.
        column: String,
        /// The type.
        expected: &'static str,
    },
    /// The number has more digits than the lake's column can have, or what arrives as numbers do is
    /// none, so PostgreSQL's column has another type now.
    #[error("the value of column {column:?} is more than its type in the lake can have")]
    Bounds {
        /// The column.
        column: String,
    },
    /// The value is none of the type that the event names.
    #[error(transparent)]
    Event(#[from] Reason),
}

/// The same, of a single value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Odd {
    /// See [`Unfit::Unrepresentable`].
    Unrepresentable(&'static str),
    /// See [`Unfit::Type`].
    Type(&'static str),
    /// See [`Unfit::Bounds`].
    Bounds,
    /// See [`Unfit::Event`].
    Event(Reason),
}

impl Odd {
    /// The same, of the column `name`.
    pub(super) fn of(self, name: &str) -> Unfit {
        let column = || name.to_owned();
        match self {
            Odd::Unrepresentable(what) => Unfit::Unrepresentable { column: column(), what },
            Odd::Type(expected) => Unfit::Type { column: column(), expected },
            Odd::Bounds => Unfit::Bounds { column: column() },
            Odd::Event(reason) => Unfit::Event(reason.of(name)),
        }
    }
}

impl From<Reason> for Odd {
    fn from(reason: Reason) -> Odd {
        Odd::Event(reason)
    }
}
