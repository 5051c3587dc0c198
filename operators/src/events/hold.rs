//! Where a table stands still: its topic is read up to an event that cannot become a row before
//! somebody decides, and no further.

use serde::{Deserialize, Serialize};

use super::metadata::is_metadata;
use super::reading::lsn_of;
use super::table::{EventTable, EventTables, key_of};
use super::wish::{OnIncompatible, OnWiden, TableWish};
use crate::format::debezium::typed::{LakeColumn, LakeType, Novelty, Plan, exceeds};
use crate::format::debezium::{Decoded, Decoder, Event, Part, Row, Texts};
use crate::protocol::offsets::PartitionId;
use crate::source::kafka::records::Records;

/// A partition that is not read further, because its next event is none of its table as that is
/// now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The role of the table.
    pub role: String,
    /// The partition.
    pub partition: PartitionId,
    /// The offset of the event.
    pub offset: u64,
    /// Its place in PostgreSQL's log (LSN); 0 if it does not tell.
    pub lsn: u64,
    /// Why, and what to do.
    pub reason: String,
    /// The columns that have another type in the event.
    pub columns: Vec<OtherType>,
    /// The key of the event, if it is another one.
    pub key: Option<Vec<String>>,
}

/// A column that has another type in an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherType {
    /// The column.
    pub name: String,
    /// Its type in the lake.
    pub from: LakeType,
    /// What it would become, as far as the event tells. Of a decimal that arrives as text, that is
    /// a text.
    pub to: LakeType,
    /// Whether a schema block says so, and not only a value that does not fit.
    pub is_told: bool,
}

impl Hold {
    /// The hold that an event of `table` makes, for a `reason` in words; none if it is of another
    /// database, or neither a column's type nor the key is another one.
    pub(super) fn of(table: &EventTable, event: &Event<'_>, place: (&PartitionId, u64), reason: &str) -> Option<Hold> {
        let is_others =
            matches!((&table.database, &event.table.database), (Some(ours), Some(theirs)) if ours != theirs);
        if is_others {
            return None;
        }
        let rows: Vec<&Row<'_>> =
            [event.after.as_ref(), event.key.row(), event.before.row()].into_iter().flatten().collect();
        let key = key_of(event).filter(|key| !is_key(table, key));
        Hold::of_rows(table, (&rows, key), (place, lsn_of(&event.source)), reason)
    }

    /// The same of a record without a value, of which only the key is known.
    pub(super) fn of_key(table: &EventTable, key: &Row<'_>, place: (&PartitionId, u64), reason: &str) -> Option<Hold> {
        Hold::of_rows(table, (&[key], None), (place, 0), reason)
    }

    fn of_rows(
        table: &EventTable,
        (rows, key): (&[&Row<'_>], Option<Vec<String>>),
        ((partition, offset), lsn): ((&PartitionId, u64), u64),
        reason: &str,
    ) -> Option<Hold> {
        let hold = Hold {
            role: table.role.clone(),
            partition: partition.clone(),
            offset,
            lsn,
            reason: reason.to_owned(),
            columns: changed(table, rows),
            key,
        };
        hold.is_of(table).then_some(hold)
    }

    /// Whether the event is from before the table's columns got the types that they have.
    pub(super) fn is_older(&self, table: &EventTable) -> bool {
        let was = |OtherType { name, .. }: &OtherType| {
            let older = table.older.get(name).into_iter().flatten();
            self.lsn > 0 && older.into_iter().any(|older| self.lsn < older.before)
        };
        self.key.is_none() && self.columns.iter().all(was)
    }

    /// Whether such an event is to hold the table, and not to be a reject.
    pub fn is_wanted(&self, wish: &TableWish) -> bool {
        let is_wider = |other: &OtherType| other.from.widens_to(&other.to);
        let widens = wish.on_widen == OnWiden::Widen && self.key.is_none() && self.columns.iter().all(is_wider);
        wish.on_incompatible == OnIncompatible::Stop || widens
    }

    /// Whether it still holds `table` as that is now.
    pub fn is_of(&self, table: &EventTable) -> bool {
        let is_other_key = self.key.as_ref().is_some_and(|key| !is_key(table, key));
        is_other_key || self.columns.iter().any(|changed| changed.is_of(table))
    }
}

impl OtherType {
    /// Whether the lake's column still has the type that it had, and values of the other one cannot
    /// go there.
    fn is_of(&self, table: &EventTable) -> bool {
        let column = table.columns.iter().find(|column| column.name == self.name);
        let is_there = column.is_some_and(|column| !column.as_text && column.of == self.from);
        is_there && self.to != self.from && !self.to.widens_to(&self.from)
    }
}

/// What the first event of a table among some records is to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// It becomes a row as the table is, and stands at this place in PostgreSQL's log (LSN).
    Row(u64),
    /// It holds the table.
    Held(Hold),
}

/// What the first record of the table of `role` among `records` is to it; none if there is none.
pub fn next(
    records: &Records,
    partition: &PartitionId,
    (tables, role): (&EventTables, &str),
    decoder: &mut Decoder,
) -> Option<Next> {
    let mut texts = Texts::default();
    records.iter().find_map(|place| {
        let (record, at) = (place.debezium(&mut texts).ok()?, (partition, place.offset()));
        if record.value == Part::Null {
            let table = tables.of_topic(&records.topic).map(|at| &tables.tables[at]);
            let key = decoder.tombstone(&record).ok()?;
            let hold = table.filter(|table| table.role == role).zip(key.row());
            return hold.and_then(|(table, key)| Hold::of_key(table, key, at, "")).map(Next::Held);
        }
        let Ok(Decoded::Event(event)) = decoder.decode(&record) else { return None };
        let of = tables.role(&event.table).filter(|of| of == role).and_then(|of| tables.place(&of))?;
        let table = &tables.tables[of];
        let hold = Hold::of(table, &event, at, "").filter(|hold| !hold.is_older(table));
        Some(hold.map_or_else(|| Next::Row(lsn_of(&event.source)), Next::Held))
    })
}

/// The columns of `table` that have another type in these rows.
fn changed(table: &EventTable, rows: &[&Row<'_>]) -> Vec<OtherType> {
    let mut all: Vec<OtherType> = Vec::new();
    for row in rows {
        for novelty in Plan::new(&table.columns, row).novelties() {
            if let Novelty::Changed { name, from, to } = novelty {
                all.push(OtherType { name: name.clone(), from: from.clone(), to: to.clone(), is_told: true });
            }
        }
        for field in row.fields() {
            let column = table.columns.iter().find(|column| column.name == field.name);
            if let Some(LakeColumn { name, of, .. }) = column.filter(|column| exceeds(&field, &column.of)) {
                all.push(OtherType { name: name.clone(), from: of.clone(), to: unbounded(of), is_told: false });
            }
        }
    }
    // Those that lakefront fills are its own.
    all.retain(|other| !(table.wish.metadata && is_metadata(&other.name)));
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all.dedup_by(|a, b| a.name == b.name);
    all
}

/// What a column of numbers becomes of which only one is known that exceeds `of`.
fn unbounded(of: &LakeType) -> LakeType {
    match of {
        LakeType::Integer(_) => LakeType::Integer(64),
        LakeType::List(items) => LakeType::List(Box::new(unbounded(items))),
        _ => LakeType::Text,
    }
}

/// Whether `key` is the table's, or the file says what is.
fn is_key(table: &EventTable, key: &[String]) -> bool {
    let is_same = key.len() == table.key.len() && key.iter().all(|name| table.key.contains(name));
    is_same || table.key.is_empty() || table.wish.key.is_some()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::sink::delta::upsert::Older;

    fn table(of: LakeType) -> EventTable {
        EventTable {
            role: "public.a".to_owned(),
            columns: [LakeColumn { name: "n".to_owned(), of, as_text: false }].into(),
            key: vec!["id".to_owned()],
            database: None,
            wish: TableWish::default(),
            older: Default::default(),
            added: Default::default(),
        }
    }

    /// A hold of a partition.
    pub(in crate::events) fn hold_at(partition: &str, offset: u64) -> Hold {
        Hold { partition: PartitionId::first(partition), offset, ..hold(LakeType::Date, LakeType::Text) }
    }

    fn hold(from: LakeType, to: LakeType) -> Hold {
        Hold {
            role: "public.a".to_owned(),
            partition: PartitionId::first("a/0"),
            offset: 7,
            lsn: 50,
            reason: String::new(),
            columns: vec![OtherType { name: "n".to_owned(), from, to, is_told: true }],
            key: None,
        }
    }

    use LakeType::{Decimal, Integer, Text};

    #[test]
    fn a_table_is_held_until_its_column_is_another() {
        let of = hold(Integer(32), Text);
        assert!(of.is_of(&table(Integer(32))) && !of.is_of(&table(Text)));
        assert!(!hold(Integer(32), Integer(16)).is_of(&table(Integer(32))), "a wider type has all values");
        let digits = hold(Decimal(10, 2), Text);
        assert!(digits.is_of(&table(Decimal(10, 2))) && !digits.is_of(&table(Decimal(12, 4))));
        let mut as_text = table(Text);
        as_text.columns = [LakeColumn { as_text: true, ..as_text.columns[0].clone() }].into();
        assert!(!hold(Text, Integer(16)).is_of(&as_text));
        let other_key = Hold { key: Some(vec!["nr".to_owned()]), columns: Vec::new(), ..of };
        assert!(other_key.is_of(&table(Text)));
        let mut wished = table(Text);
        wished.wish.key = Some(vec!["id".to_owned()]);
        assert!(!other_key.is_of(&wished));
    }

    #[test]
    fn what_is_wider_may_be_taken_where_all_else_is_rejected() {
        let wish = |on_incompatible, on_widen| TableWish { on_incompatible, on_widen, ..TableWish::default() };
        let rejects = wish(OnIncompatible::Reject, OnWiden::Widen);
        assert!(hold(Integer(32), Integer(64)).is_wanted(&rejects) && !hold(Integer(32), Text).is_wanted(&rejects));
        assert!(!hold(Integer(32), Integer(64)).is_wanted(&wish(OnIncompatible::Reject, OnWiden::Stop)));
        assert!(hold(Integer(32), Text).is_wanted(&wish(OnIncompatible::Stop, OnWiden::Stop)));
    }

    #[test]
    fn an_event_from_before_a_change_holds_nothing() {
        let mut table = table(Text);
        table.older.insert("n".to_owned(), vec![Older { of: "integer".to_owned(), before: 60 }]);
        let of = hold(Text, Integer(32));
        assert!(of.is_older(&table));
        assert!(!Hold { lsn: 60, ..of.clone() }.is_older(&table), "it was changed back");
        assert!(!Hold { lsn: 0, ..of }.is_older(&table), "nobody knows");
        assert!(hold(Text, LakeType::Date).is_older(&table), "it was a date in between");
    }
}
