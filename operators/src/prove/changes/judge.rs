//! What the proof of a table says.

use std::collections::BTreeMap;

use super::Table;
use super::columns::Plan;
use super::compare::Suspects;
use super::lake::Pinned;
use crate::position::Position;
use crate::postgres::Lsn;
use crate::protocol::names::Version;
use crate::prove::difference::{Difference, What};
use crate::prove::extent::Unverifiable;
use crate::prove::{Followed, NotLanded, Proof};

/// What differs for sure in a table.
#[derive(Default)]
pub(super) struct Found {
    rows: u64,
    /// Rows that one side has more of.
    is_count_wrong: bool,
    is_value_wrong: bool,
    /// The first by its key.
    first: Option<(BTreeMap<String, String>, What)>,
}

impl Found {
    /// A key differs.
    pub(super) fn differ(&mut self, what: What, key: BTreeMap<String, String>) {
        self.rows += 1;
        self.is_count_wrong |= what != What::Altered;
        self.is_value_wrong |= what == What::Altered;
        // Numbers are in their order so, as far as none is below zero.
        let order = |key: &BTreeMap<String, String>| -> Vec<(usize, String)> {
            key.values().map(|value| (value.len(), value.clone())).collect()
        };
        if self.first.as_ref().is_none_or(|(first, _)| order(&key) < order(first)) {
            self.first = Some((key, what));
        }
    }
}

/// The proof of a table before anything was compared.
pub(super) fn begun(table: &Table<'_>, pinned: &Pinned, lsn: Lsn) -> Proof {
    let mut proof = empty(table.spec.name.clone(), lsn);
    stands(&mut proof, pinned);
    proof
}

/// Where the table stands that was read last.
pub(super) fn stands(proof: &mut Proof, pinned: &Pinned) {
    proof.version = pinned.at.version();
    proof.position = pinned.recorded.standing.position();
    proof.totals_rows = pinned.recorded.account.of(&proof.name).sum().rows;
}

fn empty(name: String, lsn: Lsn) -> Proof {
    Proof {
        name,
        position: Position(0),
        version: Version(0),
        source_rows: 0,
        totals_rows: 0,
        lake_rows: 0,
        rows_ok: true,
        checksum_ok: true,
        first_difference: None,
        unverifiable: Vec::new(),
        not_landed: NotLanded::default(),
        others: Vec::new(),
        foreign_rows: 0,
        lost: Vec::new(),
        flushed: None,
        followed: Some(Followed { lsn: lsn.to_string(), differing_rows: 0 }),
    }
}

/// A table of PostgreSQL that has rows, and that the lake does not have, or did not have when the
/// proof began.
pub(super) fn lacking(name: String, rows: u64, lsn: Lsn, has_come: bool) -> Proof {
    let mut proof = Proof { source_rows: rows, ..empty(name, lsn) };
    if has_come {
        proof.unverifiable.push(unverifiable("it came while tables were compared: prove again".to_owned(), rows));
        return proof;
    }
    let (source, what) = (Some(proof.name.clone()), Some(What::Missing));
    (proof.rows_ok, proof.checksum_ok) = (false, false);
    proof.first_difference = Some(Difference { source, what, ..Difference::default() });
    if let Some(followed) = &mut proof.followed {
        followed.differing_rows = rows;
    }
    proof
}

/// Whether the lake lacks tables cannot be told.
pub(super) fn knows_no_others(proof: &mut Proof, why: &str) {
    proof.unverifiable.push(unverifiable(format!("whether the lake lacks other tables: {why}"), 0));
}

/// Notes the columns that are not compared.
pub(super) fn left_out(proof: &mut Proof, plan: &Plan) {
    for (name, why) in &plan.left_out {
        proof.unverifiable.push(unverifiable(format!("column {name:?} is not compared: {why}"), 0));
    }
}

/// None of its rows are compared.
pub(super) fn is_not_compared(proof: &mut Proof, why: String, rows: u64) {
    proof.lake_rows = rows;
    proof.unverifiable.push(unverifiable(why, rows));
}

/// Notes what was found at the end, and which keys are left.
pub(super) fn ended(proof: &mut Proof, found: Found, left: &Suspects) {
    let Found { rows, is_count_wrong, is_value_wrong, first } = found;
    if !left.keys.is_empty() {
        let why = "they were changed faster than they could be compared: prove again";
        proof.unverifiable.push(unverifiable(why.to_owned(), left.keys.len() as u64));
    }
    if left.more > 0 {
        let why = "too many rows differed to look at each of them: prove again once the lake has caught up";
        proof.unverifiable.push(unverifiable(why.to_owned(), left.more));
    }
    proof.rows_ok &= !is_count_wrong;
    proof.checksum_ok &= !is_value_wrong && !is_count_wrong;
    if let Some(followed) = &mut proof.followed {
        followed.differing_rows += rows;
    }
    if let Some((key, what)) = first {
        let source = Some(proof.name.clone());
        proof.first_difference = Some(Difference { source, key: Some(key), what: Some(what), ..Difference::default() });
    }
}

fn unverifiable(reason: String, rows: u64) -> Unverifiable {
    Unverifiable { reason, source: None, bytes: 0, rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_the_first_by_its_key() {
        let mut found = Found::default();
        for id in ["12", "9", "101"] {
            found.differ(What::Altered, BTreeMap::from([("id".to_owned(), id.to_owned())]));
        }
        let (key, _) = found.first.expect("a difference");
        assert_eq!((key["id"].as_str(), found.rows), ("9", 3));
        assert!(found.is_value_wrong && !found.is_count_wrong);
    }
}
