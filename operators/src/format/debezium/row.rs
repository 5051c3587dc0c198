//! A row of an event: its columns in order, each with its raw value and what the schema block says
//! of it.

use std::sync::Arc;

use super::json::Members;
use super::reason::Reason;
use super::schema::{Column, Columns};
use super::toast;
use super::value;

/// The most columns of a row: a table of PostgreSQL has 1,600 at most, and `add.fields` adds some.
const MOST: usize = 2000;

/// A column of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'r, 'a> {
    /// The column's name.
    pub name: &'r str,
    /// Its value, as JSON.
    pub raw: &'a str,
    /// What the schema block says of it, if there is one.
    pub column: Option<&'r Column>,
}

impl Field<'_, '_> {
    /// Whether PostgreSQL has not sent the value, so that a placeholder is in its place.
    pub fn is_unavailable(&self) -> bool {
        toast::is_placeholder(self.raw)
    }

    /// Appends the plain form of the value.
    ///
    /// # Errors
    /// If the value is none of its type. The reason names the column.
    pub fn write(&self, out: &mut String) -> Result<(), Reason> {
        value::write(self.raw, self.column.map(|column| &column.ty), out).map_err(|reason| reason.of(self.name))
    }
}

/// The columns of a row, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row<'a> {
    members: Members<'a>,
    columns: Option<Arc<Columns>>,
}

impl<'a> Row<'a> {
    pub(super) fn new(
        members: Members<'a>,
        place: &'static str,
        columns: Option<Arc<Columns>>,
    ) -> Result<Row<'a>, Reason> {
        match members.0.len() {
            ..=MOST => Ok(Row { members, columns }),
            _ => Err(Reason::TooWide { place, most: MOST }),
        }
    }

    /// Reads the object `raw`.
    pub(super) fn read(raw: &'a str, place: &'static str, columns: Option<&Arc<Columns>>) -> Result<Row<'a>, Reason> {
        Row::new(Members::read(raw, place)?, place, columns.cloned())
    }

    /// The columns.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_, 'a>> {
        self.members.0.iter().enumerate().map(|(at, (name, raw))| {
            let column = self.columns.as_ref().and_then(|columns| columns.get(name, at));
            Field { name, raw, column }
        })
    }

    /// What the schema block says of its columns, if there is one. Rows with the same block share
    /// it, as long as the decoder remembers the block.
    pub fn schema(&self) -> Option<&Arc<Columns>> {
        self.columns.as_ref()
    }

    /// Whether it has a column of this name.
    pub fn has(&self, name: &str) -> bool {
        self.members.get(name).is_some()
    }

    /// The columns whose names `stays` takes.
    pub fn keep(mut self, stays: impl Fn(&str) -> bool) -> Row<'a> {
        self.members.0.retain(|(name, _)| stays(name));
        self
    }
}
