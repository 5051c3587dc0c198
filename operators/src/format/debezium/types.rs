//! What values mean: the types of Kafka Connect, and Debezium's names for what PostgreSQL's types
//! become.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::schema::{Block, Column, Columns};

/// The unit of a number that stands for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Thousandths of a second.
    Millis,
    /// Millionths of a second.
    Micros,
    /// Billionths of a second.
    Nanos,
}

/// What the values of a column mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// True or false.
    Boolean,
    /// A whole number of so many bits.
    Integer(u32),
    /// A binary floating-point number of so many bits. NaN and the infinities are texts.
    Float(u32),
    /// A text, among them uuid, xml, ranges, enums and numbers in string mode.
    Text,
    /// A text that is JSON: json, jsonb, and hstore in its mode `json`.
    Json,
    /// Bytes, in base64.
    Bytes,
    /// Bits, as bytes of which the lowest comes first, in base64. PostgreSQL's declared length.
    Bits(Option<u32>),
    /// A number with so many digits after the point; its digits are a number in base64.
    Decimal {
        /// The digits after the point; PostgreSQL's own may be below zero.
        scale: i32,
        /// All digits.
        precision: Option<u32>,
    },
    /// A number with a scale of its own.
    VariableScaleDecimal,
    /// Days since 1970.
    Date,
    /// A time of day, since midnight.
    Time(Unit),
    /// A moment without a zone, since 1970.
    Timestamp(Unit),
    /// A time of day with its zone, as text.
    ZonedTime,
    /// A moment with its zone, as text.
    ZonedTimestamp,
    /// An interval, as an approximate number.
    Duration(Unit),
    /// An interval, as ISO 8601 writes it.
    Interval,
    /// A point of a plane.
    Point,
    /// A shape, as WKB.
    Geometry,
    /// An array.
    Array(Box<Type>),
    /// An object whose values have one type.
    Map(Box<Type>),
    /// An object with fields of its own.
    Struct(Arc<Columns>),
    /// A type that this version does not know. Its values stay what they are.
    Other,
}

impl Type {
    /// The type that a schema block describes.
    pub(super) fn of(block: Block<'_>) -> Type {
        if let Some(ty) = block.name.as_deref().and_then(|name| Type::named(name, block.parameters.as_ref())) {
            return ty;
        }
        match block.kind.as_str() {
            "boolean" => Type::Boolean,
            "int8" => Type::Integer(8),
            "int16" => Type::Integer(16),
            "int32" => Type::Integer(32),
            "int64" => Type::Integer(64),
            "float" | "float32" => Type::Float(32),
            "double" | "float64" => Type::Float(64),
            "string" => Type::Text,
            "bytes" => Type::Bytes,
            "array" => Type::Array(Box::new(block.items.map_or(Type::Other, |items| Type::of(*items)))),
            "map" => Type::Map(Box::new(block.values.map_or(Type::Other, |values| Type::of(*values)))),
            "struct" => {
                let columns = block.fields.unwrap_or_default().into_iter().map(Column::from).collect();
                Type::Struct(Arc::new(Columns { name: block.name, columns }))
            }
            _ => Type::Other,
        }
    }

    /// The type of a name that has a meaning, with what is said beside it.
    pub(super) fn named(name: &str, parameters: Option<&BTreeMap<String, String>>) -> Option<Type> {
        let parameter = |name: &str| parameters.and_then(|all| all.get(name));
        let number = |name: &str| parameter(name).and_then(|text| text.parse().ok());
        let ty = match name {
            "org.apache.kafka.connect.data.Decimal" => {
                let scale = parameter("scale").and_then(|text| text.parse().ok())?;
                Type::Decimal { scale, precision: number("connect.decimal.precision") }
            }
            "io.debezium.data.VariableScaleDecimal" => Type::VariableScaleDecimal,
            "io.debezium.data.Bits" => Type::Bits(number("length")),
            "io.debezium.data.Json" => Type::Json,
            // Where `time.precision.mode` is `isostring`, the values are texts.
            "io.debezium.time.IsoDate" => Type::Date,
            "io.debezium.time.IsoTime" => Type::Time(Unit::Micros),
            "io.debezium.time.IsoTimestamp" => Type::Timestamp(Unit::Micros),
            "io.debezium.time.Date" | "org.apache.kafka.connect.data.Date" => Type::Date,
            "io.debezium.time.Time" | "org.apache.kafka.connect.data.Time" => Type::Time(Unit::Millis),
            "io.debezium.time.MicroTime" => Type::Time(Unit::Micros),
            "io.debezium.time.NanoTime" => Type::Time(Unit::Nanos),
            "io.debezium.time.Timestamp" | "org.apache.kafka.connect.data.Timestamp" => Type::Timestamp(Unit::Millis),
            "io.debezium.time.MicroTimestamp" => Type::Timestamp(Unit::Micros),
            "io.debezium.time.NanoTimestamp" => Type::Timestamp(Unit::Nanos),
            "io.debezium.time.ZonedTime" => Type::ZonedTime,
            "io.debezium.time.ZonedTimestamp" => Type::ZonedTimestamp,
            "io.debezium.time.MicroDuration" => Type::Duration(Unit::Micros),
            "io.debezium.time.NanoDuration" => Type::Duration(Unit::Nanos),
            "io.debezium.time.Interval" => Type::Interval,
            "io.debezium.data.geometry.Point" => Type::Point,
            "io.debezium.data.geometry.Geometry" | "io.debezium.data.geometry.Geography" => Type::Geometry,
            // Uuid, Xml, Enum, Ltree, Tsvector and the like are texts, and names of structs are the
            // tables'.
            _ => return None,
        };
        Some(ty)
    }
}
