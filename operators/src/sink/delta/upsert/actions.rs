//! The actions of a commit that changes rows.

use serde_json::{Map, Value, json};

use super::files::LakeFile;
use super::outcome::{Outcome, Written};
use crate::protocol::group::Commit;
use crate::sink::delta::log::{self, AppIds, Summary};

/// A file of which rows die.
pub(super) struct Touched {
    /// As it is.
    pub(super) file: LakeFile,
    /// How many rows it has, dead ones too.
    pub(super) rows: u64,
    /// Its vector from now on; none if all of its rows are dead, so that it leaves the table.
    pub(super) vector: Option<Value>,
}

/// The content of a commit that makes `outcomes` visible, all shards' at once. `has_feed` says
/// whether the table has a change feed.
pub(super) fn content(
    (commit, ids, now_ms): (&Commit, &AppIds, u64),
    outcomes: &[Outcome],
    touched: &[Touched],
    has_feed: bool,
) -> Vec<u8> {
    let data = || outcomes.iter().flat_map(|outcome| &outcome.data);
    let summary = Summary {
        mode: "Update",
        rows: data().map(|file| file.rows).sum(),
        bytes: data().map(|file| file.size).sum(),
        files: data().count(),
        is_blind_append: false,
    };
    let mut lines = log::head(commit, ids, now_ms, &summary);
    lines.extend(data().map(|file| add(file, true)));
    // Readers of the feed go by these actions alone if there is one, and else by the data files. So
    // a commit has all of its changes in them, or is one of new rows only and has none.
    if has_feed && !touched.is_empty() {
        let before = outcomes.iter().flat_map(|outcome| &outcome.before);
        lines.extend(data().chain(before).map(fed));
    }
    for file in touched {
        lines.push(remove(&file.file.add, now_ms, true));
        lines.extend(file.vector.as_ref().map(|vector| with_vector(file, vector)));
    }
    log::to_lines(&lines)
}

/// A file of the table. `is_change` says whether its rows are others than those that leave it.
pub(super) fn add(file: &Written, is_change: bool) -> Value {
    json!({"add": {
        "path": file.path,
        "partitionValues": {},
        "size": file.size,
        "modificationTime": file.begun_ms,
        "dataChange": is_change,
        "stats": file.stats,
    }})
}

/// A file of the change feed. A data file may be one too, because it holds no row that has not
/// changed.
pub(super) fn fed(file: &Written) -> Value {
    json!({"cdc": {"path": file.path, "partitionValues": {}, "size": file.size, "dataChange": false}})
}

/// The end of the file that has this `add` action. It repeats the file's vector, because file and
/// vector together are what is removed.
pub(super) fn remove(add: &Map<String, Value>, now_ms: u64, is_change: bool) -> Value {
    let of = |key: &str| add.get(key).cloned();
    let mut remove = json!({
        "path": of("path"),
        "deletionTimestamp": now_ms,
        "dataChange": is_change,
        "extendedFileMetadata": true,
        "partitionValues": of("partitionValues"),
        "size": of("size"),
    });
    for key in ["deletionVector", "tags"] {
        if let Some(value) = of(key).filter(|value| !value.is_null()) {
            remove[key] = value;
        }
    }
    json!({"remove": remove})
}

/// The file with another vector. Its statistics count dead rows too, and the bounds may be wider
/// than what is alive.
fn with_vector(touched: &Touched, vector: &Value) -> Value {
    let mut add = touched.file.add.clone();
    let stats = add.get("stats").and_then(Value::as_str).and_then(|stats| serde_json::from_str(stats).ok());
    let mut stats: Map<String, Value> = stats.unwrap_or_default();
    stats.insert("numRecords".to_owned(), touched.rows.into());
    stats.insert("tightBounds".to_owned(), false.into());
    add.insert("stats".to_owned(), Value::Object(stats).to_string().into());
    add.insert("dataChange".to_owned(), true.into());
    add.insert("deletionVector".to_owned(), vector.clone());
    json!({"add": add})
}
