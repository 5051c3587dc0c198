//! What is given, of transactions that come whole, in parts, again, or never.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const ENDS: &str = "cdc.transaction/0";

fn topics() -> Topics {
    Topics::parse(&["cdc.public.*", "cdc.transaction"]).expect("topics")
}

/// Nothing was seen of these partitions, which begin at their first offset.
fn over(names: &[&str]) -> Transactions {
    let mut known = Transactions::of(topics(), "cdc");
    known.begins();
    for name in names {
        known.next(name, 0, 0);
    }
    known
}

fn change(tx: u64, table: &str, order: u32, after: u64) -> Said {
    Said::Change(Change { tx, table: format!("public.{table}"), order, after: Some(after) })
}

fn end(tx: u64, lsn: u64, counts: &[(&str, u64)]) -> Said {
    Said::End { tx, lsn, counts: counts.iter().map(|(table, count)| (format!("public.{table}"), *count)).collect() }
}

/// How far partitions may go, those that may go at all.
fn step(known: &mut Transactions, now_ms: u64) -> Vec<(String, u64)> {
    let mut steps = known.steps(true, now_ms, u64::MAX);
    assert!(steps.len() < 2, "{steps:?}");
    steps.pop().unwrap_or_default().into_iter().filter(|(_, to)| *to > 0).collect()
}

fn at(name: &str, to: u64) -> (String, u64) {
    (name.to_owned(), to)
}

#[test]
fn a_transaction_waits_for_its_end_and_for_all_of_its_changes() {
    let mut known = over(&["cdc.public.a/0", "cdc.public.b/0", ENDS]);
    known.record("cdc.public.a/0", 0, change(7, "a", 1, 50), 0);
    assert_eq!((step(&mut known, 0), known.without_end()), (vec![], Some(7)));
    known.record(ENDS, 0, end(7, 60, &[("a", 1), ("b", 1)]), 0);
    assert_eq!((step(&mut known, 0), known.may_give()), (vec![], true));
    known.record("cdc.public.b/0", 0, change(7, "b", 1, 50), 0);
    assert_eq!(step(&mut known, 0), [at("cdc.public.a/0", 1), at("cdc.public.b/0", 1), at(ENDS, 1)]);
    assert_eq!((known.waiting(), known.may_give()), (0, false));
}

#[test]
fn what_belongs_to_none_goes_with_what_is_before_it() {
    let mut known = over(&["cdc.public.a/0", ENDS]);
    known.record("cdc.public.a/0", 0, Said::Nothing, 0);
    known.record("cdc.public.a/0", 4, change(7, "a", 1, 50), 0);
    known.record("cdc.public.a/0", 5, Said::Nothing, 0);
    known.seen_to("cdc.public.a/0", 9);
    assert_eq!(step(&mut known, 0), [at("cdc.public.a/0", 1)]);
    known.record(ENDS, 0, Said::Nothing, 0);
    known.record(ENDS, 1, end(7, 60, &[("a", 1)]), 0);
    assert_eq!(step(&mut known, 0), [at("cdc.public.a/0", 9), at(ENDS, 2)]);
}

#[test]
fn nothing_is_given_before_what_stands_before_it() {
    let mut known = over(&["cdc.public.a/0", "cdc.public.b/0", ENDS]);
    known.record("cdc.public.a/0", 0, change(7, "a", 1, 50), 0);
    known.record("cdc.public.a/0", 1, change(8, "a", 1, 60), 0);
    known.record("cdc.public.b/0", 0, change(8, "b", 1, 60), 0);
    // That of 7 lies in another partition, and shows later.
    known.record(ENDS, 0, end(8, 70, &[("a", 1), ("b", 1)]), 0);
    assert_eq!(step(&mut known, 0), []);
    known.record(ENDS, 1, end(7, 60, &[("a", 1)]), 0);
    assert_eq!(step(&mut known, 0), []);
    // In one partition, ends come in the order of commits. In this one they would stand in each
    // other's way for ever.
    assert!(known.waiting() > 0);
}

#[test]
fn changes_that_come_again_are_not_counted_twice() {
    let mut known = over(&["cdc.public.a/0", "cdc.public.a/1", ENDS]);
    known.record("cdc.public.a/0", 0, change(7, "a", 1, 50), 0);
    known.record("cdc.public.a/1", 0, change(7, "a", 2, 50), 0);
    // The connector has died, and begins the transaction again.
    known.record("cdc.public.a/0", 1, change(7, "a", 1, 50), 0);
    known.record(ENDS, 0, end(7, 60, &[("a", 3)]), 0);
    assert_eq!(step(&mut known, 0), []);
    known.record("cdc.public.a/1", 1, change(7, "a", 2, 50), 0);
    known.record("cdc.public.a/1", 2, change(7, "a", 3, 50), 0);
    assert_eq!(step(&mut known, 0), [at("cdc.public.a/0", 2), at("cdc.public.a/1", 3), at(ENDS, 1)]);
    // All of it comes once more: that holds up nothing.
    known.record("cdc.public.a/0", 2, change(7, "a", 1, 50), 0);
    known.record(ENDS, 1, end(7, 60, &[("a", 3)]), 0);
    assert_eq!(step(&mut known, 0), [at("cdc.public.a/0", 3), at("cdc.public.a/1", 3), at(ENDS, 2)]);
}

#[test]
fn a_transaction_whose_end_was_before_waits_for_none() {
    let mut known = over(&["cdc.public.a/0", ENDS]);
    known.record("cdc.public.a/0", 0, change(7, "a", 1, 50), 0);
    known.record(ENDS, 0, end(8, 70, &[]), 0);
    assert_eq!(step(&mut known, 0), [at(ENDS, 1)]);
    // Another partition of the ends may show it a little later.
    known.begins();
    assert_eq!(step(&mut known, 0), [at("cdc.public.a/0", 1), at(ENDS, 1)]);
}

#[test]
fn steps_are_as_long_as_is_wanted_if_transactions_are_short() {
    let mut known = over(&["cdc.public.a/0", ENDS]);
    for tx in 0..6 {
        known.record("cdc.public.a/0", tx, change(tx, "a", 1, 50), 0);
        known.record(ENDS, tx, end(tx, 60, &[("a", 1)]), 0);
    }
    let steps: Vec<u64> = known.steps(true, 0, 3).iter().map(|step| step[ENDS]).collect();
    assert_eq!(steps, [2, 4, 6]);
}

#[test]
fn tables_that_are_not_read_are_not_waited_for() {
    let mut known = over(&["cdc.public.a/0", ENDS]);
    known.record("cdc.public.a/0", 0, change(7, "a", 1, 50), 0);
    let foreign = Said::End {
        tx: 7,
        lsn: 60,
        counts: vec![("public.a".to_owned(), 1), ("sales.x".to_owned(), 9), ("io.debezium.Message@1".to_owned(), 1)],
    };
    known.record(ENDS, 0, foreign, 0);
    assert_eq!(step(&mut known, 0), [at("cdc.public.a/0", 1), at(ENDS, 1)]);
}

#[test]
fn a_table_whose_topic_is_new_is_waited_for_until_the_next_look() {
    let mut known = over(&["cdc.public.a/0", ENDS]);
    known.record("cdc.public.a/0", 0, change(7, "a", 1, 50), 0);
    known.record(ENDS, 0, end(7, 60, &[("a", 1), ("new", 1)]), 0);
    assert_eq!(step(&mut known, 0), []);
    known.begins();
    known.next("cdc.public.new/0", 0, 0);
    assert_eq!(step(&mut known, 0), []);
    known.record("cdc.public.new/0", 0, change(7, "new", 1, 50), 0);
    assert_eq!(step(&mut known, 0).len(), 3);
}

#[test]
fn changes_that_somebody_has_taken_away_are_not_waited_for_for_ever() {
    let mut known = over(&["cdc.public.a/0", "cdc.public.a/1", ENDS]);
    known.record("cdc.public.a/0", 0, change(7, "a", 1, 50), 0);
    known.record(ENDS, 0, end(7, 60, &[("a", 2)]), 1_000);
    assert_eq!(step(&mut known, 1_000 + MISSING - 1), []);
    assert!(known.steps(false, 1_000 + MISSING, 1).is_empty(), "not all was seen");
    assert_eq!(step(&mut known, 1_000 + MISSING), [at("cdc.public.a/0", 1), at(ENDS, 1)]);
    // Or until later ones have come wherever they could.
    known.record("cdc.public.a/0", 1, change(8, "a", 1, 60), 0);
    known.record(ENDS, 1, end(8, 70, &[("a", 2)]), 0);
    known.record("cdc.public.a/0", 2, change(9, "a", 1, 70), 0);
    assert_eq!(step(&mut known, 0), []);
    known.record("cdc.public.a/1", 0, change(9, "a", 2, 70), 0);
    assert_eq!(step(&mut known, 0), [at("cdc.public.a/0", 2), at(ENDS, 2)]);
}

#[test]
fn where_reading_goes_on_in_the_middle_older_ends_mean_nothing() {
    let mut known = Transactions::of(topics(), "cdc");
    known.begins();
    known.next("cdc.public.a/0", 500, 0);
    known.next(ENDS, 0, 0);
    known.record(ENDS, 0, end(7, 60, &[("a", 2)]), 0);
    assert_eq!(step(&mut known, 0), []);
    known.begins();
    assert_eq!(step(&mut known, 0), [at("cdc.public.a/0", 500), at(ENDS, 1)]);
}

/// A record of the model: in which partition, and what it says.
type Sent = (usize, Said);

const PLACES: [&str; 4] = ["cdc.public.a/0", "cdc.public.a/1", "cdc.public.b/0", ENDS];

/// Transactions as they are sent: the places of the changes of each, and how often the connector
/// dies within it, after so many records.
fn sent(transactions: &[(Vec<usize>, Vec<usize>)]) -> Vec<Sent> {
    let mut all = Vec::new();
    for (number, (places, deaths)) in transactions.iter().enumerate() {
        let (tx, lsn) = (number as u64 + 1, number as u64 * 10 + 10);
        let (mut counts, mut records) = (BTreeMap::new(), Vec::new());
        for place in places {
            let table = if *place < 2 { "a" } else { "b" };
            let count = counts.entry(table).or_insert(0);
            *count += 1;
            records.push((*place, change(tx, table, *count, lsn - 10)));
        }
        let counts: Vec<(&str, u64)> = counts.into_iter().map(|(table, count)| (table, count.into())).collect();
        records.push((3, end(tx, lsn, &counts)));
        deaths.iter().for_each(|died| all.extend(records.iter().take(died % (records.len() + 1)).cloned()));
        all.extend(records);
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// However far each partition shows at each look, no step parts a transaction, and in the end
    /// all are given.
    #[test]
    fn no_step_parts_a_transaction(
        transactions in prop::collection::vec(
            (prop::collection::vec(0_usize..3, 1..5), prop::collection::vec(0_usize..6, 0..2)), 1..12),
        shows in prop::collection::vec(prop::collection::vec(0_usize..5, 4), 1..40),
    ) {
        let sent = sent(&transactions);
        // Each partition's records, and of which transaction each is the first copy of a change.
        let mut lines: Vec<Vec<&Said>> = vec![Vec::new(); 4];
        let mut firsts: BTreeMap<u64, Vec<(usize, u64)>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for (place, said) in &sent {
            if let Said::Change(Change { tx, table, order, .. }) = said
                && seen.insert((*tx, table.clone(), *order))
            {
                firsts.entry(*tx).or_default().push((*place, lines[*place].len() as u64));
            }
            lines[*place].push(said);
        }
        let mut known = over(&PLACES);
        let mut at = [0_usize; 4];
        let mut given = [0_u64; 4];
        let all = std::iter::repeat_n(vec![9; 4], sent.len() + 3);
        for show in shows.into_iter().chain(all) {
            known.begins();
            for place in 0..4 {
                let to = lines[place].len().min(at[place] + show[place]);
                for (offset, said) in lines[place].iter().enumerate().take(to).skip(at[place]) {
                    known.record(PLACES[place], offset as u64, (*said).clone(), 0);
                }
                known.seen_to(PLACES[place], to as u64);
                at[place] = to;
            }
            for step in known.steps(true, 0, 1) {
                given = PLACES.map(|name| step[name]);
                for (tx, changes) in &firsts {
                    let is_given = |(place, offset): &(usize, u64)| given[*place] > *offset;
                    let count = changes.iter().filter(|change| is_given(change)).count();
                    prop_assert!(count == 0 || count == changes.len(), "{tx}: {count} of {changes:?} at {given:?}");
                }
            }
        }
        prop_assert_eq!(given.map(|to| to as usize), [0, 1, 2, 3].map(|place| lines[place].len()));
    }
}
