//! Proves that the tables of `pg_changes` hold what PostgreSQL's tables hold, or names the first
//! row that differs.
//!
//! ```text
//!  PostgreSQL, one snapshot ─▶ rows ─▶ sums by key ──┐
//!                                                    ├─▶ compare ─▶ suspects ─▶ looked at again
//!  lake, pinned ─────────────▶ rows ─▶ sums by key ──┘
//! ```
//!
//! Both sides move on while they are read. So a key that differs is a *suspect* at first: it is
//! read in a second snapshot of PostgreSQL, then in the lake, once that has passed the snapshot's
//! place in PostgreSQL's log, and then in a third snapshot. The lake must show what one of the two
//! snapshots has. If PostgreSQL's row is the same in both, down to its place on disk, and the
//! lake's is another, then that is a difference. A key that was changed meanwhile is looked at once
//! more (`again.rs`).
//!
//! That the lake has passed a place in the log is known in two steps: the replication slot says
//! that the connector has confirmed it, which it does only for what Kafka has acknowledged; and
//! then the lake has all that Kafka had (`reach.rs`).
//!
//! The path from PostgreSQL to the sums shares nothing with the one from events to rows: the values
//! are PostgreSQL's own, and it casts them. Nothing is claimed, locked or written. Memory takes two
//! sums for each of 65,536 sets of keys, and the keys of sets that differ, up to a million.

mod again;
mod columns;
mod compare;
mod judge;
mod lake;
mod reach;
mod rows;
mod server;

use std::time::Duration;

use self::columns::Plan;
use self::compare::{Compared, Suspects};
use self::lake::Pinned;
use self::reach::Reaching;
use self::server::Snapshot;
use super::{Progress, Proof};
use crate::error::Stop;
use crate::postgres::Location;
use crate::run::clock::Stopwatch;
use crate::sink::delta::TableSpec;
use crate::source::kafka::look::Watch;

/// What is to be proved.
pub struct Subject<'s> {
    /// The pipeline's name.
    pub pipeline: &'s str,
    /// The database whose changes are captured.
    pub postgres: &'s Location,
    /// The connector's replication slot.
    pub slot: &'s str,
    /// The connector's publication.
    pub publication: &'s str,
    /// The tables that the lake has, in claim order.
    pub tables: Vec<Table<'s>>,
    /// Whether a table of PostgreSQL, as `schema.table`, is to be in the lake.
    pub is_wanted: &'s (dyn Fn(&str) -> bool + Sync),
    /// Looks at the topics.
    pub watch: Watch,
    /// How long the lake may take to pass a place in PostgreSQL's log.
    pub patience: Duration,
}

/// A table of the lake.
#[derive(Clone, Copy)]
pub struct Table<'s> {
    /// Where it is. Its name is the one in PostgreSQL, as `schema.table`.
    pub spec: &'s TableSpec,
    /// The columns that tell its rows apart; none if it has no key.
    pub key: &'s [String],
}

/// A table, and what was found of it at the first look.
struct Looked {
    /// `None` if it cannot be compared; `proof` says why.
    plan: Option<Plan>,
    proof: Proof,
    suspects: Suspects,
}

/// Proves the tables of `subject`, in their order; behind them come tables of PostgreSQL that the
/// lake lacks.
pub async fn prove(mut subject: Subject<'_>, progress: &Progress) -> Result<Vec<Proof>, Stop> {
    let begun = Stopwatch::start();
    let snapshot = Snapshot::take(subject.postgres).await?;
    let reaching = Reaching { slot: subject.slot, location: subject.postgres, begun, patience: subject.patience };
    let pins = reaching.landed(&mut subject.watch, subject.pipeline, &subject.tables).await?;
    let plans = snapshot.plans(&subject.tables, subject.pipeline).await?;
    let mut all = Vec::new();
    for ((table, plan), pinned) in subject.tables.iter().zip(plans).zip(&pins) {
        all.push(first_look(table, plan, pinned, &snapshot, progress).await?);
    }
    let lacking = snapshot.lacking(&subject).await?;
    drop(snapshot);
    again::look(&mut subject, &reaching, &mut all, progress).await?;
    Ok(all.into_iter().map(|looked| looked.proof).chain(lacking).collect())
}

/// Compares all rows of a table.
async fn first_look(
    table: &Table<'_>,
    plan: Option<Plan>,
    pinned: &Pinned,
    snapshot: &Snapshot,
    progress: &Progress,
) -> Result<Looked, Stop> {
    let mut proof = judge::begun(table, pinned, snapshot.lsn);
    let Some(plan) = plan else {
        judge::is_gone(&mut proof, pinned.count(progress).await?);
        return Ok(Looked { plan: None, proof, suspects: Suspects::default() });
    };
    judge::left_out(&mut proof, &plan);
    if !plan.tells_rows_apart {
        judge::has_no_key(&mut proof, pinned.count(progress).await?);
        return Ok(Looked { plan: None, proof, suspects: Suspects::default() });
    }
    let Compared { ours, theirs, suspects } = compare::all(&plan, pinned, snapshot, progress).await?;
    (proof.source_rows, proof.lake_rows) = (theirs, ours);
    Ok(Looked { plan: Some(plan), proof, suspects })
}
