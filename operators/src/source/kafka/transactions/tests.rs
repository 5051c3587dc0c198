//! What is given, of transactions that come whole, in parts, again, or never.

use proptest::prelude::*;

use super::*;

const ENDS: &str = "cdc.transaction/0";

fn topics() -> Topics {
    Topics::parse(&["cdc.public.*", "cdc.transaction"]).expect("topics")
}

/// Nothing was seen of these partitions, which begin at their first offset, and all is there.
fn over(names: &[&str]) -> Transactions {
    let mut known = Transactions::of(topics(), "cdc", u64::MAX, Some(0));
    known.begins(0, u64::MAX);
    for name in names {
        known.next(name, 0, 0);
        known.seen_to(name, 0, true);
    }
    known
}

fn change(tx: u64, table: &str, order: u32, after: u64) -> Said {
    Said::Change(Change { tx, table: format!("public.{table}"), order, after })
}

fn end(tx: u64, lsn: u64, counts: &[(&str, u64)]) -> Said {
    let counts = counts.iter().map(|(table, count)| (format!("public.{table}"), *count)).collect();
    Said::End(End { tx, lsn, counts })
}

/// How far partitions may go, those that may go at all.
fn step(known: &mut Transactions) -> Vec<(String, u64)> {
    let mut steps = known.steps(true);
    assert!(steps.len() < 2, "{steps:?}");
    steps.pop().unwrap_or_default().into_iter().filter(|(_, to)| *to > 0).collect()
}

fn at(name: &str, to: u64) -> (String, u64) {
    (name.to_owned(), to)
}

#[test]
fn a_transaction_waits_for_its_end_and_for_all_of_its_changes() {
    let mut known = over(&["cdc.public.a/0", "cdc.public.b/0", ENDS]);
    known.record("cdc.public.a/0", 0, change(7, "a", 1, 50));
    assert_eq!((step(&mut known), known.first(), known.may_give()), (vec![], Some((7, None)), false));
    known.record(ENDS, 0, end(7, 60, &[("a", 1), ("b", 1)]));
    assert_eq!(step(&mut known), []);
    assert_eq!((known.first(), known.may_give()), (Some((7, Some("public.b".to_owned()))), true));
    assert_eq!(["cdc.public.a/0", "cdc.public.b/0", ENDS].map(|name| known.is_wanted(name)), [false, true, false]);
    known.record("cdc.public.b/0", 0, change(7, "b", 1, 50));
    assert_eq!(step(&mut known), [at("cdc.public.a/0", 1), at("cdc.public.b/0", 1), at(ENDS, 1)]);
    assert_eq!((known.waiting(), known.may_give(), known.first()), (0, false, None));
}

#[test]
fn what_belongs_to_none_goes_with_what_is_before_it() {
    let mut known = over(&["cdc.public.a/0", ENDS]);
    known.record("cdc.public.a/0", 0, Said::Nothing);
    known.record("cdc.public.a/0", 4, change(7, "a", 1, 50));
    known.record("cdc.public.a/0", 5, Said::Nothing);
    known.seen_to("cdc.public.a/0", 9, true);
    assert_eq!(step(&mut known), [at("cdc.public.a/0", 1)]);
    known.record(ENDS, 0, Said::Nothing);
    known.record(ENDS, 1, end(7, 60, &[("a", 1)]));
    assert_eq!(step(&mut known), [at("cdc.public.a/0", 9), at(ENDS, 2)]);
    // Offsets behind the last record, as where a transaction of Kafka's own ends.
    known.seen_to("cdc.public.a/0", 11, true);
    assert_eq!(step(&mut known), [at("cdc.public.a/0", 11), at(ENDS, 2)]);
}

#[test]
fn transactions_are_given_in_the_order_of_their_ends() {
    let mut known = over(&["cdc.public.a/0", "cdc.public.b/0", ENDS]);
    known.record("cdc.public.b/0", 0, change(8, "b", 1, 60));
    known.record(ENDS, 0, end(7, 60, &[("a", 1)]));
    known.record(ENDS, 1, end(8, 70, &[("b", 1)]));
    assert_eq!(step(&mut known), []);
    known.record("cdc.public.a/0", 0, change(7, "a", 1, 50));
    assert_eq!(step(&mut known), [at("cdc.public.a/0", 1), at("cdc.public.b/0", 1), at(ENDS, 2)]);
}

#[test]
fn what_lies_between_is_given_together() {
    let mut known = over(&["cdc.public.a/0", "cdc.public.b/0", ENDS]);
    // The connector has died within 8, and begins at 7 again.
    known.record("cdc.public.a/0", 0, change(8, "a", 1, 60));
    known.record("cdc.public.a/0", 1, change(7, "a", 1, 50));
    known.record("cdc.public.b/0", 0, change(7, "b", 1, 50));
    known.record(ENDS, 0, end(7, 60, &[("a", 1), ("b", 1)]));
    assert_eq!(step(&mut known), []);
    known.record("cdc.public.a/0", 2, change(8, "a", 1, 60));
    known.record("cdc.public.b/0", 1, change(8, "b", 1, 60));
    known.record(ENDS, 1, end(8, 70, &[("a", 1), ("b", 1)]));
    assert_eq!(step(&mut known), [at("cdc.public.a/0", 3), at("cdc.public.b/0", 2), at(ENDS, 2)]);
}

#[test]
fn changes_that_come_again_are_not_counted_twice() {
    let mut known = over(&["cdc.public.a/0", "cdc.public.a/1", ENDS]);
    known.record("cdc.public.a/0", 0, change(7, "a", 1, 50));
    known.record("cdc.public.a/1", 0, change(7, "a", 2, 50));
    // The connector has died, and begins the transaction again.
    known.record("cdc.public.a/0", 1, change(7, "a", 1, 50));
    known.record(ENDS, 0, end(7, 60, &[("a", 3)]));
    assert_eq!(step(&mut known), []);
    known.record("cdc.public.a/1", 1, change(7, "a", 2, 50));
    known.record("cdc.public.a/1", 2, change(7, "a", 3, 50));
    // An end that counts less is of a part.
    known.record(ENDS, 1, end(7, 60, &[("a", 0)]));
    assert_eq!(step(&mut known), [at("cdc.public.a/0", 2), at("cdc.public.a/1", 3), at(ENDS, 2)]);
    // All of it comes once more: that holds up nothing.
    known.record("cdc.public.a/0", 2, change(7, "a", 1, 50));
    known.record(ENDS, 2, end(7, 60, &[("a", 3)]));
    assert_eq!(step(&mut known), [at("cdc.public.a/0", 3), at("cdc.public.a/1", 3), at(ENDS, 3)]);
}

#[test]
fn a_run_knows_what_has_landed_before_it() {
    let mut known = Transactions::of(topics(), "cdc", u64::MAX, Some(60));
    known.begins(0, u64::MAX);
    known.next("cdc.public.a/0", 500, 0);
    known.next(ENDS, 9, 0);
    known.record("cdc.public.a/0", 500, change(8, "a", 1, 60));
    // What was committed before comes again.
    known.record("cdc.public.a/0", 501, change(7, "a", 1, 50));
    known.record(ENDS, 9, end(7, 60, &[("a", 1), ("b", 1)]));
    known.record("cdc.public.a/0", 502, change(8, "a", 1, 60));
    known.record(ENDS, 10, end(8, 70, &[("a", 1)]));
    assert_eq!(step(&mut known), [at("cdc.public.a/0", 503), at(ENDS, 11)]);
}

#[test]
fn a_transaction_whose_end_is_lost_is_not_waited_for() {
    let mut known = over(&["cdc.public.a/0", ENDS]);
    known.record("cdc.public.a/0", 0, change(7, "a", 1, 50));
    known.record("cdc.public.a/0", 1, change(8, "a", 1, 60));
    assert_eq!(step(&mut known), []);
    known.record(ENDS, 5, end(8, 70, &[("a", 1)]));
    assert_eq!(step(&mut known), [at("cdc.public.a/0", 2), at(ENDS, 6)]);
}

#[test]
fn steps_are_as_long_as_is_wanted_if_transactions_are_short() {
    let mut known = over(&["cdc.public.a/0", ENDS]);
    known.begins(0, 3);
    for tx in 0..6 {
        known.record("cdc.public.a/0", tx, change(tx, "a", 1, tx * 10));
        known.record(ENDS, tx, end(tx, tx * 10 + 10, &[("a", 1)]));
    }
    let steps: Vec<u64> = known.steps(true).iter().map(|step| step[ENDS]).collect();
    assert_eq!(steps, [2, 4, 6]);
    // Rows of a snapshot are of no transaction, and of no longer steps.
    (6..13).for_each(|offset| known.record("cdc.public.a/0", offset, Said::Nothing));
    let steps: Vec<u64> = known.steps(true).iter().map(|step| step["cdc.public.a/0"]).collect();
    assert_eq!(steps, [9, 12, 13]);
}

#[test]
fn tables_that_are_not_read_are_not_waited_for() {
    let mut known = over(&["cdc.public.a/0", ENDS]);
    known.record("cdc.public.a/0", 0, change(7, "a", 1, 50));
    let counts = [("public.a", 1), ("sales.x", 9), ("io.debezium.Message@1", 1)];
    let counts = counts.map(|(table, count)| (table.to_owned(), count)).into();
    known.record(ENDS, 0, Said::End(End { tx: 7, lsn: 60, counts }));
    assert_eq!(step(&mut known), [at("cdc.public.a/0", 1), at(ENDS, 1)]);
}

#[test]
fn a_table_whose_topic_is_new_is_waited_for_but_only_once_if_there_is_none() {
    let mut known = over(&["cdc.public.a/0", ENDS]);
    known.record("cdc.public.a/0", 0, change(7, "a", 1, 50));
    known.record(ENDS, 0, end(7, 60, &[("a", 1), ("new", 1)]));
    assert_eq!(step(&mut known), []);
    known.begins(1, u64::MAX);
    known.next("cdc.public.new/0", 0, 0);
    known.seen_to("cdc.public.new/0", 0, true);
    assert_eq!(step(&mut known), []);
    known.record("cdc.public.new/0", 0, change(7, "new", 1, 50));
    assert_eq!(step(&mut known).len(), 3);
    known.record(ENDS, 1, end(8, 70, &[("none", 1)]));
    known.begins(MISSING, u64::MAX);
    assert_eq!(step(&mut known), []);
    known.begins(MISSING + 1, u64::MAX);
    assert_eq!(step(&mut known).len(), 3);
    known.record(ENDS, 2, end(9, 80, &[("none", 1)]));
    assert_eq!(step(&mut known).len(), 3);
}

#[test]
fn a_topic_that_goes_away_is_not_waited_for_for_ever() {
    let mut known = over(&["cdc.public.a/0", "cdc.public.b/0", ENDS]);
    known.record("cdc.public.a/0", 0, change(7, "a", 1, 50));
    known.record(ENDS, 0, end(7, 60, &[("a", 1), ("b", 1)]));
    known.seen_to("cdc.public.b/0", 0, false);
    let there: BTreeSet<String> = ["cdc.public.a/0", ENDS].map(str::to_owned).into();
    for ms in [10, MISSING] {
        known.begins(ms, u64::MAX);
        known.there(&there);
        assert_eq!(step(&mut known), []);
    }
    known.begins(MISSING + 10, u64::MAX);
    known.there(&there);
    assert_eq!(step(&mut known).len(), 2);
}

/// Another look at `ms`, which finds nothing more, and of `short` not all.
fn look(known: &mut Transactions, ms: u64, short: &[&str]) {
    known.begins(ms, u64::MAX);
    for name in ["cdc.public.a/0", "cdc.public.a/1"] {
        known.seen_to(name, 0, !short.contains(&name));
    }
}

#[test]
fn changes_that_somebody_has_taken_away_are_not_waited_for_for_ever() {
    let mut known = over(&["cdc.public.a/0", "cdc.public.a/1", ENDS]);
    known.record("cdc.public.a/0", 0, change(7, "a", 1, 50));
    known.record(ENDS, 0, end(7, 60, &[("a", 2)]));
    look(&mut known, MISSING - 1, &[]);
    assert_eq!(step(&mut known), []);
    // Nobody knows what is where there is no leader, and it may take its time afterwards.
    look(&mut known, MISSING, &["cdc.public.a/1"]);
    assert_eq!(step(&mut known), []);
    look(&mut known, MISSING + 10, &[]);
    assert_eq!(step(&mut known), []);
    look(&mut known, 2 * MISSING + 10, &[]);
    assert_eq!(step(&mut known), [at("cdc.public.a/0", 1), at(ENDS, 1)]);
    // Or until later ones have come wherever they could.
    known.record("cdc.public.a/0", 1, change(8, "a", 1, 60));
    known.record(ENDS, 1, end(8, 70, &[("a", 2)]));
    known.record("cdc.public.a/0", 2, change(9, "a", 1, 70));
    assert_eq!(step(&mut known), []);
    known.record("cdc.public.a/1", 0, change(9, "a", 2, 70));
    assert_eq!(step(&mut known), [at("cdc.public.a/0", 2), at(ENDS, 2)]);
}

#[test]
fn where_reading_goes_on_in_the_middle_older_ends_mean_nothing() {
    let mut known = Transactions::of(topics(), "cdc", u64::MAX, None);
    known.begins(0, u64::MAX);
    known.next("cdc.public.a/0", 500, 0);
    known.seen_to("cdc.public.a/0", 500, true);
    known.next(ENDS, 0, 0);
    known.record(ENDS, 0, end(7, 60, &[("a", 2)]));
    assert_eq!(step(&mut known), []);
    known.begins(1, u64::MAX);
    assert_eq!(step(&mut known), [at("cdc.public.a/0", 500), at(ENDS, 1)]);
    // Those that come later do.
    known.record(ENDS, 1, end(8, 70, &[("a", 2)]));
    known.begins(2, u64::MAX);
    assert_eq!(step(&mut known), []);
}

/// A record of the model: in which partition, and what it says.
type Sent = (usize, Said);

const PLACES: [&str; 4] = ["cdc.public.a/0", "cdc.public.a/1", "cdc.public.b/0", ENDS];

/// A transaction of the model: the places of its changes, and how often the connector dies within
/// it, with how many transactions it goes back, and behind how many records.
type Transaction = (Vec<usize>, Vec<(usize, usize)>);

/// Transactions as they are sent.
fn sent(transactions: &[Transaction]) -> Vec<Sent> {
    let one = |number: usize, places: &[usize]| {
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
        records
    };
    let lines: Vec<Vec<Sent>> =
        transactions.iter().enumerate().map(|(number, (places, _))| one(number, places)).collect();
    let mut all = Vec::new();
    for (number, (_, deaths)) in transactions.iter().enumerate() {
        for (back, died) in deaths {
            // It dies within this one, and begins again with one before it.
            all.extend(lines[number].iter().take(died % (lines[number].len() + 1)).cloned());
            all.extend(lines[number.saturating_sub(*back)..number].concat());
        }
        all.extend(lines[number].clone());
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// However far each partition shows at each look, whenever the connector dies, and wherever
    /// another run begins, no step parts a transaction, and in the end all are given.
    #[test]
    fn no_step_parts_a_transaction(
        transactions in prop::collection::vec(
            (prop::collection::vec(0_usize..3, 1..5), prop::collection::vec((0_usize..4, 0_usize..6), 0..2)), 1..12),
        shows in prop::collection::vec((prop::collection::vec(0_usize..5, 4), any::<bool>()), 1..40),
    ) {
        let sent = sent(&transactions);
        // Each partition's records, and where the first copy of each change is.
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
        let (mut at, mut shown, mut given) = ([0_usize; 4], [0_usize; 4], [0_u64; 4]);
        let all = std::iter::repeat_n((vec![9; 4], false), sent.len() + 3);
        for (show, is_anew) in shows.into_iter().chain(all) {
            for place in 0..4 {
                shown[place] = lines[place].len().min(shown[place] + show[place]);
            }
            if is_anew {
                // Another run begins where this one has landed, and reads the last end before that.
                let landed = lines[3][..given[3] as usize].iter().filter_map(|said| match said {
                    Said::End(end) => Some(end.lsn),
                    _ => None,
                });
                known = Transactions::of(topics(), "cdc", 1, Some(landed.max().unwrap_or(0)));
                for (name, given) in PLACES.iter().zip(given) {
                    known.next(name, given, 0);
                }
                at = given.map(|given| given as usize);
            }
            known.begins(0, 1);
            for place in 0..4 {
                for (offset, said) in lines[place].iter().enumerate().take(shown[place]).skip(at[place]) {
                    known.record(PLACES[place], offset as u64, (*said).clone());
                }
                at[place] = shown[place];
                known.seen_to(PLACES[place], at[place] as u64, true);
            }
            for step in known.steps(true) {
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
