//! Keys and values in Avro: what their schemas say of columns, and the same as JSON, which is what
//! is decoded. That is one reading for both forms, at the price of writing each value once more.

use std::collections::HashMap;
use std::sync::Arc;

use super::reason::Reason;
use super::record::Part;
use super::schema::{Column, Columns};
use super::types::{Type, Unit};
use crate::format::avro::{Field, Id, Kind, Node, Notes, Schema, What, framed};

/// What errors call a key.
const KEY: &str = "key";
/// No registry gives a schema this id.
const NONE: Id = 0;
/// The most bytes that a text keeps for the next record.
const KEPT: usize = 1 << 20;

/// A schema, and what it says of the columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columned {
    schema: Schema,
    columns: Arc<Columns>,
}

/// The schemas of some records by their ids, each with the reason if it cannot be had.
pub type Schemas = HashMap<Id, Result<Arc<Columned>, Arc<str>>>;

/// Room for the parts of one record as JSON. It is used again for the next one.
#[derive(Debug, Default)]
pub struct Texts {
    key: Vec<u8>,
    value: Vec<u8>,
}

impl From<Schema> for Columned {
    fn from(schema: Schema) -> Columned {
        let mut describe = Describe { schema: &schema, named: HashMap::new() };
        let columns = match describe.ty(schema.root()) {
            Type::Struct(columns) => columns,
            // A key may be a bare number or text.
            _ => Arc::default(),
        };
        Columned { schema, columns }
    }
}

impl Texts {
    /// The key and the value of a record in Avro's form, if `schemas` are known. A part that has
    /// another form is text: not all that a connector writes need be in one.
    ///
    /// # Errors
    /// If one is neither text nor a value of its schema.
    pub fn read<'t>(
        &'t mut self,
        [key, value]: [Option<&'t [u8]>; 2],
        schemas: Option<&'t Schemas>,
    ) -> Result<[Part<'t>; 2], Reason> {
        Ok([part(key, KEY, schemas, &mut self.key)?, part(value, "value", schemas, &mut self.value)?])
    }
}

fn part<'t>(
    bytes: Option<&'t [u8]>,
    place: &'static str,
    schemas: Option<&'t Schemas>,
    out: &'t mut Vec<u8>,
) -> Result<Part<'t>, Reason> {
    let (id, body, schemas) = match (bytes.and_then(framed), schemas) {
        (None, _) => return Part::of(bytes),
        // A number of eight bytes begins so too.
        (Some((NONE, _)), _) | (Some(_), None) if place == KEY => return Part::of(bytes),
        (Some((NONE, _)), Some(_)) => return Err(Reason::OtherId { place }),
        (Some((id, _)), None) => return Err(Reason::InAvro { place, id }),
        (Some((id, body)), Some(schemas)) => (id, body, schemas),
    };
    let columned = match schemas.get(&id) {
        Some(Ok(columned)) => columned,
        Some(Err(why)) => return Err(Reason::Unschemed { place, id, why: why.clone() }),
        None => return Err(Reason::Unschemed { place, id, why: "which nobody has looked up".into() }),
    };
    if out.capacity() > KEPT {
        *out = Vec::new();
    }
    columned.schema.write(body, out).map_err(|why| Reason::Avro { place, id, why })?;
    let text = std::str::from_utf8(out).map_err(|_| Reason::NotUtf8)?;
    Ok(Part::Typed(text, &columned.columns))
}

/// Describes the types of a schema.
struct Describe<'a> {
    schema: &'a Schema,
    /// Those with names, each once, however often it is used. One that is used in itself is not
    /// known there.
    named: HashMap<usize, Type>,
}

impl Describe<'_> {
    fn ty(&mut self, node: &Node) -> Type {
        if let Some(ty) = told(&node.notes, &node.kind) {
            return ty;
        }
        match &node.kind {
            Kind::Boolean => Type::Boolean,
            Kind::Int => match node.notes.ty.as_deref() {
                Some("int8") => Type::Integer(8),
                Some("int16") => Type::Integer(16),
                _ => Type::Integer(32),
            },
            Kind::Long => Type::Integer(64),
            Kind::Float => Type::Float(32),
            Kind::Double => Type::Float(64),
            Kind::Bytes => Type::Bytes,
            Kind::String => Type::Text,
            Kind::Array(items) => Type::Array(Box::new(self.ty(items))),
            Kind::Map(values) => Type::Map(Box::new(self.ty(values))),
            Kind::Union(branches) => match &branches.iter().filter(|b| b.kind != Kind::Null).collect::<Vec<_>>()[..] {
                [one] => self.ty(one),
                _ => Type::Other,
            },
            Kind::Null => Type::Other,
            Kind::Named(at) => match self.named.get(at) {
                Some(ty) => ty.clone(),
                None => {
                    self.named.insert(*at, Type::Other);
                    let ty = self.defined(*at);
                    self.named.insert(*at, ty.clone());
                    ty
                }
            },
        }
    }

    /// The type with a name at this place of the schema.
    fn defined(&mut self, at: usize) -> Type {
        let named = self.schema.named(at);
        if let Some(ty) = told(&named.notes, &Kind::Named(at)) {
            return ty;
        }
        match &named.what {
            What::Record(fields) => {
                let columns = fields.iter().map(|field| self.column(field)).collect();
                let name = named.notes.name.clone().or_else(|| Some(named.name.clone()));
                Type::Struct(Arc::new(Columns { name, columns }))
            }
            What::Enum(_) => Type::Text,
            What::Fixed(_) => Type::Bytes,
        }
    }

    fn column(&mut self, field: &Field) -> Column {
        let is_null = |node: &Node| node.kind == Kind::Null;
        let branches: &[Node] = if let Kind::Union(branches) = &field.node.kind { branches } else { &[] };
        let has_default =
            field.has_default || field.node.notes.has_default || branches.iter().any(|branch| branch.notes.has_default);
        Column {
            name: field.name.clone(),
            ty: self.ty(&field.node),
            optional: branches.iter().any(is_null) || is_null(&field.node),
            has_default,
        }
    }
}

/// What notes beside a type say that its values mean: Connect's name, or else Avro's, which count
/// only for the types that Avro has them for.
fn told(notes: &Notes, kind: &Kind) -> Option<Type> {
    let named = notes.name.as_deref().and_then(|name| Type::named(name, Some(&notes.parameters)));
    named.or_else(|| match (notes.logical.as_deref()?, kind) {
        ("decimal", Kind::Bytes | Kind::Named(_)) => {
            notes.digits.map(|(scale, precision)| Type::Decimal { scale, precision: Some(precision) })
        }
        ("date", Kind::Int) => Some(Type::Date),
        ("time-millis", Kind::Int) => Some(Type::Time(Unit::Millis)),
        ("time-micros", Kind::Long) => Some(Type::Time(Unit::Micros)),
        ("timestamp-millis" | "local-timestamp-millis", Kind::Long) => Some(Type::Timestamp(Unit::Millis)),
        ("timestamp-micros" | "local-timestamp-micros", Kind::Long) => Some(Type::Timestamp(Unit::Micros)),
        ("timestamp-nanos" | "local-timestamp-nanos", Kind::Long) => Some(Type::Timestamp(Unit::Nanos)),
        _ => None,
    })
}
