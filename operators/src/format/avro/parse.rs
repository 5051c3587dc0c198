//! Reads schemas, which are JSON.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};
use thiserror::Error;

use super::schema::{Field, Kind, Named, Node, Notes, Schema, What};

/// Why a text is no schema.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotASchema {
    /// It is no JSON, or nested too deeply.
    #[error("it is not JSON, or nested too deeply")]
    Json,
    /// It names a type that is not there.
    #[error("it names a type {0:?} that it does not have")]
    Unknown(String),
    /// It has one name for two types.
    #[error("it has the type {0:?} twice")]
    Twice(String),
    /// It is JSON, and not what Avro has.
    #[error("{0} is not as Avro has it")]
    Unlike(&'static str),
}

impl Schema {
    /// Reads the schema in `text`, which may name types of `others`, each of which may name types
    /// of those before it.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &str, others: &[String]) -> Result<Schema, NotASchema> {
        let mut parser = Parser::default();
        for other in others {
            parser.text(other)?;
        }
        let root = parser.text(text)?;
        let named = parser.named.into_iter().collect::<Option<_>>().ok_or(NotASchema::Unlike("a type"))?;
        Ok(Schema { root, named })
    }
}

/// What was read so far. A type that is being read has a name, so that it can be used in itself.
#[derive(Default)]
struct Parser {
    places: HashMap<String, usize>,
    named: Vec<Option<Named>>,
}

impl Parser {
    fn text(&mut self, text: &str) -> Result<Node, NotASchema> {
        // The parser refuses what is nested deeper than 128, so that recursion ends.
        let value: Value = serde_json::from_str(text).map_err(|_| NotASchema::Json)?;
        self.node(&value, "")
    }

    /// A type, within a namespace.
    fn node(&mut self, value: &Value, space: &str) -> Result<Node, NotASchema> {
        match value {
            Value::String(name) => self.used(name, space),
            Value::Array(branches) => {
                let branches = branches.iter().map(|branch| self.node(branch, space)).collect::<Result<_, _>>()?;
                Ok(Node { kind: Kind::Union(branches), notes: Notes::default() })
            }
            Value::Object(object) => self.object(object, space),
            _ => Err(NotASchema::Unlike("a type")),
        }
    }

    fn object(&mut self, object: &Map<String, Value>, space: &str) -> Result<Node, NotASchema> {
        let notes = notes(object);
        let inner = |key, what| object.get(key).ok_or(NotASchema::Unlike(what));
        let kind = match object.get("type").ok_or(NotASchema::Unlike("a type"))? {
            Value::String(kind) => match kind.as_str() {
                "array" => Kind::Array(Box::new(self.node(inner("items", "an array")?, space)?)),
                "map" => Kind::Map(Box::new(self.node(inner("values", "a map")?, space)?)),
                "record" | "error" | "enum" | "fixed" => return self.define(kind, object, (notes, space)),
                name => self.used(name, space)?.kind,
            },
            // {"type": {"type": "int"}} is allowed, too.
            other => {
                let node = self.node(other, space)?;
                return Ok(if notes == Notes::default() { node } else { Node { notes, ..node } });
            }
        };
        Ok(Node { kind, notes })
    }

    /// A type by its name.
    fn used(&self, name: &str, space: &str) -> Result<Node, NotASchema> {
        let kind = match name {
            "null" => Kind::Null,
            "boolean" => Kind::Boolean,
            "int" => Kind::Int,
            "long" => Kind::Long,
            "float" => Kind::Float,
            "double" => Kind::Double,
            "bytes" => Kind::Bytes,
            "string" => Kind::String,
            name => {
                let place = self.places.get(&full(name, space)).or_else(|| self.places.get(name));
                Kind::Named(*place.ok_or_else(|| NotASchema::Unknown(name.to_owned()))?)
            }
        };
        Ok(Node { kind, notes: Notes::default() })
    }

    /// A type that gets a name here.
    fn define(
        &mut self,
        kind: &str,
        object: &Map<String, Value>,
        (notes, space): (Notes, &str),
    ) -> Result<Node, NotASchema> {
        let text = |key| object.get(key).and_then(Value::as_str);
        let space = text("namespace").unwrap_or(space);
        let name = full(text("name").ok_or(NotASchema::Unlike("a type's name"))?, space);
        let space = name.rsplit_once('.').map_or("", |(space, _)| space).to_owned();
        let place = self.named.len();
        if self.places.insert(name.clone(), place).is_some() {
            return Err(NotASchema::Twice(name));
        }
        self.named.push(None);
        let list = |key, what| object.get(key).and_then(Value::as_array).ok_or(NotASchema::Unlike(what));
        let what = match kind {
            "enum" => {
                let words = list("symbols", "an enum")?.iter().map(|word| word.as_str().map(str::to_owned));
                What::Enum(words.collect::<Option<_>>().ok_or(NotASchema::Unlike("an enum"))?)
            }
            "fixed" => {
                let size = object.get("size").and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok());
                What::Fixed(size.ok_or(NotASchema::Unlike("the size of a fixed type"))?)
            }
            _ => {
                let fields = list("fields", "a record")?.iter().map(|field| self.field(field, &space));
                What::Record(fields.collect::<Result<_, _>>()?)
            }
        };
        self.named[place] = Some(Named { name, what, notes });
        Ok(Node { kind: Kind::Named(place), notes: Notes::default() })
    }

    fn field(&mut self, field: &Value, space: &str) -> Result<Field, NotASchema> {
        let name = field.get("name").and_then(Value::as_str).ok_or(NotASchema::Unlike("a field's name"))?;
        let node = self.node(field.get("type").ok_or(NotASchema::Unlike("a field"))?, space)?;
        let has_default = field.get("default").is_some_and(|default| !default.is_null());
        Ok(Field { name: name.to_owned(), node, has_default })
    }
}

/// A name with its namespace.
fn full(name: &str, space: &str) -> String {
    if name.contains('.') || space.is_empty() { name.to_owned() } else { format!("{space}.{name}") }
}

fn notes(object: &Map<String, Value>) -> Notes {
    let text = |key| object.get(key).and_then(Value::as_str).map(str::to_owned);
    let number = |key| object.get(key).and_then(Value::as_i64);
    let logical = text("logicalType");
    let scale = number("scale").unwrap_or_default();
    let digits = number("precision").filter(|_| logical.as_deref() == Some("decimal"));
    let digits = digits.and_then(|precision| Some((i32::try_from(scale).ok()?, u32::try_from(precision).ok()?)));
    let parameters = object.get("connect.parameters").and_then(Value::as_object);
    let parameter = |(key, value): (&String, &Value)| value.as_str().map(|value| (key.clone(), value.to_owned()));
    Notes {
        name: text("connect.name"),
        ty: text("connect.type"),
        parameters: parameters
            .map(|all| all.iter().filter_map(parameter).collect::<BTreeMap<_, _>>())
            .unwrap_or_default(),
        logical,
        digits,
        has_default: object.contains_key("connect.default"),
    }
}
