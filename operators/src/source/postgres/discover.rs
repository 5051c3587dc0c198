//! Which hot tables there are, with their columns and keys.

use std::collections::BTreeMap;

use tokio_postgres::{Client, Row};

use crate::error::StoreError;
use crate::postgres::{self, Ask, quoted};
use crate::totals::hash::{OFFSET, SOURCE};

/// The columns that number rows, if nothing else is said: the first that a table has.
pub const KNOWN_SEQUENCES: [&str; 3] = ["sequence", "created_ledger", "ledger_sequence"];

/// The table in which the older flusher (obsrvr's postgres-ducklake-flusher) keeps how far it came.
const OLDER: &str = "cold_flusher_checkpoint";

/// A hot table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HotTable {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// The column that numbers its rows.
    pub sequence: String,
    /// Its columns, in their order.
    pub columns: Vec<HotColumn>,
    /// Its primary key; empty if it has none.
    pub key: Vec<String>,
    /// What holds its rows, as SQL has it: itself, or the leaves of its partitions.
    pub leaves: Vec<String>,
    /// Why it cannot be flushed, in words that follow "it".
    pub obstacle: Option<String>,
    /// Why its rows cannot be deleted, in words that follow "it": that would do more than they say.
    pub undeletable: Option<String>,
}

/// A column of a hot table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HotColumn {
    /// Its name.
    pub name: String,
    /// Its type as people read it: `numeric(20,7)`.
    pub shown: String,
    /// Its type, or that of a domain's base, as the system names it: `numeric`, `_text`.
    pub of: String,
    /// What it may be: `numeric(20,7)` is more than a name; -1 if nothing is said.
    pub modifier: i32,
    /// The type of its elements, if it is an array.
    pub element: Option<String>,
    /// Whether the type is an enumeration.
    pub is_enum: bool,
    /// Whether it may be null.
    pub nullable: bool,
}

/// What was found in a schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The tables that can be flushed, by name.
    pub tables: Vec<HotTable>,
    /// Tables without a column that numbers their rows.
    pub unnumbered: Vec<String>,
}

impl HotTable {
    /// Refuses a table whose rows cannot be moved as they are or, if it is retained, copied.
    pub fn refuse_obstacle(&self, is_retained: bool) -> Result<(), StoreError> {
        let undeletable = self.undeletable.as_ref().filter(|_| !is_retained);
        match self.obstacle.as_ref().or(undeletable) {
            None => Ok(()),
            Some(obstacle) => {
                let why = format!("it {obstacle}; change that, or leave the table out in source.tables");
                Err(StoreError::definite(format!("flush table {:?}", self.name), why))
            }
        }
    }

    /// Its name, as SQL has it.
    pub fn named(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.name))
    }
}

/// The tables of `schema`. `sequences` names the columns that may number rows: the first that a
/// table has. Our own tables and the older flusher's are left out.
pub async fn discover(client: &Client, schema: &str, sequences: &[String]) -> Result<Found, StoreError> {
    let failed = |e| postgres::failed(format!("look at the tables of schema {schema:?}"), e);
    let sql = "SELECT c.oid, c.relname::text, c.relkind = 'p' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
               WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname NOT LIKE '\\_meta\\_%' \
               AND c.relname NOT LIKE 'lakefront\\_%' AND c.relname NOT LIKE 'ducklake\\_%' \
               AND c.relname <> 'cold_flusher_checkpoint' ORDER BY c.relname";
    let tables = client.ask(sql, &[&schema]).await.map_err(failed)?;
    let ids: Vec<u32> = tables.iter().map(|row| row.get(0)).collect();
    // The questions go out at once, and the server answers one after the other.
    let asked = tokio::try_join!(columns(client, &ids), keys(client, &ids), obstacles(client, &ids));
    let (mut columns, mut keys, Obstacles { mut any, mut deletes }) = asked.map_err(failed)?;
    let mut found = Found::default();
    for row in &tables {
        let (id, name, is_partitioned): (u32, String, bool) = (row.get(0), row.get(1), row.get(2));
        let columns = columns.remove(&id).unwrap_or_default();
        let numbers = |column: &&HotColumn| matches!(&*column.of, "int8" | "int4" | "int2");
        let named = |wanted: &String| columns.iter().filter(numbers).find(|column| column.name == *wanted);
        let Some(sequence) = sequences.iter().find_map(named).map(|column| column.name.clone()) else {
            found.unnumbered.push(name);
            continue;
        };
        let leaves = match is_partitioned {
            true => leaves(client, id).await.map_err(failed)?,
            false => vec![format!("{}.{}", quoted(schema), quoted(&name))],
        };
        let key = keys.remove(&id).unwrap_or_default();
        let obstacle = any.remove(&id).or_else(|| odd_names(&columns));
        let (schema, undeletable) = (schema.to_owned(), deletes.remove(&id));
        found.tables.push(HotTable { schema, name, sequence, columns, key, leaves, obstacle, undeletable });
    }
    Ok(found)
}

/// What stands in the way of tables, in words that follow "it".
pub(super) struct Obstacles {
    /// Not all of their rows could be copied.
    any: BTreeMap<u32, String>,
    /// The DELETE of their rows would do more, or less, than that.
    pub(super) deletes: BTreeMap<u32, String>,
}

/// What stands in the way of tables, by their numbers as relations.
pub(super) async fn obstacles(client: &Client, ids: &[u32]) -> Asked<Obstacles> {
    let sql = "WITH RECURSIVE parts AS (SELECT c AS root, c FROM unnest($1::oid[]) c \
               UNION ALL SELECT p.root, i.inhrelid FROM parts p JOIN pg_inherits i ON i.inhparent = p.c) \
               SELECT p.root, 'is referenced by foreign key ' || f.conname, true FROM parts p \
               JOIN pg_constraint f ON f.contype = 'f' AND f.confrelid = p.c \
               UNION ALL SELECT p.root, 'has the trigger ' || t.tgname || ', which a DELETE fires', true FROM parts p \
               JOIN pg_trigger t ON t.tgrelid = p.c WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype & 8 <> 0 \
               UNION ALL SELECT p.root, 'has the rule ' || r.rulename || ' for DELETE', true FROM parts p \
               JOIN pg_rewrite r ON r.ev_class = p.c WHERE r.ev_type = '4' AND r.ev_enabled <> 'D' \
               UNION ALL SELECT p.root, 'has a partition that is no table of this database: ' || c.relname, false FROM parts p \
               JOIN pg_class c ON c.oid = p.c WHERE c.relkind = 'f' \
               UNION ALL SELECT p.root, 'has children by inheritance, such as ' || c.relname, false FROM parts p \
               JOIN pg_class c ON c.oid = p.c JOIN pg_class r ON r.oid = p.root WHERE r.relkind = 'r' AND p.c <> p.root \
               ORDER BY 1, 2";
    let rows = client.ask(sql, &[&ids]).await?;
    let of = |deletes| rows.iter().rev().filter(move |row| row.get::<_, bool>(2) == deletes);
    let told = |row: &Row| (row.get(0), row.get(1));
    Ok(Obstacles { any: of(false).map(told).collect(), deletes: of(true).map(told).collect() })
}

/// Which names of a table cannot be told apart, or are ours; in words that follow "it".
fn odd_names(columns: &[HotColumn]) -> Option<String> {
    let ours = columns.iter().find(|column| [OFFSET, SOURCE].contains(&&*column.name));
    if let Some(ours) = ours {
        return Some(format!("has a column {:?}, a name that lakefront uses itself: rename it", ours.name));
    }
    let is_same = |a: &HotColumn, b: &HotColumn| a.name.eq_ignore_ascii_case(&b.name);
    let twice =
        columns.iter().enumerate().find_map(|(i, column)| columns[..i].iter().find(|other| is_same(column, other)));
    twice.map(|column| {
        format!("has two columns that a lake cannot tell apart, {:?} in two cases: rename one", column.name)
    })
}

/// How far the older flusher came in `schema`; `None` if it has never been there.
pub async fn older_checkpoint(client: &Client, schema: &str) -> Result<Option<i64>, StoreError> {
    let named = format!("{}.{OLDER}", quoted(schema));
    let failed = |e| postgres::failed(format!("read {OLDER}"), e);
    let there = client.ask_one("SELECT to_regclass($1) IS NOT NULL", &[&named]).await.map_err(failed)?;
    if !there.get::<_, bool>(0) {
        return Ok(None);
    }
    let sql = format!("SELECT max(last_flushed_watermark)::int8 FROM {named}");
    let checkpoint: Option<i64> = client.ask_one(&sql, &[]).await.map_err(failed)?.get(0);
    // It begins at zero.
    Ok(checkpoint.filter(|checkpoint| *checkpoint > 0))
}

type Asked<T> = Result<T, tokio_postgres::Error>;

/// A table, as the catalog has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableColumns {
    /// Whether it is divided into partitions, whose rows are its own.
    pub is_partitioned: bool,
    /// Its columns, in their order.
    pub columns: Vec<HotColumn>,
}

/// The columns of `tables`, which are named by schema and name; `None` for one that is not there.
pub async fn columns_of_tables(
    client: &Client,
    tables: &[(&str, &str)],
) -> Result<Vec<Option<TableColumns>>, StoreError> {
    let failed = |error| postgres::failed("look at PostgreSQL's tables", error);
    let (schemas, names): (Vec<&str>, Vec<&str>) = tables.iter().copied().unzip();
    let sql = "SELECT c.oid, c.relkind = 'p' FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS t(space, name, place) \
               LEFT JOIN pg_namespace n ON n.nspname = t.space \
               LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.name AND c.relkind IN ('r', 'p') \
               ORDER BY t.place";
    let found = client.ask(sql, &[&schemas, &names]).await.map_err(failed)?;
    let ids: Vec<Option<u32>> = found.iter().map(|row| row.get(0)).collect();
    let there: Vec<u32> = ids.iter().copied().flatten().collect();
    let mut columns = columns(client, &there).await.map_err(failed)?;
    let table = |(id, row): (&Option<u32>, &Row)| {
        let columns = columns.remove(id.as_ref()?).unwrap_or_default();
        Some(TableColumns { is_partitioned: row.get(1), columns })
    };
    Ok(ids.iter().zip(&found).map(table).collect())
}

/// The columns of tables, by their numbers as relations. A domain has the type that it is based on.
async fn columns(client: &Client, ids: &[u32]) -> Asked<BTreeMap<u32, Vec<HotColumn>>> {
    let sql = "WITH RECURSIVE based AS ( \
               SELECT a.attrelid, a.attnum, a.atttypid AS type, a.atttypmod AS modifier FROM pg_attribute a \
               WHERE a.attrelid = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped \
               UNION ALL SELECT b.attrelid, b.attnum, t.typbasetype, t.typtypmod FROM based b \
               JOIN pg_type t ON t.oid = b.type WHERE t.typtype = 'd') \
               SELECT a.attrelid, a.attname::text, format_type(a.atttypid, a.atttypmod), t.typname::text, b.modifier, \
               e.typname::text, t.typtype = 'e', NOT a.attnotnull, n.nspname = 'pg_catalog' FROM based b \
               JOIN pg_type t ON t.oid = b.type AND t.typtype <> 'd' JOIN pg_namespace n ON n.oid = t.typnamespace \
               JOIN pg_attribute a ON a.attrelid = b.attrelid AND a.attnum = b.attnum \
               LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A' AND e.typtype = 'b' \
               ORDER BY a.attrelid, a.attnum";
    let mut all: BTreeMap<u32, Vec<HotColumn>> = BTreeMap::new();
    for row in client.ask(sql, &[&ids]).await? {
        let (is_enum, is_system): (bool, bool) = (row.get(6), row.get(8));
        // A type of somebody's own may be called as one of the system's is.
        let of =
            if is_system || is_enum { row.get::<_, String>(3) } else { format!("another {}", row.get::<_, &str>(3)) };
        all.entry(row.get(0)).or_default().push(HotColumn {
            name: row.get(1),
            shown: row.get(2),
            of,
            modifier: row.get(4),
            element: row.get(5),
            is_enum,
            nullable: row.get(7),
        });
    }
    Ok(all)
}

/// The values that columns have in rows from before they were added, by the tables that are called
/// so and by column: as JSON, with which PostgreSQL says what it keeps for them. It keeps one as
/// long as no table was written anew since.
pub async fn values_before(
    client: &Client,
    tables: &[(&str, &str)],
) -> Result<Vec<BTreeMap<String, String>>, StoreError> {
    let (schemas, names): (Vec<&str>, Vec<&str>) = tables.iter().copied().unzip();
    let sql = "SELECT t.place, a.attname::text, array_to_json(a.attmissingval)::text \
               FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS t(space, name, place) \
               JOIN pg_namespace n ON n.nspname = t.space \
               JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.name AND c.relkind = 'r' \
               JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.atthasmissing";
    let found = client.ask(sql, &[&schemas, &names]).await;
    let found = found.map_err(|error| postgres::failed("look at the defaults of PostgreSQL's columns", error))?;
    let mut all = vec![BTreeMap::new(); tables.len()];
    for row in found {
        let (place, values): (i64, Option<String>) = (row.get(0), row.get(2));
        // An array of one.
        let value = values.and_then(|values| Some(values.strip_prefix('[')?.strip_suffix(']')?.to_owned()));
        let table = usize::try_from(place).ok().and_then(|place| all.get_mut(place.checked_sub(1)?));
        if let Some((table, value)) = table.zip(value) {
            table.insert(row.get(1), value);
        }
    }
    Ok(all)
}

/// The primary keys of tables.
async fn keys(client: &Client, ids: &[u32]) -> Asked<BTreeMap<u32, Vec<String>>> {
    let sql = "SELECT c.conrelid, a.attname::text FROM pg_constraint c \
               CROSS JOIN LATERAL unnest(c.conkey) WITH ORDINALITY AS k(attnum, place) \
               JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum \
               WHERE c.contype = 'p' AND c.conrelid = ANY($1) ORDER BY c.conrelid, k.place";
    let mut all: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for row in client.ask(sql, &[&ids]).await? {
        all.entry(row.get(0)).or_default().push(row.get(1));
    }
    Ok(all)
}

/// The leaves of a partitioned table, as SQL has them.
async fn leaves(client: &Client, id: u32) -> Asked<Vec<String>> {
    let sql = "SELECT n.nspname::text, c.relname::text FROM pg_partition_tree($1::oid::regclass) t \
               JOIN pg_class c ON c.oid = t.relid JOIN pg_namespace n ON n.oid = c.relnamespace \
               WHERE t.isleaf AND c.relkind = 'r' ORDER BY 1, 2";
    let leaf = |row: &Row| format!("{}.{}", quoted(row.get(0)), quoted(row.get(1)));
    Ok(client.ask(sql, &[&id]).await?.iter().map(leaf).collect())
}
