//! Where hot tables and lake meet: in the owner's transaction, or in one of the lake's own.

use std::collections::BTreeMap;

use lakefront_operators::error::StoreError;
use lakefront_operators::protocol::group::Commit;
use lakefront_operators::protocol::names::{Held, TableId};
use lakefront_operators::source::postgres::Flushes;

use crate::flushes::check::marks_of;
use crate::flushes::flush::Progress;
use crate::group::{RETENTION_MS, SimGroup, give_way};
use crate::kind::Transaction;
use crate::saboteur::Rule;
use crate::world::{World, ev};

/// The transaction of a commit, in which the rows are deleted; none if the commit is void.
pub(super) async fn begin(group: &SimGroup<Flushes>, commit: &Commit) -> Result<Option<Transaction>, StoreError> {
    let (transaction, begun_ms) = {
        let mut w = group.world();
        let Some(transaction) = w.numbered(group.tag, commit.held.position.0) else { return Ok(None) };
        let progress = w.source.flushes[&transaction].progress;
        match progress {
            // Its fate is decided, whatever it is.
            Progress::Committing | Progress::Lost => return Ok(None),
            Progress::Copying if !w.delete_rows(transaction) => return Ok(None),
            Progress::Copying | Progress::Deleted => {}
        }
        w.compare(transaction, commit);
        (transaction, w.now_ms)
    };
    give_way().await;
    let mut w = group.world();
    // As the protocol assumes, nothing is written after such a pause within one write.
    if w.now_ms - begun_ms > RETENTION_MS / 2 {
        return Err(StoreError::transient("commit", "the connection was idle for too long"));
    }
    // The quiet world begins with one last conflict, after which the run has to go on.
    let is_last = w.calm && !w.source.has_met_the_last;
    let fault = if w.calm { 1.0 } else { w.rng.unit() };
    if is_last || fault < 0.08 {
        w.source.has_met_the_last |= is_last;
        ev!(w, "another writer was before {:?}", commit.held);
        return Ok(None);
    }
    if fault < 0.12 {
        return Err(StoreError::transient("commit", "the catalog is locked"));
    }
    if w.source.is_one {
        w.flush(transaction).progress = Progress::Committing;
    }
    Ok(Some(transaction))
}

impl World<Flushes> {
    /// What is committed must be what is deleted.
    fn compare(&mut self, transaction: Transaction, commit: &Commit) {
        let (mut deleted, mut copied) = (BTreeMap::<TableId, u64>::new(), BTreeMap::<TableId, u64>::new());
        let rows = &self.source.flushes[&transaction].rows;
        rows.iter().for_each(|row| *deleted.entry(row.table).or_default() += 1);
        commit.files.iter().for_each(|staged| *copied.entry(staged.table).or_default() += staged.file.rows);
        if deleted != copied {
            self.violate(format!("HALVED: {:?} has {copied:?} rows, but {deleted:?} are deleted", commit.held));
        }
    }

    /// Whether a transaction can be committed. One of which the COMMIT is late is one of somebody
    /// who has left: it has held its rows until then if nobody else has had them.
    pub(crate) fn stands(&self, group: usize, transaction: Transaction, is_late: bool) -> bool {
        let holds = || match is_late {
            true => self.is_as_seen(transaction),
            false => self.source.flushes[&transaction].is_open,
        };
        let fits = self.lakes[group].fits || self.lacks(Rule::Recheck);
        fits && (!self.source.is_one || holds())
    }

    /// A commit has landed. In one database, the rows have left in the same moment.
    pub(crate) fn landed(&mut self, group: usize, held: Held, transaction: Option<Transaction>) {
        if let Some(transaction) = transaction {
            self.raise_marks(transaction);
            if self.source.is_one {
                let rows = &self.source.flushes[&transaction].rows;
                let keys: Vec<u64> = rows.iter().map(|row| row.key).collect();
                self.forget_rows(keys.into_iter());
            }
        }
        let (told, landed) = (marks_of(&self.lakes[group], held), &self.source.marks);
        if told != *landed {
            self.violate(format!("MARKS: the lake says {told:?} at {held:?}, but flushes to {landed:?} have landed"));
        }
    }
}
