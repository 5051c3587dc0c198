//! Slices: pieces of hot tables that one connection copies at a time.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use tokio_postgres::Client;

use super::discover::HotTable;
use crate::error::StoreError;
use crate::postgres::{self, Ask};
use crate::protocol::names::TableId;
use crate::protocol::offsets::PartitionId;
use crate::work::Work;

/// A slice holds about so much of a table, in bytes: enough that a query's own cost does not
/// matter, and little enough that a few of them fit into memory.
pub const SLICE: u64 = 8 << 20;
/// Of few rows, slices are smaller, so that each connection has its share, down to this, in bytes.
const LEAST: u64 = 1 << 20;
/// So many slices for each connection, so that none of them ends long before the others.
const OF_A_CONNECTION: u64 = 2;
/// A slice has at most so many rows that are listed, each with its place in the statement.
const LISTED: u64 = 10_000;
/// A page holds at most this many rows: each takes a pointer of 4 bytes and a header of 24.
const MOST_OF_A_PAGE: u64 = 291;

/// Some pages of one table, as a flush's snapshot sees them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// The table, as a partition of the source.
    pub partition: PartitionId,
    /// The same, in the lake.
    pub table: TableId,
    /// The number of the flush.
    pub flush: u64,
    /// Which of the table's leaves.
    pub leaf: usize,
    /// Whether it has rows that are listed by their places, instead of pages.
    pub is_listed: bool,
    /// The first page, or where in the list it begins.
    pub from: u32,
    /// The page after the last, or where in the list it ends; none if it is the leaf's last slice.
    pub to: Option<u32>,
    /// About how much memory it takes, in bytes.
    pub bytes: u64,
    /// Whether it is the first of its flush, which moves the position.
    pub is_first: bool,
    /// Whether it is the only one of its table in the flush, so that the table's file can be closed
    /// behind it.
    pub is_whole: bool,
}

impl Work for Slice {
    fn partition(&self) -> &PartitionId {
        &self.partition
    }

    fn moves(&self) -> u64 {
        self.is_first.into()
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// How large the leaves of tables are.
pub(super) struct Sizes(Vec<Vec<Size>>);

#[derive(Clone, Copy)]
struct Size {
    /// Its number as a relation.
    relation: u32,
    pages: u32,
    /// With what is stored beside the pages.
    bytes: u64,
    /// At most, as a guess.
    rows_of_a_page: u64,
}

impl Sizes {
    /// Asks for the sizes of all leaves, in one question.
    pub(super) async fn ask(client: &Client, tables: &[&HotTable]) -> Result<Sizes, StoreError> {
        let leaves: Vec<&str> = tables.iter().flat_map(|table| table.leaves.iter().map(String::as_str)).collect();
        let sql = "SELECT pg_relation_size(c.oid) / current_setting('block_size')::bigint, pg_table_size(c.oid), \
                   CASE WHEN c.reltuples > 0 AND c.relpages > 0 THEN (c.reltuples / c.relpages)::float8 END, c.oid \
                   FROM unnest($1::text[]) WITH ORDINALITY AS t(l, i) JOIN pg_class c ON c.oid = l::regclass ORDER BY i";
        let rows = client.ask(sql, &[&leaves]).await.map_err(|e| postgres::failed("ask for the sizes of tables", e))?;
        let mut sizes = rows.iter().map(|row| Size {
            relation: row.get(3),
            pages: u32::try_from(row.get::<_, i64>(0)).unwrap_or(u32::MAX),
            bytes: u64::try_from(row.get::<_, i64>(1)).unwrap_or_default(),
            rows_of_a_page: row.get::<_, Option<f64>>(2).map_or(MOST_OF_A_PAGE, |rows| (2.0 * rows).ceil() as u64 + 1),
        });
        Ok(Sizes(tables.iter().map(|table| sizes.by_ref().take(table.leaves.len()).collect()).collect()))
    }

    /// The leaves of the table at this place, with their pages.
    pub(super) fn leaves<'t>(&self, at: usize, table: &'t HotTable) -> Vec<(&'t str, u32)> {
        let sizes = self.0.get(at).into_iter().flatten();
        table.leaves.iter().map(String::as_str).zip(sizes.map(|size| size.pages)).collect()
    }

    /// The numbers of the leaves of the table at this place, as relations.
    pub(super) fn relations(&self, at: usize) -> Vec<u32> {
        self.0.get(at).into_iter().flatten().map(|size| size.relation).collect()
    }

    /// The numbers of all leaves.
    pub(super) fn all_relations(&self) -> HashSet<u32> {
        self.0.iter().flatten().map(|size| size.relation).collect()
    }

    /// Hardly ever are there more rows: twice as many as the statistics make of these pages, or as
    /// many as pages can hold.
    pub(super) fn most_rows(&self) -> u64 {
        self.0.iter().flatten().map(|size| u64::from(size.pages) * size.rows_of_a_page.min(MOST_OF_A_PAGE)).sum()
    }

    /// The slices of those tables that have rows, the largest tables first, so that none of the
    /// `connections` is left with one at the end.
    pub(super) fn slices(&self, tables: &[(TableId, &HotTable, bool)], flush: u64, connections: usize) -> Vec<Slice> {
        let mut order: Vec<_> = tables.iter().zip(&self.0).filter(|((_, _, has_rows), _)| *has_rows).collect();
        order.sort_by_key(|(_, sizes)| std::cmp::Reverse(sizes.iter().map(|size| size.bytes).sum::<u64>()));
        let bytes: u64 = order.iter().flat_map(|(_, sizes)| *sizes).map(|size| size.bytes).sum();
        let most = (bytes / (OF_A_CONNECTION * connections as u64).max(1)).clamp(LEAST, SLICE);
        let mut slices = Vec::new();
        for ((table, hot, _), sizes) in order {
            for (leaf, size) in sizes.iter().enumerate() {
                size.divide(most, |from, to, bytes| {
                    let (partition, is_first) = (PartitionId::first(&*hot.name), slices.is_empty());
                    let (is_listed, is_whole) = (false, false);
                    let table = *table;
                    slices.push(Slice {
                        partition,
                        table,
                        flush,
                        leaf,
                        is_listed,
                        from,
                        to,
                        bytes,
                        is_first,
                        is_whole,
                    });
                });
            }
        }
        slices
    }

    /// Adds the slices of so many `listed` rows of a leaf of `table`.
    pub(super) fn list(
        &self,
        slices: &mut Vec<Slice>,
        (table, hot): (TableId, &HotTable),
        leaf: usize,
        listed: usize,
        flush: u64,
    ) {
        let Some(size) = self.0.get(table.0).and_then(|sizes| sizes.get(leaf)) else { return };
        size.divide_listed(listed, |from, to, bytes| {
            let (partition, is_first) = (PartitionId::first(&*hot.name), slices.is_empty());
            let (is_listed, is_whole, to) = (true, false, Some(to));
            slices.push(Slice { partition, table, flush, leaf, is_listed, from, to, bytes, is_first, is_whole });
        });
    }
}

/// Marks those of a flush's slices that are the only ones of their tables.
pub(super) fn mark_whole(slices: &mut [Slice]) {
    let mut of_table: HashMap<TableId, usize> = HashMap::new();
    slices.iter().for_each(|slice| *of_table.entry(slice.table).or_default() += 1);
    slices.iter_mut().for_each(|slice| slice.is_whole = of_table.get(&slice.table) == Some(&1));
}

impl Size {
    /// Divides a leaf into slices of at most about so many bytes: first page, end, bytes.
    fn divide(self, most: u64, mut each: impl FnMut(u32, Option<u32>, u64)) {
        let of_a_page = (self.bytes / u64::from(self.pages.max(1))).max(1);
        let pages = u32::try_from((most / of_a_page).max(1)).unwrap_or(u32::MAX);
        let mut from = 0_u32;
        loop {
            let to = from.checked_add(pages).filter(|to| *to < self.pages);
            let held = u64::from(to.unwrap_or(self.pages.max(from + 1)) - from);
            each(from, to, held * of_a_page);
            let Some(to) = to else { return };
            from = to;
        }
    }

    /// Divides a list of rows of a leaf into slices: where it begins and ends, bytes.
    fn divide_listed(self, rows: usize, mut each: impl FnMut(u32, u32, u64)) {
        let of_a_row = 2 * self.bytes / (u64::from(self.pages.max(1)) * self.rows_of_a_page.max(1)) + 1;
        let most = (SLICE / of_a_row).clamp(1, LISTED);
        let (mut from, rows) = (0_u64, rows as u64);
        while from < rows {
            let to = rows.min(from + most);
            let at = |place: u64| u32::try_from(place).unwrap_or(u32::MAX);
            each(at(from), at(to), (to - from) * of_a_row);
            from = to;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divided(pages: u32, bytes: u64) -> Vec<(u32, Option<u32>, u64)> {
        let mut all = Vec::new();
        Size { relation: 1, pages, bytes, rows_of_a_page: 1 }
            .divide(SLICE, |from, to, bytes| all.push((from, to, bytes)));
        all
    }

    #[test]
    fn slices_cover_every_page_once() {
        assert_eq!(divided(0, 0), [(0, None, 1)], "rows may have come since the size was asked for");
        assert_eq!(divided(10, 81_920), [(0, None, 81_920)]);
        let many = divided(2500, 2500 * 8192);
        assert_eq!(
            many.iter().map(|(from, to, _)| (*from, *to)).collect::<Vec<_>>(),
            [(0, Some(1024)), (1024, Some(2048)), (2048, None)]
        );
        // Long values are stored beside the pages.
        assert!(divided(100, 100 << 20).len() > 10);
        assert_eq!(divided(3, 30 << 20).len(), 3, "a page is the least");
    }

    #[test]
    fn a_list_is_divided_by_rows_and_by_their_size() {
        let divided = |pages, bytes, rows| {
            let mut all = Vec::new();
            Size { relation: 1, pages, bytes, rows_of_a_page: 81 }.divide_listed(rows, |from, to, bytes| {
                assert!(bytes <= SLICE, "{bytes}");
                all.push((from, to));
            });
            all
        };
        assert_eq!(divided(10, 81_920, 0), []);
        assert_eq!(divided(10, 81_920, 25_000), [(0, 10_000), (10_000, 20_000), (20_000, 25_000)]);
        // 64 MiB in 405 rows.
        assert!(divided(10, 64 << 20, 405).len() > 8);
    }

    #[test]
    fn only_a_tables_one_slice_is_the_whole_of_it() {
        let slice = |table: usize, leaf| Slice {
            partition: PartitionId::first("t"),
            table: TableId(table),
            flush: 1,
            leaf,
            is_listed: false,
            from: 0,
            to: None,
            bytes: 1,
            is_first: false,
            is_whole: false,
        };
        let mut slices = [slice(0, 0), slice(1, 0), slice(0, 1), slice(2, 0)];
        mark_whole(&mut slices);
        assert_eq!(slices.map(|slice| slice.is_whole), [false, true, false, true]);
    }
}
