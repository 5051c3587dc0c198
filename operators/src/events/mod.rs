//! `events`: turns records of topics into changes of tables, on the worker that has them.
//!
//! ```text
//! Records ─▶ Decoder ─▶ Event ─▶ the table's columns ─▶ Changed  (one table, one partition)
//!                │                        └─ no row: a reject
//!                └─ a table or a column that the run does not know: it begins anew
//! ```
//!
//! Promises: each event becomes a change, or a reject with its bytes and the reason; what changes
//! no row by its nature (a tombstone, a heartbeat, the boundary of a transaction) becomes nothing.
//! An event of a table that the run does not know ends the run before anything of its cut is
//! committed: what it has met is noted, and the next run knows it. So does an event that is none of
//! its table as that is now: the next run reads up to it and no further.

mod changed;
mod gaps;
mod gathered;
mod hold;
mod met;
mod metadata;
mod reading;
mod reject;
mod table;
mod told;
mod wish;

use std::collections::VecDeque;
use std::sync::Arc;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::Operator;

pub use self::changed::{Changed, shard};
pub use self::gaps::gaps;
pub use self::hold::{Hold, Next, OtherType, next};
pub use self::met::{Met, MetTable, survey};
pub use self::metadata::{is_metadata, metadata_columns};
pub use self::reject::{REASONS, rejects_schema};
pub use self::table::{EventTable, EventTables, Note, is_folder};
pub use self::told::{Last, last};
pub use self::wish::{Keyless, OnAddDefault, OnIncompatible, OnTruncate, OnWiden, TableWish};

use self::reading::Reading;
use crate::fetch::Fetched;
use crate::position::Position;
use crate::protocol::names::TableId;
use crate::routed::Routed;
use crate::run::env::Env;
use crate::source::kafka::range::Range;
use crate::source::kafka::records::Records;

/// The table with what became no row.
pub const REJECTS: TableId = TableId(0);

/// What records became.
#[derive(Clone)]
#[allow(clippy::large_enum_variant, reason = "nearly all are the large one")]
pub enum Told {
    /// Changes of a table.
    Changed(Changed),
    /// Rejects.
    Rejected(Routed),
}

impl Told {
    /// The table that it is for.
    pub fn table(&self) -> TableId {
        match self {
            Told::Changed(changed) => changed.table,
            Told::Rejected(rows) => rows.table,
        }
    }

    /// The changes, if that is what they are.
    pub fn changed(self) -> Option<Changed> {
        match self {
            Told::Changed(changed) => Some(changed),
            Told::Rejected(_) => None,
        }
    }

    /// The rejects, if that is what they are.
    pub fn rejected(self) -> Option<Routed> {
        match self {
            Told::Changed(_) => None,
            Told::Rejected(rows) => Some(rows),
        }
    }
}

/// Decodes blocks of records into changes of `tables`, one block at a time, so that what one became
/// has gone on before the next takes memory.
pub fn events<'s>(
    records: StreamVec<'s, Position, Fetched<Range, Records>>,
    tables: Arc<EventTables>,
    env: &Env,
) -> StreamVec<'s, Position, Told> {
    let (scope, fatal, metrics) = (records.scope(), env.fatal.clone(), env.metrics.clone());
    records.unary::<CapacityContainerBuilder<Vec<Told>>, _, _, _>(Pipeline, "events", move |_capability, info| {
        let activator = scope.activator_for(info.address);
        let mut waiting: VecDeque<(Capability<Position>, Fetched<Range, Records>)> = VecDeque::new();
        // A cut that failed: a capability that is kept means that it is not complete.
        let mut failed: Vec<Capability<Position>> = Vec::new();
        let mut reading = Reading::new(tables, metrics);
        move |input, output| {
            input.for_each(|capability, blocks| {
                waiting.extend(blocks.drain(..).map(|fetched| (capability.retain(0), fetched)));
            });
            if fatal.is_raised() {
                return;
            }
            let Some((capability, fetched)) = waiting.pop_front() else { return };
            let read = reading.read(&fetched);
            match read {
                Ok(told) => output.session(&capability).give_iterator(told.into_iter()),
                Err(stop) => {
                    failed.push(capability);
                    return fatal.raise(stop);
                }
            }
            if !waiting.is_empty() {
                activator.activate();
            }
        }
    })
}
