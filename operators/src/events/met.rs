//! What a run meets in events and does not know yet: tables, columns of tables, and where tables
//! stand still.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::hold::Hold;
use super::reading::lsn_of;
use super::table::EventTables;
use crate::format::debezium::typed::LakeType;
use crate::format::debezium::{Decoded, Decoder, Event, Operation, Row, Texts};
use crate::shown::one_line;
use crate::source::kafka::records::Records;

/// Tables and columns that were met, by the tables' roles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Met {
    /// The tables.
    pub tables: BTreeMap<String, MetTable>,
    /// Where tables stand still, one a partition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
}

/// What was met of one table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetTable {
    /// Its key, if the table is new.
    pub key: Vec<String>,
    /// Whether the table is new and has no key.
    #[serde(default)]
    pub is_keyless: bool,
    /// The database that it is of, if events tell.
    #[serde(default)]
    pub database: Option<String>,
    /// Columns with their types, in the order in which they came.
    pub columns: Vec<(String, LakeType)>,
    /// Columns whose types were guessed from a value, because no schema told them.
    #[serde(default)]
    pub guessed: BTreeSet<String>,
    /// By column, the place in PostgreSQL's log (LSN) of an event that had it.
    #[serde(default)]
    pub since: BTreeMap<String, u64>,
}

impl Met {
    /// Whether nothing was met.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.holds.is_empty()
    }

    /// Adds what the other has and this has not.
    pub fn add(&mut self, other: Met) {
        for (role, table) in other.tables {
            let ours = self.tables.entry(role).or_default();
            if !ours.is_new() {
                (ours.key, ours.is_keyless, ours.database) = (table.key, table.is_keyless, table.database);
            }
            for (name, of) in table.columns {
                let (is_guessed, lsn) = (table.guessed.contains(&name), table.since.get(&name).copied());
                ours.column(name, of, is_guessed, lsn.unwrap_or_default());
            }
        }
        other.holds.into_iter().for_each(|hold| self.hold(hold));
    }

    /// Notes that a table stands still. Of a partition, the last that was found counts.
    pub(super) fn hold(&mut self, hold: Hold) {
        self.holds.retain(|known| known.partition != hold.partition);
        self.holds.push(hold);
    }

    /// Notes a table by one of its events; `texts` are the columns that are taken as texts. Returns
    /// whether it can be made: its key is among the columns that the event tells.
    #[must_use]
    pub(super) fn table(&mut self, role: &str, key: Vec<String>, event: &Event<'_>, texts: &[String]) -> bool {
        let database = event.table.database.as_deref().map(str::to_owned);
        let mut table = MetTable { is_keyless: key.is_empty(), key, database, ..MetTable::default() };
        for row in event.after.iter().chain(event.before.row()).chain(event.key.row()) {
            table.row(row, texts, lsn_of(&event.source));
        }
        let has = |key: &String| table.columns.iter().any(|(name, _)| name == key);
        let can_be = table.key.iter().all(has);
        if can_be {
            self.add(Met { tables: [(role.to_owned(), table)].into(), holds: Vec::new() });
        }
        can_be
    }

    /// Notes a column of a table that is known, which an event at `lsn` has.
    pub(super) fn column(&mut self, role: &str, (name, of): (String, LakeType), is_guessed: bool, lsn: u64) {
        self.tables.entry(role.to_owned()).or_default().column(name, of, is_guessed, lsn);
    }
}

impl MetTable {
    /// Whether the table is new, and not only its columns.
    pub fn is_new(&self) -> bool {
        !self.key.is_empty() || self.is_keyless
    }

    /// Notes a column, unless there is one of this name, in whatever case: the first counts.
    fn column(&mut self, name: String, of: LakeType, is_guessed: bool, lsn: u64) {
        if self.columns.iter().all(|(known, _)| !known.eq_ignore_ascii_case(&name)) {
            self.guessed.extend(is_guessed.then(|| name.clone()));
            self.since.insert(name.clone(), lsn);
            self.columns.push((name, of));
        }
    }

    /// Notes the columns of a row of an event at `lsn`, of which the schema block knows all.
    fn row(&mut self, row: &Row<'_>, texts: &[String], lsn: u64) {
        let is_text = |name: &str| texts.iter().any(|text| text == name);
        for field in row.fields() {
            let of = match field.column {
                _ if is_text(field.name) => Some(LakeType::Text),
                Some(column) => Some(LakeType::of(&column.ty)),
                None => guessed(field.raw),
            };
            if let Some(of) = of {
                self.column(field.name.to_owned(), of, field.column.is_none(), lsn);
            }
        }
    }
}

/// The type of a column of which nothing is known but a value; none for null. A number with a
/// fraction stays a text, because nobody knows how exact it is.
pub(super) fn guessed(raw: &str) -> Option<LakeType> {
    match raw.as_bytes().first()? {
        b'n' => None,
        b't' | b'f' => Some(LakeType::Boolean),
        b'-' | b'0'..=b'9' if raw.parse::<i64>().is_ok() => Some(LakeType::Integer(64)),
        _ => Some(LakeType::Text),
    }
}

/// What `records` have that `tables` do not.
pub fn survey(records: &Records, tables: &EventTables, decoder: &mut Decoder) -> Met {
    let (mut met, mut texts) = (Met::default(), Texts::default());
    for record in records.iter() {
        let Ok(record) = record.debezium(&mut texts) else { continue };
        let Ok(Decoded::Event(event)) = decoder.decode(&record) else { continue };
        let Some(role) = tables.role(&event.table) else { continue };
        if event.operation == Operation::Truncate || tables.place(&role).is_some() {
            continue;
        }
        let wish = tables.wish(&role);
        if let Some(key) = wish.key_for(&event) {
            let _ = met.table(&role, key, &event, &wish.texts);
        }
    }
    met
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (role, table)) in self.tables.iter().enumerate() {
            let separator = if at > 0 { "; " } else { "" };
            let columns: Vec<&str> = table.columns.iter().map(|(name, _)| &**name).collect();
            let columns = one_line(&columns.join(", ")).into_owned();
            let role = one_line(role);
            match table.is_new() {
                true => write!(f, "{separator}table {role} is new")?,
                false => write!(f, "{separator}table {role} has new columns: {columns}")?,
            }
        }
        for (at, hold) in self.holds.iter().enumerate() {
            let separator = if at > 0 || !self.tables.is_empty() { "; " } else { "" };
            let (role, partition) = (one_line(&hold.role), hold.partition.to_string());
            write!(f, "{separator}table {role} stands still at offset {} of {}", hold.offset, one_line(&partition))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::hold::tests::hold_at;

    #[test]
    fn a_value_tells_a_type_where_nothing_else_does() {
        for (raw, of) in [
            ("null", None),
            ("true", Some(LakeType::Boolean)),
            ("-7", Some(LakeType::Integer(64))),
            ("9223372036854775808", Some(LakeType::Text)),
            ("1.5", Some(LakeType::Text)),
            ("\"a\"", Some(LakeType::Text)),
            ("[1]", Some(LakeType::Text)),
        ] {
            assert_eq!(guessed(raw), of, "{raw}");
        }
    }

    #[test]
    fn what_several_have_met_is_one_note() {
        let of = |key: &[&str], columns: &[&str]| {
            let columns: Vec<_> = columns.iter().map(|name| ((*name).to_owned(), LakeType::Text)).collect();
            let key = key.iter().map(|name| (*name).to_owned()).collect();
            let since = columns.iter().map(|(name, _): &(String, LakeType)| (name.clone(), 0)).collect();
            let table = MetTable { key, columns, since, ..MetTable::default() };
            Met { tables: [("public.a".to_owned(), table)].into(), holds: Vec::new() }
        };
        let mut met = of(&[], &["x"]);
        met.add(of(&["id"], &["id", "x"]));
        assert_eq!(met, of(&["id"], &["x", "id"]));
        assert_eq!(met.to_string(), "table public.a is new");
        assert_eq!(of(&[], &["x", "y"]).to_string(), "table public.a has new columns: x, y");
        let json = serde_json::to_string(&met).expect("JSON");
        assert_eq!(serde_json::from_str::<Met>(&json).expect("our own JSON"), met);
    }

    #[test]
    fn a_partition_is_held_at_one_place() {
        let hold = hold_at;
        let mut met = Met::default();
        for (partition, offset) in [("a/0", 5), ("a/1", 2), ("a/0", 9)] {
            met.add(Met { holds: vec![hold(partition, offset)], ..Met::default() });
        }
        assert_eq!(met.holds, [hold("a/1", 2), hold("a/0", 9)]);
        assert!(!met.is_empty());
        let text = "table public.a stands still at offset 2 of a/1; table public.a stands still at offset 9 of a/0";
        assert_eq!(met.to_string(), text);
        let json = serde_json::to_string(&met).expect("JSON");
        assert_eq!(serde_json::from_str::<Met>(&json).expect("our own JSON"), met);
    }
}
