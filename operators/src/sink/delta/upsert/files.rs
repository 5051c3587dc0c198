//! The files that a table refers to, as its log has them at one version.
//!
//! They are read once, by the library, and then followed commit by commit.

use std::collections::BTreeMap;

use deltalake::DeltaTableError;
use deltalake::kernel::Snapshot;
use deltalake::table::config::TablePropertiesExt;
use futures::TryStreamExt;
use roaring::RoaringTreemap;
use serde_json::{Map, Value, json};

use super::read::Target;
use super::vectors;
use crate::error::StoreError;
use crate::protocol::names::Version;
use crate::sink::delta::log;
use crate::sink::files::Place;

/// A file that left the table more versions ago than this is not remembered. A cut that still
/// refers to it ends the run, and the next begins from the lake.
const REMEMBERED: u64 = 10_000;

/// A file of the table.
#[derive(Clone, Debug)]
pub(super) struct LakeFile {
    /// Its `add` action.
    pub(super) add: Map<String, Value>,
    /// The version that has added it, or given it its vector; or a later one, at which it was met.
    pub(super) since: Version,
}

impl LakeFile {
    /// In bytes.
    pub(super) fn size(&self) -> u64 {
        self.add.get("size").and_then(Value::as_u64).unwrap_or(0)
    }

    /// As a reader asks for it, by its `path`.
    pub(super) fn target(&self, path: &str) -> Target {
        Target { path: path.to_owned(), size: self.size() }
    }

    /// How many rows are in it, dead ones too; none if the log does not say.
    pub(super) fn rows(&self) -> Option<u64> {
        let stats: Value = serde_json::from_str(self.add.get("stats")?.as_str()?).ok()?;
        stats.get("numRecords")?.as_u64()
    }

    /// Its deletion vector, as the log points at it.
    pub(super) fn vector(&self) -> Option<&Value> {
        self.add.get("deletionVector").filter(|vector| !vector.is_null())
    }
}

/// A file that is the table's no more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gone {
    /// The version that has removed it.
    pub(super) at: Version,
    /// In bytes.
    pub(super) size: u64,
    /// Whether its rows were changed, and not merely written elsewhere.
    pub(super) is_change: bool,
}

/// The files of a table at one version.
pub(super) struct Files {
    table: Place,
    pub(super) version: Version,
    /// How long the table keeps its log, in milliseconds, as it was when it was loaded.
    pub(super) log_ms: u64,
    /// Whether files are as a commit must repeat them, and not only as their readers need them.
    is_full: bool,
    pub(super) active: BTreeMap<String, LakeFile>,
    pub(super) gone: BTreeMap<String, Gone>,
}

/// What a commit did to a table's files.
#[derive(Clone, Debug, Default)]
pub(super) struct Did {
    /// Whether it added or removed any.
    pub(super) has_moved_files: bool,
    /// Those that are the table's no more.
    pub(super) gone: Vec<String>,
}

impl Files {
    /// The files of `table` at `version`, or at its newest.
    pub(super) async fn load(table: &Place, version: Option<Version>) -> Result<Files, StoreError> {
        Files::read(table, version, true).await
    }

    /// The same for whoever only reads the files. It takes a part of the memory, most of which are
    /// statistics.
    pub(super) async fn lean(table: &Place, version: Option<Version>) -> Result<Files, StoreError> {
        Files::read(table, version, false).await
    }

    async fn read(table: &Place, version: Option<Version>, is_full: bool) -> Result<Files, StoreError> {
        let failed = |error: DeltaTableError| table.library_failure(format!("list the files of table {table}"), error);
        let store = table.log_store()?;
        let snapshot = Snapshot::try_new(&*store, version.map(|version| version.0)).await.map_err(failed)?;
        let version = Version(snapshot.version());
        let log_ms = snapshot.table_properties().log_retention_duration().as_millis();
        let mut views = snapshot.file_views(&*store, None);
        let mut active = BTreeMap::new();
        while let Some(view) = views.try_next().await.map_err(failed)? {
            let path = view.path().into_owned();
            check_name(table, &path)?;
            let mut add = json!({
                "path": path,
                "partitionValues": view.partition_values_map(),
                "size": view.size(),
                "modificationTime": view.modification_time(),
                "dataChange": true,
            });
            if let Some(stats) = view.stats().filter(|_| is_full) {
                add["stats"] = stats.into();
            }
            if let Some(vector) = view.deletion_vector_descriptor() {
                let vector = serde_json::to_value(vector).map_err(|e| failed(e.into()))?;
                add["deletionVector"] = vector;
            }
            if let Value::Object(add) = add {
                active.insert(path, LakeFile { add, since: version });
            }
        }
        let log_ms = u64::try_from(log_ms).unwrap_or(u64::MAX);
        Ok(Files { table: table.clone(), version, log_ms, is_full, active, gone: BTreeMap::new() })
    }

    /// The dead rows of those active files that are `wanted`, none for a file without a vector.
    pub(super) async fn dead(
        &self,
        wanted: impl Fn(&str, &LakeFile) -> bool,
    ) -> Result<BTreeMap<String, RoaringTreemap>, StoreError> {
        let wanted: Vec<_> = self.active.iter().filter(|(path, file)| wanted(path, file)).collect();
        let vectors = wanted.iter().filter_map(|(path, file)| Some(((*path).clone(), file.vector()?.clone())));
        let mut read = vectors::read(&self.table, vectors.collect::<Vec<_>>()).await?;
        Ok(wanted.into_iter().map(|(path, _)| (path.clone(), read.remove(path).unwrap_or_default())).collect())
    }

    /// Goes on to the state of `version`.
    pub(super) async fn follow(&mut self, version: Version) -> Result<(), StoreError> {
        while self.version < version {
            match self.commit(self.version.next()).await? {
                Some(content) => drop(self.apply(self.version.next(), &content)?),
                // It was cleaned up. What left the table meanwhile is not known.
                None => *self = Files::read(&self.table, Some(version), self.is_full).await?,
            }
        }
        Ok(())
    }

    /// The content of a commit; none if there is none.
    pub(super) async fn commit(&self, version: Version) -> Result<Option<Vec<u8>>, StoreError> {
        self.table.join("_delta_log").join(&log::file_name(version)).read().await
    }

    /// Goes on by the commit that made `version`, the next one.
    pub(super) fn apply(&mut self, version: Version, content: &[u8]) -> Result<Did, StoreError> {
        debug_assert_eq!(version, self.version.next(), "commits are followed one by one");
        let torn = |error: serde_json::Error| {
            let (attempt, cause) = log::torn(&self.table.join("_delta_log").join(&log::file_name(version)), &error);
            StoreError::transient(attempt, cause)
        };
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for line in log::lines(content).map_err(torn)? {
            let action: Map<String, Value> = serde_json::from_slice(line).map_err(torn)?;
            for (kind, value) in action {
                match (kind.as_str(), value) {
                    ("add", Value::Object(add)) => added.push(add),
                    ("remove", Value::Object(remove)) => removed.push(remove),
                    _ => {}
                }
            }
        }
        let has_moved_files = !added.is_empty() || !removed.is_empty();
        let path = |of: &Map<String, Value>| of.get("path").and_then(Value::as_str).unwrap_or_default().to_owned();
        added.iter().try_for_each(|add| check_name(&self.table, &path(add)))?;
        // A commit that gives a file another vector removes and adds it.
        for remove in removed {
            let Some(file) = self.active.remove(&path(&remove)) else { continue };
            let is_change = remove.get("dataChange").and_then(Value::as_bool).unwrap_or(true);
            self.gone.insert(path(&remove), Gone { at: version, size: file.size(), is_change });
        }
        for mut add in added {
            if !self.is_full {
                add.remove("stats");
            }
            self.gone.remove(&path(&add));
            self.active.insert(path(&add), LakeFile { add, since: version });
        }
        let gone = self.gone.iter().filter(|(_, gone)| gone.at == version).map(|(path, _)| path.clone()).collect();
        self.gone.retain(|_, gone| gone.at.0 + REMEMBERED > version.0);
        self.version = version;
        Ok(Did { has_moved_files, gone })
    }
}

/// Refuses names that the library and the log would write in two ways, such as those with spaces or
/// of files outside of the table's folder: a commit must repeat a name as it was.
fn check_name(table: &Place, path: &str) -> Result<(), StoreError> {
    let is_plain = |part: &str| {
        let is_plain = part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._=".contains(&b));
        is_plain && !["", ".", ".."].contains(&part)
    };
    if path.split('/').all(is_plain) {
        return Ok(());
    }
    let cause = "its name is not one that Delta's writers give to files in a table's folder: give the rows other files with \
                 INSERT OVERWRITE, from the table itself";
    Err(StoreError::definite(format!("use file {path:?} of table {table}"), cause))
}
