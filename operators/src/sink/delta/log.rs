//! The Delta transaction log, as far as an appending writer needs it: the actions of one commit.
//!
//! The format follows the Delta transaction log protocol, sections "Actions" and "Delta Log
//! Entries". A commit is one file, `_delta_log/<version, 20 digits>.json`, with one JSON action per
//! line.

use serde_json::{Value, json};
use uuid::Uuid;

use super::Detail;
use crate::error::StoreError;
use crate::position::Position;
use crate::protocol::group::{Commit, CommitFacts};
use crate::protocol::names::{Held, RunId, Version};
use crate::protocol::staged::StagedFile;
use crate::sink::files::Place;

/// The key in `commitInfo` by which a run recognizes its own commit.
const COMMIT_ID: &str = "lakefrontCommit";

/// The app ids of a pipeline's transactions in its tables.
#[derive(Clone, Debug)]
pub(super) struct AppIds {
    /// The app id whose version is the position.
    pub(super) position: String,
    /// The app id whose version is the run.
    pub(super) run: String,
}

impl AppIds {
    pub(super) fn of(pipeline: &str) -> Self {
        AppIds { position: pipeline.to_owned(), run: format!("{pipeline}/run") }
    }
}

/// The name of a version's file in `_delta_log`.
pub(super) fn file_name(version: Version) -> String {
    format!("{:020}.json", version.0)
}

/// What a commit of ours says of itself.
pub(super) struct Summary {
    /// How Spark calls what a streaming query does to a table: `Append`, or `Update`.
    pub(super) mode: &'static str,
    /// How many rows its data files have.
    pub(super) rows: u64,
    /// In bytes.
    pub(super) bytes: u64,
    /// How many data files it adds.
    pub(super) files: usize,
    /// Whether it did not depend on what the table had.
    pub(super) is_blind_append: bool,
}

/// The actions that a commit of ours begins with: what it is, and where the pipeline stands.
pub(super) fn head(commit: &Commit, ids: &AppIds, now_ms: u64, summary: &Summary) -> Vec<Value> {
    vec![
        json!({"commitInfo": {
            "timestamp": now_ms,
            "operation": "STREAMING UPDATE",
            "operationParameters": {
                "outputMode": summary.mode,
                "queryId": ids.position,
                "epochId": commit.held.position.to_string(),
            },
            "operationMetrics": {
                "numOutputRows": summary.rows.to_string(),
                "numOutputBytes": summary.bytes.to_string(),
                "numAddedFiles": summary.files.to_string(),
            },
            "isolationLevel": "WriteSerializable",
            "isBlindAppend": summary.is_blind_append,
            "engineInfo": concat!("lakefront/", env!("CARGO_PKG_VERSION")),
            (COMMIT_ID): commit.id.to_string(),
        }}),
        transaction(&ids.position, commit.held.position.0, now_ms),
        transaction(&ids.run, commit.held.run.0, now_ms),
    ]
}

/// The content of one of our commits that only appends.
pub(super) fn commit(commit: &Commit, ids: &AppIds, now_ms: u64) -> Result<Vec<u8>, StoreError> {
    let files = || commit.files.iter().map(|staged| &staged.file);
    let (rows, bytes) = (files().map(|f| f.rows).sum(), files().map(|f| f.size).sum());
    let summary = Summary { mode: "Append", rows, bytes, files: commit.files.len(), is_blind_append: true };
    let mut lines = head(commit, ids, now_ms, &summary);
    for file in files() {
        lines.push(add(file)?);
    }
    Ok(to_lines(&lines))
}

/// The content of a commit that sets a table's metadata, and its protocol if it is new.
pub(super) fn definition(protocol: Option<Value>, metadata: Value, operation: &str, now_ms: u64) -> Vec<u8> {
    let info = json!({"commitInfo": {
        "timestamp": now_ms,
        "operation": operation,
        "operationParameters": {},
        "engineInfo": concat!("lakefront/", env!("CARGO_PKG_VERSION")),
    }});
    let mut lines = vec![info];
    lines.extend(protocol.map(|protocol| json!({"protocol": protocol})));
    lines.push(json!({"metaData": metadata}));
    to_lines(&lines)
}

/// Actions as the lines of a commit.
pub(super) fn to_lines(actions: &[Value]) -> Vec<u8> {
    let mut content = Vec::new();
    for action in actions {
        content.extend_from_slice(action.to_string().as_bytes());
        content.push(b'\n');
    }
    content
}

fn transaction(app_id: &str, version: u64, now_ms: u64) -> Value {
    json!({"txn": {"appId": app_id, "version": version, "lastUpdated": now_ms}})
}

fn add(file: &StagedFile) -> Result<Value, StoreError> {
    let Detail { partition_values, stats } = Detail::of(file)?;
    Ok(json!({"add": {
        "path": file.path,
        "partitionValues": partition_values,
        "size": file.size,
        "modificationTime": file.staged_at.wall_ms,
        "dataChange": true,
        "stats": stats,
    }}))
}

/// The lines of a commit of ours that add files.
pub(super) fn adds(content: &[u8]) -> Vec<u8> {
    content.split_inclusive(|b| *b == b'\n').filter(|line| line.starts_with(b"{\"add\":")).collect::<Vec<_>>().concat()
}

/// The actions of a commit as text. A commit without any is one that its writer has created and is
/// still to write.
pub(super) fn lines(content: &[u8]) -> Result<impl Iterator<Item = &[u8]>, serde_json::Error> {
    if content.trim_ascii().is_empty() {
        return Err(serde::de::Error::custom("it is empty"));
    }
    Ok(content.split(|b| *b == b'\n').filter(|line| !line.trim_ascii().is_empty()))
}

/// What the protocol must know about an existing commit.
pub(super) fn seen(content: &[u8], ids: &AppIds) -> Result<CommitFacts, serde_json::Error> {
    let mut seen = CommitFacts { id: None, ours: false, is_suspect: false, removes_rows: false };
    for line in lines(content)? {
        let action: Value = serde_json::from_slice(line)?;
        let text = |action: &Value, key: &str| action.get(key).and_then(Value::as_str).map(str::to_owned);
        if let Some(info) = action.get("commitInfo") {
            seen.id = text(info, COMMIT_ID).and_then(|id| Uuid::parse_str(&id).ok());
        } else if let Some(txn) = action.get("txn") {
            let app = text(txn, "appId").unwrap_or_default();
            seen.ours |= app == ids.position || app == ids.run;
        } else if let Some(remove) = action.get("remove") {
            seen.removes_rows |= remove.get("dataChange").and_then(Value::as_bool).unwrap_or(true);
        } else if action.get("metaData").is_some() || action.get("protocol").is_some() {
            seen.is_suspect = true;
        }
    }
    Ok(seen)
}

/// Why the commit in `file` cannot be read, and what to do about it. Writers that create commits
/// whole never leave one like it.
pub(super) fn torn(file: &Place, error: &serde_json::Error) -> (String, String) {
    let cause = format!(
        "it is cut short or not JSON ({error}), because another writer is still writing it or has died: once that writer \
         is gone, move the file away if it is the newest version of the table, or else restore it from a backup"
    );
    (format!("read {file}"), cause)
}

/// The position and run of a commit's transactions, if it has both of ours.
pub(super) fn held(content: &[u8], ids: &AppIds) -> Option<Held> {
    let Transactions { position, run } = told(content, ids).ok()?;
    position.zip(run).map(|(position, run)| Held { position, run })
}

/// What a commit says about where a pipeline stands; none for what it leaves unchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Transactions {
    pub(super) position: Option<Position>,
    pub(super) run: Option<RunId>,
}

/// What the commit with this content says about the pipeline of `ids`.
pub(super) fn told(content: &[u8], ids: &AppIds) -> Result<Transactions, serde_json::Error> {
    let mut told = Transactions::default();
    for line in content.split(|b| *b == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        let action: Value = serde_json::from_slice(line)?;
        let Some(txn) = action.get("txn") else { continue };
        let (app, version) = (txn.get("appId").and_then(Value::as_str), txn.get("version").and_then(Value::as_u64));
        if app == Some(&ids.position) {
            told.position = version.map(Position);
        } else if app == Some(&ids.run) {
            told.run = version.map(RunId);
        }
    }
    Ok(told)
}

#[cfg(test)]
mod tests;
