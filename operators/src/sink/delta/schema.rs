//! A table's definition: what a new one gets, and whether an existing one can take our rows.
//!
//! New tables use the plainest features there are (reader 1, writer 2, UTC timestamps), so that
//! every reader can open them. The only change to an existing table is to add missing nullable
//! columns. A table with anything that a hand-written append would break is refused.

use arrow_schema::Schema;
use serde_json::{Map, Value, json};

use super::types;
use crate::protocol::group::Retention;

/// A table must keep its log for at least this long, in milliseconds, because a commit is read and
/// written within half of it.
const LOG_LEAST_MS: u64 = 60_000;
/// Vacuum must leave files alone for at least this long, in milliseconds, because a cut is written
/// and committed within half of it.
const FILES_LEAST_MS: u64 = 5 * 60_000;

/// Writer features that an append of plain Parquet files cannot violate. `checkConstraints`,
/// `invariants` and `generatedColumns` are harmless while nothing uses them, which [`check`]
/// verifies.
const HARMLESS_FEATURES: &[&str] = &[
    "appendOnly",
    "changeDataFeed",
    "checkConstraints",
    "deletionVectors",
    "domainMetadata",
    "generatedColumns",
    "invariants",
    "timestampNtz",
    "v2Checkpoint",
    "vacuumProtocolCheck",
];

/// The protocol of a new table.
pub(super) fn protocol() -> Value {
    json!({"minReaderVersion": 1, "minWriterVersion": 2})
}

/// The metadata of a new table. The error names a column that Delta has no type for, in words that
/// follow "would have".
pub(super) fn metadata(id: &str, schema: &Schema, partition_columns: &[&str], now_ms: u64) -> Result<Value, String> {
    Ok(json!({
        "id": id,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": schema_string(types::fields(schema.fields(), None)?),
        "partitionColumns": partition_columns,
        "configuration": {},
        "createdTime": now_ms,
    }))
}

fn schema_string(fields: Vec<Value>) -> String {
    json!({"type": "struct", "fields": fields}).to_string()
}

/// What an existing table needs before it can take our rows.
#[derive(Debug, PartialEq)]
pub enum Fit {
    /// Nothing.
    Fits,
    /// This metadata instead of its own: it adds the missing columns.
    Widen(Value),
}

/// Compares an existing table with our columns. The error says what is in the way, in words that
/// follow "table x".
pub(super) fn check(
    protocol: &Value,
    metadata: &Value,
    schema: &Schema,
    partition_columns: &[&str],
) -> Result<Fit, String> {
    check_features(protocol)?;
    check_configuration(metadata)?;
    let partitioned = metadata["partitionColumns"].as_array().cloned().unwrap_or_default();
    if partitioned != partition_columns {
        return Err(format!(
            "is partitioned by {}, but lake.partition_by makes it {}",
            Value::from(partitioned),
            json!(partition_columns)
        ));
    }
    let existing: Value = metadata["schemaString"]
        .as_str()
        .and_then(|text| serde_json::from_str(text).ok())
        .ok_or("has a schema that cannot be read")?;
    let mut existing = existing["fields"].as_array().cloned().unwrap_or_default();
    let missing = missing_fields(&existing, schema)?;
    if missing.is_empty() {
        return Ok(Fit::Fits);
    }
    existing.extend(missing);
    let mut widened = metadata.clone();
    widened["schemaString"] = schema_string(existing).into();
    Ok(Fit::Widen(widened))
}

/// Whether the table keeps for long enough what the protocol relies on.
pub(super) fn check_retention(retention: Retention) -> Result<(), String> {
    let Retention { log_ms, files_ms } = retention;
    let short = |key: &str, ms: u64, least_ms: u64, what: &str| {
        let (s, least) = (ms as f64 / 1_000.0, least_ms / 60_000);
        Err(format!("has the property {key} of {s} s, and {what} needs at least {least} min: raise it or unset it"))
    };
    if log_ms < LOG_LEAST_MS {
        return short("delta.logRetentionDuration", log_ms, LOG_LEAST_MS, "a commit");
    }
    if files_ms < FILES_LEAST_MS {
        return short("delta.deletedFileRetentionDuration", files_ms, FILES_LEAST_MS, "what is not committed yet");
    }
    Ok(())
}

fn check_features(protocol: &Value) -> Result<(), String> {
    let reader = protocol["minReaderVersion"].as_u64().unwrap_or(u64::MAX);
    if reader > 3 {
        return Err(format!("needs reader version {reader}, which lakefront does not support"));
    }
    let writer = protocol["minWriterVersion"].as_u64().unwrap_or(u64::MAX);
    let features = protocol["writerFeatures"].as_array().cloned().unwrap_or_default();
    let unknown = features.iter().filter_map(Value::as_str).find(|f| !HARMLESS_FEATURES.contains(f));
    match (writer, unknown) {
        (_, Some(feature)) => Err(format!("needs the writer feature {feature:?}, which lakefront does not support")),
        (0..=4 | 7, None) => Ok(()),
        (version, None) => Err(format!("needs writer version {version}, which lakefront does not support")),
    }
}

fn check_configuration(metadata: &Value) -> Result<(), String> {
    let none = Map::new();
    let configuration = metadata["configuration"].as_object().unwrap_or(&none);
    for (key, value) in configuration {
        let value = value.as_str().unwrap_or_default();
        let is_on = value.eq_ignore_ascii_case("true");
        let obstacle = match key.as_str() {
            "delta.setTransactionRetentionDuration" => {
                "lets transactions expire, and with them the pipeline's position"
            }
            "delta.columnMapping.mode" if value != "none" => "renames columns in files",
            "delta.enableRowTracking" | "delta.enableInCommitTimestamps" if is_on => {
                "needs more of a commit than lakefront writes"
            }
            key if key.starts_with("delta.enableIcebergCompat") && is_on => {
                "needs more of a commit than lakefront writes"
            }
            key if key.starts_with("delta.coordinatedCommits.") => "lets somebody else make the table's commits",
            key if key.starts_with("delta.constraints.") => "is a constraint that lakefront does not check",
            _ => continue,
        };
        return Err(format!("has the property {key} = {value:?}, which {obstacle}: unset it"));
    }
    Ok(())
}

/// Our columns that the table lacks.
fn missing_fields(existing: &[Value], schema: &Schema) -> Result<Vec<Value>, String> {
    for field in existing {
        let name = field["name"].as_str().unwrap_or_default();
        let ours = schema.field_with_name(name).is_ok();
        if !ours && field["nullable"] == Value::Bool(false) {
            return Err(format!("has a column {name:?} that must not be null, and no line has a value for it"));
        }
        let rule = ["delta.invariants", "delta.generationExpression", "delta.identity.start"]
            .into_iter()
            .find(|rule| field["metadata"].get(rule).is_some());
        if let Some(rule) = rule {
            return Err(format!("has a rule on column {name:?} ({rule}) that lakefront does not apply"));
        }
    }
    let mut missing = Vec::new();
    for ours in types::fields(schema.fields(), None).map_err(|column| format!("would have {column}"))? {
        match existing.iter().find(|field| same_name(&field["name"], &ours["name"])) {
            None => missing.push(ours),
            Some(theirs) if theirs["name"] != ours["name"] => {
                return Err(format!(
                    "has a column {}, which differs from {} only in case",
                    theirs["name"], ours["name"]
                ));
            }
            Some(theirs) if !types::is_same(&theirs["type"], &ours["type"]) => {
                return Err(format!("has column {} as {}, not as {}", ours["name"], theirs["type"], ours["type"]));
            }
            Some(_) => {}
        }
    }
    Ok(missing)
}

/// Whether Delta takes two column names for the same one: it ignores case.
fn same_name(a: &Value, b: &Value) -> bool {
    match (a.as_str(), b.as_str()) {
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
