//! Where a table stands still: its topic is read up to an event that cannot become a row before
//! somebody decides, and no further.

use serde::{Deserialize, Serialize};

use super::reading::lsn_of;
use super::table::{EventTable, EventTables, key_of};
use super::wish::OnWiden;
use crate::format::debezium::typed::{LakeType, Novelty, Plan};
use crate::format::debezium::{Decoded, Decoder, Event};
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
    /// The columns that have another type in the event, each with that type.
    pub columns: Vec<(String, LakeType)>,
    /// The key of the event, if it is another one.
    pub key: Option<Vec<String>>,
}

impl Hold {
    /// The hold that an event of `table` at `offset` makes, for a `reason` in words; none if
    /// neither a column's type nor the key is another one, or it is from before that was so.
    pub(super) fn of(
        table: &EventTable,
        event: &Event<'_>,
        (partition, offset): (&PartitionId, u64),
        reason: &str,
    ) -> Option<Hold> {
        let hold = Hold {
            role: table.role.clone(),
            partition: partition.clone(),
            offset,
            lsn: lsn_of(&event.source),
            reason: reason.to_owned(),
            columns: changed(table, event),
            key: key_of(event).filter(|key| !is_key(table, key)),
        };
        (hold.is_of(table) && !hold.is_older(table)).then_some(hold)
    }

    /// Whether the event is from before its columns got the types that they have.
    fn is_older(&self, table: &EventTable) -> bool {
        let was = |(name, of): &(String, LakeType)| {
            let older = table.older.get(name).into_iter().flatten();
            older.into_iter().any(|older| older.of == of.to_string() && self.lsn < older.before)
        };
        self.key.is_none() && self.columns.iter().all(was)
    }

    /// Whether it still holds `table` as that is now.
    pub fn is_of(&self, table: &EventTable) -> bool {
        let is_other_key = self.key.as_ref().is_some_and(|key| !is_key(table, key));
        is_other_key || self.columns.iter().any(|(name, of)| !takes(table, name, of))
    }

    /// Whether all that is new are wider types, and they are wanted.
    pub fn may_widen(&self, table: &EventTable) -> bool {
        let is_wider = |(name, to): &(String, LakeType)| {
            let column = table.columns.iter().find(|column| column.name == *name);
            takes(table, name, to) || column.is_some_and(|column| column.of.widens_to(to))
        };
        let is_key = self.key.as_ref().is_none_or(|key| is_key(table, key));
        table.wish.on_widen == OnWiden::Widen && is_key && self.columns.iter().all(is_wider)
    }
}

/// The first event of the table of `role` among `records` that holds it.
pub fn held(
    records: &Records,
    partition: &PartitionId,
    (tables, role): (&EventTables, &str),
    decoder: &mut Decoder,
) -> Option<Hold> {
    records.iter().find_map(|place| {
        let record = place.debezium().ok()?;
        let Ok(Decoded::Event(event)) = decoder.decode(&record) else { return None };
        let at = tables.role(&event.table).filter(|of| of == role).and_then(|of| tables.place(&of))?;
        Hold::of(&tables.tables[at], &event, (partition, place.offset()), "")
    })
}

/// The columns of `table` that have another type in the event, with that type.
fn changed(table: &EventTable, event: &Event<'_>) -> Vec<(String, LakeType)> {
    let rows = [event.after.as_ref(), event.key.row()];
    let mut columns = Vec::new();
    for row in rows.into_iter().flatten() {
        for novelty in Plan::new(&table.columns, row).novelties() {
            if let Novelty::Changed { name, to, .. } = novelty
                && columns.iter().all(|(known, _)| known != name)
            {
                columns.push((name.clone(), to.clone()));
            }
        }
    }
    columns
}

/// Whether the column of this name takes values of this type.
fn takes(table: &EventTable, name: &str, of: &LakeType) -> bool {
    let column = table.columns.iter().find(|column| column.name == name);
    column.is_some_and(|column| column.as_text || column.of == *of || of.widens_to(&column.of))
}

/// Whether `key` is the table's, or the file says what is.
fn is_key(table: &EventTable, key: &[String]) -> bool {
    let is_same = key.len() == table.key.len() && key.iter().all(|name| table.key.contains(name));
    is_same || table.key.is_empty() || table.wish.key.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::TableWish;
    use crate::format::debezium::typed::LakeColumn;
    use crate::sink::delta::upsert::Older;

    fn table(of: LakeType) -> EventTable {
        EventTable {
            role: "public.a".to_owned(),
            columns: [LakeColumn { name: "n".to_owned(), of, as_text: false }].into(),
            key: vec!["id".to_owned()],
            database: None,
            wish: TableWish::default(),
            older: Default::default(),
        }
    }

    fn hold(to: LakeType) -> Hold {
        Hold {
            role: "public.a".to_owned(),
            partition: PartitionId::first("a/0"),
            offset: 7,
            lsn: 50,
            reason: String::new(),
            columns: vec![("n".to_owned(), to)],
            key: None,
        }
    }

    #[test]
    fn a_table_is_held_until_it_takes_what_the_event_has() {
        use LakeType::{Integer, Text};
        assert!(hold(Text).is_of(&table(Integer(32))));
        assert!(!hold(Text).is_of(&table(Text)));
        assert!(!hold(Integer(16)).is_of(&table(Integer(32))), "a wider type has all values");
        let mut as_text = table(Text);
        as_text.columns = [LakeColumn { as_text: true, ..as_text.columns[0].clone() }].into();
        assert!(!hold(Integer(16)).is_of(&as_text));
        let other_key = Hold { key: Some(vec!["nr".to_owned()]), ..hold(Text) };
        assert!(other_key.is_of(&table(Text)));
        let mut wished = table(Text);
        wished.wish.key = Some(vec!["id".to_owned()]);
        assert!(!other_key.is_of(&wished));
    }

    #[test]
    fn only_wider_types_are_widened_and_only_if_that_is_wanted() {
        use LakeType::{Integer, Text};
        let mut wide = table(Integer(32));
        assert!(!hold(Integer(64)).may_widen(&wide));
        wide.wish.on_widen = OnWiden::Widen;
        assert!(hold(Integer(64)).may_widen(&wide));
        assert!(!hold(Text).may_widen(&wide));
        assert!(!Hold { key: Some(vec!["nr".to_owned()]), ..hold(Integer(64)) }.may_widen(&wide));
    }

    #[test]
    fn an_event_from_before_a_change_holds_nothing() {
        let mut table = table(LakeType::Text);
        table.older.insert("n".to_owned(), vec![Older { of: "integer".to_owned(), before: 60 }]);
        assert!(hold(LakeType::Integer(32)).is_older(&table));
        assert!(!Hold { lsn: 60, ..hold(LakeType::Integer(32)) }.is_older(&table), "it was changed back");
        assert!(!hold(LakeType::Date).is_older(&table));
    }
}
