//! The tables of a run, as events name them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_schema::{Field, Schema, SchemaRef};

use super::met::Met;
use super::wish::{OnIncompatible, OnTruncate, TableWish};
use crate::error::Stop;
use crate::format::debezium::typed::{LakeColumn, Unrepresentable};
use crate::format::debezium::{Event, Table};
use crate::protocol::names::TableId;
use crate::protocol::offsets::PartitionId;
use crate::shown::one_line;
use crate::sink::delta::upsert::{Added, Older};
use crate::source::kafka::kind::{Keyed, Settings};

/// The longest name of a folder, in bytes.
const LONGEST: usize = 255;

/// A table that events change.
#[derive(Clone, Debug)]
pub struct EventTable {
    /// Its role in the pipeline: its schema and name in PostgreSQL, with a point between them.
    pub role: String,
    /// Its columns in the lake.
    pub columns: Arc<[LakeColumn]>,
    /// The columns that tell its rows apart; none for a table whose rows are only appended.
    pub key: Vec<String>,
    /// The database that it is of, if that is known.
    pub database: Option<String>,
    /// What is wanted of it.
    pub wish: TableWish,
    /// By column, the types that it had before.
    pub older: BTreeMap<String, Vec<Older>>,
    /// By column, what rows from before it have in it.
    pub added: BTreeMap<String, Added>,
}

impl EventTable {
    /// The table as the settings of its pipeline record it.
    pub fn keyed(&self) -> Keyed {
        Keyed {
            name: self.role.clone(),
            key: self.key.clone(),
            database: self.database.clone(),
            odd_is_null: self.wish.unrepresentable == Unrepresentable::Null,
            keeps_truncated: self.wish.on_truncate == OnTruncate::Ignore,
            texts: self.wish.texts.clone(),
            metadata: self.wish.metadata,
            rejects_others: self.wish.on_incompatible == OnIncompatible::Reject,
        }
    }

    /// What the row of an event at `lsn` has in a column that it lacks, as JSON: a value if it is
    /// from before the column was added, none if that is not so, or not known.
    pub(super) fn lacking(&self, column: &str, lsn: u64) -> Option<&str> {
        self.added.get(column).filter(|added| lsn > 0 && lsn < added.before).map(|added| &*added.value)
    }

    /// The schema of a table with these columns, each of which may be null.
    pub fn schema(columns: &[LakeColumn]) -> SchemaRef {
        let fields = columns.iter().map(|column| Field::new(&column.name, column.of.arrow(), true));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }
}

/// Notes what a run has met and does not know, for the next one.
pub type Note = Box<dyn Fn(&Met) -> Result<(), Stop> + Send + Sync>;

/// All of them, in claim order behind the rejects.
pub struct EventTables {
    /// The tables.
    pub tables: Vec<EventTable>,
    by_role: HashMap<String, usize>,
    /// By topic, the table that its events were of.
    topics: Mutex<HashMap<String, usize>>,
    /// What is wanted of tables by their roles.
    wishes: Box<dyn Fn(&str) -> TableWish + Send + Sync>,
    /// The schema of events that name none.
    schema: Option<String>,
    note: Note,
    /// Where this run has met events that hold partitions.
    held: Mutex<BTreeMap<PartitionId, u64>>,
}

impl EventTables {
    /// These tables. Events that name no schema are of `schema`.
    pub fn new(
        tables: Vec<EventTable>,
        wishes: impl Fn(&str) -> TableWish + Send + Sync + 'static,
        schema: Option<String>,
        note: Note,
    ) -> EventTables {
        let by_role = tables.iter().enumerate().map(|(at, table)| (table.role.clone(), at)).collect();
        let (topics, held, wishes) = (Mutex::default(), Mutex::default(), Box::new(wishes));
        EventTables { tables, by_role, topics, wishes, schema, note, held }
    }

    /// The id of the table at this place.
    pub(super) fn id(at: usize) -> TableId {
        TableId(at + 1)
    }

    /// What is wanted of a table.
    pub(super) fn wish(&self, role: &str) -> TableWish {
        (self.wishes)(role)
    }

    /// The role of an event's table; `None` if it names no schema, and there is no usual one, or if
    /// a name can be no folder.
    pub(super) fn role(&self, table: &Table<'_>) -> Option<String> {
        let schema = table.schema.as_deref().or(self.schema.as_deref())?;
        (is_folder(schema) && is_folder(&table.name)).then(|| format!("{schema}.{}", table.name))
    }

    /// The place of the table of this role.
    pub(super) fn place(&self, role: &str) -> Option<usize> {
        self.by_role.get(role).copied()
    }

    /// Refuses to catch tables up by other settings than those by which their events were divided
    /// into rows and rejects: one that has one of the two already would be in neither, or in both.
    pub(super) fn refuse_other(&self, settings: &Settings) -> Result<(), Stop> {
        let is_other = |then: &&Keyed| self.place(&then.name).is_some_and(|at| self.tables[at].keyed() != **then);
        match settings.tables.iter().find(is_other) {
            None => Ok(()),
            Some(other) => Err(Stop::Refused(format!(
                "what [tables] says of {} has changed while tables stand apart: run once with what it said before, and then \
                 change it",
                one_line(&other.name)
            ))),
        }
    }

    /// Remembers that events of a topic are of the table at this place, for all workers.
    pub(super) fn learn(&self, topic: &str, at: usize) {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        topics.insert(topic.to_owned(), at);
    }

    /// The place of the table whose changes are in a topic: the one that its events were of, or
    /// else the only one whose topic Debezium would call so, which is `prefix.schema.table`, with
    /// `_` for each letter that a topic's name cannot have.
    pub(super) fn of_topic(&self, topic: &str) -> Option<usize> {
        let learnt = self.topics.lock().unwrap_or_else(PoisonError::into_inner).get(topic).copied();
        learnt.or_else(|| {
            let is_its = |table: &EventTable| {
                topic.strip_suffix(&topic_of(&table.role)).is_some_and(|prefix| prefix.ends_with('.'))
            };
            let mut fits = self.tables.iter().enumerate().filter(|(_, table)| is_its(table));
            fits.next().filter(|_| fits.next().is_none()).map(|(at, _)| at)
        })
    }

    /// Notes what was met for the next run, and returns why this one ends. Several workers may meet
    /// events that hold one partition: the first of them counts.
    pub(super) fn ends_with(&self, mut met: Met) -> Stop {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        met.holds.retain(|hold| held.get(&hold.partition).is_none_or(|before| hold.offset < *before));
        held.extend(met.holds.iter().map(|hold| (hold.partition.clone(), hold.offset)));
        match (self.note)(&met) {
            Ok(()) => Stop::Anew(met.to_string()),
            Err(stop) => stop,
        }
    }
}

/// Whether a table may have this name in the lake, or a schema: it is one folder there, never a way
/// out of it, and none that readers pass over. A point would blur where the schema ends.
pub fn is_folder(name: &str) -> bool {
    let is_encoded = |bytes: &[u8]| bytes[0] == b'%' && bytes[1..].iter().all(u8::is_ascii_hexdigit);
    !name.is_empty()
        && name.len() <= LONGEST
        && !name.starts_with('_')
        && !name.contains(|c: char| matches!(c, '/' | '\\' | '.') || c.is_control())
        && !name.as_bytes().windows(3).any(is_encoded)
}

/// The end of a topic's name that a table of this role has.
fn topic_of(role: &str) -> String {
    let is_good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    role.chars().map(|c| if is_good(c) { c } else { '_' }).collect()
}

/// The columns of the key that an event's table has in PostgreSQL, if it tells.
pub(super) fn key_of(event: &Event<'_>) -> Option<Vec<String>> {
    let key = event.key.row()?;
    let names: Vec<String> = key.fields().map(|field| field.name.to_owned()).collect();
    (!names.is_empty()).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::hold::tests::hold_at;

    #[test]
    fn a_topic_is_that_of_one_table() {
        let table = |role: &str| EventTable {
            role: role.to_owned(),
            columns: Vec::new().into(),
            key: Vec::new(),
            database: None,
            wish: TableWish::default(),
            older: BTreeMap::new(),
            added: BTreeMap::new(),
        };
        let tables = ["public.orders", "sales.Mixed Case Tbl", "public.s"].map(table);
        let tables = EventTables::new(tables.to_vec(), |_| TableWish::default(), None, Box::new(|_| Ok(())));
        for (topic, at) in [
            ("cdc.public.orders", Some(0)),
            ("a.b.sales.Mixed_Case_Tbl", Some(1)),
            ("cdc.public.s", Some(2)),
            ("cdc.republic.orders", None),
            ("public.orders", None),
            ("cdc.public.others", None),
        ] {
            assert_eq!(tables.of_topic(topic), at, "{topic}");
        }
    }

    #[test]
    fn a_row_lacks_a_column_that_was_added_later_or_one_that_was_dropped() {
        let table = EventTable {
            role: "public.a".to_owned(),
            columns: Vec::new().into(),
            key: Vec::new(),
            database: None,
            wish: TableWish::default(),
            older: BTreeMap::new(),
            added: [("n".to_owned(), Added { value: "5".to_owned(), before: 60 })].into(),
        };
        let lacking = |column: &str, lsn| table.lacking(column, lsn).map(str::to_owned);
        assert_eq!(
            [lacking("n", 59), lacking("n", 60), lacking("n", 0), lacking("m", 59)],
            [Some("5".to_owned()), None, None, None]
        );
    }

    #[test]
    fn of_events_that_hold_a_partition_the_first_is_noted() {
        let noted = Arc::new(Mutex::new(Met::default()));
        let note = {
            let noted = noted.clone();
            move |met: &Met| {
                noted.lock().expect("no panic").add(met.clone());
                Ok(())
            }
        };
        let tables = EventTables::new(Vec::new(), |_| TableWish::default(), None, Box::new(note));
        let met = |offset| Met { holds: vec![hold_at("a/0", offset)], ..Met::default() };
        for offset in [50, 120, 40] {
            tables.ends_with(met(offset));
        }
        assert_eq!(noted.lock().expect("no panic").holds, [hold_at("a/0", 40)]);
    }

    #[test]
    fn a_table_is_one_folder_and_no_way_out_of_it() {
        for good in ["orders", "Ünïcode", "a b", "a-b", "50%"] {
            assert!(is_folder(good), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a\\b", "a.b", "_log", "a%20b", "a\nb", &"x".repeat(256)] {
            assert!(!is_folder(bad), "{bad}");
        }
    }
}
