//! How a flush begins: what its snapshot is, what waits, and up to where it goes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};

use tokio::sync::{Mutex as AsyncMutex, OnceCell};
use tokio_postgres::Client;

use super::discover::{HotTable, discover};
use super::flush::{Buffer, Flush, Progress};
use super::late::{self, Late};
use super::limit::limit;
use super::settings::{BufferSettings, BufferTable};
use super::slices::Sizes;
use super::types::Plan;
use crate::error::{Stop, StoreError};
use crate::postgres::{self, quoted};
use crate::protocol::names::TableId;

/// How often a flush is begun before it counts as impossible, because rows come back meanwhile.
const ROUNDS: u32 = 10;

impl Buffer {
    /// Begins flush `number`; `None` if nothing waits.
    pub(super) async fn begin_flush(&self, number: u64) -> Result<Option<Arc<Flush>>, Stop> {
        // A late row of the watermark's own table may be the only one there is.
        let mut reached = None;
        for _ in 0..ROUNDS {
            let owner = self.connection().await?;
            let failed = |e| postgres::failed("begin a flush", e);
            let begun = owner.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ").await;
            begun.map_err(failed)?;
            postgres::require_settings(&owner).await?;
            let hot = self.tables(&owner).await?;
            let Some((highest, waiting)) = self.waiting(&owner, &hot, reached).await? else {
                owner.batch_execute("ROLLBACK").await.map_err(failed)?;
                self.keep(owner).await;
                return Ok(None);
            };
            let sizes = Sizes::ask(&owner, &hot.iter().collect::<Vec<_>>()).await?;
            let plans = self.target().prepare(&hot).await?;
            if self.skip_all(&owner, &hot, &plans, &sizes).await? {
                owner.batch_execute("COMMIT").await.map_err(failed)?;
                self.keep(owner).await;
                // Others may have come back since: the next snapshot is looked at again.
                reached = Some(highest);
                continue;
            }
            let tables = hot.into_iter().zip(plans).collect();
            return self.export(number, owner, (highest, &waiting), tables, &sizes).await.map(Some);
        }
        let why = "rows that the lake has come back as fast as they are deleted";
        Err(StoreError::transient("begin a flush", why).into())
    }

    /// The flush of what `owner` sees.
    async fn export(
        &self,
        number: u64,
        owner: Client,
        (highest, waiting): (i64, &[bool]),
        tables: Vec<(HotTable, Plan)>,
        sizes: &Sizes,
    ) -> Result<Arc<Flush>, Stop> {
        let failed = |e| postgres::failed("begin a flush", e);
        let hot: Vec<&HotTable> = tables.iter().map(|(table, _)| table).collect();
        let most = self.settings.max_rows;
        let bound = match sizes.most_rows() > most {
            true => limit(&owner, &hot, highest, most).await?,
            false => highest,
        };
        let exported = owner.query_one("SELECT pg_export_snapshot()", &[]).await.map_err(failed)?;
        let waits = hot.iter().zip(waiting).enumerate().map(|(i, (table, waits))| (TableId(i), *table, *waits));
        let slices = sizes.slices(&waits.collect::<Vec<_>>(), number);
        if slices.is_empty() {
            let why = "rows wait in partitions that are no tables of this database, which cannot be copied";
            return Err(StoreError::definite("begin a flush", why).into());
        }
        let left = AtomicUsize::new(slices.len());
        let flush = Arc::new(Flush {
            number,
            bound,
            more: bound < highest,
            snapshot: exported.get(0),
            owner: Arc::new(owner),
            slices,
            tables,
            readers: AsyncMutex::default(),
            progress: Mutex::new(Progress::Copying),
            left,
            has_rows: AtomicBool::new(false),
            lost: Mutex::new(None),
            deleted: OnceCell::new(),
        });
        self.state().flush = Some(flush.clone());
        Ok(flush)
    }

    /// Deletes, in the transaction of `owner`, all late rows that the lake has, of tables that skip
    /// them. Whether there were any.
    async fn skip_all(&self, owner: &Client, hot: &[HotTable], plans: &[Plan], sizes: &Sizes) -> Result<bool, Stop> {
        let marks = self.state().marks.clone();
        let mut skipped = BTreeMap::new();
        for (i, (table, plan)) in hot.iter().zip(plans).enumerate() {
            let Some(mark) = marks.get(&table.name).filter(|_| self.settings.tables[i].late == Late::Skip) else {
                continue;
            };
            let leaves = sizes.leaves(i, table);
            let rows = self.skip(owner, (TableId(i), table, plan), *mark, &leaves).await?;
            if rows > 0 {
                skipped.insert(&*table.name, rows);
            }
        }
        if !skipped.is_empty() {
            tracing::warn!(tables = late::told(&skipped), "rows came back that the lake has: they are only deleted");
        }
        Ok(!skipped.is_empty())
    }

    /// The watermark, which is at least what was `reached`, and which tables have rows at or below
    /// it; `None` if none has.
    async fn waiting(
        &self,
        owner: &Client,
        hot: &[HotTable],
        reached: Option<i64>,
    ) -> Result<Option<(i64, Vec<bool>)>, StoreError> {
        let BufferSettings { schema, watermark: (table, column), .. } = &self.settings;
        let failed = |e| postgres::failed("look for rows that wait", e);
        let sql = format!("SELECT max({})::int8 FROM {}.{}", quoted(column), quoted(schema), quoted(table));
        let highest = owner.query_one(&sql, &[]).await.map_err(failed)?.get::<_, Option<i64>>(0);
        // An empty table has no watermark, and then nothing is taken from the others.
        let Some(highest) = highest.max(reached) else { return Ok(None) };
        let exists = |table: &HotTable| {
            let of = |leaf| format!("EXISTS (SELECT FROM ONLY {leaf} WHERE {} <= $1::int8)", quoted(&table.sequence));
            match table.leaves.is_empty() {
                true => "false".to_owned(),
                false => table.leaves.iter().map(of).collect::<Vec<_>>().join(" OR "),
            }
        };
        let sql = format!("SELECT {}", hot.iter().map(exists).collect::<Vec<_>>().join(", "));
        let row = owner.query_one(&sql, &[&highest]).await.map_err(failed)?;
        let waiting: Vec<bool> = (0..hot.len()).map(|i| row.get(i)).collect();
        Ok(waiting.contains(&true).then_some((highest, waiting)))
    }

    /// The tables as they are now. Those of the run are fixed; their columns are not.
    async fn tables(&self, client: &Client) -> Result<Vec<HotTable>, Stop> {
        let BufferSettings { schema, tables, .. } = &self.settings;
        let mut found = Vec::new();
        let sequences: Vec<String> = tables.iter().map(|table| table.sequence.clone()).collect();
        let mut there = discover(client, schema, &sequences).await?.tables;
        for BufferTable { name, sequence, .. } in tables {
            let at = there.iter().position(|table| table.name == *name);
            let table = at.map(|at| there.swap_remove(at));
            let table = table.filter(|table| table.columns.iter().any(|column| column.name == *sequence));
            let table = table.ok_or_else(|| {
                let why = format!("it has no column {sequence:?}, or is gone: restore it, or change source.tables");
                StoreError::definite(format!("flush table {name:?}"), why)
            })?;
            table.refuse_obstacle()?;
            found.push(HotTable { sequence: sequence.clone(), ..table });
        }
        Ok(found)
    }
}
