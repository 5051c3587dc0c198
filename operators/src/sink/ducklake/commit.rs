//! One attempt at a commit: everything that it changes in the catalog, in one transaction.
//!
//! The order is that of DuckLake's own commits: the lock, then the snapshot, then the rest. What is
//! read under the lock is read over another connection, because the transaction may have begun long
//! before. The lock is held for a fixed number of statements, and a few more for each table whose
//! rows are replaced, however many files, rows or snapshots there are.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::catalog::{Head, Lake};
use super::columns::{self, TableStatistics};
use super::detail::Detail;
use super::group::LakeGroup;
use super::log::{self, signed};
use super::places::{Gone, Leaving, Replaced};
use super::rows;
use super::tables;
use crate::error::StoreError;
use crate::postgres::{self, Ask};
use crate::protocol::group::{Commit, Created};
use crate::protocol::names::Version;
use crate::protocol::staged::Staged;

/// How long a commit waits for another writer's transaction, in milliseconds, before it says who
/// blocks it and tries again.
pub(super) const LOCK_WAIT_MS: u32 = 10_000;

/// An attempt to make a version.
pub(super) struct Attempt<'a> {
    pub(super) group: &'a LakeGroup,
    pub(super) version: Version,
    pub(super) commit: &'a Commit,
}

/// A file of a commit.
pub(super) struct NewFile<'a> {
    pub(super) staged: &'a Staged,
    pub(super) detail: Detail,
}

/// Why nothing was written.
enum Not {
    /// The version exists.
    Created,
    /// The files do not fit the tables any more, or another writer was first.
    Void(String),
    Failed(StoreError),
}

impl From<StoreError> for Not {
    fn from(error: StoreError) -> Not {
        Not::Failed(error)
    }
}

impl Attempt<'_> {
    /// Makes the version, with what the commit brings.
    pub(super) async fn make(self) -> Result<Created, StoreError> {
        if self.commit.files.is_empty() {
            return self.make_without_rows().await;
        }
        let transactions = &self.group.transactions;
        let Some(session) = transactions.begin(self.commit).await? else { return Ok(Created::Void) };
        let Some(replaced) = transactions.replaces(self.commit) else { return Ok(Created::Void) };
        if let Err(not) = self.write(&session, &replaced).await {
            // What `begin` has done stays done. If the connection is lost, so is the transaction.
            let _ = session.batch_execute("ROLLBACK TO SAVEPOINT lakefront").await;
            return match not {
                Not::Created => Ok(Created::No),
                Not::Void(why) => self.void(&why),
                Not::Failed(error) => Err(error),
            };
        }
        fail::fail_point!("ducklake-written");
        transactions.committing(self.commit);
        match session.batch_execute("COMMIT").await {
            Ok(()) => {
                fail::fail_point!("ducklake-committed");
                Ok(Created::Yes)
            }
            Err(error) if error.as_db_error().is_some() => match self.lost(error) {
                Not::Void(why) => self.void(&why),
                Not::Created => Ok(Created::No),
                Not::Failed(error) => Err(error),
            },
            // Nobody knows whether it has committed.
            Err(error) => Err(self.failed("commit to", error)),
        }
    }

    /// The commit is void, if the source hands its rows out again. If not, somebody has to decide.
    fn void(&self, why: &str) -> Result<Created, StoreError> {
        if !self.group.transactions.hands_out_again() {
            let advice = "start again to stage the rows for what it is now";
            let why = format!("{why}; {advice}");
            return Err(StoreError::definite(format!("commit to {}", self.group.lake.shown()), why));
        }
        tracing::info!(position = %self.commit.held.position, why, "a {} is made again", self.group.noun);
        self.group.transactions.has_lost(self.commit, why);
        Ok(Created::Void)
    }

    fn failed(&self, verb: &str, error: tokio_postgres::Error) -> StoreError {
        self.group.failed(verb, error)
    }

    /// A claim, or a move of the position: only the pipeline's own row.
    async fn make_without_rows(&self) -> Result<Created, StoreError> {
        let client = self.group.lake.reader().await?;
        if !self.follows(&client).await? {
            return Ok(Created::No);
        }
        match self.insert_version(&client, None, None).await {
            Ok(()) => Ok(Created::Yes),
            Err(Not::Created) => Ok(Created::No),
            Err(Not::Failed(error)) => Err(error),
            Err(Not::Void(why)) => Err(StoreError::definite("claim", why)),
        }
    }

    /// Whether the version is the next one. It is an error if the one before it is missing: the
    /// catalog was replaced by an older one.
    async fn follows(&self, client: &Client) -> Result<bool, StoreError> {
        let LakeGroup { lake, pipeline, .. } = self.group;
        let head = log::head(lake, client, pipeline).await?.map_or(Version(0), |(version, _)| version);
        if head.next() < self.version {
            let why =
                "its catalog is older than this run: it was restored or replaced; start again to go on from there";
            return Err(StoreError::definite(format!("commit to {}", lake.shown()), why));
        }
        Ok(head.next() == self.version)
    }

    /// Everything but `COMMIT`.
    async fn write(&self, session: &Client, replaced: &Replaced) -> Result<(), Not> {
        let (lake, m) = (&self.group.lake, &self.group.lake.schema);
        let begin = format!("SAVEPOINT lakefront; SET LOCAL lock_timeout = {LOCK_WAIT_MS}");
        session.batch_execute(&begin).await.map_err(|e| self.lost(e))?;
        let files =
            self.commit.files.iter().map(|staged| Ok(NewFile { staged, detail: Detail::read(&staged.file.detail)? }));
        let files = files.collect::<Result<Vec<_>, StoreError>>()?;
        let reader = lake.reader().await?;
        if !self.follows(&reader).await? {
            return Err(Not::Created);
        }
        fail::fail_point!("ducklake-lock");
        let lock = format!("LOCK TABLE {m}.ducklake_snapshot IN SHARE ROW EXCLUSIVE MODE");
        if let Err(error) = session.batch_execute(&lock).await {
            return Err(match error.code() {
                Some(&SqlState::LOCK_NOT_AVAILABLE) => Not::Failed(self.blocked(&reader, error).await),
                _ => self.lost(error),
            });
        }
        let head = lake.head(&reader).await?;
        self.compare(&reader, &files).await?;
        let mut statistics = columns::read(lake, &reader, &files).await?;
        let mut placed = rows::place(&files, &head, &mut statistics)
            .map_err(|why| StoreError::definite(format!("commit to {}", lake.shown()), why))?;
        let also = self.replace(session, &reader, head.snapshot + 1, replaced, &mut placed).await?;
        self.insert(session, &head, &placed, &statistics, &also).await
    }

    /// Void if the tables are not as the files were written for.
    async fn compare(&self, reader: &Client, files: &[NewFile<'_>]) -> Result<(), Not> {
        let lake = &self.group.lake;
        let ids: Vec<i64> = files.iter().map(|file| file.detail.table).collect();
        let columns = tables::columns(lake, reader, &ids).await?;
        let partitions = tables::partitions(lake, reader, &ids).await?;
        let alive = alive(lake, reader, &ids).await?;
        for NewFile { detail, .. } in files {
            let known = columns.get(&detail.table).map(Vec::as_slice).unwrap_or_default();
            let has = |(id, of): &(i64, String)| known.iter().any(|column| column.id == *id && column.of.name() == *of);
            let partition = partitions.get(&detail.table).map(|partition| partition.id);
            let is_alive = alive.contains(&detail.table);
            if !is_alive || !detail.columns.iter().all(has) || partition != detail.partition {
                return Err(Not::Void("another writer has changed a table's definition".to_owned()));
            }
        }
        Ok(())
    }

    /// Takes the rows that are replaced out of their tables, with `snapshot`. Returns how that is
    /// said among its changes.
    async fn replace(
        &self,
        session: &Client,
        reader: &Client,
        snapshot: i64,
        replaced: &Replaced,
        placed: &mut rows::Placed,
    ) -> Result<String, Not> {
        let mut changes = String::new();
        for places in replaced.values() {
            let leaving = Leaving { lake: &self.group.lake, reader, session, places };
            leaving.take_out(snapshot).await.map_err(|gone| match gone {
                Gone::Moved => Not::Void("another writer has deleted or moved rows that are replaced".to_owned()),
                Gone::Refused(error) => self.lost(error),
                Gone::Failed(error) => Not::Failed(error),
            })?;
            placed.replace(places.table(), places.rows());
            changes.push_str(&places.changes());
        }
        Ok(changes)
    }

    /// Writes the snapshot's rows. `also` is what it changes beside what it inserts.
    async fn insert(
        &self,
        session: &Client,
        head: &Head,
        placed: &rows::Placed,
        statistics: &BTreeMap<i64, TableStatistics>,
        also: &str,
    ) -> Result<(), Not> {
        let (m, snapshot) = (&self.group.lake.schema, head.snapshot + 1);
        let next_file = head.next_file_id + placed.files.len() as i64;
        let sql = format!(
            "INSERT INTO {m}.ducklake_snapshot (snapshot_id, snapshot_time, schema_version, next_catalog_id, next_file_id) \
             VALUES ($1, clock_timestamp(), $2, $3, $4)"
        );
        let inserted = session.tell(&sql, &[&snapshot, &head.schema_version, &head.next_catalog_id, &next_file]).await;
        inserted.map_err(|e| self.lost(e))?;
        rows::insert(m, session, snapshot, placed).await.map_err(|e| self.lost(e))?;
        if !columns::update(m, session, statistics).await.map_err(|e| self.lost(e))? {
            return Err(Not::Void("another writer has inserted into the same table".to_owned()));
        }
        let mut changes = String::new();
        for table in statistics.keys() {
            let comma = if changes.is_empty() { "" } else { "," };
            let _ = write!(changes, "{comma}inserted_into_table:{table}");
        }
        changes.push_str(also);
        let LakeGroup { noun, pipeline, .. } = self.group;
        let message = format!("{noun} {} of {pipeline}", self.commit.held.position);
        let sql = format!(
            "INSERT INTO {m}.ducklake_snapshot_changes (snapshot_id, changes_made, author, commit_message, \
             commit_extra_info) VALUES ($1, $2, 'lakefront', $3, NULL)"
        );
        session.tell(&sql, &[&snapshot, &changes, &message]).await.map_err(|e| self.lost(e))?;
        let LakeGroup { tables, transactions, .. } = self.group;
        let noted = placed.noted(&self.commit.sums, tables, transactions.notes(self.commit));
        let noted = noted.map_err(|e| StoreError::definite("note which rows are the pipeline's own", e))?;
        self.insert_version(session, Some(snapshot), Some(noted)).await
    }

    /// The pipeline's own row: its primary key is what makes the version ours.
    async fn insert_version(&self, client: &Client, snapshot: Option<i64>, tables: Option<String>) -> Result<(), Not> {
        let sql = format!(
            "INSERT INTO {}.lakefront_commits (pipeline, version, id, position, run, snapshot_id, tables) \
             VALUES ($1, $2, $3, $4, $5, $6, $7::text::jsonb)",
            self.group.lake.schema
        );
        let Commit { id, held, .. } = self.commit;
        let (version, position, run) = (signed(self.version.0), signed(held.position.0), signed(held.run.0));
        let inserted =
            client.tell(&sql, &[&self.group.pipeline, &version, id, &position, &run, &snapshot, &tables]).await;
        match inserted {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Err(Not::Created),
            Err(error) => Err(self.lost(error)),
        }
    }

    /// What an error within the transaction means.
    fn lost(&self, error: tokio_postgres::Error) -> Not {
        if self.group.transactions.is_void_once_it_lost() && (postgres::is_serialization(&error) || error.is_closed()) {
            return Not::Void(postgres::told(&error));
        }
        Not::Failed(self.failed("write to", error))
    }

    /// Says who holds the catalog.
    async fn blocked(&self, reader: &Client, error: tokio_postgres::Error) -> StoreError {
        let sql = format!(
            "SELECT DISTINCT a.pid, COALESCE(a.application_name, ''), COALESCE(a.state, ''), \
             COALESCE(extract(epoch FROM now() - a.xact_start)::bigint, 0) FROM pg_locks l \
             JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.granted AND l.relation = '{}.ducklake_snapshot'::regclass \
             AND l.mode NOT IN ('AccessShareLock', 'RowShareLock') AND a.pid <> pg_backend_pid()",
            self.group.lake.schema
        );
        let Ok(rows) = reader.ask(&sql, &[]).await else { return self.failed("lock", error) };
        let one = |row: &tokio_postgres::Row| {
            let (pid, name, state, seconds): (i32, &str, &str, i64) = (row.get(0), row.get(1), row.get(2), row.get(3));
            format!("process {pid} ({name:?}, {state}, in a transaction for {seconds} s)")
        };
        let who = rows.iter().map(one).collect::<Vec<_>>().join(", ");
        let why = format!("its catalog is locked by {who}: end that transaction, or wait for it");
        StoreError::transient(format!("commit to {}", self.group.lake.shown()), why)
    }
}

/// Those of the tables that were not dropped.
async fn alive(lake: &Arc<Lake>, reader: &Client, ids: &[i64]) -> Result<Vec<i64>, StoreError> {
    let sql = format!(
        "SELECT table_id FROM {}.ducklake_table WHERE table_id = ANY($1) AND end_snapshot IS NULL",
        lake.schema
    );
    let rows = reader.ask(&sql, &[&ids]).await;
    let rows = rows.map_err(|e| postgres::failed(format!("read the tables of {}", lake.shown()), e))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Deletes the files of a void commit, and says that it is. What stays is an orphan, which
/// DuckLake's own clean-up finds.
pub(super) async fn discard(group: &LakeGroup, commit: &Commit) {
    for staged in &commit.files {
        let Some(table) = group.tables.get(staged.table) else { continue };
        if let Err(error) = table.place.join(&staged.file.path).delete().await {
            tracing::warn!(file = staged.file.path, error = %crate::error::chain(&error), "could not delete a discarded file");
        }
    }
    group.transactions.is_void(commit);
}
