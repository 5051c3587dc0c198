//! The leaves of a schema: each is a column of the file, at the end of a path through structs and
//! lists.

use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use parquet::errors::ParquetError;
use parquet::schema::types::{ColumnDescPtr, SchemaDescriptor};

/// A leaf, and the way to it.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    /// The index of the schema's field that it belongs to.
    pub(super) root: usize,
    /// The way from that field down to the leaf.
    pub(super) nodes: Vec<Node>,
    /// The names of the fields on that way.
    pub(super) names: Vec<String>,
    pub(super) field_id: Option<i32>,
    pub(super) data_type: DataType,
    pub(super) column: ColumnDescPtr,
}

/// A field on the way to a leaf.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) nullable: bool,
    pub(super) next: Next,
}

/// Where the way goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Next {
    /// To the field of this index of a struct.
    Field(usize),
    /// To the values of a list.
    Items,
    /// Nowhere: this is the leaf.
    Leaf,
}

impl Leaf {
    /// The leaves of `schema`, which `file` describes, in the order of the file's columns.
    pub(super) fn all(schema: &Schema, file: &SchemaDescriptor) -> Result<Vec<Leaf>, ParquetError> {
        let mut found = Vec::new();
        for (root, field) in schema.fields().iter().enumerate() {
            descend(field, root, &mut Way::default(), &mut found);
        }
        if found.len() != file.num_columns() {
            let (ours, theirs) = (found.len(), file.num_columns());
            return Err(ParquetError::General(format!("a schema has {ours} leaves, its file {theirs}")));
        }
        let leaf = |(found, column): (Found<'_>, &ColumnDescPtr)| Leaf {
            root: found.root,
            nodes: found.way.nodes,
            names: found.way.names,
            field_id: found.field.metadata().get(PARQUET_FIELD_ID_META_KEY).and_then(|id| id.parse().ok()),
            data_type: found.field.data_type().clone(),
            column: column.clone(),
        };
        Ok(found.into_iter().zip(file.columns()).map(leaf).collect())
    }

    /// Whether it is within a list, so that a row may have any number of its values.
    pub(super) fn is_listed(&self) -> bool {
        self.nodes.iter().any(|node| node.next == Next::Items)
    }

    /// The error of an array that is not as the schema has it.
    pub(super) fn mismatch(&self, what: &str) -> ParquetError {
        ParquetError::General(format!("column {:?}: {what}", self.names.join(".")))
    }
}

#[derive(Clone, Default)]
struct Way {
    nodes: Vec<Node>,
    names: Vec<String>,
}

struct Found<'s> {
    root: usize,
    way: Way,
    field: &'s Field,
}

fn descend<'s>(field: &'s Field, root: usize, way: &mut Way, found: &mut Vec<Found<'s>>) {
    way.names.push(field.name().clone());
    let mut go = |next, to: Option<&'s Field>, way: &mut Way| {
        way.nodes.push(Node { nullable: field.is_nullable(), next });
        match to {
            Some(to) => descend(to, root, way, found),
            None => found.push(Found { root, way: way.clone(), field }),
        }
        way.nodes.pop();
    };
    match field.data_type() {
        DataType::Struct(fields) => {
            for (index, to) in fields.iter().enumerate() {
                go(Next::Field(index), Some(to), way);
            }
        }
        DataType::List(items) | DataType::LargeList(items) => go(Next::Items, Some(items), way),
        _ => go(Next::Leaf, None, way),
    }
    way.names.pop();
}
