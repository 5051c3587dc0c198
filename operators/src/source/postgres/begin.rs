//! How a flush begins: what its snapshot is, what waits, and up to where it goes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{Mutex as AsyncMutex, OnceCell};
use tokio_postgres::Client;

use super::counts::Counts;
use super::delete::LOCK_WAIT_MS;
use super::deletion::Window;
use super::discover::{HotTable, discover};
use super::flush::{Buffer, Flush, Progress};
use super::lacking::{Listed, Looked};
use super::late;
use super::limit::limit;
use super::reach::Reach;
use super::seen::{Seen, Sight};
use super::settings::{BufferSettings, BufferTable};
use super::slices::{Sizes, mark_whole};
use super::types::Plan;
use crate::error::{Stop, StoreError};
use crate::postgres::{self, Ask, quoted};
use crate::protocol::names::TableId;
use crate::run::clock::Stopwatch;
use crate::run::metrics::flushes::{LateRows, Work};

/// How often a flush is begun before it counts as impossible, because rows come back meanwhile.
const ROUNDS: u32 = 10;

/// What a flush will consist of, as its snapshot is.
struct Begun {
    /// The watermark.
    highest: i64,
    /// Which tables have rows to copy, beside those that are listed.
    waiting: Vec<bool>,
    tables: Vec<(HotTable, Plan)>,
    reaches: Vec<Reach>,
    listed: Listed,
    sizes: Sizes,
    sight: Option<Sight>,
    counts: Counts,
}

/// Rows of a table that were only deleted, because the lake has them.
#[derive(Clone, Default)]
struct Removed {
    /// They stayed hot after they had landed, and need not any more.
    landed: u64,
    /// They came back.
    again: u64,
}

impl Removed {
    fn rows(&self) -> u64 {
        self.landed + self.again
    }
}

impl Buffer {
    /// Begins flush `number`; `None` if nothing waits.
    pub(super) async fn begin_flush(&self, number: u64) -> Result<Option<Arc<Flush>>, Stop> {
        // Asked before the snapshot is taken: what is confirmed later stays for the next flush.
        let reaches = self.reaches(self.confirmed().await?);
        self.let_go().await;
        let mut settled_over = self.settle().await?;
        // The watermark's own table may be empty now: what it had is landed, or was a late row.
        let mut reached = self.state().reached;
        for _ in 0..ROUNDS {
            let begun = Stopwatch::start();
            let owner = match settled_over.take() {
                Some(session) => session,
                None => self.sessions().session().await?,
            };
            let failed = |e| postgres::failed("begin a flush", e);
            let begin = owner.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ");
            let (begun_it, is_prepared) = tokio::join!(biased; begin, postgres::require_settings(&*owner));
            begun_it.map_err(failed)?;
            is_prepared?;
            let hot = self.tables(&owner).await?;
            let Some((highest, waiting)) = self.waiting(&owner, &hot, &reaches, reached).await? else {
                owner.batch_execute("ROLLBACK").await.map_err(failed)?;
                self.sessions().give_back(owner);
                return Ok(None);
            };
            let tables: Vec<_> = hot.iter().collect();
            let (sizes, plans) = tokio::join!(Sizes::ask(&owner, &tables), self.target().prepare(&hot));
            let (sizes, plans) = (sizes?, plans?);
            let sight = match reaches.iter().any(Reach::stays) {
                true => self.sight(&owner).await?,
                false => None,
            };
            let looked = looked(&hot, &plans, &reaches, &sizes);
            let removed = self.skip_all(&owner, &looked, sight.as_ref()).await?;
            if removed.iter().any(|removed| removed.rows() > 0) {
                fail::fail_point!("flush-skipped");
                owner.batch_execute("COMMIT").await.map_err(failed)?;
                for (i, Removed { landed, again }) in removed.into_iter().enumerate() {
                    self.metrics.late(TableId(i), LateRows::Skipped, again);
                    self.metrics.deleted(TableId(i), landed + again);
                }
                self.sessions().give_back(owner);
                // Others may have come back since: the next snapshot is looked at again.
                reached = Some(highest);
                continue;
            }
            let listed = self.list(&owner, &looked, sight.as_ref()).await?;
            if listed.all() == 0 && !waiting.contains(&true) {
                if let Some(seen) = self.known(sight.as_ref(), &listed, highest, &sizes) {
                    self.state().seen = Some(seen);
                }
                owner.batch_execute("ROLLBACK").await.map_err(failed)?;
                self.sessions().give_back(owner);
                return Ok(None);
            }
            let tables: Vec<_> = hot.into_iter().zip(plans).collect();
            let counts = Counts::begin(self.metrics.clone(), begun, &tables, &self.state().marks);
            let begun = Begun { highest, waiting, tables, reaches, listed, sizes, sight, counts };
            return self.export(number, owner, begun).await.map(Some);
        }
        let why = "rows that the lake has come back as fast as they are deleted";
        Err(StoreError::transient("begin a flush", why).into())
    }

    /// How far flushes reach into each table, if so much is `confirmed`.
    fn reaches(&self, confirmed: Option<i64>) -> Vec<Reach> {
        let state = self.state();
        let reach = |table: &BufferTable| Reach::new(table, state.marks.get(&table.name).copied(), confirmed);
        self.settings.tables.iter().map(reach).collect()
    }

    /// What is known of the lake once it has what a snapshot sees up to `bound`; none if that is
    /// less than was known before.
    fn known(&self, sight: Option<&Sight>, listed: &Listed, bound: i64, sizes: &Sizes) -> Option<Arc<Seen>> {
        let reaches_all = self.state().marks.values().all(|mark| *mark <= bound);
        let sight = sight.filter(|_| listed.is_all && reaches_all)?;
        Some(sight.once_landed(bound, sizes.all_relations()))
    }

    /// The flush of what `owner` sees.
    async fn export(&self, number: u64, owner: Arc<Client>, begun: Begun) -> Result<Arc<Flush>, Stop> {
        let failed = |e| postgres::failed("begin a flush", e);
        let Begun { highest, waiting, tables, reaches, listed, sizes, sight, counts } = begun;
        let most = self.settings.max_rows;
        let bound = match sizes.most_rows() > most {
            true => {
                let hot: Vec<_> = tables.iter().map(|(table, _)| table).zip(&reaches).collect();
                limit(&owner, &hot, highest, most.saturating_sub(listed.all() as u64)).await?
            }
            false => highest,
        };
        let replaced = Arc::new(self.replaced(&owner, &tables, bound, &sizes).await?);
        let exported = owner.ask_one("SELECT pg_export_snapshot()", &[]).await.map_err(failed)?;
        let waits = tables.iter().zip(waiting).enumerate().map(|(i, ((table, _), waits))| (TableId(i), table, waits));
        let mut slices = sizes.slices(&waits.collect::<Vec<_>>(), number, self.settings.connections);
        for (i, (table, _)) in tables.iter().enumerate() {
            for (leaf, places) in listed.places[i].iter().enumerate() {
                sizes.list(&mut slices, (TableId(i), table), leaf, places.len(), number);
            }
        }
        mark_whole(&mut slices);
        if slices.is_empty() {
            let why = "rows wait in partitions that are no tables of this database, which cannot be copied";
            return Err(StoreError::definite("begin a flush", why).into());
        }
        let left = AtomicUsize::new(slices.len());
        let window = match self.is_apart.load(Ordering::Acquire) {
            true => Some(Window::ask(&owner).await?),
            false => None,
        };
        let relations = (0..tables.len()).map(|at| sizes.relations(at)).collect();
        let flush = Arc::new(Flush {
            number,
            bound,
            more: bound < highest || !listed.is_all,
            seen: self.known(sight.as_ref(), &listed, bound, &sizes),
            snapshot: exported.get(0),
            owner,
            sessions: self.settings.sessions.clone(),
            slices,
            tables,
            reaches,
            listed,
            replaced,
            landed: self.state().marks.clone(),
            readers: AsyncMutex::default(),
            progress: Mutex::new(Progress::Copying),
            left,
            has_rows: AtomicBool::new(false),
            lost: Mutex::new(None),
            counts,
            deleted: OnceCell::new(),
            window,
            relations,
            deletion: OnceCell::new(),
        });
        {
            let mut state = self.state();
            state.flush = Some(flush.clone());
            state.reached = flush.more.then_some(highest);
        }
        let deleting = flush.clone();
        tokio::spawn(async move { deleting.delete_early().await });
        Ok(flush)
    }

    /// Deletes, in the transaction of `owner`, all rows that the lake has and that need not stay,
    /// in tables that skip them. Returns how many of each table.
    async fn skip_all(
        &self,
        owner: &Client,
        tables: &[Looked<'_>],
        sight: Option<&Sight>,
    ) -> Result<Vec<Removed>, Stop> {
        let mut all = vec![Removed::default(); tables.len()];
        let wait = format!("SET LOCAL lock_timeout = {LOCK_WAIT_MS}");
        owner.batch_execute(&wait).await.map_err(|e| postgres::failed("begin a flush", e))?;
        for (looked, removed) in tables.iter().zip(&mut all) {
            let Looked { id, table, plan, reach, leaves, .. } = looked;
            let Some(end) = reach.released() else { continue };
            let watch = Stopwatch::start();
            removed.landed = self.release(owner, looked, sight).await?;
            removed.again = self.skip(owner, (*id, table, plan), end, leaves).await?;
            self.metrics.spent(*id, Work::Late, watch.elapsed());
            if reach.stays() && !sight.is_some_and(Sight::knows) {
                // The first look of a run cannot tell those that came back.
                removed.landed += std::mem::take(&mut removed.again);
            }
        }
        let told = |rows: fn(&Removed) -> u64| {
            let named = tables.iter().zip(&all).map(|(looked, removed)| (&*looked.table.name, rows(removed)));
            late::told(&named.filter(|(_, rows)| *rows > 0).collect())
        };
        let (again, landed) = (told(|removed| removed.again), told(|removed| removed.landed));
        if !again.is_empty() {
            tracing::warn!(tables = again, "rows came back that the lake has: they are only deleted");
        }
        if !landed.is_empty() {
            tracing::info!(tables = landed, "rows that have landed are confirmed, and are deleted");
        }
        Ok(all)
    }

    /// The watermark, which is at least what was `reached`, and which tables have rows to copy at
    /// or below it; `None` if none has, and none has rows that are to be looked up.
    async fn waiting(
        &self,
        owner: &Client,
        hot: &[HotTable],
        reaches: &[Reach],
        reached: Option<i64>,
    ) -> Result<Option<(i64, Vec<bool>)>, StoreError> {
        let BufferSettings { schema, watermark: (table, column), .. } = &self.settings;
        let failed = |e| postgres::failed("look for rows that wait", e);
        let sql = format!("SELECT max({})::int8 FROM {}.{}", quoted(column), quoted(schema), quoted(table));
        let highest = owner.ask_one(&sql, &[]).await.map_err(failed)?.get::<_, Option<i64>>(0);
        // An empty table has no watermark, and then nothing is taken from the others.
        let Some(highest) = highest.max(reached) else { return Ok(None) };
        let exists = |(table, reach): (&HotTable, &Reach)| {
            let rows = reach.copied(&quoted(&table.sequence), highest);
            let of = |leaf| format!("EXISTS (SELECT FROM ONLY {leaf} WHERE {rows})");
            match table.leaves.is_empty() {
                true => "false".to_owned(),
                false => table.leaves.iter().map(of).collect::<Vec<_>>().join(" OR "),
            }
        };
        let sql = format!("SELECT {}", hot.iter().zip(reaches).map(exists).collect::<Vec<_>>().join(", "));
        let row = owner.ask_one(&sql, &[]).await.map_err(failed)?;
        let waiting: Vec<bool> = (0..hot.len()).map(|i| row.get(i)).collect();
        let is_looked_up = |(table, reach): (&HotTable, &Reach)| reach.held(&table.sequence).is_some();
        let looks = hot.iter().zip(reaches).any(is_looked_up);
        Ok((looks || waiting.contains(&true)).then_some((highest, waiting)))
    }

    /// The tables as they are now. Those of the run are fixed; their columns are not.
    async fn tables(&self, client: &Client) -> Result<Vec<HotTable>, Stop> {
        let BufferSettings { schema, tables, .. } = &self.settings;
        let mut found = Vec::new();
        let sequences: Vec<String> = tables.iter().map(|table| table.sequence.clone()).collect();
        let mut there = discover(client, schema, &sequences).await?.tables;
        for BufferTable { name, sequence, retain, .. } in tables {
            let at = there.iter().position(|table| table.name == *name);
            let table = at.map(|at| there.swap_remove(at));
            let table = table.filter(|table| table.columns.iter().any(|column| column.name == *sequence));
            let table = table.ok_or_else(|| {
                let why = format!("it has no column {sequence:?}, or is gone: restore it, or change source.tables");
                StoreError::definite(format!("flush table {name:?}"), why)
            })?;
            table.refuse_obstacle(*retain)?;
            found.push(HotTable { sequence: sequence.clone(), ..table });
        }
        Ok(found)
    }
}

/// The tables, with all that a look needs.
fn looked<'a>(hot: &'a [HotTable], plans: &'a [Plan], reaches: &'a [Reach], sizes: &Sizes) -> Vec<Looked<'a>> {
    let one = |(i, ((table, plan), reach)): (usize, ((&'a HotTable, &'a Plan), &'a Reach))| {
        let (leaves, relations) = (sizes.leaves(i, table), sizes.relations(i));
        Looked { id: TableId(i), table, plan, reach, leaves, relations }
    };
    hot.iter().zip(plans).zip(reaches).enumerate().map(one).collect()
}
