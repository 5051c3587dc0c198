//! Which columns are compared, and how PostgreSQL shows them as the lake has them.
//!
//! What a lake cannot hold (infinity, a year before 1, a number with too many digits) is null here:
//! a row with it is not in the lake, or has null there, as `on_unrepresentable` says.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, TimeUnit};

use crate::events::is_metadata;
use crate::format::copy::{Codec, Decoder};
use crate::postgres::quoted;
use crate::source::postgres::HotColumn;

/// How the rows of a table are compared.
pub(super) struct Plan {
    /// What is selected, as SQL, without the table.
    pub(super) select: String,
    /// The table, as SQL has it.
    pub(super) relation: String,
    /// The columns that are compared, by their names.
    pub(super) names: Vec<String>,
    /// Those of the key, among them.
    pub(super) key: Vec<usize>,
    /// Whether all columns of the key are among them.
    pub(super) tells_rows_apart: bool,
    /// Columns that are not compared, with the reason.
    pub(super) left_out: Vec<(String, String)>,
    pub(super) decoder: Decoder,
}

/// A row's place on disk, which is another one after each change.
const PLACE: &str = "tableoid::pg_catalog.text || ' ' || ctid::pg_catalog.text || ' ' || xmin::pg_catalog.text";

impl Plan {
    /// Compares `columns` of the table `relation` with the `fields` of the lake's.
    pub(super) fn new(relation: String, columns: &[HotColumn], fields: &[Arc<Field>], key: &[String]) -> Plan {
        let (mut selects, mut codecs, mut compared, mut left_out) = (vec![], vec![], vec![], vec![]);
        for field in fields {
            let name = field.name();
            let Some(column) = columns.iter().find(|column| column.name == *name) else {
                if is_metadata(name) {
                    continue;
                }
                left_out.push((name.clone(), "PostgreSQL has no such column any more".to_owned()));
                continue;
            };
            match shown(column, field.data_type()) {
                Some((select, codec)) => {
                    compared.push(Field::new(name, codec.data_type(), true));
                    selects.push(select);
                    codecs.push(codec);
                }
                None => {
                    let why = format!("{} in PostgreSQL, {} in the lake", column.shown, named(field.data_type()));
                    left_out.push((name.clone(), why));
                }
            }
        }
        for column in columns.iter().filter(|column| fields.iter().all(|field| *field.name() != column.name)) {
            left_out.push((column.name.clone(), "no event has brought it to the lake yet".to_owned()));
        }
        let names: Vec<String> = compared.iter().map(|field| field.name().clone()).collect();
        let place_of = |name: &String| names.iter().position(|one| one == name);
        let places: Vec<usize> = match key {
            // Rows without a key are told apart by all that they have.
            [] => (0..names.len()).collect(),
            key => key.iter().filter_map(place_of).collect(),
        };
        // It is read with the rest, and is no column of the table.
        selects.push(PLACE.to_owned());
        codecs.push(Codec::Text);
        compared.push(Field::new("", DataType::Utf8, true));
        Plan {
            select: selects.join(", "),
            relation,
            tells_rows_apart: !places.is_empty() && (key.is_empty() || places.len() == key.len()),
            names,
            key: places,
            left_out,
            decoder: Decoder::new(Arc::new(Schema::new(compared)), codecs),
        }
    }
}

/// How PostgreSQL shows `column` as the lake's type `of`; `None` if it cannot be compared.
fn shown(column: &HotColumn, of: &DataType) -> Option<(String, Codec)> {
    let name = quoted(&column.name);
    // An event has true or false for it.
    if column.of == "bit" && column.modifier == 1 && *of == DataType::Utf8 {
        return None;
    }
    let DataType::List(items) = of else { return scalar(&name, &column.of, column.is_enum, of) };
    let element = column.element.as_deref()?;
    let (select, codec) = scalar("e", element, false, items.data_type())?;
    // Debezium has none for more dimensions, and forgets where the first begins.
    let is_list = format!("{name} IS NOT NULL AND pg_catalog.coalesce(pg_catalog.array_ndims({name}), 1) = 1")
        .replace("pg_catalog.coalesce", "coalesce");
    let all = match select == "e" {
        true => name,
        false => format!(
            "ARRAY(SELECT {select} FROM pg_catalog.unnest({name}) WITH ORDINALITY AS items(e, place) ORDER BY place)"
        ),
    };
    Some((format!("CASE WHEN {is_list} THEN {all} END"), Codec::List(Box::new(codec))))
}

/// The same of a value that is no array. `value` is SQL, and `from` what PostgreSQL calls its type.
fn scalar(value: &str, from: &str, is_enum: bool, of: &DataType) -> Option<(String, Codec)> {
    let cast = |to: &str| format!("{value}::pg_catalog.{to}");
    let within = |from: &str, to: &str| format!("CASE WHEN {value} >= '{from}' AND {value} < '{to}' THEN {value} END");
    let fits = |to: &str, from: &str, most: &str| {
        format!("CASE WHEN {value} BETWEEN {from} AND {most} THEN {value}::pg_catalog.{to} END")
    };
    let number = |of: &str| format!("CASE WHEN {value} = 'NaN' THEN 'NaN'::pg_catalog.{of} ELSE {value} END");
    Some(match (from, of) {
        ("bool", DataType::Boolean) => (value.to_owned(), Codec::Bool),
        ("bit", DataType::Boolean) => (format!("{value} = B'1'"), Codec::Bool),
        ("int2" | "int4" | "int8" | "oid", DataType::Int64) => (cast("int8"), Codec::Int64),
        ("int2" | "int4", DataType::Int32) => (cast("int4"), Codec::Int32),
        ("int2", DataType::Int16) => (value.to_owned(), Codec::Int16),
        // PostgreSQL's column has become wider: what the lake cannot have is null.
        ("int8" | "oid", DataType::Int32) => (fits("int4", "-2147483648", "2147483647"), Codec::Int32),
        ("int4" | "int8", DataType::Int16) => (fits("int2", "-32768", "32767"), Codec::Int16),
        // Of the many bits that mean "not a number", an event brings the usual ones.
        ("float4", DataType::Float32) => (number("float4"), Codec::Float32),
        ("float8", DataType::Float64) => (number("float8"), Codec::Float64),
        ("numeric", DataType::Float64) => {
            let fits = format!("CASE WHEN {value} = 'NaN' OR pg_catalog.abs({value}) < 1.7e308 THEN {value} END");
            (format!("({fits})::pg_catalog.float8"), Codec::Float64)
        }
        ("numeric" | "money", DataType::Decimal128(precision, scale)) => {
            let (number, most) = (cast("numeric"), i16::from(*precision) - i16::from(*scale));
            let fits =
                format!("pg_catalog.abs({number}) < '1e{most}' AND {number} = pg_catalog.trunc({number}, {scale})");
            let codec = Codec::Decimal { precision: *precision, scale: *scale };
            (format!("CASE WHEN {fits} THEN {number} END"), codec)
        }
        ("bytea", DataType::Binary) => (value.to_owned(), Codec::Bytes),
        ("date", DataType::Date32) => (within("0001-01-01", "10000-01-01"), Codec::Date),
        ("timestamp", DataType::Timestamp(TimeUnit::Microsecond, None)) => {
            (within("0001-01-01", "10000-01-01"), Codec::Timestamp)
        }
        ("timestamptz", DataType::Timestamp(TimeUnit::Microsecond, Some(_))) => {
            (within("0001-01-01 00:00:00+00", "10000-01-01 00:00:00+00"), Codec::Timestamptz)
        }
        (from, DataType::Utf8) => (text(value, from, is_enum)?, Codec::Text),
        _ => return None,
    })
}

/// The text that an event has for a value.
fn text(value: &str, from: &str, is_enum: bool) -> Option<String> {
    // What PostgreSQL prints; a cast drops the blanks of char(n), and adds a mask to inet.
    let printed = || format!("CASE WHEN {value} IS NOT NULL THEN pg_catalog.format('%s', {value}) END");
    Some(match from {
        "text" | "varchar" | "bpchar" | "name" | "json" => value.to_owned(),
        _ if is_enum => value.to_owned(),
        // With six digits behind, unless it is whole.
        "time" => format!(
            "pg_catalog.to_char({value}::pg_catalog.interval, CASE WHEN pg_catalog.date_part('microseconds', \
             {value})::pg_catalog.int8 % 1000000 = 0 THEN 'HH24:MI:SS' ELSE 'HH24:MI:SS.US' END)"
        ),
        "interval" => interval(value),
        "bool" => format!("{value}::pg_catalog.text"),
        "money" => format!("{value}::pg_catalog.numeric::pg_catalog.text"),
        "timetz" => format!("({value} AT TIME ZONE 'UTC')::pg_catalog.time::pg_catalog.text || 'Z'"),
        "jsonb" | "uuid" | "inet" | "cidr" | "macaddr" | "macaddr8" | "xml" | "int2" | "int4" | "int8" | "oid"
        | "numeric" | "bit" | "varbit" | "int4range" | "int8range" | "numrange" | "daterange" | "tsrange"
        | "tsvector" | "another citext" => printed(),
        _ => return None,
    })
}

/// Debezium's form: `P1Y2M3DT4H5M6.789S`, with all parts and the sign of each.
fn interval(value: &str) -> String {
    let part = |name: &str| format!("pg_catalog.date_part('{name}', {value})::pg_catalog.int8");
    let seconds = format!("pg_catalog.trim_scale({}::pg_catalog.numeric / 1000000)", part("microseconds"));
    let [years, months, days, hours, minutes] = ["year", "month", "day", "hour", "minute"].map(part);
    format!(
        "'P' || {years} || 'Y' || {months} || 'M' || {days} || 'DT' || {hours} || 'H' || {minutes} || 'M' || {seconds} || 'S'"
    )
}

/// A type as Delta names it, as far as the lakes of changes have it.
fn named(of: &DataType) -> String {
    crate::totals::hash::kind(of).map_or_else(|| of.to_string(), |kind| kind.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, of: &str, element: Option<&str>) -> HotColumn {
        HotColumn {
            name: name.to_owned(),
            shown: of.to_owned(),
            of: of.to_owned(),
            modifier: -1,
            element: element.map(str::to_owned),
            is_enum: false,
            nullable: true,
        }
    }

    fn fields(all: &[(&str, DataType)]) -> Vec<Arc<Field>> {
        all.iter().map(|(name, of)| Arc::new(Field::new(*name, of.clone(), true))).collect()
    }

    #[test]
    fn what_cannot_be_compared_is_named() {
        let columns = [column("id", "int4", None), column("span", "interval", None), column("new", "text", None)];
        let fields = fields(&[("id", DataType::Int32), ("span", DataType::Int64), ("old", DataType::Utf8)]);
        let plan = Plan::new("public.t".to_owned(), &columns, &fields, &["id".to_owned()]);
        assert_eq!(plan.names, ["id"]);
        assert!(plan.tells_rows_apart);
        let left: Vec<&str> = plan.left_out.iter().map(|(name, _)| &**name).collect();
        assert_eq!(left, ["span", "old", "new"]);
        assert_eq!(plan.left_out[0].1, "interval in PostgreSQL, long in the lake");
        assert!(!Plan::new("public.t".to_owned(), &columns, &fields, &["span".to_owned()]).tells_rows_apart);
    }

    #[test]
    fn narrow_lakes_are_not_filled_by_a_cast() {
        let (sql, _) = scalar("v", "int8", false, &DataType::Int32).expect("what fits is compared");
        assert_eq!(sql, "CASE WHEN v BETWEEN -2147483648 AND 2147483647 THEN v::pg_catalog.int4 END");
        assert_eq!(scalar("v", "float8", false, &DataType::Float32), None);
        assert_eq!(scalar("v", "timestamptz", false, &DataType::Timestamp(TimeUnit::Microsecond, None)), None);
        assert_eq!(shown(&column("v", "int4", None), &DataType::new_list(DataType::Int32, true)), None);
    }
}
