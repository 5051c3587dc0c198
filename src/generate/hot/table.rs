//! The rows of a table: how many a ledger has, which come late, and their bytes.
//!
//! Guarantees: a row follows from the seed, the table's name, the ledger and the row's number
//! there, so a row that is written again is the same. No two rows of a table have one primary key.

use std::collections::HashMap;

use lakefront_operators::error::Stop;
use lakefront_operators::postgres::{self, Client, quoted};
use lakefront_operators::source::postgres::HotTable;

use super::binary;
use super::column::{At, Column};
use crate::generate::random::{Chance, Random};

/// A late row comes at most so many ledgers after its own.
const LATEST: u64 = 64;

/// A table that rows are made for.
pub(super) struct Table {
    /// Its name.
    pub(super) name: String,
    /// Its name as SQL has it.
    pub(super) named: String,
    /// Its primary key; empty if it has none.
    pub(super) key: Vec<String>,
    /// The column that numbers its rows.
    pub(super) sequence: String,
    /// The columns that are written: all but generated ones.
    pub(super) columns: Vec<Column>,
    rows: Rows,
    seed: u64,
}

/// How many rows a ledger has.
#[derive(Clone, Copy)]
enum Rows {
    /// One: it is the table that says which ledgers there are.
    One,
    /// None or one, because its key is no more than the ledger.
    AtMostOne,
    /// So many in the middle, at most twice as many.
    About(u64),
}

impl Table {
    /// `hot` as `client` sees it. A ledger has about `rows` rows there, or one if the table has the
    /// watermark.
    pub(super) async fn new(
        client: &Client,
        hot: &HotTable,
        is_watermark: bool,
        rows: u64,
        seed: u64,
    ) -> anyhow::Result<Table> {
        let more = details(client, hot).await?;
        let mut columns = Vec::new();
        for column in &hot.columns {
            let Some(Detail { labels, .. }) = more.get(&column.name).filter(|detail| !detail.is_generated) else {
                continue;
            };
            let known = Column::new(column, &hot.sequence, &hot.key, labels.clone());
            columns.push(known.ok_or_else(|| {
                Stop::Refused(format!(
                    "column {:?} of table {:?} is {}, of which no values can be made: leave the table out in source.tables",
                    column.name, hot.name, column.shown
                ))
            })?);
        }
        let keys: Vec<&Column> = columns.iter().filter(|column| hot.key.contains(&column.name)).collect();
        let (has_ledger, is_keyed) = (hot.key.contains(&hot.sequence), !hot.key.is_empty());
        let rows = match () {
            () if is_keyed && !has_ledger && !keys.iter().any(|column| column.tells_all()) => {
                return Err(Stop::Refused(format!(
                    "the primary key of table {:?}, ({}), has no column that could tell all rows apart, such as a bigint or a \
                     text: leave the table out in source.tables",
                    hot.name,
                    hot.key.join(", ")
                ))
                .into());
            }
            () if is_watermark => Rows::One,
            () if is_keyed && !keys.iter().any(|column| column.tells_rows()) => Rows::AtMostOne,
            () => Rows::About(rows),
        };
        Ok(Table {
            name: hot.name.clone(),
            named: hot.named(),
            key: hot.key.clone(),
            sequence: hot.sequence.clone(),
            columns,
            rows,
            seed: mix(&[seed, number(&hot.name)]),
        })
    }

    /// The highest ledger that the table has room for.
    pub(super) fn highest(&self) -> i64 {
        self.columns.iter().map(Column::highest).min().unwrap_or(i64::MAX)
    }

    /// How many rows a ledger has.
    pub(super) fn rows(&self, ledger: i64) -> i64 {
        let mut random = Random::new(mix(&[self.seed, 1, ledger.cast_unsigned()]));
        match self.rows {
            Rows::One => 1,
            Rows::AtMostOne => random.between(0, 2).cast_signed(),
            Rows::About(rows) => random.between(0, 2 * rows + 1).cast_signed(),
        }
    }

    /// The ledger with which the row `at` comes: its own, or a later one.
    pub(super) fn due(&self, at: At, late: Chance) -> i64 {
        let mut random = Random::new(mix(&[self.seed, 2, at.ledger.cast_unsigned(), at.row.cast_unsigned()]));
        match self.rows {
            Rows::About(_) | Rows::AtMostOne if late.happens(&mut random) => {
                at.ledger + random.between(1, LATEST + 1).cast_signed()
            }
            _ => at.ledger,
        }
    }

    /// Appends the row `at`.
    pub(super) fn append(&self, out: &mut Vec<u8>, at: At) {
        let mut random = Random::new(mix(&[self.seed, 3, at.ledger.cast_unsigned(), at.row.cast_unsigned()]));
        binary::begin(out, self.columns.len());
        self.columns.iter().for_each(|column| column.append(out, at, &mut random));
    }

    /// The columns as a list in SQL.
    pub(super) fn listed(&self) -> String {
        self.columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(", ")
    }
}

/// What is to be known of a column beside its type.
struct Detail {
    is_generated: bool,
    labels: Vec<String>,
}

async fn details(client: &Client, hot: &HotTable) -> anyhow::Result<HashMap<String, Detail>> {
    let sql = "SELECT a.attname::text, a.attgenerated <> '', \
               ARRAY(SELECT e.enumlabel::text FROM pg_enum e \
               WHERE e.enumtypid = COALESCE(NULLIF(t.typbasetype, 0), t.oid) ORDER BY e.enumsortorder) \
               FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
               WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped";
    let rows = client.query(sql, &[&hot.named()]).await;
    let rows = rows.map_err(|e| postgres::failed(format!("look at table {:?}", hot.name), e))?;
    Ok(rows.iter().map(|row| (row.get(0), Detail { is_generated: row.get(1), labels: row.get(2) })).collect())
}

/// One number that follows from all of `numbers`.
pub(super) fn mix(numbers: &[u64]) -> u64 {
    numbers.iter().fold(0, |mixed, number| Random::new(mixed ^ number).next())
}

/// A number for a name: FNV-1a.
fn number(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
