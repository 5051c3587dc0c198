//! Which value of an event's row goes into which column of the lake's table, and what the event has
//! that the table has not.

use std::sync::Arc;

use super::super::row::{Field, Row};
use super::super::schema::Columns;
use super::super::types::Type;
use super::kind::LakeType;
use super::rows::LakeColumn;

/// Something that the lake's table does not have as the event has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Novelty {
    /// A column is new. Its type is known only if the event names it.
    Added {
        /// The column.
        name: String,
        /// What it becomes.
        of: Option<LakeType>,
    },
    /// A column has another type.
    Changed {
        /// The column.
        name: String,
        /// What it is in the lake.
        from: LakeType,
        /// What it would become.
        to: LakeType,
    },
}

/// Where a field of a row goes.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub(super) name: Box<str>,
    /// The place of the lake's column; none if the table lacks it.
    pub(super) to: Option<usize>,
}

/// Where the fields of rows of one shape go.
#[derive(Clone, Debug)]
pub struct Plan {
    schema: Option<Arc<Columns>>,
    pub(super) fields: Vec<Planned>,
    /// Columns of the lake that the rows lack.
    pub(super) missing: Vec<usize>,
    novelties: Vec<Novelty>,
}

impl Plan {
    /// The plan for rows of the shape of `row`, into a table of the columns `lake`.
    pub fn new(lake: &[LakeColumn], row: &Row<'_>) -> Plan {
        let (mut fields, mut novelties) = (Vec::new(), Vec::new());
        for field in row.fields() {
            let to = lake.iter().position(|column| column.name == field.name);
            novelties.extend(novelty(to.map(|to| &lake[to]), &field));
            fields.push(Planned { name: field.name.into(), to });
        }
        let is_missing = |at: &usize| fields.iter().all(|planned| planned.to != Some(*at));
        let missing = (0..lake.len()).filter(is_missing).collect();
        Plan { schema: row.schema().cloned(), fields, missing, novelties }
    }

    /// Whether `row` has the shape that this is the plan for.
    pub fn fits(&self, row: &Row<'_>) -> bool {
        let is_same = match (&self.schema, row.schema()) {
            (Some(ours), Some(theirs)) => Arc::ptr_eq(ours, theirs),
            (ours, theirs) => ours.is_none() && theirs.is_none(),
        };
        is_same && row.fields().map(|field| field.name).eq(self.fields.iter().map(|planned| &*planned.name))
    }

    /// What the rows have that the table has not.
    pub fn novelties(&self) -> &[Novelty] {
        &self.novelties
    }

    /// Places of the lake's columns that the rows lack: they were dropped, or are a key's others.
    pub fn missing(&self) -> &[usize] {
        &self.missing
    }
}

fn novelty(column: Option<&LakeColumn>, field: &Field<'_, '_>) -> Option<Novelty> {
    let ty = field.column.map(|column| &column.ty);
    let name = || field.name.to_owned();
    match (column, ty.map(LakeType::of)) {
        (None, of) => Some(Novelty::Added { name: name(), of }),
        (Some(column), Some(to)) if !column.as_text && !reads(&column.of, &to, ty) => {
            Some(Novelty::Changed { name: name(), from: column.of.clone(), to })
        }
        _ => None,
    }
}

/// Whether values of `ty`, which would become `to`, can be read as `of`. Numbers arrive as texts
/// where `decimal.handling.mode` is `string`, and their bounds are known otherwise. Numbers of a
/// narrower type are from before the column was made wider.
fn reads(of: &LakeType, to: &LakeType, ty: Option<&Type>) -> bool {
    match (of, to, ty) {
        (LakeType::Decimal(..), _, Some(Type::Text)) => true,
        (LakeType::List(of), LakeType::List(to), Some(Type::Array(items))) => reads(of, to, Some(items)),
        _ => of == to || to.widens_to(of),
    }
}
