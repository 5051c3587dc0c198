//! Late rows that replace what the lake has of their primary keys.
//!
//! The lake's rows are looked up once it is known which rows a flush takes, and go with its commit,
//! in the same snapshot. Late rows above its bound wait, and so do the rows that they replace: no
//! reader sees the lake without a key that it had.

use std::collections::{BTreeMap, HashSet};

use tokio_postgres::Client;

use super::discover::HotTable;
use super::flush::Buffer;
use super::late::{self, KeyColumns, Late, Leaf, PAGES};
use super::slices::Sizes;
use super::target::Sought;
use super::types::Plan;
use crate::error::Stop;
use crate::postgres::quoted;
use crate::protocol::names::TableId;
use crate::sink::ducklake::{Places, Replaced};

impl Buffer {
    /// The rows of the lake that late rows up to `bound` replace, in all tables that replace them.
    /// `owner` sees the rows that are flushed.
    pub(super) async fn replaced(
        &self,
        owner: &Client,
        tables: &[(HotTable, Plan)],
        bound: i64,
        sizes: &Sizes,
    ) -> Result<Replaced, Stop> {
        let marks = self.state().marks.clone();
        let mut replaced = Replaced::new();
        for (i, (table, plan)) in tables.iter().enumerate() {
            let Some(mark) = marks.get(&table.name).filter(|_| self.settings.tables[i].late == Late::Replace) else {
                continue;
            };
            let leaves = sizes.leaves(i, table);
            let places = self.replaced_in(owner, (TableId(i), table, plan), bound.min(*mark), &leaves).await?;
            if let Some(places) = places.filter(|places| places.rows() > 0) {
                replaced.insert(TableId(i), places);
            }
        }
        if !replaced.is_empty() {
            let rows: BTreeMap<&str, u64> =
                replaced.iter().map(|(id, places)| (&*tables[id.0].0.name, places.rows())).collect();
            tracing::warn!(tables = late::told(&rows), "rows came back that the lake has: they replace what it has");
        }
        Ok(replaced)
    }

    /// Those of one table, whose late rows are at or below `mark`; `None` if it has no late rows.
    async fn replaced_in(
        &self,
        owner: &Client,
        (id, table, plan): (TableId, &HotTable, &Plan),
        mark: i64,
        leaves: &[Leaf<'_>],
    ) -> Result<Option<Places>, Stop> {
        let key = KeyColumns::of(table, plan)?;
        let late = format!("{} <= {mark}", quoted(&table.sequence));
        let mut all: Option<Places> = None;
        for (leaf, pages) in leaves {
            for from in (0..=*pages).step_by(PAGES as usize) {
                let rows = key.late(owner, table, leaf, &late, from).await?;
                let Some(within) = rows.within else { continue };
                let keys: HashSet<u128> = rows.places.into_keys().collect();
                let sought = Sought { table: id, key: &key.key, sequence: &table.sequence, within, keys: &keys };
                let places = self.target().places(sought).await?;
                match &mut all {
                    Some(all) => all.extend(places),
                    None => all = Some(places),
                }
            }
        }
        Ok(all)
    }
}
