//! Definitions: what is missing in a lake is made, all of it in one snapshot.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Client;

use super::catalog::Lake;
use super::commit::LOCK_WAIT_MS;
use super::making::{Made, Making};
use super::partition::{partition_key, refuse};
use super::tables::{self, Table};
use super::types::LakeType;
use crate::error::StoreError;
use crate::postgres;

/// A table that a pipeline needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// The columns that it has at least: name, type, and whether they may be null if they are made.
    pub columns: Vec<(String, LakeType, bool)>,
    /// What it is partitioned by, if it is made: columns, or parts of them such as
    /// `day(closed_at)`.
    pub partition_by: Vec<String>,
}

impl Lake {
    /// The tables of these names that there are. Nothing is written.
    pub async fn tables(&self, names: &[String]) -> Result<BTreeMap<String, Table>, StoreError> {
        let client = self.reader().await?;
        tables::read(self, &client, names).await
    }

    /// Makes what is missing of `wanted`, and returns the tables in its order. A missing schema or
    /// table is refused unless the lake may be created; a missing column is always added.
    pub async fn define(&self, wanted: &[Wanted]) -> Result<Vec<Table>, StoreError> {
        let names: Vec<String> = wanted.iter().map(|wanted| wanted.name.clone()).collect();
        let there = self.tables(&names).await?;
        let is_lacking =
            |wanted: &Wanted| there.get(&wanted.name).is_none_or(|table| lacks(table, wanted).next().is_some());
        let there = match wanted.iter().any(is_lacking) {
            true => {
                self.refuse(missing(self, &there, wanted).and_then(|()| keyed(&there, wanted)))?;
                let mut client = self.connect().await?;
                self.make_missing(&mut client, wanted).await?;
                self.tables(&names).await?
            }
            false => there,
        };
        let found = wanted.iter().map(|wanted| there.get(&wanted.name).cloned());
        let gone = || StoreError::transient(format!("define tables in {}", self.shown()), "another writer dropped one");
        found.collect::<Option<Vec<_>>>().ok_or_else(gone)
    }

    async fn make_missing(&self, client: &mut Client, wanted: &[Wanted]) -> Result<(), StoreError> {
        let failed = |e| postgres::failed(format!("define tables in {}", self.shown()), e);
        let transaction = client.transaction().await.map_err(failed)?;
        let lock = format!(
            "SET LOCAL lock_timeout = {LOCK_WAIT_MS}; LOCK TABLE {}.ducklake_snapshot IN SHARE ROW EXCLUSIVE MODE",
            self.schema
        );
        transaction.batch_execute(&lock).await.map_err(failed)?;
        let head = self.head(transaction.client()).await?;
        let (schema, there) = {
            let names: Vec<String> = wanted.iter().map(|wanted| wanted.name.clone()).collect();
            let schema = tables::schema(self, transaction.client()).await?.map(|(id, _)| id);
            (schema, tables::read(self, transaction.client(), &names).await?)
        };
        self.refuse(views(self, transaction.client(), schema, wanted, &there).await.map_err(failed)?)?;
        let mut making = Making::begin(self, head);
        let schema = making.schema(&transaction, schema).await.map_err(failed)?;
        for wanted in wanted {
            match there.get(&wanted.name) {
                None => making.table(&transaction, schema, wanted).await.map_err(failed)?,
                Some(table) => making.columns(&transaction, table, wanted).await.map_err(failed)?,
            }
        }
        making.end(&transaction).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }
}

/// The columns that `table` lacks.
pub(super) fn lacks<'w>(table: &Table, wanted: &'w Wanted) -> impl Iterator<Item = &'w (String, LakeType, bool)> {
    let known: BTreeSet<String> = table.columns.iter().map(|column| column.name.to_ascii_lowercase()).collect();
    wanted.columns.iter().filter(move |(name, ..)| !known.contains(&name.to_ascii_lowercase()))
}

/// Which tables may not be made.
fn missing(lake: &Lake, there: &BTreeMap<String, Table>, wanted: &[Wanted]) -> Result<(), String> {
    let missing = wanted.iter().map(|wanted| &*wanted.name).filter(|name| !there.contains_key(*name));
    let missing: Vec<_> = missing.collect();
    if missing.is_empty() || lake.spec().create {
        return Ok(());
    }
    Err(format!(
        "schema {:?} lacks these tables: {}; make them, or set lake.create = true",
        lake.spec().schema,
        missing.join(", ")
    ))
}

/// Which table cannot be partitioned as it should be, if it is to be made.
fn keyed(there: &BTreeMap<String, Table>, wanted: &[Wanted]) -> Result<(), String> {
    for Wanted { name, columns, partition_by } in wanted.iter().filter(|wanted| !there.contains_key(&wanted.name)) {
        for key in partition_by {
            let (column, transform) = partition_key(key);
            let of = columns.iter().find(|(known, ..)| known == column).map(|(_, of, _)| of);
            let refused =
                of.map_or_else(|| Err(format!("{column:?}, a column that it lacks")), |of| refuse(transform, of));
            refused.map_err(|why| {
                format!("table {name:?} is to be partitioned by {key:?}, but there are no partitions by {why}: change partition_by")
            })?;
        }
    }
    Ok(())
}

/// Which tables cannot be made because a view has their name.
async fn views(
    lake: &Lake,
    client: &Client,
    schema: Option<i64>,
    wanted: &[Wanted],
    there: &BTreeMap<String, Table>,
) -> Made<Result<(), String>> {
    let sql =
        format!("SELECT view_name FROM {}.ducklake_view WHERE schema_id = $1 AND end_snapshot IS NULL", lake.schema);
    let views = client.query(&sql, &[&schema]).await?;
    let is_new = |name: &str| wanted.iter().any(|w| w.name.eq_ignore_ascii_case(name) && !there.contains_key(&w.name));
    let named: Vec<String> = views.iter().map(|row| row.get(0)).filter(|name: &String| is_new(name)).collect();
    Ok(match named.is_empty() {
        true => Ok(()),
        false => Err(format!("views have the names of tables that are to be made: {}; rename them", named.join(", "))),
    })
}
