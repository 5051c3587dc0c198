//! A schema of Avro: types, and what Kafka Connect has noted beside them.

use std::collections::BTreeMap;

/// A schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    pub(super) root: Node,
    pub(super) named: Vec<Named>,
}

/// A type where it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The type.
    pub kind: Kind,
    /// What is noted beside it.
    pub notes: Notes,
}

/// A type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Null,
    /// True or false.
    Boolean,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 64 bits.
    Long,
    /// A floating-point number of 32 bits.
    Float,
    /// A floating-point number of 64 bits.
    Double,
    /// Bytes.
    Bytes,
    /// A text.
    String,
    /// Values of one type.
    Array(Box<Node>),
    /// Values of one type by name.
    Map(Box<Node>),
    /// A value of one of these.
    Union(Vec<Node>),
    /// A type with a name, by its place among all of the schema.
    Named(usize),
}

/// A type with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its name, with its namespace.
    pub name: String,
    /// What it is.
    pub what: What,
    /// What is noted beside it.
    pub notes: Notes,
}

/// What has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Fields, in order.
    Record(Vec<Field>),
    /// One of these words.
    Enum(Vec<String>),
    /// So many bytes.
    Fixed(usize),
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type.
    pub node: Node,
    /// Whether it has a default that is not null.
    pub has_default: bool,
}

/// What Kafka Connect, or whoever has made the schema, says of values beside their type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// `connect.name`: what the values mean to Connect.
    pub name: Option<String>,
    /// `connect.type`, for types that Avro does not have.
    pub ty: Option<String>,
    /// `connect.parameters`.
    pub parameters: BTreeMap<String, String>,
    /// `logicalType`.
    pub logical: Option<String>,
    /// `scale` and `precision` of a decimal.
    pub digits: Option<(i32, u32)>,
    /// Whether there is a `connect.default`.
    pub has_default: bool,
}

impl Schema {
    /// The type of the whole.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// The type with a name at this place.
    pub fn named(&self, at: usize) -> &Named {
        &self.named[at]
    }
}
