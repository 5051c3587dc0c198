//! The lake's tables, brought in line with hot ones, and looked up by key.

use std::collections::{BTreeMap, HashSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow_array::RecordBatch;

use super::discover::{HotColumn, HotTable};
use super::key::Key;
use super::types::{self, Plan, default_field};
use crate::error::{Stop, StoreError};
use crate::protocol::Pending;
use crate::protocol::names::TableId;
use crate::sink::ducklake::{Column, Lake, LakeType, Places, Table, Tables, Wanted, partition_key};

/// Rows of a table of the lake that are sought by their key.
pub struct Sought<'a> {
    /// The table.
    pub table: TableId,
    /// Its key.
    pub key: &'a Key,
    /// The column that numbers its rows.
    pub sequence: &'a str,
    /// The numbers that the rows have.
    pub within: RangeInclusive<i64>,
    /// The hashes of their keys.
    pub keys: &'a HashSet<u128>,
}

/// Brings the tables of the lake in line with hot tables before they are copied.
///
/// Here, a lake that has nothing yet, with tables as they are made for hot ones:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::collections::HashSet;
///
/// use lakefront_operators::error::Stop;
/// use lakefront_operators::protocol::Pending;
/// use lakefront_operators::sink::ducklake::Places;
/// use lakefront_operators::source::postgres::{
///     HotColumn, HotTable, Plan, Sought, Target, default_field, plan,
/// };
///
/// struct Empty;
///
/// impl Target for Empty {
///     fn prepare<'a>(&'a self, tables: &'a [HotTable]) -> Pending<'a, Result<Vec<Plan>, Stop>> {
///         let of = |table: &HotTable| {
///             let fields: Vec<_> = table.columns.iter().map(default_field).collect();
///             plan(table, &fields, |name| name.to_owned()).map_err(Stop::Refused)
///         };
///         let plans = tables.iter().map(of).collect();
///         Box::pin(async { plans })
///     }
///
///     fn holds<'a>(&'a self, _: Sought<'a>) -> Pending<'a, Result<HashSet<u128>, Stop>> {
///         Box::pin(async { Ok(HashSet::new()) })
///     }
///
///     fn places<'a>(&'a self, _: Sought<'a>) -> Pending<'a, Result<Places, Stop>> {
///         Box::pin(async { Ok(Places::default()) })
///     }
/// }
///
/// let column = HotColumn {
///     name: "sequence".to_owned(),
///     shown: "bigint".to_owned(),
///     of: "int8".to_owned(),
///     modifier: -1,
///     element: None,
///     is_enum: false,
///     nullable: false,
/// };
/// let table = HotTable {
///     schema: "public".to_owned(),
///     name: "ledgers".to_owned(),
///     sequence: "sequence".to_owned(),
///     columns: vec![column],
///     key: vec!["sequence".to_owned()],
///     leaves: vec![r#""public"."ledgers""#.to_owned()],
///     obstacle: None,
///     undeletable: None,
/// };
/// let plans = Empty.prepare(&[table]).await?;
/// assert!(plans[0].select.starts_with(r#""sequence", "#));
/// # Ok(())
/// # }
/// ```
pub trait Target: Send + Sync {
    /// How the rows of each table are copied.
    fn prepare<'a>(&'a self, tables: &'a [HotTable]) -> Pending<'a, Result<Vec<Plan>, Stop>>;

    /// Which of the keys a reader sees.
    fn holds<'a>(&'a self, sought: Sought<'a>) -> Pending<'a, Result<HashSet<u128>, Stop>>;

    /// Where the rows with these keys are that a reader sees.
    fn places<'a>(&'a self, sought: Sought<'a>) -> Pending<'a, Result<Places, Stop>>;
}

/// The lake that hot tables are flushed to.
pub struct LakeTarget {
    /// The lake.
    pub lake: Arc<Lake>,
    /// Its tables, as the stages see them.
    pub tables: Arc<Tables>,
    /// What tables are partitioned by that are made: columns, or parts of them such as
    /// `day(closed_at)`, as far as a table has them.
    pub partition_by: Vec<String>,
    /// What single tables are partitioned by instead, by name.
    pub partitions: BTreeMap<String, Vec<String>>,
}

impl LakeTarget {
    /// What `tables` need in the lake.
    pub fn wanted(&self, tables: &[HotTable]) -> Vec<Wanted> {
        let wanted = |table: &HotTable| {
            let column = |column| {
                let field = default_field(column);
                let of = LakeType::of(field.data_type(), types::is_json(&field)).unwrap_or(LakeType::Varchar);
                (column.name.clone(), of, column.nullable)
            };
            let has = |key: &&String| table.columns.iter().any(|column| column.name == partition_key(key).0);
            let partition_by = match self.partitions.get(&table.name) {
                Some(keys) => keys.clone(),
                None => self.partition_by.iter().filter(has).cloned().collect(),
            };
            Wanted { name: table.name.clone(), columns: table.columns.iter().map(column).collect(), partition_by }
        };
        tables.iter().map(wanted).collect()
    }

    /// Refuses `tables` that cannot be copied into those of the lake, which are `there`; columns
    /// that would be added do not count.
    pub fn fits(&self, tables: &[HotTable], there: &[Table]) -> Result<(), Stop> {
        let known = |(hot, table): (&HotTable, &Table)| {
            let has = |name: &str| table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
            HotTable { columns: hot.columns.iter().filter(|c| has(&c.name)).cloned().collect(), ..hot.clone() }
        };
        let known: Vec<_> = tables.iter().zip(there).map(known).collect();
        self.plans(&known, there).map(drop)
    }

    /// How `tables` are copied into those of the lake, which are `there`.
    fn plans(&self, tables: &[HotTable], there: &[Table]) -> Result<Vec<Plan>, Stop> {
        let plan = |(hot, table): (&HotTable, &Table)| {
            let refused = |why: String| {
                let what = format!("flush table {:?} into {}", hot.name, self.lake.shown());
                Stop::Store(StoreError::definite(what, format!("{why}; nothing was written: change one of the two")))
            };
            let sql = |name: &str| {
                let known = table.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name));
                known.map_or_else(String::new, |column| column.of.sql())
            };
            if let Some(column) = table.columns.iter().find(|column| !fits_beside(column, hot)) {
                return Err(refused(format!(
                    "the lake's column {:?} is not in PostgreSQL, and has no default that files can leave out",
                    column.name
                )));
            }
            let odd =
                |hot: &&HotColumn| table.columns.iter().any(|known| is_named(known, hot) && known.field().is_none());
            if let Some(hot) = hot.columns.iter().find(odd) {
                let of = sql(&hot.name);
                return Err(refused(format!(
                    "column {:?} is {} in PostgreSQL and {of} in the lake, which cannot be written",
                    hot.name, hot.shown
                )));
            }
            let fields: Vec<_> = table.columns.iter().filter_map(Column::field).collect();
            types::plan(hot, &fields, sql).map_err(refused)
        };
        tables.iter().zip(there).map(plan).collect()
    }
}

/// Whether a hot column goes into `column`: names differ in more than case.
fn is_named(column: &Column, hot: &HotColumn) -> bool {
    hot.name.eq_ignore_ascii_case(&column.name)
}

/// Whether rows may leave `column` out, or have it.
fn fits_beside(column: &Column, hot: &HotTable) -> bool {
    hot.columns.iter().any(|hot| is_named(column, hot))
        || (column.defaults.0 == column.defaults.1 && (column.nullable || column.defaults.0.is_some()))
}

impl Target for LakeTarget {
    fn prepare<'a>(&'a self, tables: &'a [HotTable]) -> Pending<'a, Result<Vec<Plan>, Stop>> {
        Box::pin(async move {
            let there = self.lake.define(&self.wanted(tables)).await?;
            let plans = self.plans(tables, &there)?;
            let sequence = |(hot, table): (&HotTable, &Table)| {
                let column = table.columns.iter().find(|column| column.name.eq_ignore_ascii_case(&hot.sequence))?;
                Some((table.id, column.id))
            };
            self.tables.number_by(tables.iter().zip(&there).filter_map(sequence).collect());
            self.tables.set(there);
            Ok(plans)
        })
    }

    fn holds<'a>(&'a self, sought: Sought<'a>) -> Pending<'a, Result<HashSet<u128>, Stop>> {
        Box::pin(self.look_up(sought))
    }

    fn places<'a>(&'a self, sought: Sought<'a>) -> Pending<'a, Result<Places, Stop>> {
        Box::pin(async move {
            let table = self.table(sought.table)?;
            let (columns, within) = key_of(&table, &sought)?;
            let has = |key: &u128| sought.keys.contains(key);
            let mut is_sought = |batch: &RecordBatch| sought.key.hashes(batch).iter().map(has).collect::<Vec<_>>();
            Ok(self.lake.places(&table, &columns, within, &mut is_sought).await?)
        })
    }
}

impl LakeTarget {
    async fn look_up(&self, sought: Sought<'_>) -> Result<HashSet<u128>, Stop> {
        let table = self.table(sought.table)?;
        let (columns, within) = key_of(&table, &sought)?;
        let mut found = HashSet::new();
        let mut each = |batch: RecordBatch| {
            found.extend(sought.key.hashes(&batch).into_iter().filter(|key| sought.keys.contains(key)));
        };
        self.lake.rows(&table, &columns, within, &mut each).await?;
        Ok(found)
    }

    fn table(&self, table: TableId) -> Result<Arc<Table>, Stop> {
        self.tables.get(table).ok_or_else(|| Stop::Bug("a table is not defined".to_owned()))
    }
}

/// The columns of a key, and which files may have rows with it.
type KeyOf<'t> = (Vec<&'t Column>, Option<(&'t Column, RangeInclusive<i64>)>);

/// The columns of the key that is `sought` in `table`, and which files may have it.
fn key_of<'t>(table: &'t Table, sought: &Sought<'_>) -> Result<KeyOf<'t>, Stop> {
    let columns: Option<Vec<&Column>> = sought.key.names.iter().map(|name| table.column(name)).collect();
    let columns = columns.ok_or_else(|| Stop::Bug("a key has no column in the lake".to_owned()))?;
    // A key that comes back may have another sequence, unless that is part of it.
    let is_key = sought.key.names.iter().any(|name| name.eq_ignore_ascii_case(sought.sequence));
    let number = table.columns.iter().find(|column| column.name.eq_ignore_ascii_case(sought.sequence));
    Ok((columns, number.filter(|_| is_key).zip(Some(sought.within.clone()))))
}
