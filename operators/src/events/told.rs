//! What records tell of where a table stands, for people.

use super::reading::lsn_of;
use super::table::EventTables;
use crate::format::debezium::{Decoded, Decoder, Operation, Texts};
use crate::source::kafka::records::Records;

/// The last event of a table among some records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Last {
    /// The role of the table.
    pub role: String,
    /// Its place in PostgreSQL's log (LSN); 0 if it does not tell.
    pub lsn: u64,
    /// Whether it is a row that a snapshot has read.
    pub is_snapshot: bool,
}

/// The last event of `records` that names its table.
pub fn last(records: &Records, tables: &EventTables, decoder: &mut Decoder) -> Option<Last> {
    let (mut last, mut texts) = (None, Texts::default());
    for record in records.iter() {
        let Ok(record) = record.debezium(&mut texts) else { continue };
        let Ok(Decoded::Event(event)) = decoder.decode(&record) else { continue };
        if let Some(role) = tables.role(&event.table) {
            last = Some(Last { role, lsn: lsn_of(&event.source), is_snapshot: event.operation == Operation::Read });
        }
    }
    last
}
