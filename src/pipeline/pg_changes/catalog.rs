//! What PostgreSQL's catalog says of columns of which events tell less: numbers with bounds, which
//! arrive as texts where `decimal.handling.mode` is `string`, all types, where events carry no
//! schema, and what rows have in a column that was added after them.

use std::collections::BTreeMap;

use lakefront_operators::error::Stop;
use lakefront_operators::format::debezium::typed::{ArrayRef, LakeType, value_of};
use lakefront_operators::postgres;
use lakefront_operators::source::postgres::{HotColumn, columns_of_tables, digits, values_before};

use crate::config::{Connect, Postgres};

/// What was asked of PostgreSQL: the columns of tables, by their roles.
#[derive(Default)]
pub(super) struct Catalog {
    tables: BTreeMap<String, Vec<HotColumn>>,
    /// By the tables' roles and by column, as JSON, what rows from before the column have in it.
    before: BTreeMap<String, BTreeMap<String, String>>,
    /// Whether numbers that no schema tells are digits, and not the base64 of their bytes, which
    /// may look like digits.
    has_digits: bool,
}

impl Catalog {
    /// Asks for the columns of the tables of these roles.
    pub(super) async fn ask(postgres: &Postgres, connect: Option<&Connect>, roles: &[String]) -> Result<Catalog, Stop> {
        let client = postgres::connect(&postgres.location, "lakefront").await?;
        let names: Vec<(&str, &str)> = roles.iter().map(|role| role.split_once('.').unwrap_or_default()).collect();
        let columns = columns_of_tables(&client, &names).await?;
        let before = values_before(&client, &names).await?;
        let tables =
            roles.iter().cloned().zip(columns).filter_map(|(role, found)| Some((role, found?.columns))).collect();
        let mode = connect.map(|connect| connect.settings.get("decimal.handling.mode").map(String::as_str));
        let before = roles.iter().cloned().zip(before).collect();
        Ok(Catalog { tables, before, has_digits: matches!(mode, Some(None | Some("string"))) })
    }

    /// What rows from before have in a new column, which is `of`.
    pub(super) fn value_before(&self, role: &str, name: &str, of: &LakeType) -> Before {
        let Some(columns) = self.tables.get(role) else { return Before::Null };
        // It is gone by now, or has letters there that Avro's names do not have.
        let Some(column) = columns.iter().find(|column| column.name == *name) else { return Before::Unknown };
        match self.before.get(role).and_then(|values| values.get(name)) {
            Some(raw) if is_plain(column) => {
                value_of(raw, of).map_or(Before::Unknown, |value| Before::Value(value, raw.clone()))
            }
            None if column.nullable => Before::Null,
            _ => Before::Unknown,
        }
    }

    /// The type of a new column, which would be `of` by what events say of it, or by what was
    /// guessed from a value.
    pub(super) fn told(&self, role: &str, name: &str, of: &LakeType, is_guessed: bool) -> LakeType {
        let column = self.tables.get(role).and_then(|columns| columns.iter().find(|column| column.name == *name));
        let column =
            column.filter(|column| self.has_digits || !is_guessed || !matches!(&*column.of, "numeric" | "money"));
        column.and_then(|column| better(column, of)).unwrap_or_else(|| of.clone())
    }
}

/// What rows from before a column have in it.
#[derive(Debug, PartialEq)]
pub(super) enum Before {
    /// Nothing, as far as PostgreSQL tells.
    Null,
    /// The one value of this array, and the same as JSON.
    Value(ArrayRef, String),
    /// Something that PostgreSQL does not tell, or not in the form in which events have it.
    Unknown,
}

/// Whether PostgreSQL's JSON has values of a column as events have them.
fn is_plain(column: &HotColumn) -> bool {
    const PLAIN: [&str; 14] = [
        "bool",
        "int2",
        "int4",
        "int8",
        "float4",
        "float8",
        "numeric",
        "text",
        "varchar",
        "bpchar",
        "uuid",
        "date",
        "timestamp",
        "timestamptz",
    ];
    column.is_enum || PLAIN.contains(&&*column.of)
}

/// What `column` is rather than `of`; `None` if the events know as much.
fn better(column: &HotColumn, of: &LakeType) -> Option<LakeType> {
    let Some(element) = &column.element else { return better_value(&column.of, column.modifier, of) };
    let items = match of {
        LakeType::List(items) => better_value(element, column.modifier, items),
        // What no schema tells is the text of an array.
        LakeType::Text => guessed_items(element),
        _ => None,
    };
    items.map(|items| LakeType::List(Box::new(items)))
}

/// The same of a value that is no array.
fn better_value(name: &str, modifier: i32, of: &LakeType) -> Option<LakeType> {
    match (name, of) {
        ("numeric", LakeType::Text) => digits(modifier).map(|(precision, scale)| LakeType::Decimal(precision, scale)),
        ("money", LakeType::Text) => Some(LakeType::Decimal(19, 2)),
        ("int2", LakeType::Integer(64)) => Some(LakeType::Integer(16)),
        ("int4", LakeType::Integer(64)) => Some(LakeType::Integer(32)),
        // The first value may have been a whole number.
        ("float4", LakeType::Integer(64) | LakeType::Text) => Some(LakeType::Float),
        ("float8", LakeType::Integer(64) | LakeType::Text) => Some(LakeType::Double),
        ("date", LakeType::Integer(64)) => Some(LakeType::Date),
        ("timestamptz", LakeType::Text) => Some(LakeType::Timestamp { is_utc: true }),
        _ => None,
    }
}

/// The elements of an array of this type.
fn guessed_items(element: &str) -> Option<LakeType> {
    Some(match element {
        "bool" => LakeType::Boolean,
        "int2" => LakeType::Integer(16),
        "int4" => LakeType::Integer(32),
        "int8" => LakeType::Integer(64),
        "float4" => LakeType::Float,
        "float8" => LakeType::Double,
        "text" | "varchar" | "bpchar" | "uuid" => LakeType::Text,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(of: &str, modifier: i32, element: Option<&str>) -> HotColumn {
        HotColumn {
            name: "v".to_owned(),
            shown: of.to_owned(),
            of: of.to_owned(),
            modifier,
            element: element.map(str::to_owned),
            is_enum: false,
            nullable: true,
        }
    }

    #[test]
    fn what_events_do_not_tell_postgresql_does() {
        let list = |of| LakeType::List(Box::new(of));
        // numeric(12, 2), as its modifier packs it.
        let bounded = (12 << 16 | 2) + 4;
        for (column, of, told) in [
            (column("numeric", bounded, None), LakeType::Text, Some(LakeType::Decimal(12, 2))),
            (column("numeric", -1, None), LakeType::Text, None),
            (column("money", -1, None), LakeType::Text, Some(LakeType::Decimal(19, 2))),
            (column("numeric", bounded, None), LakeType::Double, None),
            (column("_numeric", bounded, Some("numeric")), list(LakeType::Text), Some(list(LakeType::Decimal(12, 2)))),
            (column("_int4", -1, Some("int4")), LakeType::Text, Some(list(LakeType::Integer(32)))),
            (column("_int4", -1, Some("int4")), list(LakeType::Integer(32)), None),
            (column("float8", -1, None), LakeType::Integer(64), Some(LakeType::Double)),
            (column("date", -1, None), LakeType::Integer(64), Some(LakeType::Date)),
            (column("text", -1, None), LakeType::Text, None),
            (column("json", -1, None), LakeType::Text, None),
        ] {
            assert_eq!(better(&column, &of), told, "{column:?} {of:?}");
        }
    }

    #[test]
    fn base64_is_not_taken_for_digits() {
        let tables = BTreeMap::from([("public.t".to_owned(), vec![column("numeric", (12 << 16 | 2) + 4, None)])]);
        let told = |has_digits, is_guessed| {
            Catalog { tables: tables.clone(), has_digits, ..Catalog::default() }.told(
                "public.t",
                "v",
                &LakeType::Text,
                is_guessed,
            )
        };
        assert_eq!(told(false, true), LakeType::Text);
        assert_eq!([told(true, true), told(false, false)], [LakeType::Decimal(12, 2), LakeType::Decimal(12, 2)]);
    }

    #[test]
    fn what_rows_from_before_a_column_have_is_known_null_or_unknown() {
        let told = |of: &str, nullable: bool, raw: Option<&str>, lake: &LakeType| {
            let column = HotColumn { nullable, ..column(of, -1, None) };
            let raw = raw.map(|raw| ("v".to_owned(), raw.to_owned()));
            let before = BTreeMap::from([("public.t".to_owned(), raw.into_iter().collect())]);
            let tables = BTreeMap::from([("public.t".to_owned(), vec![column])]);
            Catalog { tables, before, has_digits: true }.value_before("public.t", "v", lake)
        };
        let moment = LakeType::Timestamp { is_utc: true };
        for (of, raw, lake) in [
            ("int4", "5", LakeType::Integer(32)),
            ("numeric", "1.50", LakeType::Decimal(12, 2)),
            ("numeric", "1.50", LakeType::Text),
            ("bool", "false", LakeType::Boolean),
            ("text", "\"open\"", LakeType::Text),
            ("date", "\"2024-02-29\"", LakeType::Date),
            ("timestamptz", "\"2024-02-29T13:14:15.25+00:00\"", moment.clone()),
            ("timestamp", "\"2024-02-29T13:14:15.25\"", LakeType::Timestamp { is_utc: false }),
        ] {
            let told = told(of, true, Some(raw), &lake);
            assert!(matches!(told, Before::Value(..)), "{of} {raw}: {told:?}");
        }
        assert_eq!(told("int4", true, None, &LakeType::Integer(32)), Before::Null);
        assert_eq!(told("int4", false, None, &LakeType::Integer(32)), Before::Unknown);
        assert_eq!(told("interval", true, Some("\"1 day\""), &LakeType::Text), Before::Unknown);
        assert_eq!(told("timestamptz", true, Some("\"infinity\""), &moment), Before::Unknown);
    }
}
