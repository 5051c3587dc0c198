//! The catalog's database: connections to it, and which catalog is in it.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Mutex;
use tokio_postgres::Client;
use uuid::Uuid;

use super::create;
use crate::error::StoreError;
use crate::postgres::{self, Ask, Location, Pool, quoted};
use crate::sink::files::Place;

/// The versions of the specification that are written.
const KNOWN: [&str; 2] = ["1.0", "1.1"];

/// Where a lake is.
#[derive(Clone, Debug)]
pub struct LakeSpec {
    /// The catalog's database.
    pub catalog: Location,
    /// The schema of that database that has the catalog's tables.
    pub metadata_schema: String,
    /// The schema of the lake that has the pipeline's tables.
    pub schema: String,
    /// Where files are.
    pub data: Place,
    /// The same, as the catalog has it.
    pub data_path: String,
    /// Whether what is missing is made: the catalog, the schema, tables.
    pub create: bool,
}

/// A lake, and a connection to its catalog.
pub struct Lake {
    spec: LakeSpec,
    /// The metadata schema, as SQL has it.
    pub(super) schema: String,
    /// Sessions of the catalog's database.
    sessions: Arc<Pool>,
    reading: Mutex<Option<Arc<Client>>>,
    /// Whether a catalog was found that can be written.
    is_known: AtomicBool,
    /// Whether the pipelines' own tables were found beside it.
    pub(super) has_ours: AtomicBool,
}

/// The newest snapshot of a lake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) snapshot: i64,
    pub(super) schema_version: i64,
    pub(super) next_catalog_id: i64,
    pub(super) next_file_id: i64,
}

impl Lake {
    /// The lake of `spec`. Nothing is connected to yet.
    pub fn new(spec: LakeSpec) -> Arc<Lake> {
        let sessions = Pool::new(spec.catalog.clone(), "lakefront");
        Lake::over(spec, sessions)
    }

    /// The lake of `spec`, whose catalog's database is that of `sessions`.
    pub fn over(spec: LakeSpec, sessions: Arc<Pool>) -> Arc<Lake> {
        let (schema, reading) = (quoted(&spec.metadata_schema), Mutex::new(None));
        let (is_known, has_ours) = (AtomicBool::default(), AtomicBool::default());
        Arc::new(Lake { spec, schema, sessions, reading, is_known, has_ours })
    }

    /// Where it is.
    pub fn spec(&self) -> &LakeSpec {
        &self.spec
    }

    /// What messages call it.
    pub fn shown(&self) -> String {
        format!("the lake {}, schema {:?}", self.spec.catalog.shown(), self.spec.metadata_schema)
    }

    /// A connection for questions, each of which is a transaction of its own.
    pub(super) async fn reader(&self) -> Result<Arc<Client>, StoreError> {
        let mut reading = self.reading.lock().await;
        if let Some(client) = reading.as_ref().filter(|client| !client.is_closed()) {
            return Ok(client.clone());
        }
        Ok(reading.insert(self.sessions.session().await?).clone())
    }

    /// A new connection.
    pub(super) async fn connect(&self) -> Result<Client, StoreError> {
        postgres::connect(&self.spec.catalog, "lakefront").await
    }

    /// Whether there is a catalog. One of an unknown version, of another data path or with
    /// encrypted files is refused. What was found once is not looked for again: statements fail
    /// when it goes, and each commit checks the version.
    pub async fn is_there(&self) -> Result<bool, StoreError> {
        if self.is_known.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let (client, shown) = (self.reader().await?, self.shown());
        let failed = |e| postgres::failed(format!("look at {shown}"), e);
        let named = format!("{}.ducklake_metadata", self.schema);
        let there = client.ask_one("SELECT to_regclass($1) IS NOT NULL", &[&named]).await.map_err(failed)?;
        if !there.get::<_, bool>(0) {
            return Ok(false);
        }
        let sql = format!("SELECT key, value FROM {named} WHERE scope IS NULL OR scope = ''");
        let rows = client.ask(&sql, &[]).await.map_err(failed)?;
        let value = |key: &str| rows.iter().find(|row| row.get::<_, &str>(0) == key).map(|row| row.get::<_, String>(1));
        self.refuse(check_version(value("version").as_deref()))?;
        if value("encrypted").is_some_and(|encrypted| encrypted == "true") {
            self.refuse(Err("its files are encrypted, which lakefront cannot write".to_owned()))?;
        }
        let theirs = value("data_path").unwrap_or_default();
        if !is_same_path(&theirs, &self.spec.data_path) {
            self.refuse(Err(format!(
                "its files are in {theirs:?}, but lake.data_path is {:?}: set lake.data_path to what the catalog says",
                self.spec.data_path
            )))?;
        }
        self.is_known.store(true, Ordering::Relaxed);
        Ok(true)
    }

    /// Makes the catalog, if there is none and that is allowed.
    pub async fn make(&self) -> Result<(), StoreError> {
        if self.is_there().await? {
            return Ok(());
        }
        if !self.spec.create {
            let advice = "no catalog is there: set lake.create = true to make one, or correct lake.catalog and \
                          lake.metadata_schema";
            return self.refuse(Err(advice.to_owned()));
        }
        let client = self.connect().await?;
        let failed = |e| postgres::failed(format!("make {}", self.shown()), e);
        // Making a schema takes a right that a role may lack to which one was given.
        let sql = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)";
        let has_schema: bool = client.ask_one(sql, &[&self.spec.metadata_schema]).await.map_err(failed)?.get(0);
        let mut sql = String::from("BEGIN;\n");
        if !has_schema {
            let _ = writeln!(sql, "CREATE SCHEMA {};", self.schema);
        }
        sql.push_str(&create::catalog(&self.spec.metadata_schema, &self.spec.data_path));
        sql.push_str("\nCOMMIT;");
        client.batch_execute(&sql).await.map_err(failed)?;
        tracing::info!(
            catalog = self.spec.catalog.shown(),
            schema = self.spec.metadata_schema,
            "made a DuckLake catalog"
        );
        Ok(())
    }

    /// Whether `client` is connected to the catalog's database. A lock that only this process can
    /// know of is taken there, and looked for through `client`.
    pub async fn is_seen_by(&self, client: &Client) -> Result<bool, StoreError> {
        let failed = |e| postgres::failed(format!("compare a database with that of {}", self.shown()), e);
        let catalog = self.reader().await?;
        let key = Uuid::new_v4().as_u64_pair().0.cast_signed();
        catalog.tell("SELECT pg_advisory_lock($1)", &[&key]).await.map_err(failed)?;
        let sql = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 \
                   AND (classid::int8 << 32 | objid::int8) = $1 \
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))";
        let is_seen: bool = client.ask_one(sql, &[&key]).await.map_err(failed)?.get(0);
        // If the connection is lost, so was the lock, and nothing is known.
        catalog.tell("SELECT pg_advisory_unlock($1)", &[&key]).await.map_err(failed)?;
        Ok(is_seen)
    }

    pub(super) fn refuse(&self, outcome: Result<(), String>) -> Result<(), StoreError> {
        outcome.map_err(|why| StoreError::definite(format!("use {}", self.shown()), why))
    }

    /// The newest snapshot. The version of the specification is read in the same question.
    pub(super) async fn head(&self, client: &Client) -> Result<Head, StoreError> {
        let m = &self.schema;
        let sql = format!(
            "SELECT s.snapshot_id, s.schema_version, s.next_catalog_id, s.next_file_id, \
             (SELECT value FROM {m}.ducklake_metadata WHERE key = 'version' AND (scope IS NULL OR scope = '') LIMIT 1) \
             FROM {m}.ducklake_snapshot s ORDER BY s.snapshot_id DESC LIMIT 1"
        );
        let row = client.ask_opt(&sql, &[]).await.map_err(|e| postgres::failed(format!("read {}", self.shown()), e))?;
        let Some(row) = row else {
            return Err(StoreError::definite(format!("read {}", self.shown()), "it has no snapshot"));
        };
        self.refuse(check_version(row.get::<_, Option<&str>>(4)))?;
        let (snapshot, schema_version) = (row.get(0), row.get(1));
        Ok(Head { snapshot, schema_version, next_catalog_id: row.get(2), next_file_id: row.get(3) })
    }
}

fn check_version(version: Option<&str>) -> Result<(), String> {
    match version {
        Some(version) if KNOWN.contains(&version) => Ok(()),
        Some(version) => Err(format!(
            "its catalog has version {version} of DuckLake's specification, and this lakefront writes {}: a newer \
             lakefront may know it",
            KNOWN.join(" and ")
        )),
        None => Err("its catalog names no version".to_owned()),
    }
}

/// Whether two data paths are the same: a trailing slash makes no difference.
fn is_same_path(a: &str, b: &str) -> bool {
    let plain = |path: &str| path.strip_prefix("file://").or(path.strip_prefix("file:")).unwrap_or(path).to_owned();
    let (a, b) = (plain(a), plain(b));
    match a.contains("://") || b.contains("://") {
        true => a.trim_end_matches('/') == b.trim_end_matches('/'),
        false => Path::new(&a) == Path::new(&b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_compared_without_their_slashes() {
        assert!(is_same_path("/data/lake", "/data/lake/"));
        assert!(is_same_path("file:///data/lake/", "/data/lake"));
        assert!(is_same_path("s3://bucket/lake", "s3://bucket/lake/"));
        assert!(!is_same_path("s3://bucket/lake", "s3://bucket/lake2/"));
        assert!(!is_same_path("/data/lake", "data/lake"));
    }

    #[test]
    fn unknown_versions_are_refused() {
        assert!(check_version(Some("1.0")).is_ok() && check_version(Some("1.1")).is_ok());
        for version in [None, Some("0.3"), Some("2.0"), Some("1.0-dev")] {
            assert!(check_version(version).is_err(), "{version:?}");
        }
    }
}
