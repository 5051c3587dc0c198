//! Reads blocks of records: what a worker remembers from one to the next.

use std::collections::HashMap;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::changed::Changed;
use super::gathered::{Gathered, Obstacle};
use super::hold::Hold;
use super::met::Met;
use super::reject::{self, Reject, Why};
use super::table::EventTables;
use super::{REJECTS, Told};
use crate::error::Stop;
use crate::fetch::Fetched;
use crate::format::debezium::{Decoded, Decoder, Event, Operation, Part, Reason, Record, Source, Texts};
use crate::protocol::offsets::PartitionId;
use crate::routed::Routed;
use crate::run::metrics::Metrics;
use crate::shown::one_line;
use crate::sink::delta::upsert::Order;
use crate::source::kafka::range::Range;
use crate::source::kafka::records::{Borrowed, Records};

/// Reads blocks.
pub(super) struct Reading {
    tables: Arc<EventTables>,
    metrics: Arc<Metrics>,
    decoder: Decoder,
    texts: Texts,
    gathered: Vec<Gathered>,
    /// By topic, the table that its last event was of.
    topics: HashMap<String, usize>,
    /// Why the run must end, although it knows all that it has met.
    refused: Option<Stop>,
}

/// A record, and where it is from.
#[derive(Clone, Copy)]
pub(super) struct Place<'b> {
    pub(super) records: &'b Records,
    pub(super) record: Borrowed<'b>,
    pub(super) partition: &'b PartitionId,
    /// A number of the partition, which no other topic's has, nor that of a topic of the same name.
    number: u32,
    /// Whether some tables hold what became of it.
    is_again: bool,
}

impl Place<'_> {
    /// The record as a reject.
    pub(super) fn rejected(&self, why: Why, detail: String) -> Reject {
        Reject::of(self.records, self.record, self.partition.generation, why, detail)
    }

    /// Where an event stands among those of its key.
    fn order(&self, source: &Source) -> Order {
        Order { partition: self.number, offset: self.record.offset(), lsn: lsn_of(source) }
    }
}

/// The place in PostgreSQL's log (LSN) of an event; 0 if it does not tell.
pub(super) fn lsn_of(source: &Source) -> u64 {
    let sequence = source.sequence.and_then(|sequence| sequence.lsn);
    sequence.or(source.lsn.map(i64::cast_unsigned)).unwrap_or_default()
}

impl Reading {
    pub(super) fn new(tables: Arc<EventTables>, metrics: Arc<Metrics>) -> Reading {
        let gathered = tables.tables.iter().map(Gathered::of).collect();
        let (decoder, texts) = Default::default();
        Reading { tables, metrics, decoder, texts, gathered, topics: HashMap::new(), refused: None }
    }

    /// Reads a block. The error ends the run: it has met what it does not know, and noted it.
    pub(super) fn read(&mut self, fetched: &Fetched<Range, Records>) -> Result<Vec<Told>, Stop> {
        let (mut told, mut rejects, mut met) = (Vec::new(), Vec::new(), Met::default());
        let (records, partition): (&Records, _) = (&fetched.block, &fetched.work.partition);
        if fetched.work.catch_up {
            self.tables.refuse_other(&fetched.work.settings)?;
        }
        if records.is_lost {
            rejects.push(Reject::lost(records, partition.generation));
        }
        // By its low bits, whoever reads it.
        let number = xxh3_64(partition.to_string().as_bytes()) as u32;
        for record in records.iter() {
            let place = Place { records, record, partition, number, is_again: fetched.work.catch_up };
            // Nothing behind it is read.
            if !met.holds.is_empty() {
                break;
            }
            match self.record(place, &mut met) {
                Ok(Some(at)) if self.gathered[at].is_full() => told.extend(self.changed(at, fetched)),
                Ok(_) => {}
                Err(Obstacle(why, detail)) => rejects.push(place.rejected(why, detail)),
            }
        }
        if let Some(stop) = self.refused.take() {
            return Err(stop);
        }
        if !met.is_empty() {
            return Err(self.tables.ends_with(met));
        }
        told.extend((0..self.gathered.len()).filter_map(|at| self.changed(at, fetched)));
        rejects.iter().for_each(|reject| self.metrics.rejected(reject.why.word()));
        if !rejects.is_empty() {
            told.push(Told::Rejected(Routed {
                table: REJECTS,
                rows: reject::rows(&rejects),
                partition: partition.clone(),
                credit: fetched.credit.clone(),
                is_last: false,
            }));
        }
        Ok(told)
    }

    /// Reads a record. Returns the place of the table that it changes, if it does.
    fn record(&mut self, place: Place<'_>, met: &mut Met) -> Result<Option<usize>, Obstacle> {
        let mut texts = std::mem::take(&mut self.texts);
        let read = place.record.debezium(&mut texts).map_err(|reason| Obstacle(Why::NoEvent, reason.to_string()));
        let at = read.and_then(|record| self.decoded(place, record, met));
        self.texts = texts;
        at
    }

    fn decoded(&mut self, place: Place<'_>, record: Record<'_>, met: &mut Met) -> Result<Option<usize>, Obstacle> {
        let no_event = |reason: Reason| Obstacle(Why::NoEvent, reason.to_string());
        if record.value == Part::Null {
            return self.tombstone(place, &record, met);
        }
        let Decoded::Event(event) = self.decoder.decode(&record).map_err(no_event)? else { return Ok(None) };
        let Some(role) = self.tables.role(&event.table) else {
            let detail = "it does not name its schema (add source.schema to add.fields, or set lake.schema), or the \
                          name of its table or schema can be no folder of a lake: it begins with '_', or has '/', '.' or '%'";
            return Err(Obstacle(Why::NoTable, detail.to_owned()));
        };
        let Some(at) = self.tables.place(&role) else {
            self.unknown(&role, &event, met)?;
            return Ok(None);
        };
        if self.topics.get(&place.records.topic) != Some(&at) {
            self.topics.insert(place.records.topic.clone(), at);
            self.tables.learn(&place.records.topic, at);
        }
        let gathered = &mut self.gathered[at];
        match gathered.event(&self.tables.tables[at], &event, (place, place.order(&event.source)), met) {
            Ok(()) if self.metrics.goes_on(&role) => tracing::info!(table = %one_line(&role), "the table goes on"),
            Ok(()) => {}
            Err(Obstacle(why, detail)) if why.stops_table() => {
                let table = &self.tables.tables[at];
                let hold = Hold::of(table, &event, (place.partition, place.record.offset()), &detail);
                return self.stops(at, hold, place, (why, detail), met);
            }
            Err(obstacle) => return Err(obstacle),
        }
        Ok(Some(at))
    }

    /// An event that is none of the table at this place as that is now: it holds the table, or is
    /// rejected. One that some tables hold already held nothing when they took it.
    fn stops(
        &mut self,
        at: usize,
        hold: Option<Hold>,
        place: Place<'_>,
        (why, detail): (Why, String),
        met: &mut Met,
    ) -> Result<Option<usize>, Obstacle> {
        let table = &self.tables.tables[at];
        match hold {
            Some(hold) if hold.is_older(table) => {
                let detail = format!("it is from before the table's columns had the types that they have: {detail}");
                Err(Obstacle(why, detail))
            }
            Some(hold) if place.is_again && hold.is_wanted(&table.wish) => {
                self.refused = Some(Stop::Refused(format!(
                    "table {} lacks events that others of the pipeline have, and cannot take them as its columns are: it was \
                     restored from before they were changed, or others were changed since; restore all of the pipeline's tables \
                     to one time, or land the topics in another lake.catalog ({detail})",
                    one_line(&table.role)
                )));
                Ok(None)
            }
            Some(hold) if hold.is_wanted(&table.wish) => {
                met.hold(hold);
                Ok(None)
            }
            _ => {
                if self.metrics.stops(&table.role, &detail) {
                    let table = one_line(&table.role);
                    tracing::warn!(%table, reason = %detail, "the table stands still: its events are rejects");
                }
                Err(Obstacle(why, detail))
            }
        }
    }

    /// Reads a record without a value. Where rows are unwrapped it may be the only sign of a
    /// delete, and elsewhere it follows one and changes nothing more; so it always is a delete. Of
    /// a table that is not known there is no row.
    fn tombstone(&mut self, place: Place<'_>, record: &Record<'_>, met: &mut Met) -> Result<Option<usize>, Obstacle> {
        let known = self.topics.get(&place.records.topic).copied();
        let Some(at) = known.or_else(|| self.tables.of_topic(&place.records.topic)) else {
            if place.records.topic.starts_with("__debezium-heartbeat") {
                return Ok(None);
            }
            let detail = "it has no value, which says that a row is gone, and nothing tells of which table it is";
            return Err(Obstacle(Why::NoTable, detail.to_owned()));
        };
        let no_event = |reason: Reason| Obstacle(Why::NoEvent, reason.to_string());
        let key = self.decoder.tombstone(record).map_err(no_event)?;
        let order = place.order(&Source::default());
        let table = &self.tables.tables[at];
        match self.gathered[at].tombstone(table, &key, order) {
            Ok(()) => Ok(Some(at)),
            Err(Obstacle(why, detail)) if why.stops_table() => {
                let place_of = (place.partition, place.record.offset());
                let hold = key.row().and_then(|key| Hold::of_key(table, key, place_of, &detail));
                self.stops(at, hold, place, (why, detail), met)
            }
            Err(obstacle) => Err(obstacle),
        }
    }

    /// An event of a table that the run does not know.
    fn unknown(&self, role: &str, event: &Event<'_>, met: &mut Met) -> Result<(), Obstacle> {
        // It has no rows yet.
        if event.operation == Operation::Truncate {
            return Ok(());
        }
        let wish = self.tables.wish(role);
        let Some(key) = wish.key_for(event) else {
            let role = one_line(role);
            let detail = format!(
                "table {role} has no key that tells its rows apart: give it a primary key, name its columns in [tables]: \
                 {role:?} = {{ key = [\"column\"] }}, or have its new rows appended: {{ keyless = \"append\" }}, if \
                 events say which are new (op in add.fields, where they are unwrapped)"
            );
            return Err(Obstacle(Why::NoKey, detail));
        };
        match met.table(role, key, event, &wish.texts) {
            true => Ok(()),
            false => {
                let role = one_line(role);
                let detail = format!(
                    "table {role} is not known yet, and cannot be made from this event: it lacks a column of the key"
                );
                Err(Obstacle(Why::NoKey, detail))
            }
        }
    }

    /// The changes of a table so far, if there are any.
    fn changed(&mut self, at: usize, fetched: &Fetched<Range, Records>) -> Option<Told> {
        let (changes, offsets) = self.gathered[at].finish()?;
        let (partition, credit) = (fetched.work.partition.clone(), fetched.credit.clone());
        Some(Told::Changed(Changed { table: EventTables::id(at), changes, partition, offsets, credit }))
    }
}
