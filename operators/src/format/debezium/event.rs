//! A change of a row, or of a table, as an event tells it.

use super::row::Row;
use super::source::{Source, Table, Transaction};

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A row is new.
    Insert,
    /// A row has other values.
    Update,
    /// A row is gone.
    Delete,
    /// All rows are gone.
    Truncate,
    /// A snapshot has read a row.
    Read,
    /// A row has these values now. An unwrapped event without `__op` does not tell an insert from
    /// an update or from a row of a snapshot.
    Upsert,
}

impl Operation {
    /// The operation of Debezium's letter. `m` is none: it is a message.
    pub(super) fn of(letter: &str) -> Option<Operation> {
        match letter {
            "c" => Some(Operation::Insert),
            "u" => Some(Operation::Update),
            "d" => Some(Operation::Delete),
            "t" => Some(Operation::Truncate),
            "r" => Some(Operation::Read),
            _ => None,
        }
    }

    /// Whether there is a row after it.
    pub fn has_row(self) -> bool {
        !matches!(self, Operation::Delete | Operation::Truncate)
    }
}

/// The record's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key<'a> {
    /// The record was given without its key.
    Unknown,
    /// There is none: the table has no key, or the event is no row's.
    None,
    /// The columns of the key.
    Row(Row<'a>),
    /// A key that Debezium did not make, as JSON or as text.
    Foreign(&'a str),
}

impl<'a> Key<'a> {
    /// The columns of the key.
    pub fn row(&self) -> Option<&Row<'a>> {
        match self {
            Key::Row(row) => Some(row),
            _ => None,
        }
    }
}

/// The row as it was before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Before<'a> {
    /// The event does not have it.
    Absent,
    /// All columns, as they were.
    Row(Row<'a>),
    /// The columns of the key. The other values that the event has may be fillers, which Debezium
    /// puts where PostgreSQL has sent nothing.
    Key(Row<'a>),
}

impl<'a> Before<'a> {
    /// What is known of the row before a delete, from the event's `before` and its key.
    ///
    /// Under `REPLICA IDENTITY DEFAULT` PostgreSQL sends the key alone. Debezium then writes null
    /// for a column that may be null, and the column's default or a filler such as 0, an empty
    /// text or 1970 for one that may not. An event does not name the replica identity. That it is
    /// FULL follows if the table has no key, because PostgreSQL then refuses to delete otherwise;
    /// and if a column outside the key that may be null, and has no default, has a value.
    pub(super) fn of_delete(row: Row<'a>, key: &Key<'a>) -> Before<'a> {
        let is_full = match key {
            Key::None => true,
            Key::Row(key) => row.fields().any(|field| {
                let is_optional = field.column.is_some_and(|column| column.optional && !column.has_default);
                is_optional && !key.has(field.name) && field.raw != "null" && !field.is_unavailable()
            }),
            Key::Unknown | Key::Foreign(_) => false,
        };
        match key {
            _ if is_full => Before::Row(row),
            Key::Row(key) => Before::Key(row.keep(|name| key.has(name))),
            _ => Before::Absent,
        }
    }

    /// The columns that are known.
    pub fn row(&self) -> Option<&Row<'a>> {
        match self {
            Before::Absent => None,
            Before::Row(row) | Before::Key(row) => Some(row),
        }
    }
}

/// The other key of a change of the primary key, which arrives as a delete and an insert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OtherKey<'a> {
    /// The row was under this key before.
    Old(Key<'a>),
    /// The row is under this key now.
    New(Key<'a>),
}

/// A change, as one event tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// What has happened.
    pub operation: Operation,
    /// The table.
    pub table: Table<'a>,
    /// The row as it was.
    pub before: Before<'a>,
    /// The row as it is now.
    pub after: Option<Row<'a>>,
    /// The record's key.
    pub key: Key<'a>,
    /// The other key, if the primary key was changed.
    pub other_key: Option<OtherKey<'a>>,
    /// Where in PostgreSQL's log it is.
    pub source: Source,
    /// The transaction.
    pub transaction: Option<Transaction<'a>>,
}
