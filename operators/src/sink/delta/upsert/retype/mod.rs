//! Gives columns of a table other types, or a new column a value in the rows that are there: all
//! rows are written anew, in one commit.
//!
//! ```text
//!   rows as they are ─▶ values in the new type       ─▶ new files ─▶ one commit: the columns,
//!                       or set aside, and null now       the old files out, the new ones in
//!                       or the value of a new column
//! ```
//!
//! Delta can widen a column without touching its files, but not every reader opens such a table:
//! `deltalake`, with which lakefront reads tables too, refuses it. Files that are all of one type
//! are read by all. That costs what the table holds, once.
//!
//! Of other types, the change feed says nothing, because the rows are the same. Whoever reads it
//! across the commit meets columns of two types, as after any change of a column's type. A value of
//! a new column is an update of each row in the feed.

mod cast;
mod definition;

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, UInt32Array, new_null_array};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use arrow_select::take::take;
use roaring::RoaringTreemap;
use serde_json::{Map, Value, json};

use self::cast::cast;
use self::definition::redefined;
pub use self::definition::{Added, Older};
use super::actions;
use super::definition::{FEED, UpsertSpec};
use super::files::Files;
use super::outcome::Written;
use super::read::{BATCH, Reader};
use super::stage::{Open, Stages, with_types};
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
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// They are what they are in the new type. It must have each of them.
    Converted,
    /// They go into a column of this name, which is new, and are null in the old one.
    Aside(String),
    /// The column is new, and the rows that are there get the one value of this array. So do those
    /// that come later and are from before it.
    Filled(ArrayRef, Added),
}

/// A column that gets another type, or is new.
#[derive(Clone, Debug, PartialEq)]
pub struct Retype {
    /// The column.
    pub column: String,
    /// Its new type.
    pub to: DataType,
    /// What becomes of its values.
    pub values: Values,
    /// The events that are from before, if their values are of another type.
    pub older: Option<Older>,
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
        let rewritten = work.rows(clock.clone()).await?;
        let content = work.content(&rewritten, clock.now_ms());
        let version = there.state.head.next();
        if commit(&spec.place, version, content, &*clock).await? {
            return Ok(Retyped { version, rows: rewritten.rows, files: rewritten.data.len() });
        }
        for file in rewritten.data.iter().chain(&rewritten.before) {
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
    /// Whether rows have other values then.
    is_change: bool,
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
            let new = match values {
                Values::Converted => None,
                Values::Aside(name) => Some(name),
                Values::Filled(..) => Some(column),
            };
            if let Some(name) = new.filter(|name| is_there(name)) {
                return Err(refused(format!("has a column {name:?} already")));
            }
            if new != Some(column) && columns.find(column).is_none() {
                return Err(refused(format!("has no column {column:?}")));
            }
        }
        let is = TableSpec { schema: Arc::new(Schema::new(columns)), ..spec.clone() };
        is.check(there).map_err(&refused)?;
        let is_change = retypes.iter().any(|retype| matches!(retype.values, Values::Filled(..)));
        let table = TableSpec { schema: schema(&is.schema, retypes), ..is.clone() };
        let (metadata, protocol) = redefined(there, &table, retypes).map_err(&refused)?;
        let plain = |table, feed| UpsertSpec { table, key: Vec::new(), feed };
        Ok(Work {
            from: plain(is, false),
            to: plain(table, is_change && has_feed(there)),
            is_change,
            retypes: retypes.into(),
            version: there.state.head,
            metadata,
            protocol,
        })
    }

    /// Writes the rows.
    async fn rows(&self, clock: Arc<dyn Clock>) -> Result<Rewritten, StoreError> {
        let files = Files::load(&self.from.table.place, Some(self.version)).await?;
        let mut dead = files.dead(|_, _| true).await?;
        let reader = Reader::of(&self.from, clock.clone())?;
        let stages = Stages::of(&Arc::new(self.to.clone()), &clock);
        let (mut data, mut before, mut rows) = (stages.data(), stages.before(), 0);
        for (path, file) in &files.active {
            let target = file.target(path);
            let dead = dead.remove(path).filter(|dead| !dead.is_empty());
            let alive = match dead {
                None => None,
                Some(dead) => {
                    let all = match file.rows() {
                        Some(rows) => rows,
                        None => reader.count(&target).await?,
                    };
                    Some(RoaringTreemap::from_iter(0..all) - dead)
                }
            };
            let columns = (0..reader.columns()).collect();
            let (retypes, to, shown) = (self.retypes.clone(), self.to.clone(), self.from.table.shown());
            let write = move |batch: RecordBatch, (data, before, rows): &mut (Open, Option<Open>, u64)| {
                *rows += batch.num_rows() as u64;
                let failed = |cause| StoreError::definite(format!("change the columns of {shown}"), cause);
                let told = |rows: &RecordBatch, kind: &str| {
                    with_types(&to, rows, vec![kind; rows.num_rows()]).map_err(|error| failed(error.to_string()))
                };
                if let Some(before) = before {
                    before.write(&told(&widened(&batch, &to.columns()).map_err(failed)?, "update_preimage")?)?;
                }
                data.write(&told(&retyped(&batch, &retypes, &to.columns()).map_err(failed)?, "update_postimage")?)
            };
            let open = (data.take(), self.to.feed.then(|| before.take()), 0);
            let (open, open_before, written) = reader.scan((target, columns, alive), BATCH, open, write).await?;
            data.put(open);
            open_before.into_iter().for_each(|open| before.put(open));
            rows += written;
        }
        let removed = files.active.into_values().map(|file| file.add).collect();
        Ok(Rewritten { data: data.finish().await?, before: before.finish().await?, rows, removed })
    }

    fn content(&self, rewritten: &Rewritten, now_ms: u64) -> Vec<u8> {
        let columns: Vec<&str> = self.retypes.iter().map(|retype| &*retype.column).collect();
        let mut lines = vec![json!({"commitInfo": {
            "timestamp": now_ms,
            "operation": "CHANGE COLUMNS",
            "operationParameters": {"columns": json!(columns).to_string()},
            "readVersion": self.version.0,
            "isolationLevel": "Serializable",
            "isBlindAppend": false,
            "engineInfo": concat!("lakefront/", env!("CARGO_PKG_VERSION")),
        }})];
        lines.extend(self.protocol.iter().map(|protocol| json!({"protocol": protocol})));
        lines.push(json!({"metaData": self.metadata}));
        lines.extend(rewritten.removed.iter().map(|file| actions::remove(file, now_ms, self.is_change)));
        lines.extend(rewritten.data.iter().map(|file| actions::add(file, self.is_change)));
        if self.to.feed {
            lines.extend(rewritten.data.iter().chain(&rewritten.before).map(actions::fed));
        }
        log::to_lines(&lines)
    }
}

/// What was written.
struct Rewritten {
    data: Vec<Written>,
    /// What the rows were, for the change feed alone.
    before: Vec<Written>,
    rows: u64,
    /// The `add` actions of the files that leave the table.
    removed: Vec<Map<String, Value>>,
}

fn has_feed(there: &Snapshot) -> bool {
    there.properties().iter().any(|(key, value)| key == FEED && value.eq_ignore_ascii_case("true"))
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
        Values::Filled(..) => Some(Arc::new(Field::new(&retype.column, retype.to.clone(), true))),
        Values::Converted => None,
    });
    Arc::new(Schema::new(fields.chain(asides).collect::<Vec<_>>()))
}

/// Rows with the new columns, those of `schema`. The error says which column cannot have them.
fn retyped(batch: &RecordBatch, retypes: &[Retype], schema: &SchemaRef) -> Result<RecordBatch, String> {
    let mut columns = batch.columns().to_vec();
    let in_words = |error: ArrowError| error.to_string();
    for Retype { column, to, values, .. } in retypes {
        let at = || batch.schema_ref().index_of(column).map_err(in_words);
        match values {
            Values::Converted => {
                let at = at()?;
                columns[at] = cast(&columns[at], to).map_err(|cause| format!("column {column:?} {cause}"))?;
            }
            Values::Aside(_) => {
                let none = new_null_array(to, batch.num_rows());
                let aside = std::mem::replace(&mut columns[at()?], none);
                columns.push(aside);
            }
            Values::Filled(value, _) => {
                let all = UInt32Array::from(vec![0; batch.num_rows()]);
                columns.push(take(value, &all, None).map_err(in_words)?);
            }
        }
    }
    RecordBatch::try_new(schema.clone(), columns).map_err(in_words)
}

/// Rows with null in the columns of `schema` that they lack, which are its last.
fn widened(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, String> {
    let none = schema.fields().iter().skip(batch.num_columns());
    let none = none.map(|field| new_null_array(field.data_type(), batch.num_rows()));
    let columns = batch.columns().iter().cloned().chain(none).collect();
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
