//! The columns of a table: those that it has, and behind them those that were met in events.

use lakefront_operators::events::{MetTable, OnAddDefault, TableWish, metadata_columns};
use lakefront_operators::format::debezium::typed::{LakeColumn, LakeType};
use lakefront_operators::shown::one_line;
use lakefront_operators::sink::delta::Snapshot;
use lakefront_operators::sink::delta::upsert::{Added, Retype, Values};

use super::catalog::{Before, Catalog};

/// The columns of the table of `role`, and the values that rows get in new ones, where PostgreSQL's
/// catalog `is_its`. The error follows the table's name.
pub(super) fn of(
    (role, wish): (&str, &TableWish),
    snapshot: Option<&Snapshot>,
    met: Option<&MetTable>,
    (catalog, is_its): (&Catalog, bool),
) -> Result<(Vec<LakeColumn>, Vec<Retype>), String> {
    let (mut columns, mut fills) = (Vec::new(), Vec::new());
    let is_text = |name: &str| wish.texts.iter().any(|text| text == name);
    let column = |name: &str, of: LakeType| LakeColumn { name: name.to_owned(), as_text: is_text(name), of };
    if let Some(snapshot) = snapshot {
        for field in &snapshot.columns().ok_or("has a column of a type that lakefront has none for")? {
            let of = LakeType::of_arrow(field.data_type());
            let of = of.ok_or_else(|| format!("has column {:?} as {}", field.name(), field.data_type()))?;
            columns.push(column(field.name(), of));
        }
    }
    for (name, of) in met.into_iter().flat_map(|met| &met.columns) {
        match columns.iter().find(|known: &&LakeColumn| known.name.eq_ignore_ascii_case(name)) {
            None if is_text(name) => columns.push(column(name, of.clone())),
            None => {
                let is_guessed = met.is_some_and(|met| met.guessed.contains(name));
                let of = catalog.told(role, name, of, is_guessed);
                // Without a schema block, a column is met by its first value, and rows before that
                // may have null in it.
                if is_its && !is_guessed && wish.on_add_default == OnAddDefault::Backfill {
                    let since = met.and_then(|met| met.since.get(name)).copied().unwrap_or_default();
                    fills.extend(fill((role, name), &of, catalog, since));
                }
                columns.push(column(name, of));
            }
            Some(known) if known.name == *name => {}
            Some(known) => {
                let twice = format!("would have columns {:?} and {name:?}, which a lake cannot tell apart", known.name);
                return Err(format!("{twice}: leave its topic out of source.topics"));
            }
        }
    }
    if wish.metadata {
        add_metadata(&mut columns, met)?;
    }
    match columns.iter().find(|column| column.as_text && column.of != LakeType::Text) {
        None => Ok((columns, fills)),
        Some(LakeColumn { name, .. }) => Err(format!(
            "has column {name:?} of another type than string, as [tables] wants it: leave it out of types, or begin anew with \
             another lake.catalog"
        )),
    }
}

/// What the rows that are there get in the new column `name`, which an event at `since` had first;
/// none if that is null.
fn fill((role, name): (&str, &str), of: &LakeType, catalog: &Catalog, since: u64) -> Option<Retype> {
    match catalog.value_before(role, name, of) {
        Before::Null => None,
        Before::Value(value, raw) => {
            let values = Values::Filled(value, Added { value: raw, before: since });
            Some(Retype { column: name.to_owned(), from: None, to: of.arrow(), values, older: None })
        }
        Before::Unknown => {
            let (table, column) = (one_line(role), one_line(name));
            tracing::warn!(
                %table, %column,
                "PostgreSQL does not say what rows from before the column have in it: they have null until they change"
            );
            None
        }
    }
}

/// Adds the columns that say where a row's last change is from, unless they are there. The error
/// follows the table's name.
fn add_metadata(columns: &mut Vec<LakeColumn>, met: Option<&MetTable>) -> Result<(), String> {
    let is_postgresqls = |name: &str| met.is_some_and(|met| met.columns.iter().any(|(column, _)| column == name));
    for column in metadata_columns() {
        let there = columns.iter().find(|there| there.name.eq_ignore_ascii_case(&column.name));
        match there {
            _ if is_postgresqls(&column.name) => {}
            None => {
                columns.push(column);
                continue;
            }
            Some(there) if (&there.name, &there.of) == (&column.name, &column.of) => continue,
            Some(_) => {}
        }
        return Err(format!(
            "has a column {:?} of its own, which metadata = true would fill: set metadata = false for it in [tables]",
            column.name
        ));
    }
    Ok(())
}
