//! Gives columns of a table other types: all rows are written anew, in one commit.
//!
//! ```text
//!   rows as they are ─▶ values in the new type        ─▶ new files ─▶ one commit: the columns,
//!                       or set aside, and null from       the old files out, the new ones in
//!                       now on
//! ```
//!
//! Delta can widen a column without touching its files, but not every reader opens such a table:
//! `deltalake`, with which lakefront reads tables too, refuses it. Files that are all of one type
//! are read by all. That costs what the table holds, once.
//!
//! The rows are the same as before, so the change feed says nothing of them. Whoever reads the feed
//! across the commit meets columns of two types, as after any change of a column's type.

mod cast;
mod definition;

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use roaring::RoaringTreemap;
use serde_json::{Map, Value, json};

use self::cast::cast;
pub use self::definition::Older;
use self::definition::redefined;
use super::definition::UpsertSpec;
use super::files::Files;
use super::outcome::Written;
use super::read::{BATCH, Reader};
use super::stage::{Open, Stages};
use crate::error::{Stop, StoreError};
use crate::protocol::clock::Clock;
use crate::protocol::group::Created;
use crate::protocol::names::Version;
use crate::protocol::retry::{Retry, ask};
use crate::sink::delta::{Snapshot, TableSpec, log, snapshot};
use crate::sink::files::Place;

/// How often the rows are written anew because others have changed the table meanwhile.
const TRIES: usize = 5;

/// What becomes of the values that a column has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    /// They are what they are in the new type. It must have each of them.
    Converted,
    /// They go into a column of this name, which is new, and are null in the old one.
    Aside(String),
}

/// A column that gets another type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retype {
    /// The column.
    pub column: String,
    /// Its new type.
    pub to: DataType,
    /// What becomes of its values.
    pub values: Values,
    /// The events that are from before: their values are of the old type.
    pub older: Older,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retyped {
    /// The version that has the new columns.
    pub version: Version,
    /// How many rows were written.
    pub rows: u64,
    /// Into how many files.
    pub files: usize,
}

/// Gives columns of the table of `spec` other types. Nothing is changed on an error, but files may
/// stay behind that no version names: VACUUM removes them.
///
/// # Errors
/// If there is no such table, if it can take no commit of ours, if a value has no counterpart in
/// the new type, or if others go on changing the table.
pub async fn retype(spec: &TableSpec, retypes: &[Retype], clock: Arc<dyn Clock>) -> Result<Retyped, Stop> {
    for _ in 0..TRIES {
        let there = ask(&*clock, || Box::pin(snapshot::read(&spec.place, ""))).await?;
        let there = there.ok_or_else(|| Stop::Refused(format!("there is no table in {}", spec.place)))?;
        let work = Work::of(spec, &there, retypes)?;
        let (written, rows, removed) = work.rows(clock.clone()).await?;
        let content = work.content(&there, &written, &removed, clock.now_ms());
        let version = there.state.head.next();
        if commit(&spec.place, version, content, &*clock).await? {
            return Ok(Retyped { version, rows, files: written.len() });
        }
        for file in &written {
            // One that stays is in nobody's way.
            let _ = spec.place.join(&file.path).delete().await;
        }
    }
    Err(Stop::Refused(format!("{} goes on being changed by others: stop them, and try again", spec.shown())))
}

/// What is to be done.
struct Work {
    /// The table as it is read, and as it is written.
    from: UpsertSpec,
    to: UpsertSpec,
    retypes: Arc<[Retype]>,
    version: Version,
    metadata: Value,
    protocol: Option<Value>,
}

impl Work {
    fn of(spec: &TableSpec, there: &Snapshot, retypes: &[Retype]) -> Result<Work, Stop> {
        let refused = |what: String| Stop::Refused(format!("{} ({}) {what}", spec.shown(), spec.place));
        let columns = there.columns().ok_or_else(|| refused("has a column of a type that there is none for".into()))?;
        let is_there = |name: &str| columns.iter().any(|field| field.name().eq_ignore_ascii_case(name));
        for Retype { column, values, .. } in retypes {
            if columns.find(column).is_none() {
                return Err(refused(format!("has no column {column:?}")));
            }
            if let Values::Aside(name) = values
                && is_there(name)
            {
                return Err(refused(format!("has a column {name:?} already")));
            }
        }
        let is = TableSpec { schema: Arc::new(Schema::new(columns)), ..spec.clone() };
        is.check(there).map_err(&refused)?;
        let table = TableSpec { schema: schema(&is.schema, retypes), ..is.clone() };
        let (metadata, protocol) = redefined(there, &table, retypes).map_err(&refused)?;
        let plain = |table| UpsertSpec { table, key: Vec::new(), feed: false };
        Ok(Work {
            from: plain(is),
            to: plain(table),
            retypes: retypes.into(),
            version: there.state.head,
            metadata,
            protocol,
        })
    }

    /// Writes the rows. Returns the new files, how many rows there are, and the old files' `add`
    /// actions.
    async fn rows(&self, clock: Arc<dyn Clock>) -> Result<(Vec<Written>, u64, Vec<Map<String, Value>>), StoreError> {
        let files = Files::load(&self.from.table.place, Some(self.version)).await?;
        let mut dead = files.dead(|_, _| true).await?;
        let reader = Reader::of(&self.from, clock.clone())?;
        let stages = Stages::of(&Arc::new(self.to.clone()), &clock);
        let (mut writing, mut rows) = (stages.data(), 0);
        for (path, file) in &files.active {
            let dead = dead.remove(path).unwrap_or_default();
            let target = file.target(path);
            let alive = match dead.is_empty() {
                true => None,
                false => {
                    let all = match file.rows() {
                        Some(rows) => rows,
                        None => reader.count(&target).await?,
                    };
                    let mut alive = RoaringTreemap::from_iter(0..all);
                    alive -= dead;
                    Some(alive)
                }
            };
            let columns = (0..reader.columns()).collect();
            let (retypes, schema, shown) = (self.retypes.clone(), self.to.columns(), self.from.table.shown());
            let write = move |batch: RecordBatch, (open, rows): &mut (Open, u64)| {
                *rows += batch.num_rows() as u64;
                let failed = |cause| StoreError::definite(format!("change the columns of {shown}"), cause);
                open.write(&retyped(&batch, &retypes, &schema).map_err(failed)?)
            };
            let (open, written) = reader.scan((target, columns, alive), BATCH, (writing.take(), 0), write).await?;
            writing.put(open);
            rows += written;
        }
        let removed = files.active.into_values().map(|file| file.add).collect();
        Ok((writing.finish().await?, rows, removed))
    }

    fn content(&self, there: &Snapshot, written: &[Written], removed: &[Map<String, Value>], now_ms: u64) -> Vec<u8> {
        let columns: Vec<&str> = self.retypes.iter().map(|retype| &*retype.column).collect();
        let mut lines = vec![json!({"commitInfo": {
            "timestamp": now_ms,
            "operation": "CHANGE COLUMNS",
            "operationParameters": {"columns": json!(columns).to_string()},
            "readVersion": there.state.head.0,
            "isolationLevel": "Serializable",
            "isBlindAppend": false,
            "engineInfo": concat!("lakefront/", env!("CARGO_PKG_VERSION")),
        }})];
        lines.extend(self.protocol.iter().map(|protocol| json!({"protocol": protocol})));
        lines.push(json!({"metaData": self.metadata}));
        lines.extend(removed.iter().map(|add| {
            let of = |key: &str| add.get(key).cloned().filter(|value| !value.is_null());
            let mut remove = json!({
                "path": of("path"),
                "deletionTimestamp": now_ms,
                "dataChange": false,
                "extendedFileMetadata": true,
                "partitionValues": of("partitionValues"),
                "size": of("size"),
            });
            if let Some(vector) = of("deletionVector") {
                remove["deletionVector"] = vector;
            }
            json!({"remove": remove})
        }));
        lines.extend(written.iter().map(|file| {
            json!({"add": {
                "path": file.path,
                "partitionValues": {},
                "size": file.size,
                "modificationTime": file.begun_ms,
                "dataChange": false,
                "stats": file.stats,
            }})
        }));
        log::to_lines(&lines)
    }
}

/// The columns of a table after the change.
fn schema(is: &SchemaRef, retypes: &[Retype]) -> SchemaRef {
    let of = |name: &str| retypes.iter().find(|retype| retype.column == name);
    let fields = is.fields().iter().map(|field| match of(field.name()) {
        Some(retype) => Arc::new(Field::new(field.name(), retype.to.clone(), true)),
        None => field.clone(),
    });
    let asides = retypes.iter().filter_map(|retype| match &retype.values {
        Values::Aside(name) => {
            let of = is.field_with_name(&retype.column).ok()?.data_type().clone();
            Some(Arc::new(Field::new(name, of, true)))
        }
        Values::Converted => None,
    });
    Arc::new(Schema::new(fields.chain(asides).collect::<Vec<_>>()))
}

/// Rows with the new columns, those of `schema`. The error says which column cannot have them.
fn retyped(batch: &RecordBatch, retypes: &[Retype], schema: &SchemaRef) -> Result<RecordBatch, String> {
    let mut columns = batch.columns().to_vec();
    for Retype { column, to, values, .. } in retypes {
        let at = batch.schema_ref().index_of(column).map_err(|error| error.to_string())?;
        match values {
            Values::Converted => {
                columns[at] = cast(&columns[at], to).map_err(|cause| format!("column {column:?} {cause}"))?;
            }
            Values::Aside(_) => {
                let none = arrow_array::new_null_array(to, batch.num_rows());
                let aside = std::mem::replace(&mut columns[at], none);
                columns.push(aside);
            }
        }
    }
    RecordBatch::try_new(schema.clone(), columns).map_err(|error| error.to_string())
}

/// Commits `version`. Returns whether it is ours: another writer may have been faster.
async fn commit(table: &Place, version: Version, content: Vec<u8>, clock: &dyn Clock) -> Result<bool, StoreError> {
    let file = table.join("_delta_log").join(&log::file_name(version));
    let mut retry = Retry::default();
    loop {
        match file.create(content.clone()).await {
            Ok(Created::Yes) => return Ok(true),
            // The reply of a request before this one may have been lost.
            Ok(Created::No | Created::Void) => return Ok(file.read().await?.is_some_and(|found| found == content)),
            Err(error) => retry.after(error, clock).await?,
        }
    }
}

#[cfg(test)]
mod tests;
