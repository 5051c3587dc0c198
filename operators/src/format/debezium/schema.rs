//! The schema block that Kafka Connect's converter puts beside a payload, if `schemas.enable` is
//! set.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::reason::Reason;
use super::types::Type;

/// A column, or any other field of a struct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The column's name.
    pub name: String,
    /// What its values mean.
    pub ty: Type,
    /// Whether it may be null.
    pub optional: bool,
    /// Whether the schema has a default for it.
    pub has_default: bool,
}

/// The fields of a struct, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// The struct's name, such as `cdc.public.orders.Value`.
    pub name: Option<String>,
    /// The fields.
    pub columns: Vec<Column>,
}

impl Columns {
    /// Reads the block of a key or value.
    pub(super) fn read(raw: &str, place: &'static str) -> Result<Arc<Columns>, Reason> {
        // The parser refuses blocks that are nested deeper than 128.
        let block: Block<'_> = serde_json::from_str(raw).map_err(|_| Reason::Schema { place })?;
        let name = block.name.clone();
        match Type::of(block) {
            Type::Struct(columns) => Ok(columns),
            // A key may be a bare number or text.
            _ => Ok(Arc::new(Columns { name, columns: Vec::new() })),
        }
    }

    /// The column with this name. `at` is where it probably is, since a payload has its columns in
    /// the schema's order.
    pub(super) fn get(&self, name: &str, at: usize) -> Option<&Column> {
        let likely = self.columns.get(at).filter(|column| column.name == name);
        likely.or_else(|| self.columns.iter().find(|column| column.name == name))
    }

    /// The columns of the struct in the field `name`.
    pub(super) fn inner(&self, name: &str) -> Option<&Arc<Columns>> {
        match self.get(name, 0).map(|column| &column.ty) {
            Some(Type::Struct(columns)) => Some(columns),
            _ => None,
        }
    }
}

/// The block as it is written.
#[derive(Deserialize)]
pub(super) struct Block<'a> {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) name: Option<String>,
    pub(super) field: Option<String>,
    #[serde(default)]
    optional: bool,
    #[serde(borrow, rename = "default")]
    default: Option<&'a RawValue>,
    pub(super) fields: Option<Vec<Block<'a>>>,
    pub(super) items: Option<Box<Block<'a>>>,
    pub(super) values: Option<Box<Block<'a>>>,
    #[serde(default)]
    pub(super) parameters: Option<BTreeMap<String, String>>,
}

impl From<Block<'_>> for Column {
    fn from(mut block: Block<'_>) -> Column {
        Column {
            name: block.field.take().unwrap_or_default(),
            optional: block.optional,
            has_default: block.default.is_some(),
            ty: Type::of(block),
        }
    }
}
