//! What the snapshot of the last flush saw, so that rows that stay hot are looked up in the lake
//! only once.
//!
//! The lake has every row that this snapshot saw, up to the flush's bound. A row is one of them if
//! its transaction is older than any that was under way when the snapshot was taken. Nothing finer
//! is asked, because a snapshot does not name the subtransactions that are under way. A row has 32
//! bits of its transaction's number: it counts as not seen whenever they may belong to a newer one,
//! also if it is so old that they were used again.
//!
//! Numbers say so only as long as the server lives: after a crash it may give some out again, and
//! so may a standby that takes over. So a session is kept open, as a witness: if the server of a
//! new snapshot has it too, that server has lived since.

use std::collections::HashSet;
use std::sync::Arc;

use tokio_postgres::Client;

use super::flush::Buffer;
use crate::error::StoreError;
use crate::postgres::{self, Ask};

/// A session that is open since a snapshot was taken.
pub(super) struct Witness {
    client: Arc<Client>,
    process: i32,
    begun: String,
}

/// What a snapshot saw, and the lake has.
pub(super) struct Seen {
    /// All older transactions had ended.
    before: i64,
    /// Up to which sequence.
    up_to: i64,
    /// In what, by the numbers of relations.
    leaves: HashSet<u32>,
}

/// Which rows are of transactions older than `before`, as SQL, in a snapshot whose first
/// transaction that had not begun is `next`.
pub(super) fn older(next: i64, before: i64) -> String {
    // How many transactions have begun since the row's: at least so many.
    format!("(({next} - xmin::text::int8) & {mask}) > {since}", mask = u32::MAX, since = next - before)
}

/// A snapshot, and what an earlier one saw.
pub(super) struct Sight {
    /// The oldest transaction that was under way.
    oldest: i64,
    /// The first that had not begun.
    next: i64,
    known: Option<Arc<Seen>>,
}

impl Sight {
    /// Whether an earlier snapshot is known.
    pub(super) fn knows(&self) -> bool {
        self.known.is_some()
    }

    /// Which rows of a leaf were seen before, as SQL; none if that is not known of any.
    pub(super) fn saw(&self, column: &str, leaf: u32) -> Option<String> {
        let Seen { before, up_to, .. } = self.known.as_deref().filter(|seen| seen.leaves.contains(&leaf))?;
        Some(format!("({column} <= {up_to} AND {})", older(self.next, *before)))
    }

    /// What is known once the lake has all that the snapshot sees in `leaves` up to `up_to`.
    pub(super) fn once_landed(&self, up_to: i64, leaves: HashSet<u32>) -> Arc<Seen> {
        Arc::new(Seen { before: self.oldest, up_to, leaves })
    }
}

impl Buffer {
    /// The snapshot of `owner`, with what is known of an earlier one; none if nobody can tell
    /// whether the server has lived since.
    pub(super) async fn sight(&self, owner: &Client) -> Result<Option<Sight>, StoreError> {
        let failed = |e| postgres::failed("look at a flush's snapshot", e);
        let mut witness = self.witness.lock().await;
        if witness.as_ref().is_none_or(|witness| witness.client.is_closed()) {
            self.state().seen = None;
            *witness = Witness::call(self.sessions().session().await?).await.map_err(failed)?;
        }
        let Some(Witness { process, begun, .. }) = &*witness else { return Ok(None) };
        let sql = "SELECT pg_snapshot_xmin(s)::text::int8, pg_snapshot_xmax(s)::text::int8, EXISTS ( \
                   SELECT FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2) FROM pg_current_snapshot() s";
        let row = owner.ask_one(sql, &[process, begun]).await.map_err(failed)?;
        if !row.get::<_, bool>(2) {
            self.state().seen = None;
            *witness = None;
            return Ok(None);
        }
        Ok(Some(Sight { oldest: row.get(0), next: row.get(1), known: self.state().seen.clone() }))
    }
}

impl Witness {
    /// None if it cannot be recognised: a session that has become another role may not see itself.
    async fn call(client: Arc<Client>) -> Result<Option<Witness>, tokio_postgres::Error> {
        let sql = "SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()";
        let row = client.ask_one(sql, &[]).await?;
        let (process, begun) = (row.get(0), row.get(1));
        Ok(Option::map(begun, |begun| Witness { client, process, begun }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What PostgreSQL makes of the condition, for a row of transaction `xmin`.
    fn is_seen(sight: &Sight, xmin: u64) -> bool {
        let seen = sight.known.as_deref().expect("a snapshot before");
        (sight.next - (xmin & u64::from(u32::MAX)).cast_signed()) & i64::from(u32::MAX) > sight.next - seen.before
    }

    #[test]
    fn a_row_is_seen_only_if_its_transaction_cannot_be_a_newer_one() {
        const TURN: i64 = 1 << 32;
        for turns in [0, 1, 7] {
            let at = |number: i64| turns * TURN + number;
            let seen = Seen { before: at(1000), up_to: 5, leaves: HashSet::from([1]) };
            let sight = Sight { oldest: at(1990), next: at(2000), known: Some(Arc::new(seen)) };
            for (number, expected) in [(3, true), (999, true), (1000, false), (1500, false), (1999, false)] {
                assert_eq!(is_seen(&sight, at(number).cast_unsigned()), expected, "{number} after {turns} turns");
            }
            // Frozen long ago, with bits that newer transactions have too.
            for number in [1000, 1500, 1999, 2000] {
                assert!(turns == 0 || !is_seen(&sight, (at(number) - TURN).cast_unsigned()));
            }
            assert!(turns == 0 || is_seen(&sight, (at(5000) - TURN).cast_unsigned()));
        }
    }

    #[test]
    fn after_a_turn_of_the_numbers_nothing_counts_as_seen() {
        let seen = Seen { before: 1000, up_to: 5, leaves: HashSet::from([1]) };
        let sight = Sight { oldest: 1, next: 1000 + (1 << 32), known: Some(Arc::new(seen)) };
        assert!([3, 999, 1000, 5000, 1 << 31].into_iter().all(|xmin| !is_seen(&sight, xmin)));
    }

    #[test]
    fn a_table_that_came_later_was_not_seen() {
        let seen = Seen { before: 1000, up_to: 5, leaves: HashSet::from([1]) };
        let sight = Sight { oldest: 1990, next: 2000, known: Some(Arc::new(seen)) };
        let sql = "(s <= 5 AND ((2000 - xmin::text::int8) & 4294967295) > 1000)";
        assert_eq!((sight.saw("s", 1).as_deref(), sight.saw("s", 2)), (Some(sql), None));
        assert!(Sight { known: None, ..sight }.saw("s", 1).is_none());
    }
}
