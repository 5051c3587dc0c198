//! Which rows of a table a flush takes, which of those it deletes, and which stay hot.
//!
//! Rows stay hot although the lake has them if their table is retained, or as long as the reader
//! behind the gate has not confirmed them.
//!
//! ```text
//!  sequence         confirmed             mark               bound
//!  ─────────────────────┼──────────────────┼───────────────────┼─────────▶
//!   late: deleted if    │ stays; late ones │ new: copied, and  │ waits
//!   the lake has it,    │ that the lake    │ deleted up to     │
//!   else copied and     │ lacks are copied │ what is confirmed │
//!   deleted             │ by their place   │                   │
//! ```
//!
//! Only a primary key tells a row that stays from one that came back. Of a retained table without
//! one, only rows above the mark are taken. Of any other, rows above what is confirmed wait, so
//! that none stays that the lake has.

use super::late::Late;
use super::settings::BufferTable;
use crate::postgres::quoted;

/// How far a flush reaches into a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    /// Up to which sequence rows may be deleted; none if no row may.
    confirmed: Option<i64>,
    /// Up to which sequence the table was flushed.
    mark: Option<i64>,
    /// Whether rows are found in the lake by their key.
    by_key: bool,
    /// Whether rows that are not confirmed wait.
    waits: bool,
}

impl Reach {
    /// The reach into `table`, which was flushed up to `mark`. The reader behind the gate has
    /// `confirmed` so much.
    pub(super) fn new(table: &BufferTable, mark: Option<i64>, confirmed: Option<i64>) -> Reach {
        let by_key = table.late == Late::Skip;
        match table.retain {
            true => Reach { confirmed: None, mark, by_key, waits: false },
            false => Reach { confirmed, mark, by_key, waits: !by_key },
        }
    }

    /// Whether rows that the lake has may stay hot, and are found there by their key.
    pub(super) fn stays(&self) -> bool {
        self.by_key && self.confirmed < Some(i64::MAX)
    }

    /// Whether rows may be hot, after a flush up to `bound`, although the lake has them.
    pub(super) fn keeps(&self, bound: i64) -> bool {
        !self.waits && self.confirmed < self.mark.max(Some(bound))
    }

    /// The highest sequence that is taken, by a flush up to `bound`; none if no row is.
    pub(super) fn end(&self, bound: i64) -> Option<i64> {
        match self.waits {
            true => self.confirmed.map(|confirmed| confirmed.min(bound)),
            false => Some(bound),
        }
    }

    /// Which rows are copied by a flush up to `bound`, beside those that are listed by their place.
    pub(super) fn copied(&self, column: &str, bound: i64) -> String {
        let Some(end) = self.end(bound) else { return "false".to_owned() };
        let stays = self.mark.filter(|mark| !self.waits && self.confirmed < Some(*mark));
        match (stays, self.confirmed) {
            (None, _) => format!("{column} <= {end}"),
            (Some(mark), None) => format!("({column} > {mark} AND {column} <= {end})"),
            (Some(mark), Some(confirmed)) => {
                format!("({column} <= {end} AND ({column} > {mark} OR {column} <= {confirmed}))")
            }
        }
    }

    /// Up to where a flush up to `bound` deletes rows; none if it deletes none. Those that it sees
    /// there are rows that it copies.
    pub(super) fn deleted(&self, bound: i64) -> Option<i64> {
        self.confirmed.map(|confirmed| confirmed.min(bound))
    }

    /// Which of the rows that are copied stay, beside those that are listed by their place; none if
    /// all are deleted.
    pub(super) fn kept(&self, column: &str, bound: i64) -> Option<String> {
        if self.waits || self.confirmed >= Some(bound) {
            return None;
        }
        Some(match self.mark.max(self.confirmed) {
            Some(above) => format!("({column} > {above} AND {column} <= {bound})"),
            None => format!("{column} <= {bound}"),
        })
    }

    /// Up to where rows are deleted that the lake has; none if the table does not look.
    pub(super) fn released(&self) -> Option<i64> {
        let mark = self.mark.filter(|_| self.by_key)?;
        self.confirmed.map(|confirmed| confirmed.min(mark))
    }

    /// Among which rows that stay there may be some that the lake lacks.
    pub(super) fn held(&self, column: &str) -> Option<String> {
        let mark = self.mark.filter(|mark| self.by_key && self.confirmed < Some(*mark))?;
        Some(match self.confirmed {
            Some(confirmed) => format!("({column} > {confirmed} AND {column} <= {mark})"),
            None => format!("{column} <= {mark}"),
        })
    }
}

/// Which rows of `table` the next flush would move, as SQL, if its watermark were above all of
/// them. It was flushed up to `mark`, and rows up to `confirmed` may be deleted.
pub fn waiting(table: &BufferTable, mark: Option<i64>, confirmed: Option<i64>) -> String {
    Reach::new(table, mark, confirmed).copied(&quoted(&table.sequence), i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(late: Late, retain: bool, mark: Option<i64>, confirmed: Option<i64>) -> Reach {
        let table = BufferTable { name: "t".to_owned(), sequence: "s".to_owned(), late, retain };
        Reach::new(&table, mark, confirmed)
    }

    #[test]
    fn without_a_gate_everything_up_to_the_bound_goes() {
        for late in [Late::Skip, Late::Append] {
            for mark in [None, Some(50), Some(150)] {
                let reach = reach(late, false, mark, Some(i64::MAX));
                assert_eq!(reach.copied("s", 100), "s <= 100");
                assert_eq!((reach.deleted(100), reach.end(100)), (Some(100), Some(100)));
                assert_eq!((reach.kept("s", 100), reach.held("s")), (None, None));
                assert!(!reach.stays() && !reach.keeps(100));
                assert_eq!(reach.released(), mark.filter(|_| late == Late::Skip));
            }
        }
    }

    #[test]
    fn a_retained_table_gives_what_is_above_its_mark_and_loses_nothing() {
        for late in [Late::Skip, Late::Append] {
            let first = reach(late, true, None, Some(i64::MAX));
            assert_eq!((&*first.copied("s", 100), first.kept("s", 100).as_deref()), ("s <= 100", Some("s <= 100")));
            let next = reach(late, true, Some(50), Some(i64::MAX));
            assert_eq!(next.copied("s", 100), "(s > 50 AND s <= 100)");
            assert_eq!(next.kept("s", 100).as_deref(), Some("(s > 50 AND s <= 100)"));
            assert_eq!((next.deleted(100), next.released(), next.end(100)), (None, None, Some(100)));
            assert_eq!(next.held("s").as_deref(), (late == Late::Skip).then_some("s <= 50"));
            assert!(next.keeps(100) && next.stays() == (late == Late::Skip));
        }
    }

    #[test]
    fn a_gate_keeps_what_is_above_it() {
        let below = reach(Late::Skip, false, Some(50), Some(30));
        assert_eq!(below.copied("s", 100), "(s <= 100 AND (s > 50 OR s <= 30))");
        assert_eq!(below.kept("s", 100).as_deref(), Some("(s > 50 AND s <= 100)"));
        assert_eq!((below.deleted(100), below.released()), (Some(30), Some(30)));
        assert_eq!(below.held("s").as_deref(), Some("(s > 30 AND s <= 50)"));
        let within = reach(Late::Skip, false, Some(50), Some(70));
        assert_eq!(within.copied("s", 100), "s <= 100");
        assert_eq!(within.kept("s", 100).as_deref(), Some("(s > 70 AND s <= 100)"));
        assert_eq!((within.deleted(100), within.released(), within.held("s")), (Some(70), Some(50), None));
        assert!(below.keeps(100) && within.keeps(100) && within.stays());
        assert!(!within.keeps(70) && reach(Late::Skip, false, Some(90), Some(80)).keeps(70));
        let nothing = reach(Late::Skip, false, Some(50), None);
        assert_eq!(nothing.copied("s", 100), "(s > 50 AND s <= 100)");
        assert_eq!((nothing.deleted(100), nothing.released()), (None, None));
        assert_eq!(nothing.held("s").as_deref(), Some("s <= 50"));
    }

    #[test]
    fn without_a_key_rows_wait_for_the_gate() {
        let reach_to = |confirmed| reach(Late::Append, false, Some(50), confirmed);
        assert_eq!(reach_to(Some(70)).copied("s", 100), "s <= 70");
        assert_eq!((reach_to(Some(70)).deleted(100), reach_to(Some(70)).end(100)), (Some(70), Some(70)));
        assert_eq!(reach_to(Some(30)).copied("s", 100), "s <= 30", "a gate that went back");
        assert_eq!((&*reach_to(None).copied("s", 100), reach_to(None).end(100)), ("false", None));
        for confirmed in [None, Some(30), Some(70)] {
            assert_eq!((reach_to(confirmed).kept("s", 100), reach_to(confirmed).held("s")), (None, None));
            assert!(!reach_to(confirmed).keeps(100) && !reach_to(confirmed).stays());
        }
    }
}
