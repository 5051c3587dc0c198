//! Rows that stay hot: which of them the lake lacks, so that they are copied by their place, and
//! which may be deleted because another reader has confirmed them by now.

use std::collections::HashSet;

use tokio_postgres::Client;

use super::discover::HotTable;
use super::flush::Buffer;
use super::late::{KeyColumns, Leaf, PAGES};
use super::reach::Reach;
use super::seen::Sight;
use super::target::Sought;
use super::types::Plan;
use crate::error::{Stop, StoreError};
use crate::postgres::{self, quoted};
use crate::protocol::names::TableId;

/// At most so many rows are listed for a flush; more wait for the next one.
const LISTED: usize = 200_000;

/// Rows that the lake lacks although they are at or below the mark, by their places in each leaf of
/// each table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listed {
    /// A list for each leaf, in the order of the tables and theirs.
    pub(super) places: Vec<Vec<Vec<String>>>,
    /// Whether there is no other such row.
    pub(super) is_all: bool,
}

impl Listed {
    /// How many rows of the table at this place are listed.
    pub(super) fn rows(&self, table: usize) -> usize {
        self.places.get(table).into_iter().flatten().map(Vec::len).sum()
    }

    /// How many rows are listed.
    pub(super) fn all(&self) -> usize {
        self.places.iter().flatten().map(Vec::len).sum()
    }
}

/// A table, as a flush looks at it.
pub(super) struct Looked<'a> {
    pub(super) id: TableId,
    pub(super) table: &'a HotTable,
    pub(super) plan: &'a Plan,
    pub(super) reach: &'a Reach,
    pub(super) leaves: Vec<Leaf<'a>>,
    /// The leaves' numbers as relations.
    pub(super) relations: Vec<u32>,
}

impl Buffer {
    /// Lists the rows of `tables` that stay hot and that the lake lacks, as `owner` sees both.
    pub(super) async fn list(
        &self,
        owner: &Client,
        tables: &[Looked<'_>],
        sight: Option<&Sight>,
    ) -> Result<Listed, Stop> {
        let mut listed = Listed { places: Vec::new(), is_all: true };
        let mut room = LISTED;
        for looked in tables {
            let mut places = vec![Vec::new(); looked.leaves.len()];
            if let Some(held) = looked.reach.held(&quoted(&looked.table.sequence)) {
                for (at, leaf) in places.iter_mut().enumerate() {
                    listed.is_all &= self.list_leaf(owner, looked, at, &held, sight, (leaf, room)).await?;
                    room -= leaf.len();
                }
            }
            listed.places.push(places);
        }
        Ok(listed)
    }

    /// Lists the rows of one leaf that are `held` and that the lake lacks, if there is room for
    /// them. Whether there was for all.
    async fn list_leaf(
        &self,
        owner: &Client,
        looked: &Looked<'_>,
        at: usize,
        held: &str,
        sight: Option<&Sight>,
        (places, room): (&mut Vec<String>, usize),
    ) -> Result<bool, Stop> {
        let Looked { id, table, plan, .. } = looked;
        let key = KeyColumns::of(table, plan)?;
        let (leaf, pages) = looked.leaves[at];
        let saw = sight.and_then(|sight| sight.saw(&quoted(&table.sequence), looked.relations[at]));
        let asked = saw.map_or_else(|| held.to_owned(), |saw| format!("{held} AND NOT {saw}"));
        for from in (0..=pages).step_by(PAGES as usize) {
            let mut rows = key.late(owner, table, leaf, &asked, from).await?;
            let Some(within) = rows.within.clone() else { continue };
            let keys: HashSet<u128> = rows.places.keys().copied().collect();
            let sought = Sought { table: *id, key: &key.key, sequence: &table.sequence, within, keys: &keys };
            let known = self.target().holds(sought).await?;
            rows.places.retain(|key, _| !known.contains(key));
            if rows.places.len() > room - places.len() {
                places.extend(rows.places.into_values().take(room - places.len()));
                return Ok(false);
            }
            places.extend(rows.places.into_values());
        }
        Ok(true)
    }

    /// Deletes the rows of a table that the lake has for sure and that may be deleted, in the
    /// transaction of `owner`. Returns how many.
    pub(super) async fn release(
        &self,
        owner: &Client,
        looked: &Looked<'_>,
        sight: Option<&Sight>,
    ) -> Result<u64, StoreError> {
        let Looked { table, reach, leaves, relations, .. } = looked;
        let (Some(released), Some(sight)) = (reach.released().filter(|_| reach.stays()), sight) else { return Ok(0) };
        let (column, mut deleted) = (quoted(&table.sequence), 0);
        for ((leaf, _), relation) in leaves.iter().zip(relations) {
            let Some(saw) = sight.saw(&column, *relation) else { continue };
            let sql = format!("DELETE FROM ONLY {leaf} WHERE {column} <= $1::int8 AND {saw}");
            let gone = owner.execute(&sql, &[&released]).await;
            deleted += gone
                .map_err(|e| postgres::failed(format!("delete rows of table {:?} that have landed", table.name), e))?;
        }
        Ok(deleted)
    }
}
