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
//! Of other types, the change feed says nothing: a row cannot be told there as it was before, in
//! columns that are no more. Whoever reads it
//! across the commit meets columns of two types, as after any change of a column's type. A value of
//! a new column is an update of each row in the feed.

mod cast;
mod definition;
mod rows;

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Schema};
use roaring::RoaringTreemap;
use serde_json::{Map, Value, json};
use thiserror::Error;

use self::cast::has_counterparts;
use self::definition::redefined;
pub use self::definition::{Added, Older};
use self::rows::{Opened, Rewritten, schema};
use super::actions;
use super::definition::{FEED, UpsertSpec};
use super::files::Files;
use super::read::{BATCH, Reader};
use super::stage::Stages;
use crate::error::{Stop, StoreError};
use crate::protocol::clock::{Clock, Stamp};
use crate::protocol::group::{Created, GroupState};
use crate::protocol::names::Version;
use crate::protocol::retry::{Retry, ask};
use crate::sink::delta::{Snapshot, TableSpec, log, snapshot};
use crate::sink::files::Place;

/// How often the rows are written anew because others have changed the table meanwhile.
const TRIES: usize = 5;
/// Files are completed once those that they take the place of have so many bytes together.
const FILE_BYTES: u64 = 256 << 20;

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
    /// Its type, unless it is new.
    pub from: Option<DataType>,
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

/// Why columns did not get other types.
#[derive(Debug, Error)]
pub enum RetypeError {
    /// A value has no counterpart in the new type.
    #[error("{0}")]
    NoCounterpart(String),
    /// Something else is in the way.
    #[error(transparent)]
    Stop(#[from] Stop),
}

impl From<StoreError> for RetypeError {
    fn from(error: StoreError) -> RetypeError {
        RetypeError::Stop(error.into())
    }
}

/// Gives columns of the table of `spec` other types. Nothing is changed on an error, but files may
/// stay behind that no version names: VACUUM removes them.
///
/// # Errors
/// If there is no such table, if it can take no commit of ours, if a value has no counterpart in
/// the new type, or if others go on changing the table.
pub async fn retype(spec: &TableSpec, retypes: &[Retype], clock: Arc<dyn Clock>) -> Result<Retyped, RetypeError> {
    for _ in 0..TRIES {
        let begun = Stamp::now(&*clock);
        let there = ask(&*clock, || Box::pin(snapshot::read(&spec.place, ""))).await?;
        let there = there.ok_or_else(|| Stop::Refused(format!("there is no table in {}", spec.place)))?;
        let work = Work::of(spec, &there, retypes)?;
        let rewritten = work.rows(clock.clone()).await?;
        let content = work.content(&rewritten, clock.now_ms());
        let GroupState { head, retention, .. } = there.state;
        // A version below the real head may be free because the log was cleaned up, and VACUUM may
        // have taken files that no version names yet.
        let age_ms = begun.age_ms(&*clock);
        let is_late = age_ms > (retention.log_ms / 2).min(retention.files_ms / 2);
        if !is_late && let Some(version) = commit(&spec.place, head.next(), content, &*clock).await? {
            return Ok(Retyped { version, rows: rewritten.rows, files: rewritten.data.len() });
        }
        for file in rewritten.data.iter().chain(&rewritten.before) {
            // One that stays is in nobody's way.
            let _ = spec.place.join(&file.path).delete().await;
        }
    }
    let text = format!("{} goes on being changed by others: stop them, and try again", spec.shown());
    Err(Stop::Refused(text).into())
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
    /// See [`FILE_BYTES`].
    file_bytes: u64,
}

impl Work {
    fn of(spec: &TableSpec, there: &Snapshot, retypes: &[Retype]) -> Result<Work, RetypeError> {
        let refused = |what: String| Stop::Refused(format!("{} ({}) {what}", spec.shown(), spec.place));
        let columns = there.columns().ok_or_else(|| refused("has a column of a type that there is none for".into()))?;
        let is_there = |name: &str| columns.iter().any(|field| field.name().eq_ignore_ascii_case(name));
        for Retype { column, from, to, values, .. } in retypes {
            let new = match values {
                Values::Converted => None,
                Values::Aside(name) => Some(name),
                Values::Filled(..) => Some(column),
            };
            if let Some(name) = new.filter(|name| is_there(name)) {
                return Err(refused(format!("has a column {name:?} already")).into());
            }
            let is = columns.find(column).map(|(_, field)| field.data_type());
            if is != from.as_ref() {
                return Err(refused(format!("has column {column:?} as another type by now: try again")).into());
            }
            if let Some(from) = from.as_ref().filter(|from| *values == Values::Converted && !has_counterparts(from, to))
            {
                let text = format!("column {column:?} is {from}, and nothing says what its values are as {to}");
                return Err(RetypeError::NoCounterpart(text));
            }
        }
        let is = TableSpec { schema: Arc::new(Schema::new(columns)), ..spec.clone() };
        is.check(there).map_err(&refused)?;
        let is_appended = there.properties().iter().any(|(key, value)| key == "delta.appendOnly" && value == "true");
        if is_appended {
            return Err(refused(
                "has the property delta.appendOnly, so its rows cannot be written anew: unset it".into(),
            )
            .into());
        }
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
            file_bytes: FILE_BYTES,
        })
    }

    /// Writes the rows.
    async fn rows(&self, clock: Arc<dyn Clock>) -> Result<Rewritten, RetypeError> {
        let files = Files::load(&self.from.table.place, Some(self.version)).await?;
        let mut dead = files.dead(|_, _| true).await?;
        let reader = Reader::of(&self.from, clock.clone())?;
        let stages = Stages::of(&Arc::new(self.to.clone()), &clock);
        let (mut data, mut before, mut bytes) = (stages.data(), stages.before(), 0);
        let mut rewritten = Rewritten::default();
        for (path, file) in &files.active {
            let target = file.target(path);
            let alive = match dead.remove(path).filter(|dead| !dead.is_empty()) {
                None => None,
                Some(dead) => {
                    let all = match file.rows() {
                        Some(rows) => rows,
                        None => reader.count(&target).await?,
                    };
                    Some(RoaringTreemap::from_iter(0..all) - dead)
                }
            };
            let open = Opened { data: data.take(), before: self.to.feed.then(|| before.take()), rows: 0, odd: None };
            let columns = (0..reader.columns()).collect();
            let (retypes, to) = (self.retypes.clone(), self.to.clone());
            let write = move |batch: RecordBatch, open: &mut Opened| open.write(&batch, &retypes, &to);
            let open = reader.scan((target, columns, alive), BATCH, open, write).await?;
            if let Some(odd) = open.odd {
                return Err(RetypeError::NoCounterpart(odd));
            }
            data.put(open.data);
            open.before.into_iter().for_each(|open| before.put(open));
            rewritten.rows += open.rows;
            bytes += file.size();
            if bytes >= self.file_bytes {
                let done =
                    (std::mem::replace(&mut data, stages.data()), std::mem::replace(&mut before, stages.before()));
                rewritten.take(done).await?;
                bytes = 0;
            }
        }
        rewritten.take((data, before)).await?;
        rewritten.removed = files.active.into_values().map(|file| file.add).collect();
        Ok(rewritten)
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

fn has_feed(there: &Snapshot) -> bool {
    there.properties().iter().any(|(key, value)| key == FEED && value.eq_ignore_ascii_case("true"))
}

/// Commits `version`, or a later one if others have only moved positions meanwhile. Returns it, or
/// none if the rows have to be written anew.
async fn commit(
    table: &Place,
    mut version: Version,
    content: Vec<u8>,
    clock: &dyn Clock,
) -> Result<Option<Version>, StoreError> {
    let mut retry = Retry::default();
    loop {
        let file = table.join("_delta_log").join(&log::file_name(version));
        match file.create(content.clone()).await {
            Ok(Created::Yes) => return Ok(Some(version)),
            Ok(Created::No | Created::Void) => match file.read().await? {
                // The reply of a request before this one was lost.
                Some(found) if found == content => return Ok(Some(version)),
                Some(found) if moves_positions_alone(&found) => version = version.next(),
                _ => return Ok(None),
            },
            Err(error) => retry.after(error, clock).await?,
        }
    }
}

/// Whether a commit leaves the table's rows and columns as they are.
fn moves_positions_alone(content: &[u8]) -> bool {
    let Ok(mut lines) = log::lines(content) else { return false };
    lines.all(|line| {
        let action: Result<Map<String, Value>, _> = serde_json::from_slice(line);
        action.is_ok_and(|action| action.keys().all(|kind| ["commitInfo", "txn", "domainMetadata"].contains(&&**kind)))
    })
}

#[cfg(test)]
mod tests;
