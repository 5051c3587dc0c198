//! The pipeline's tables of a lake, as the protocol sees them: one group.

use std::sync::Arc;

use super::catalog::Lake;
use super::commit::{self, Attempt};
use super::log::{self, is_there, signed};
use super::tables::Tables;
use super::transactions::Transactions;
use crate::error::StoreError;
use crate::postgres::{self, Ask};
use crate::protocol::Pending;
use crate::protocol::group::{Commit, CommitFacts, Created, Group, GroupState, Retention, Verdict};
use crate::protocol::names::Version;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Rows of commits are kept for good; a year is only when a group is read again. Files that no
/// commit names may be deleted by whoever cleans up the lake, usually after some days.
const RETENTION: Retention = Retention { log_ms: 365 * DAY_MS, files_ms: 2 * DAY_MS };

/// A pipeline's tables of a lake.
pub struct LakeGroup {
    pub(super) lake: Arc<Lake>,
    pub(super) pipeline: String,
    pub(super) name: String,
    pub(super) tables: Arc<Tables>,
    pub(super) transactions: Arc<dyn Transactions>,
    /// What a commit is called in the lake's own history: `flush`.
    pub(super) noun: &'static str,
}

impl LakeGroup {
    /// The tables of `pipeline`, whose commits are called `noun` and made in `transactions`.
    pub fn new(
        lake: Arc<Lake>,
        pipeline: &str,
        noun: &'static str,
        tables: Arc<Tables>,
        transactions: Arc<dyn Transactions>,
    ) -> LakeGroup {
        let name = lake.spec().schema.clone();
        LakeGroup { lake, pipeline: pipeline.to_owned(), name, tables, transactions, noun }
    }

    /// Makes what commits need in the catalog.
    pub async fn prepare(&self) -> Result<(), StoreError> {
        log::make(&self.lake).await
    }

    /// The same tables as another pipeline sees them.
    pub(super) fn of(&self, pipeline: String) -> LakeGroup {
        LakeGroup {
            lake: self.lake.clone(),
            pipeline,
            name: self.name.clone(),
            tables: self.tables.clone(),
            transactions: self.transactions.clone(),
            noun: self.noun,
        }
    }

    pub(super) fn failed(&self, verb: &str, error: tokio_postgres::Error) -> StoreError {
        postgres::failed(format!("{verb} {}", self.lake.shown()), error)
    }
}

impl Group for LakeGroup {
    fn load(&self) -> Pending<'_, Result<GroupState, StoreError>> {
        Box::pin(async move {
            let client = self.lake.reader().await?;
            let head = match is_there(&self.lake, &client).await? {
                true => log::head(&self.lake, &client, &self.pipeline).await?,
                false => None,
            };
            let (head, held) = head.map_or((Version(0), None), |(version, held)| (version, Some(held)));
            Ok(GroupState { head, held, retention: RETENTION })
        })
    }

    fn put<'a>(&'a self, version: Version, commit: &'a Commit) -> Pending<'a, Result<Created, StoreError>> {
        Box::pin(Attempt { group: self, version, commit }.make())
    }

    fn read(&self, version: Version) -> Pending<'_, Result<Option<CommitFacts>, StoreError>> {
        Box::pin(async move {
            let client = self.lake.reader().await?;
            let sql =
                format!("SELECT id FROM {}.lakefront_commits WHERE pipeline = $1 AND version = $2", self.lake.schema);
            let row = client.ask_opt(&sql, &[&self.pipeline, &signed(version.0)]).await;
            let row = row.map_err(|e| self.failed("read the commits of", e))?;
            Ok(row.map(|row| CommitFacts { id: Some(row.get(0)), ours: true, is_suspect: false, removes_rows: false }))
        })
    }

    fn recheck<'a>(&'a self, _commit: Option<&'a Commit>) -> Pending<'a, Result<Verdict, StoreError>> {
        // Every commit compares its files with the tables, under the lock.
        Box::pin(async { Ok(Verdict::Harmless) })
    }

    fn discard<'a>(&'a self, commit: &'a Commit) -> Pending<'a, ()> {
        Box::pin(commit::discard(self, commit))
    }

    fn rows(&self) -> Pending<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let ids: Vec<i64> = self.tables.all().iter().map(|table| table.id).collect();
            let sql = format!(
                "SELECT COALESCE(sum(record_count), 0)::bigint FROM {}.ducklake_table_stats WHERE table_id = ANY($1)",
                self.lake.schema
            );
            let row = self.lake.reader().await?.ask_one(&sql, &[&ids]).await;
            Ok(log::unsigned(row.map_err(|e| self.failed("count the rows of", e))?.get(0)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::log::held;
    use super::*;

    #[test]
    fn numbers_of_the_catalog_come_back() {
        for number in [0, 1, 5_000_000_000, i64::MAX.cast_unsigned()] {
            assert_eq!(log::unsigned(signed(number)), number);
        }
        assert_eq!(held(7, 3).position.0, 7);
    }
}
