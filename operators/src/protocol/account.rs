//! How many rows the tables of a group hold, and from which parts of the source.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::protocol::kind::Kind;
use crate::protocol::offsets::Offsets;
use crate::protocol::standing::Standing;
use crate::protocol::sums::{Bucket, Sum, Totals};

/// The totals of a table without rows.
static NO_ROWS: Totals = Totals::NONE;

/// What a group's tables hold at its position, for `prove`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account<K: Kind> {
    /// The rows of each table, by its role.
    pub tables: BTreeMap<String, Totals>,
    /// Where the present settings began. Rows before that are counted in [`Totals::earlier`], or
    /// were never meant to land.
    pub from: Arc<Offsets<K>>,
}

impl<K: Kind> Account<K> {
    /// The account of a group that begins at `offsets`.
    pub fn genesis(offsets: Arc<Offsets<K>>) -> Self {
        Account { tables: BTreeMap::new(), from: offsets }
    }

    /// The rows of the table of that role.
    pub fn of(&self, role: &str) -> &Totals {
        self.tables.get(role).unwrap_or(&NO_ROWS)
    }

    /// The role of a table with rows that is none of `roles`; `None` if there is none.
    pub fn odd<'r>(&self, roles: impl Iterator<Item = &'r str>) -> Option<&str> {
        let known: BTreeSet<&str> = roles.collect();
        let odd = self.tables.iter().find(|(role, totals)| !known.contains(&***role) && totals.sum().rows > 0);
        odd.map(|(role, _)| &**role)
    }

    /// All rows of the group.
    pub fn sum(&self) -> Sum {
        self.tables.values().map(Totals::sum).sum()
    }

    /// Moves from `before` to `after`, and adds the rows that land there: the role of their table,
    /// their bucket, their sum.
    pub fn land<'s>(
        &mut self,
        before: &Standing<K>,
        after: &Standing<K>,
        sums: impl Iterator<Item = (&'s str, &'s Bucket, Sum)>,
    ) {
        debug_assert!(after.position() >= before.position() && after.since >= before.since, "rows land forwards");
        if after.since != before.since {
            self.tables.values_mut().for_each(Totals::begin_anew);
            self.from = before.offsets.clone();
        }
        for (role, bucket, sum) in sums {
            if !self.tables.contains_key(role) {
                self.tables.insert(role.to_owned(), Totals::default());
            }
            self.tables.get_mut(role).expect("it was just inserted").add(bucket, sum);
        }
        self.tables.values_mut().for_each(|totals| totals.retire(&after.offsets));
    }

    /// What of the rows has changed since `base`; [`Account::updated`] applies it.
    pub(super) fn since(&self, base: &Account<K>, offsets: &Offsets<K>) -> BTreeMap<String, Totals> {
        self.tables.iter().map(|(role, totals)| (role.clone(), totals.since(base.of(role), offsets))).collect()
    }

    /// The tables of a base with what has changed since, up to `offsets`.
    pub(super) fn updated(
        mut base: BTreeMap<String, Totals>,
        changed: BTreeMap<String, Totals>,
        offsets: &Offsets<K>,
    ) -> BTreeMap<String, Totals> {
        let updated = |(role, changed): (String, Totals)| {
            let totals = base.remove(&role).unwrap_or_default().updated(changed, offsets);
            (role, totals)
        };
        changed.into_iter().map(updated).collect()
    }
}
