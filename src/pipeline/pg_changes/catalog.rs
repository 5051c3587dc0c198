//! What PostgreSQL's catalog says of columns of which events tell less: numbers with bounds, which
//! arrive as texts where `decimal.handling.mode` is `string`, and all types, where events carry no
//! schema.

use std::collections::BTreeMap;

use lakefront_operators::error::Stop;
use lakefront_operators::format::debezium::typed::LakeType;
use lakefront_operators::postgres;
use lakefront_operators::source::postgres::{HotColumn, columns_of_tables, digits};

use crate::config::{Connect, Postgres};

/// What was asked of PostgreSQL: the columns of tables, by their roles.
#[derive(Default)]
pub(super) struct Catalog {
    tables: BTreeMap<String, Vec<HotColumn>>,
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
        let tables =
            roles.iter().cloned().zip(columns).filter_map(|(role, found)| Some((role, found?.columns))).collect();
        let mode = connect.map(|connect| connect.settings.get("decimal.handling.mode").map(String::as_str));
        Ok(Catalog { tables, has_digits: matches!(mode, Some(None | Some("string"))) })
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
            Catalog { tables: tables.clone(), has_digits }.told("public.t", "v", &LakeType::Text, is_guessed)
        };
        assert_eq!(told(false, true), LakeType::Text);
        assert_eq!([told(true, true), told(false, false)], [LakeType::Decimal(12, 2), LakeType::Decimal(12, 2)]);
    }
}
