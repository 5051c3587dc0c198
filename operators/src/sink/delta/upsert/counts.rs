//! What became of the changes of a cut.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// What became of changes, by their number. All but `superseded` are of one change a key, and all
/// but `truncated` are of changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Changes that came.
    pub changes: u64,
    /// Changes that a later one of the same cut and key took the place of, or that a truncation of
    /// the same cut has undone.
    pub superseded: u64,
    /// Rows that are new.
    pub inserted: u64,
    /// Rows that are others now.
    pub updated: u64,
    /// Rows that are gone.
    pub deleted: u64,
    /// Of the new rows, those that came as updates of a row that the table did not have.
    pub updated_nothing: u64,
    /// Of the updated rows, those that came as new.
    pub inserted_over: u64,
    /// Deletes of rows that the table did not have.
    pub deleted_nothing: u64,
    /// Changes after which a row is what it was.
    pub unchanged: u64,
    /// Changes that keep a value of a row that the table does not have; they are reported.
    pub gaps: u64,
    /// Rows of the table that are gone because all of them went.
    pub truncated: u64,
}

impl Counts {
    /// How many changes the counts account for, which are all that came.
    pub(super) fn accounted(&self) -> u64 {
        let rows = self.inserted + self.updated + self.deleted;
        rows + self.superseded + self.deleted_nothing + self.unchanged + self.gaps
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, more: Counts) {
        self.changes += more.changes;
        self.superseded += more.superseded;
        self.inserted += more.inserted;
        self.updated += more.updated;
        self.deleted += more.deleted;
        self.updated_nothing += more.updated_nothing;
        self.inserted_over += more.inserted_over;
        self.deleted_nothing += more.deleted_nothing;
        self.unchanged += more.unchanged;
        self.gaps += more.gaps;
        self.truncated += more.truncated;
    }
}
