//! The rows that are still hot, as a proof counts them: how many there are, and the primary keys of
//! those that may have landed already.
//!
//! These are the ones at or below the watermark up to which their table was flushed: a crash
//! between two databases leaves them, and ingesters that replay bring them back. The next flush
//! deals with them.

use std::collections::HashSet;

use tokio_postgres::Client;

use super::discover::HotTable;
use super::key::Key;
use super::late::{KeyColumns, PAGES};
use super::slices::Sizes;
use super::types;
use crate::error::{Stop, StoreError};
use crate::postgres::{self, Location, quoted};
use crate::sink::ducklake::{Column, Table};

/// How many keys are handed out at a time.
const KEYS: usize = 1 << 20;

/// The hot rows of one moment.
pub struct Remaining {
    client: Client,
}

impl Remaining {
    /// Looks at the database at `location`, in one transaction that writes nothing.
    pub async fn new(location: &Location) -> Result<Remaining, StoreError> {
        let client = postgres::connect(location, "lakefront").await?;
        let begun = client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await;
        begun.map_err(|e| postgres::failed("look at the hot rows", e))?;
        Ok(Remaining { client })
    }

    /// How many rows `table` has.
    pub async fn count(&self, table: &HotTable) -> Result<u64, StoreError> {
        let failed = |e| postgres::failed(format!("count the rows of table {:?}", table.name), e);
        let mut rows = 0;
        for leaf in &table.leaves {
            let row = self.client.query_one(&format!("SELECT count(*) FROM ONLY {leaf}"), &[]).await.map_err(failed)?;
            rows += u64::try_from(row.get::<_, i64>(0)).unwrap_or_default();
        }
        Ok(rows)
    }

    /// Calls `each` with the hashes of the keys of the rows of `table` at or below `mark`, some at
    /// a time, and the key as the lake's table `lake` has it. Whether there is a key, and the lake
    /// has it.
    pub async fn late(
        &self,
        table: &HotTable,
        lake: &Table,
        mark: i64,
        mut each: impl AsyncFnMut(&Key, HashSet<u128>) -> Result<(), StoreError>,
    ) -> Result<bool, Stop> {
        let has = |name: &str| lake.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
        if table.key.is_empty() || !table.key.iter().all(|name| has(name)) {
            return Ok(false);
        }
        // What the lake lacks is no part of its rows.
        let columns = table.columns.iter().filter(|column| has(&column.name)).cloned().collect();
        let table = HotTable { columns, ..table.clone() };
        let fields: Vec<_> = lake.columns.iter().filter_map(Column::field).collect();
        let Ok(plan) = types::plan(&table, &fields, |_| String::new()) else { return Ok(false) };
        let Ok(key) = KeyColumns::of(&table, &plan) else { return Ok(false) };
        let sizes = Sizes::ask(&self.client, &[&table]).await?;
        let (late, mut keys) = (format!("{} <= {mark}", quoted(&table.sequence)), HashSet::new());
        for (leaf, pages) in sizes.leaves(0, &table) {
            for from in (0..=pages).step_by(PAGES as usize) {
                keys.extend(key.late(&self.client, &table, leaf, &late, from).await?.places.into_keys());
                if keys.len() >= KEYS {
                    each(&key.key, std::mem::take(&mut keys)).await?;
                }
            }
        }
        if !keys.is_empty() {
            each(&key.key, keys).await?;
        }
        Ok(true)
    }
}
