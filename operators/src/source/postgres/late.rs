//! Rows that come back: an ingester that was set back writes rows again that were flushed and
//! deleted. A table that skips them lands none whose primary key the lake has; one that replaces
//! them is looked up in `replace`.
//!
//! Skipped rows are deleted in a transaction of their own, before a flush begins: its snapshot is
//! taken once there are none left. That is safe at any time, because the lake has them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_schema::{DataType, Field, Schema};
use futures::TryStreamExt;
use tokio_postgres::Client;

use super::discover::HotTable;
use super::flush::Buffer;
use super::key::Key;
use super::target::Sought;
use super::types::Plan;
use crate::error::{Stop, StoreError};
use crate::format::copy::{Codec, Decoder};
use crate::postgres::{self, quoted};
use crate::protocol::names::TableId;

/// What happens to a row at or below its table's watermark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// It lands, again if the lake has it.
    Append,
    /// It lands, unless the lake has its primary key; then it is only deleted.
    Skip,
    /// It lands, and what the lake has of its primary key goes in the same snapshot.
    Replace,
}

impl Late {
    /// What the configuration calls it.
    pub fn word(self) -> &'static str {
        match self {
            Late::Append => "append",
            Late::Skip => "skip",
            Late::Replace => "replace",
        }
    }
}

/// Pages of a table whose late rows are compared with the lake at once.
pub(super) const PAGES: u32 = 4096;
/// Rows of a batch.
const BATCH_ROWS: usize = 8192;
/// Where a row is, in the column after those of the key.
const PLACE: &str = "ctid";
/// Its number, in the last column.
const NUMBER: &str = "sequence";

/// Late rows of one piece of a table: where they are, by the hash of their key.
#[derive(Default)]
pub(super) struct LateRows {
    pub(super) places: HashMap<u128, String>,
    pub(super) within: Option<RangeInclusive<i64>>,
}

/// What holds the rows of a table, as SQL has it, and how many pages that has.
pub(super) type Leaf<'a> = (&'a str, u32);

impl Buffer {
    /// Deletes the late rows of `table` that the lake has, in the transaction of `owner`. Returns
    /// how many.
    pub(super) async fn skip(
        &self,
        owner: &Client,
        (id, table, plan): (TableId, &HotTable, &Plan),
        mark: i64,
        leaves: &[Leaf<'_>],
    ) -> Result<u64, Stop> {
        let key = KeyColumns::of(table, plan)?;
        let (late, mut skipped) = (format!("{} <= {mark}", quoted(&table.sequence)), 0);
        for (leaf, pages) in leaves {
            for from in (0..=*pages).step_by(PAGES as usize) {
                let rows = key.late(owner, table, leaf, &late, from).await?;
                let Some(within) = rows.within.clone() else { continue };
                let keys: HashSet<u128> = rows.places.keys().copied().collect();
                let sought = Sought { table: id, key: &key.key, sequence: &table.sequence, within, keys: &keys };
                let known = self.target().holds(sought).await?;
                let places: Vec<&str> = known.iter().filter_map(|key| Some(&**rows.places.get(key)?)).collect();
                if places.is_empty() {
                    continue;
                }
                let sql = format!("DELETE FROM ONLY {leaf} WHERE ctid = ANY($1::text[]::tid[])");
                let deleted = owner.execute(&sql, &[&places]).await;
                skipped += deleted.map_err(|e| {
                    postgres::failed(format!("delete rows of table {:?} that came back", table.name), e)
                })?;
            }
        }
        Ok(skipped)
    }
}

/// How the key of a table is read.
pub(super) struct KeyColumns {
    pub(super) key: Key,
    select: String,
    decoder: Decoder,
}

impl KeyColumns {
    /// The key of `table`, as `plan` copies it.
    pub(super) fn of(table: &HotTable, plan: &Plan) -> Result<KeyColumns, Stop> {
        let at = |name: &String| table.columns.iter().position(|column| column.name == *name);
        let at: Option<Vec<usize>> = table.key.iter().map(at).collect();
        let at = at.filter(|at| !at.is_empty());
        let at = at.ok_or_else(|| Stop::Bug(format!("table {:?} has no key to find rows by", table.name)))?;
        // The lake's numbers have 53 bits there, so different keys would look alike.
        let is_rounded = |at: &&usize| {
            table.columns[**at].of == "numeric" && *plan.schema.field(**at).data_type() == DataType::Float64
        };
        if let Some(at) = at.iter().find(is_rounded) {
            let name = &table.columns[*at].name;
            let why = format!(
                "column {name:?} of its primary key is numeric, and DOUBLE in the lake, which rounds it: change the \
                 lake's column, or let late rows of the table append"
            );
            return Err(StoreError::definite(format!("find rows of table {:?} by their key", table.name), why).into());
        }
        let field = |at: &usize| plan.schema.field(*at).clone();
        let mut fields: Vec<Field> = at.iter().map(field).collect();
        let is_text = |at: &usize| {
            let column = &table.columns[*at];
            column.of == "numeric" && column.element.is_none() && *plan.schema.field(*at).data_type() == DataType::Utf8
        };
        let names = fields.iter().map(|field| field.name().clone()).collect();
        let key = Key { names, numbers: at.iter().map(is_text).collect() };
        let mut selects: Vec<&str> = at.iter().map(|at| &*plan.columns[*at].select).collect();
        let mut codecs: Vec<Codec> = at.iter().map(|at| plan.columns[*at].codec.clone()).collect();
        let number = format!("{}::int8", quoted(&table.sequence));
        selects.extend(["ctid::text", &number]);
        codecs.extend([Codec::Text, Codec::Int64]);
        fields.push(Field::new(PLACE, DataType::Utf8, false));
        fields.push(Field::new(NUMBER, DataType::Int64, false));
        let schema = Arc::new(Schema::new(fields));
        Ok(KeyColumns { key, select: selects.join(", "), decoder: Decoder::new(schema, codecs) })
    }

    /// The late rows of some pages: those that are `asked` for.
    pub(super) async fn late(
        &self,
        owner: &Client,
        table: &HotTable,
        leaf: &str,
        asked: &str,
        from: u32,
    ) -> Result<LateRows, StoreError> {
        let failed = |e| postgres::failed(format!("look for late rows of table {:?}", table.name), e);
        let to = u64::from(from) + u64::from(PAGES);
        let sql = format!(
            "COPY (SELECT {} FROM ONLY {leaf} WHERE {asked} AND ctid >= '({from},0)'::tid AND ctid < '({to},0)'::tid) \
             TO STDOUT (FORMAT binary)",
            self.select
        );
        let mut bytes = Vec::new();
        let mut stream = Box::pin(owner.copy_out(&sql).await.map_err(failed)?);
        while let Some(row) = stream.try_next().await.map_err(failed)? {
            bytes.extend_from_slice(&row);
        }
        let (mut rows, keys) = (LateRows::default(), (0..self.key.names.len()).collect::<Vec<_>>());
        let decoded = self.decoder.decode(&bytes, BATCH_ROWS, |batch| {
            let key = batch.project(&keys).expect("the key's columns are there");
            let places = batch.column(keys.len()).as_string::<i32>();
            let numbers = batch.column(keys.len() + 1).as_primitive::<Int64Type>();
            for (row, key) in self.key.hashes(&key).into_iter().enumerate() {
                rows.places.insert(key, places.value(row).to_owned());
                let number = numbers.value(row);
                let within = rows.within.take().unwrap_or(number..=number);
                rows.within = Some(*within.start().min(&number)..=*within.end().max(&number));
            }
        });
        let failed = |e| StoreError::definite(format!("decode late rows of table {:?}", table.name), e);
        decoded.map_err(failed)?;
        Ok(rows)
    }
}

/// Up to where each table was flushed.
pub(super) type Marks = BTreeMap<String, i64>;

/// How many rows of each table were skipped, for the log.
pub(super) fn told(skipped: &BTreeMap<&str, u64>) -> String {
    skipped.iter().map(|(table, rows)| format!("{table} {rows}")).collect::<Vec<_>>().join(", ")
}
