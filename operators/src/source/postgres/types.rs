//! How a hot column becomes a column of a lake: what is asked of PostgreSQL, and how the answer is
//! decoded.
//!
//! The binary form is taken as it is where that means the same. Elsewhere PostgreSQL casts, and
//! what it could only cast with a loss is refused before anything is copied.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::discover::{HotColumn, HotTable};
use crate::format::copy::Codec;
use crate::postgres::quoted;
use crate::totals::hash::OFFSET;

/// What marks a field whose texts are JSON, as Arrow's canonical extension types do.
const EXTENSION: &str = "ARROW:extension:name";
/// Its value.
const JSON: &str = "arrow.json";

/// How one column of a table is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedColumn {
    /// What is selected, as SQL.
    pub select: String,
    /// How it is decoded.
    pub codec: Codec,
}

/// How the rows of a table are copied.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is selected, as SQL, without the table.
    pub select: String,
    /// How it is decoded, column by column; the last is `_offset`.
    pub codecs: Vec<Codec>,
    /// The columns alone, in the order of the table's.
    pub columns: Vec<PlannedColumn>,
    /// The same columns, with the lake's field ids.
    pub schema: SchemaRef,
}

/// The field of a hot column in a table that is made for it.
pub fn default_field(column: &HotColumn) -> Field {
    let field = Field::new(&column.name, natural(column).data_type(), column.nullable);
    match &*column.of {
        "json" | "jsonb" => field.with_metadata([(EXTENSION.to_owned(), JSON.to_owned())].into()),
        _ => field,
    }
}

/// Whether the texts of a field are JSON.
pub(crate) fn is_json(field: &Field) -> bool {
    field.metadata().get(EXTENSION).is_some_and(|name| name == JSON)
}

/// How `table` is copied into a table of the lake that has `fields`: each hot column into the field
/// of its name. The error names the column and both types; `shown` is what messages call the type
/// of a field.
pub fn plan(table: &HotTable, fields: &[Field], shown: impl Fn(&str) -> String) -> Result<Plan, String> {
    let (mut columns, mut planned) = (Vec::new(), Vec::new());
    for column in &table.columns {
        let field = fields.iter().find(|field| field.name().eq_ignore_ascii_case(&column.name));
        let field = field.ok_or_else(|| format!("column {:?} is missing in the lake", column.name))?;
        let column = convert(column, field.data_type()).ok_or_else(|| {
            format!(
                "column {:?} is {} in PostgreSQL and {} in the lake",
                column.name,
                column.shown,
                shown(field.name())
            )
        })?;
        columns.push(column);
        planned.push(field.clone());
    }
    let mut selects: Vec<String> = columns.iter().map(|column| column.select.clone()).collect();
    let mut codecs: Vec<Codec> = columns.iter().map(|column| column.codec.clone()).collect();
    // The place of the row, for its checksum; a number below zero counts as zero.
    selects.push(format!("greatest({}::int8, 0)", quoted(&table.sequence)));
    codecs.push(Codec::Int64);
    planned.push(Field::new(OFFSET, DataType::Int64, false));
    Ok(Plan { select: selects.join(", "), codecs, columns, schema: Arc::new(Schema::new(planned)) })
}

/// How a column is decoded if the lake's column has the type that fits it best.
fn natural(column: &HotColumn) -> Codec {
    match &column.element {
        Some(element) => match scalar(element, column.modifier) {
            Some(codec) => Codec::List(Box::new(codec)),
            None => Codec::Text,
        },
        None if column.is_enum => Codec::Text,
        None => scalar(&column.of, column.modifier).unwrap_or(Codec::Text),
    }
}

/// The codec of the binary form of a type; `None` if it is taken as text.
fn scalar(of: &str, modifier: i32) -> Option<Codec> {
    Some(match of {
        "bool" => Codec::Bool,
        "int2" => Codec::Int16,
        "int4" => Codec::Int32,
        "int8" => Codec::Int64,
        "float4" => Codec::Float32,
        "float8" => Codec::Float64,
        "text" | "varchar" | "bpchar" | "name" | "json" => Codec::Text,
        "jsonb" => Codec::Jsonb,
        "bytea" => Codec::Bytes,
        "uuid" => Codec::Uuid,
        "date" => Codec::Date,
        "time" => Codec::Time,
        "timestamp" => Codec::Timestamp,
        "timestamptz" => Codec::Timestamptz,
        "numeric" => {
            let (precision, scale) = digits(modifier)?;
            Codec::Decimal { precision, scale }
        }
        _ => return None,
    })
}

/// The digits of `numeric(p, s)`, if a lake has such decimals. The modifier's form is that of
/// `numeric.c`: the precision in the upper half, eleven bits of scale in the lower.
pub fn digits(modifier: i32) -> Option<(u8, i8)> {
    let packed = modifier.checked_sub(4).filter(|packed| *packed >= 0)?;
    let (precision, scale) = (packed >> 16, ((packed & 0x7ff) ^ 1024) - 1024);
    let fits = (1..=38).contains(&precision) && (0..=precision).contains(&scale);
    fits.then_some((u8::try_from(precision).ok()?, i8::try_from(scale).ok()?))
}

/// How `column` becomes a column of the type `to`; `None` if only a loss could make it one.
fn convert(column: &HotColumn, to: &DataType) -> Option<PlannedColumn> {
    let name = quoted(&column.name);
    let natural = natural(column);
    // What has no binary form that is taken is cast to text.
    let is_text = column.element.is_none() && (column.is_enum || scalar(&column.of, column.modifier).is_some());
    let as_is = |codec: Codec| Some(PlannedColumn { select: name.clone(), codec });
    let cast = |of: &str, codec: Codec| Some(PlannedColumn { select: format!("{name}::{of}"), codec });
    use DataType::{Decimal128, Float64, Int32, Int64, Timestamp, Utf8};
    match (&natural, to) {
        (Codec::Text, Utf8) if is_text => as_is(Codec::Text),
        (Codec::Jsonb, Utf8) => as_is(Codec::Jsonb),
        (Codec::Text, _) if column.of == "numeric" => match to {
            Utf8 => cast("pg_catalog.text", Codec::Text),
            Float64 => cast("pg_catalog.float8", Codec::Float64),
            Decimal128(precision, scale) => as_is(Codec::Decimal { precision: *precision, scale: *scale }),
            _ => None,
        },
        (_, Utf8) => cast("pg_catalog.text", Codec::Text),
        // Only values that Parquet has a place for: so it is no type of tables that are made.
        (Codec::Text, DataType::FixedSizeBinary(12)) if column.of == "interval" => as_is(Codec::Interval),
        (natural, to) if natural.data_type().equals_datatype(to) => as_is(natural.clone()),
        (Codec::Int16, Int32) => cast("pg_catalog.int4", Codec::Int32),
        (Codec::Int16 | Codec::Int32, Int64) => cast("pg_catalog.int8", Codec::Int64),
        (Codec::Int16 | Codec::Int32 | Codec::Float32, Float64) => cast("pg_catalog.float8", Codec::Float64),
        (Codec::Int16 | Codec::Int32 | Codec::Int64, Decimal128(precision, scale)) => {
            cast("pg_catalog.numeric", Codec::Decimal { precision: *precision, scale: *scale })
        }
        (Codec::Decimal { precision, scale }, Decimal128(wide, deep)) => {
            let whole = |precision: u8, scale: i8| i16::from(precision) - i16::from(scale);
            let fits = deep >= scale && whole(*wide, *deep) >= whole(*precision, *scale);
            fits.then(|| as_is(Codec::Decimal { precision: *wide, scale: *deep })).flatten()
        }
        // Both count microseconds in UTC.
        (Codec::Timestamp | Codec::Timestamptz, Timestamp(TimeUnit::Microsecond, None)) => as_is(Codec::Timestamp),
        (Codec::Timestamp | Codec::Timestamptz, Timestamp(TimeUnit::Microsecond, Some(_))) => as_is(Codec::Timestamptz),
        (Codec::Date, Timestamp(TimeUnit::Microsecond, None)) => cast("pg_catalog.timestamp", Codec::Timestamp),
        _ => None,
    }
}
