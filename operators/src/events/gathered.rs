//! Changes of one table, gathered event by event.

use super::met::{Met, guessed};
use super::metadata::{Metadata, is_metadata};
use super::reading::Place;
use super::reject::Why;
use super::table::EventTable;
use super::wish::{OnIncompatible, OnTruncate};
use crate::format::debezium::typed::{LakeType, Novelty, Plan, Rows, Unfit};
use crate::format::debezium::{Before, Event, Key, Operation as Happened, Row};
use crate::shown::one_line;
use crate::sink::delta::upsert::{Changes, Operation, Order};

/// The most rows of a batch.
const BATCH_ROWS: usize = 8192;
/// About the most bytes of its values.
const BATCH_BYTES: usize = 16 << 20;

/// Why an event is no change: it is kept as a reject, with the reason in words.
pub(super) struct Obstacle(pub(super) Why, pub(super) String);

/// Changes of one table.
pub(super) struct Gathered {
    rows: Rows,
    operations: Vec<Operation>,
    order: Vec<Order>,
    offsets: Vec<u64>,
    /// The records of changes that keep values, for the rejects, should there be nothing to keep.
    origins: Vec<Option<Vec<u8>>>,
    truncations: Vec<Order>,
    /// Where each is from, if the table has columns for that.
    metadata: Option<Metadata>,
    /// The shapes of the last row, and of the last key.
    row: Option<Shape>,
    key: Option<Shape>,
}

/// Where the values of rows of one shape go.
struct Shape {
    plan: Plan,
    /// The places of the key's columns among the fields.
    key: Vec<usize>,
    /// The places of fields that the table lacks, and whose type nobody has told yet.
    untold: Vec<usize>,
}

impl Gathered {
    pub(super) fn of(table: &EventTable) -> Gathered {
        Gathered {
            rows: Rows::new(table.columns.clone(), table.wish.unrepresentable).keyed(&table.key),
            operations: Vec::new(),
            order: Vec::new(),
            offsets: Vec::new(),
            origins: Vec::new(),
            truncations: Vec::new(),
            metadata: table.wish.metadata.then(Metadata::default),
            row: None,
            key: None,
        }
    }

    /// Whether a batch has enough rows.
    pub(super) fn is_full(&self) -> bool {
        self.rows.len() >= BATCH_ROWS || self.rows.bytes() >= BATCH_BYTES
    }

    /// What was gathered, and the offset of each change; none if there is nothing.
    pub(super) fn finish(&mut self) -> Option<(Changes, Vec<u64>)> {
        if self.rows.is_empty() && self.truncations.is_empty() {
            return None;
        }
        let taken = self.rows.finish();
        let origins = std::mem::take(&mut self.origins);
        let changes = Changes {
            rows: match &mut self.metadata {
                Some(metadata) => metadata.fill(&taken.rows),
                None => taken.rows,
            },
            operations: std::mem::take(&mut self.operations),
            unavailable: taken.unavailable,
            order: std::mem::take(&mut self.order),
            truncations: std::mem::take(&mut self.truncations),
            origins: origins.iter().any(Option::is_some).then(|| origins.into_iter().collect()),
        };
        Some((changes, std::mem::take(&mut self.offsets)))
    }

    /// Gathers an event of `table`, which stands at `order`. What the table lacks is `met`.
    pub(super) fn event(
        &mut self,
        table: &EventTable,
        event: &Event<'_>,
        (place, order): (Place<'_>, Order),
        met: &mut Met,
    ) -> Result<(), Obstacle> {
        is_of(table, event)?;
        if table.key.is_empty() && !matches!(event.operation, Happened::Insert | Happened::Read) {
            return Err(appended(table));
        }
        let operation = match event.operation {
            Happened::Truncate => return self.truncate(table, order),
            Happened::Delete => {
                let key = key_row(table, event).ok_or_else(|| no_key(table))?;
                return self.delete(table, &key, order);
            }
            Happened::Insert | Happened::Read => Operation::Insert,
            Happened::Update | Happened::Upsert => Operation::Update,
        };
        let missing = || Obstacle(Why::NoEvent, "the event has no row after the change".to_owned());
        let after = event.after.as_ref().ok_or_else(missing)?;
        let earlier = match operation {
            Operation::Update => earlier_key(table, event, after)?,
            _ => None,
        };
        let shape = match self.row.take().filter(|shape| shape.plan.fits(after)) {
            Some(shape) => shape,
            None => Shape::of(table, after, (met, order.lsn))?,
        };
        let shape = self.row.insert(shape);
        shape.check(table, after, (met, order.lsn))?;
        let is_whole = self
            .rows
            .push(after, &shape.plan, |column| table.lacking(column, order.lsn))
            .map_err(|e| unfit(table, e))?;
        if let Some(metadata) = &mut self.metadata {
            metadata.push(place, &event.source);
        }
        let origin = || serde_json::to_vec(&place.rejected(Why::ToastGap, String::new())).ok();
        self.pushed(operation, order, if is_whole { None } else { origin() });
        // Behind the row, so that a row that is rejected leaves the one before as it was.
        match earlier {
            Some(earlier) => self.delete(table, &earlier, order),
            None => Ok(()),
        }
    }

    /// Gathers the delete that a record without a value is. One whose key is not the table's says
    /// nothing of a row: with more columns, it is that of one of several rows that the lake has as
    /// one.
    pub(super) fn tombstone(&mut self, table: &EventTable, key: &Key<'_>, order: Order) -> Result<(), Obstacle> {
        let has_all = |key: &&Row<'_>| !table.key.is_empty() && table.key.iter().all(|name| key.has(name));
        let is_its = |key: &&Row<'_>| table.wish.key.is_some() || key.fields().count() == table.key.len();
        match key.row().filter(has_all).filter(is_its) {
            Some(key) => self.delete(table, &keyed(table, key), order),
            None => Ok(()),
        }
    }

    fn truncate(&mut self, table: &EventTable, order: Order) -> Result<(), Obstacle> {
        match table.wish.on_truncate {
            OnTruncate::Apply => self.truncations.push(order),
            OnTruncate::Ignore => tracing::warn!(
                table = %one_line(&table.role),
                offset = order.offset,
                "the table was truncated, and its rows in the lake stay: on_truncate = \"ignore\""
            ),
        }
        Ok(())
    }

    /// Gathers the delete of the row that has this `key`.
    fn delete(&mut self, table: &EventTable, key: &Row<'_>, order: Order) -> Result<(), Obstacle> {
        let shape = match self.key.take().filter(|shape| shape.plan.fits(key)) {
            Some(shape) => shape,
            None => Shape::of(table, key, (&mut Met::default(), 0))?,
        };
        let shape = self.key.insert(shape);
        shape.check(table, key, (&mut Met::default(), 0))?;
        self.rows.push(key, &shape.plan, |_| None).map_err(|e| unfit(table, e))?;
        if let Some(metadata) = &mut self.metadata {
            metadata.push_none();
        }
        self.pushed(Operation::Delete, order, None);
        Ok(())
    }

    fn pushed(&mut self, operation: Operation, order: Order, origin: Option<Vec<u8>>) {
        self.operations.push(operation);
        self.order.push(order);
        self.offsets.push(order.offset);
        self.origins.push(origin);
    }
}

impl Shape {
    /// The shape of `row`. What it has and `table` has not is `met`, at an LSN.
    fn of(table: &EventTable, row: &Row<'_>, (met, lsn): (&mut Met, u64)) -> Result<Shape, Obstacle> {
        if table.wish.metadata
            && let Some(field) = row.fields().find(|field| is_metadata(field.name))
        {
            return Err(is_filled(table, field.name));
        }
        let plan = Plan::new(&table.columns, row);
        let at = |name: &str| row.fields().position(|field| field.name == name);
        let mut untold = Vec::new();
        for novelty in plan.novelties() {
            match novelty {
                Novelty::Added { name, .. } if table.columns.iter().any(|c| c.name.eq_ignore_ascii_case(name)) => {
                    return Err(differs_in_case(table, name));
                }
                Novelty::Added { name, of: Some(of) } => {
                    met.column(&table.role, (name.clone(), table.wish.type_of(name, of)), false, lsn)
                }
                Novelty::Added { name, of: None } => untold.extend(at(name)),
                Novelty::Changed { name, from, to } => return Err(changed(table, name, from, to)),
            }
        }
        let key = table.key.iter().map(|name| at(name)).collect::<Option<_>>().ok_or_else(|| no_key(table))?;
        Ok(Shape { plan, key, untold })
    }

    /// Refuses a row without all of its key; notes columns whose types its values tell.
    fn check(&self, table: &EventTable, row: &Row<'_>, (met, lsn): (&mut Met, u64)) -> Result<(), Obstacle> {
        let is_there =
            |at: &usize| row.fields().nth(*at).is_some_and(|field| field.raw != "null" && !field.is_unavailable());
        if !self.key.iter().all(is_there) {
            return Err(no_key(table));
        }
        for field in self.untold.iter().filter_map(|at| row.fields().nth(*at)) {
            if let Some(of) = guessed(field.raw) {
                met.column(&table.role, (field.name.to_owned(), table.wish.type_of(field.name, &of)), true, lsn);
            }
        }
        Ok(())
    }
}

/// Refuses an event of another database's table, and one whose key is not that of the table: rows
/// that PostgreSQL tells apart would be one.
fn is_of(table: &EventTable, event: &Event<'_>) -> Result<(), Obstacle> {
    if let (Some(ours), Some(theirs)) = (&table.database, &event.table.database)
        && ours != theirs
    {
        let (role, ours, theirs) = (one_line(&table.role), one_line(ours), one_line(theirs));
        let detail =
            format!("it is of database {theirs}, and table {role} is that of {ours}: give each its own lake.catalog");
        return Err(Obstacle(Why::NoTable, detail));
    }
    // To a table without a key, rows are appended, whatever key it has got in PostgreSQL since.
    let is_to_agree = table.wish.key.is_none() && !table.key.is_empty();
    let Some(key) = event.key.row().filter(|_| is_to_agree) else { return Ok(()) };
    let is_same = key.fields().count() == table.key.len() && table.key.iter().all(|name| key.has(name));
    if is_same {
        return Ok(());
    }
    let names: Vec<String> = key.fields().map(|field| format!("{:?}", field.name)).collect();
    let detail = format!(
        "its key is {}, and table {} is changed by {}: land it in another lake.catalog, or name the key in [tables]",
        names.join(", "),
        one_line(&table.role),
        quoted(&table.key)
    );
    Err(Obstacle(Why::OtherKey, detail))
}

/// The key under which an updated row was before, if it has another one now. A change of the
/// record's own key arrives as a delete and an insert. Any other key may change within one event,
/// and only the whole row before tells.
fn earlier_key<'a>(table: &EventTable, event: &Event<'a>, after: &Row<'_>) -> Result<Option<Row<'a>>, Obstacle> {
    match &event.before {
        Before::Row(before) if table.key.iter().all(|name| before.has(name)) => {
            Ok(is_moved(table, before, after).then(|| keyed(table, before)))
        }
        _ if event.key.row().is_some_and(|key| table.key.iter().all(|name| key.has(name))) => Ok(None),
        _ => {
            let role = one_line(&table.role);
            let detail = format!(
                "an update of table {role} does not say under which {} the row was before: ALTER TABLE {role} REPLICA \
                 IDENTITY FULL, and do not unwrap events, or use the key that PostgreSQL has",
                quoted(&table.key)
            );
            Err(Obstacle(Why::NoKey, detail))
        }
    }
}

/// The row of a delete with the columns of the key alone: the others may be fillers.
fn key_row<'a>(table: &EventTable, event: &Event<'a>) -> Option<Row<'a>> {
    let rows = [event.key.row(), event.before.row()].into_iter().flatten();
    let mut whole = rows.filter(|row| table.key.iter().all(|name| row.has(name)));
    whole.next().map(|row| keyed(table, row))
}

fn keyed<'a>(table: &EventTable, row: &Row<'a>) -> Row<'a> {
    row.clone().keep(|name| table.key.iter().any(|key| key == name))
}

/// Whether the row has another key now.
fn is_moved(table: &EventTable, before: &Row<'_>, after: &Row<'_>) -> bool {
    let value =
        |row: &Row<'_>, name: &str| row.fields().find(|field| field.name == name).map(|field| field.raw.to_owned());
    table.key.iter().any(|name| value(before, name).is_some_and(|old| value(after, name).is_none_or(|new| new != old)))
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

fn no_key(table: &EventTable) -> Obstacle {
    let detail =
        format!("the event does not have all of the key of table {}: {}", one_line(&table.role), quoted(&table.key));
    Obstacle(Why::NoKey, detail)
}

fn appended(table: &EventTable) -> Obstacle {
    let role = one_line(&table.role);
    let detail = format!(
        "table {role} has no key in the lake, so rows can only be appended: to have them changed, land it in another \
         lake.catalog with [tables] {role:?} = {{ key = [\"column\"] }}"
    );
    Obstacle(Why::NoKey, detail)
}

/// A column of PostgreSQL's would be overwritten.
fn is_filled(table: &EventTable, name: &str) -> Obstacle {
    let detail = format!(
        "table {} has a column {name:?} of its own now, which metadata = true fills: land the topic in another lake.catalog, \
         with metadata = false for it",
        one_line(&table.role)
    );
    Obstacle(Why::OtherType, detail)
}

fn differs_in_case(table: &EventTable, name: &str) -> Obstacle {
    let detail = format!("table {} has a column that differs from {name:?} in case alone", one_line(&table.role));
    Obstacle(Why::Value, detail)
}

fn unfit(table: &EventTable, unfit: Unfit) -> Obstacle {
    let why = match unfit {
        Unfit::Unrepresentable { .. } => Why::Unrepresentable,
        Unfit::Bounds { column } => {
            let detail = format!(
                "column {column:?} of table {} holds what its type in the lake cannot have, so it has another in PostgreSQL: {}",
                one_line(&table.role),
                advice(table, &column)
            );
            return Obstacle(Why::OtherType, detail);
        }
        Unfit::Type { .. } | Unfit::Event(_) => Why::Value,
    };
    Obstacle(why, unfit.to_string())
}

/// Rows of another type wait until somebody decides; other tables go on.
fn changed(table: &EventTable, name: &str, from: &LakeType, to: &LakeType) -> Obstacle {
    let (role, advice) = (one_line(&table.role), advice(table, name));
    let detail = format!("column {name:?} of table {role} is {from} in the lake, and {to} in the event: {advice}");
    Obstacle(Why::OtherType, detail)
}

/// What to do about a column that has another type.
fn advice(table: &EventTable, column: &str) -> String {
    let role = one_line(&table.role);
    match table.wish.on_incompatible {
        OnIncompatible::Stop => format!("to go on with the new type: lakefront schema accept FILE {role:?}"),
        OnIncompatible::Reject => format!(
            "land the topic in another lake.catalog, if need be with the column as a text: [tables] {role:?} = {{ types = {{ \
             {column:?} = \"string\" }} }}"
        ),
    }
}
