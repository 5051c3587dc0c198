//! The definition of a table whose columns get other types, with a note of what they were, or what
//! rows have in a new one: events from before may still come.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Retype, Values};
use crate::sink::delta::{Snapshot, TableSpec, types};

/// The property of a table that says which columns had other types.
const OLDER: &str = "lakefront.olderTypes";
/// The property of a table that says what rows from before a column have in it.
const ADDED: &str = "lakefront.addedColumns";

/// Events in which a column has the type that it had before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Older {
    /// The type, as Delta calls it.
    pub of: String,
    /// The place in PostgreSQL's log (LSN) of the first event that had the new type. Those before
    /// it are from before.
    pub before: u64,
}

/// What rows have in a column that was added after them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Added {
    /// The value, as JSON.
    pub value: String,
    /// The place in PostgreSQL's log (LSN) of an event that had the column. An event before it that
    /// lacks the column is from before it; one after it, from after the column was dropped.
    pub before: u64,
}

impl Snapshot {
    /// What rows have in columns that were added after them, by the columns' names.
    pub fn added_columns(&self) -> BTreeMap<String, Added> {
        let noted = self.metadata["configuration"][ADDED].as_str();
        noted.and_then(|noted| serde_json::from_str(noted).ok()).unwrap_or_default()
    }

    /// The columns that had other types, by name.
    pub fn older_types(&self) -> BTreeMap<String, Vec<Older>> {
        let noted = self.metadata["configuration"][OLDER].as_str();
        noted.and_then(|noted| serde_json::from_str(noted).ok()).unwrap_or_default()
    }
}

/// The metadata of the table that is `there` once it has the columns of `table`, and its protocol
/// if that needs more than it has. The error follows the table's name.
pub(super) fn redefined(
    there: &Snapshot,
    table: &TableSpec,
    retypes: &[Retype],
) -> Result<(Value, Option<Value>), String> {
    let mut metadata = there.metadata.clone();
    let unreadable = || "has a schema that cannot be read".to_owned();
    let text = metadata["schemaString"].as_str().ok_or_else(unreadable)?;
    let mut schema: Value = serde_json::from_str(text).map_err(|_| unreadable())?;
    let would_have = |column: String| format!("would have {column}");
    let ours = types::fields(table.schema.fields(), None).map_err(would_have)?;
    let fields = schema["fields"].as_array_mut().ok_or_else(unreadable)?;
    for field in ours {
        let of = |name: &Value| retypes.iter().any(|retype| name.as_str() == Some(&retype.column));
        match fields.iter_mut().find(|theirs| theirs["name"] == field["name"]) {
            Some(theirs) if of(&field["name"]) => theirs["type"] = field["type"].clone(),
            Some(_) => {}
            None => fields.push(field),
        }
    }
    metadata["schemaString"] = schema.to_string().into();
    let mut older = there.older_types();
    for (retype, was) in retypes.iter().filter_map(|retype| Some((retype, retype.older.clone()?))) {
        older.entry(retype.column.clone()).or_default().push(was);
    }
    let mut added = there.added_columns();
    added.extend(retypes.iter().filter_map(|retype| match &retype.values {
        Values::Filled(_, told) => Some((retype.column.clone(), told.clone())),
        Values::Converted | Values::Aside(_) => None,
    }));
    for (key, is_empty, noted) in [(OLDER, older.is_empty(), json!(older)), (ADDED, added.is_empty(), json!(added))] {
        if !is_empty {
            metadata["configuration"][key] = noted.to_string().into();
        }
    }
    Ok((metadata, protocol(there, table, retypes)?))
}

/// The protocol that the table needs, if it is another one: moments without a zone have a feature.
fn protocol(there: &Snapshot, table: &TableSpec, retypes: &[Retype]) -> Result<Option<Value>, String> {
    const LOCAL: &str = "timestampNtz";
    let is_local = |retype: &&Retype| types::has_local_moments(&retype.to);
    let has = |kind: &str| {
        there.protocol[kind].as_array().is_some_and(|features| features.iter().any(|feature| feature == LOCAL))
    };
    let Some(local) = retypes.iter().find(is_local).filter(|_| !has("readerFeatures")) else { return Ok(None) };
    let mut protocol = there.protocol.clone();
    for kind in ["readerFeatures", "writerFeatures"] {
        let Some(features) = protocol[kind].as_array_mut() else {
            return Err(format!(
                "would have column {:?} of type {}, whose feature {LOCAL} keeps its plain readers out: land {} in another \
                 lake.catalog",
                local.column,
                local.to,
                table.shown()
            ));
        };
        if !features.iter().any(|feature| feature == LOCAL) {
            features.push(LOCAL.into());
        }
    }
    Ok(Some(protocol))
}

impl Values {
    /// The name under which values of `column` are set aside in a table with these `columns`.
    pub fn aside<'a>(column: &str, columns: impl Iterator<Item = &'a str> + Clone) -> Values {
        let name = |number: u32| format!("{column}__v{number}");
        let is_free = |name: &String| columns.clone().all(|taken| !taken.eq_ignore_ascii_case(name));
        Values::Aside((1..).map(name).find(is_free).expect("a table has fewer columns than there are numbers"))
    }
}
