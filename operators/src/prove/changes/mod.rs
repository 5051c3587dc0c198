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
//! are PostgreSQL's own, and it casts them. Nothing is claimed or written; only what does not keep
//! to PostgreSQL's snapshots, such as TRUNCATE, is locked out of one. Memory takes two sums for
//! each of 65,536 sets of keys, and the keys of sets that differ, up to a million.

mod again;
mod columns;
mod compare;
mod judge;
mod lake;
mod reach;
mod rows;
mod server;

use std::collections::BTreeSet;
use std::time::Duration;

use self::columns::Plan;
use self::compare::{Compared, Suspects};
use self::lake::Pinned;
use self::reach::Reaching;
use self::server::Snapshot;
use super::{Progress, Proof};
use crate::error::Stop;
use crate::postgres::Location;
use crate::sink::delta::{self, TableSpec};
use crate::sink::files::Place;
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
    /// Whether a table of PostgreSQL, as `schema.table`, is to be in the lake; `None` if nobody
    /// knows.
    pub is_wanted: Option<&'s (dyn Fn(&str) -> bool + Sync)>,
    /// Where such a table would be in the lake.
    pub place: &'s (dyn Fn(&str) -> Option<Place> + Sync),
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
    /// The database that it is of, if that is known.
    pub database: Option<&'s str>,
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
    let snapshot = Snapshot::take(subject.postgres, &subject.tables).await?;
    let (slot, location, patience) = (subject.slot, subject.postgres, subject.patience);
    let mut reaching = Reaching { slot, location, patience, gone: BTreeSet::new() };
    let pins = reaching.landed(&mut subject.watch, subject.pipeline, &subject.tables).await?;
    let plans = snapshot.plans(&subject).await?;
    let mut all = Vec::new();
    for ((table, plan), pinned) in subject.tables.iter().zip(plans).zip(&pins) {
        all.push(first_look(table, plan, pinned, &snapshot, progress).await?);
    }
    let lacking = snapshot.lacking(&subject).await?;
    drop(snapshot);
    again::look(&mut subject, &mut reaching, &mut all, progress).await?;
    let mut proofs: Vec<Proof> = all.into_iter().map(|looked| looked.proof).collect();
    match lacking {
        Ok(names) if names.is_empty() => {}
        Ok(_) => proofs.extend(lacking_still(&mut subject, &mut reaching).await?),
        Err(why) => proofs.iter_mut().take(1).for_each(|first| judge::knows_no_others(first, &why)),
    }
    Ok(proofs)
}

/// The proofs of tables that the lake lacks, once it has passed a place in the log at which they
/// have rows.
async fn lacking_still(subject: &mut Subject<'_>, reaching: &mut Reaching<'_>) -> Result<Vec<Proof>, Stop> {
    let snapshot = Snapshot::take(subject.postgres, &[]).await?;
    let (lsn, lacking) = (snapshot.lsn, snapshot.lacking(subject).await?.unwrap_or_default());
    drop(snapshot);
    reaching.passed(&mut subject.watch, subject.pipeline, &subject.tables, lsn).await?;
    let mut proofs = Vec::new();
    for (name, rows) in lacking {
        let there = match (subject.place)(&name) {
            Some(place) => delta::Pinned::newest(&place, subject.pipeline).await?,
            None => None,
        };
        let has_come = there.is_some_and(|there| there.held().is_some());
        proofs.push(judge::lacking(name, rows, lsn, has_come));
    }
    Ok(proofs)
}

/// Compares all rows of a table.
async fn first_look(
    table: &Table<'_>,
    plan: Result<Plan, String>,
    pinned: &Pinned,
    snapshot: &Snapshot,
    progress: &Progress,
) -> Result<Looked, Stop> {
    let mut proof = judge::begun(table, pinned, snapshot.lsn);
    let why = match plan {
        Ok(plan) if plan.tells_rows_apart => {
            judge::left_out(&mut proof, &plan);
            let Compared { ours, theirs, suspects } = compare::all(&plan, pinned, snapshot, progress).await?;
            (proof.source_rows, proof.lake_rows) = (theirs, ours);
            return Ok(Looked { plan: Some(plan), proof, suspects });
        }
        Ok(plan) => {
            judge::left_out(&mut proof, &plan);
            "a column of its key cannot be compared".to_owned()
        }
        Err(why) => why,
    };
    judge::is_not_compared(&mut proof, why, pinned.count(progress).await?);
    Ok(Looked { plan: None, proof, suspects: Suspects::default() })
}
