//! Which transactions of PostgreSQL are whole in what was seen of the topics, so that a cut parts
//! none. Decisions only: it reads nothing.
//!
//! Debezium writes transactions one after the other, in the order of their commits. So a partition
//! has runs of records, each of one transaction, and a cut may end between two of them. A
//! transaction is *whole* once its end was seen, in the topic of transactions, and as many changes
//! of each table as the end tells. It is *given* once it is whole, and nothing that is not given
//! stands before it in any partition. A step goes up to the records of what was given.
//!
//! Debezium may write records again after it has died. A change that was seen before, by its number
//! within its transaction and table, counts as no change of it, nor does one of a transaction that
//! was given.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use roaring::RoaringBitmap;

use super::kind::name_of;
use super::topics::Topics;

/// For how long changes may be missing that the end of their transaction tells of, in milliseconds,
/// where all that is there was seen: whoever routes, filters or compacts records takes some away.
const MISSING: u64 = 60_000;

/// How many transactions that were given are remembered: what comes again of them is no more than
/// what a connector writes between two of its commits.
const REMEMBERED: usize = 100_000;

/// How far each partition may be handed out next, by its name.
pub type Step = BTreeMap<String, u64>;

/// What a record says of transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing: it goes with what is before it.
    Nothing,
    /// It is a change.
    Change(Change),
    /// A transaction has ended.
    End {
        /// Its number.
        tx: u64,
        /// Where in PostgreSQL's log it was committed (LSN).
        lsn: u64,
        /// How many changes it has, by table as `schema.table`.
        counts: Vec<(String, u64)>,
    },
}

/// A change of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The transaction's number.
    pub(super) tx: u64,
    /// The table, as `schema.table`.
    pub(super) table: String,
    /// Which change of its table within the transaction, from 1.
    pub(super) order: u32,
    /// Where the transaction before it was committed; `None` for the first that a connector has
    /// read.
    pub(super) after: Option<u64>,
}

/// What was seen of the topics.
pub(super) struct Transactions {
    /// Which topics are read, and what those of tables begin with.
    topics: Topics,
    prefix: String,
    places: BTreeMap<String, Place>,
    open: HashMap<u64, Tx>,
    /// Those that were given, and the same in the order in which they were.
    given: HashSet<u64>,
    in_order: VecDeque<u64>,
    /// The topics in which changes of each table were seen.
    tables: HashMap<String, BTreeSet<String>>,
    /// The look that is under way.
    look: u64,
    /// The latest end that was seen in it, and that of the looks before.
    latest: u64,
    latest_before: u64,
}

/// What was seen of a partition.
#[derive(Default)]
struct Place {
    /// The offset that is looked at next.
    next: u64,
    /// Records that are not given, in runs, each up to an offset.
    runs: VecDeque<(Option<u64>, u64)>,
    /// How far it is given.
    given: u64,
    /// Whether changes may have come in it before what is looked at.
    is_resumed: bool,
    /// Whether a change was seen in it.
    has_changes: bool,
    /// The commit that all transactions that are to come in it follow.
    passed: u64,
}

/// A transaction that is not given.
#[derive(Default)]
struct Tx {
    /// The changes that were seen, by table.
    seen: HashMap<String, RoaringBitmap>,
    /// The commit that all of them follow.
    after: Option<u64>,
    /// The partitions with runs of it.
    places: BTreeSet<String>,
    end: Option<End>,
}

struct End {
    lsn: u64,
    counts: Vec<(String, u64)>,
    /// In which look it was seen, and when, on the steady clock.
    look: u64,
    since_ms: u64,
}

impl Transactions {
    /// Nothing was seen yet of these `topics`; those of tables begin with `prefix`.
    pub(super) fn of(topics: Topics, prefix: &str) -> Transactions {
        Transactions {
            topics,
            prefix: prefix.to_owned(),
            places: BTreeMap::new(),
            open: HashMap::new(),
            given: HashSet::new(),
            in_order: VecDeque::new(),
            tables: HashMap::new(),
            look: 0,
            latest: 0,
            latest_before: 0,
        }
    }

    /// Another look begins.
    pub(super) fn begins(&mut self) {
        (self.look, self.latest_before) = (self.look + 1, self.latest);
    }

    /// The offset of a partition that is looked at next, which is `begin` for one that is new. What
    /// is before `earliest` is gone.
    pub(super) fn next(&mut self, name: &str, begin: u64, earliest: u64) -> u64 {
        let place = self.places.entry(name.to_owned()).or_insert_with(|| Place {
            next: begin,
            given: begin,
            is_resumed: begin > 0,
            ..Place::default()
        });
        place.next = place.next.max(earliest);
        place.next
    }

    /// Forgets a partition, whose topic is another one now.
    pub(super) fn forget(&mut self, name: &str) {
        self.places.remove(name);
        for tx in self.open.values_mut() {
            tx.places.remove(name);
        }
    }

    /// A partition was looked at up to an offset, which need not have a record.
    pub(super) fn seen_to(&mut self, name: &str, to: u64) {
        let Some(place) = self.places.get_mut(name) else { return };
        place.next = place.next.max(to);
        if let Some((_, end)) = place.runs.back_mut() {
            *end = place.next;
        }
    }

    /// The record at an offset of a partition says this, at `now_ms` on the steady clock.
    pub(super) fn record(&mut self, name: &str, offset: u64, said: Said, now_ms: u64) {
        let topic = name.rsplit_once('/').map_or(name, |(topic, _)| topic);
        let of = match said {
            Said::Nothing => None,
            Said::End { tx, lsn, counts } => {
                self.latest = self.latest.max(lsn);
                let end = End { lsn, counts, look: self.look, since_ms: now_ms };
                self.open_of(tx).map(|of| {
                    of.end = Some(end);
                    tx
                })
            }
            Said::Change(Change { tx, table, order, after }) => {
                self.tables.entry(table.clone()).or_default().insert(topic.to_owned());
                if let Some(place) = self.places.get_mut(name) {
                    place.passed = place.passed.max(after.unwrap_or_default());
                    place.has_changes = true;
                }
                self.open_of(tx).and_then(|of| {
                    of.after = after.map(|after| of.after.map_or(after, |known| known.max(after)));
                    of.seen.entry(table).or_default().insert(order).then_some(tx)
                })
            }
        };
        let Some(place) = self.places.get_mut(name) else { return };
        match place.runs.back_mut() {
            // It goes with what is before it.
            Some((run, to)) if of.is_none() || *run == of => *to = offset + 1,
            _ => place.runs.push_back((of, offset + 1)),
        }
        place.next = offset + 1;
        if let Some(of) = of.and_then(|tx| self.open.get_mut(&tx)) {
            of.places.insert(name.to_owned());
        }
    }

    /// Gives what is whole. `has_all` says whether all that is there was seen. Returns how far each
    /// partition may be handed out now, in steps of about `size` offsets.
    pub(super) fn steps(&mut self, has_all: bool, now_ms: u64, size: u64) -> Vec<Step> {
        let (mut steps, mut taken) = (Vec::new(), self.given_offsets());
        self.give_free();
        loop {
            let fronts = self.fronts().filter(|one| self.is_whole(*one, has_all, now_ms));
            let whole: Vec<u64> = fronts.map(|(number, _)| number).collect();
            let given = self.given_offsets();
            if given - taken >= size.max(1) || (whole.is_empty() && given > taken) {
                taken = given;
                steps.push(self.places.iter().map(|(name, place)| (name.clone(), place.given)).collect());
            }
            if whole.is_empty() {
                return steps;
            }
            whole.into_iter().for_each(|number| self.give(number));
            self.give_free();
        }
    }

    fn given_offsets(&self) -> u64 {
        self.places.values().map(|place| place.given).sum()
    }

    /// Whether another look may give more, although nothing new comes: it is known what is missing.
    pub(super) fn may_give(&self) -> bool {
        self.fronts().any(|(_, tx)| tx.end.is_some())
    }

    /// A transaction whose end is not known, and that holds up what is behind it.
    pub(super) fn without_end(&self) -> Option<u64> {
        self.fronts().find(|(_, tx)| tx.end.is_none()).map(|(number, _)| number)
    }

    /// How many records wait for the rest of their transactions, in offsets.
    pub(super) fn waiting(&self) -> u64 {
        self.places.values().map(|place| place.next - place.given).sum()
    }

    /// A transaction that is not given; none if it was.
    fn open_of(&mut self, tx: u64) -> Option<&mut Tx> {
        (!self.given.contains(&tx)).then(|| self.open.entry(tx).or_default())
    }

    fn give(&mut self, tx: u64) {
        self.open.remove(&tx);
        self.given.insert(tx);
        self.in_order.push_back(tx);
        if self.in_order.len() > REMEMBERED {
            self.in_order.pop_front().map(|old| self.given.remove(&old));
        }
    }

    /// Gives the records at the front of each partition that wait for nothing.
    fn give_free(&mut self) {
        for place in self.places.values_mut() {
            while let Some((tx, to)) = place.runs.front() {
                if tx.is_some_and(|tx| self.open.contains_key(&tx)) {
                    break;
                }
                place.given = *to;
                place.runs.pop_front();
            }
            if place.runs.is_empty() {
                place.given = place.next;
            }
        }
    }

    /// The transactions before which nothing waits in any partition.
    fn fronts(&self) -> impl Iterator<Item = (u64, &Tx)> {
        let front = |place: &Place| place.runs.front().and_then(|(tx, _)| *tx);
        let fronts: BTreeSet<u64> = self.places.values().filter_map(front).collect();
        let fronts = fronts.into_iter().filter_map(|number| Some((number, self.open.get(&number)?)));
        fronts.filter(move |(number, tx)| {
            let mut places = tx.places.iter().filter_map(|name| self.places.get(name));
            places.all(|place| front(place) == Some(*number))
        })
    }

    fn is_whole(&self, (number, tx): (u64, &Tx), has_all: bool, now_ms: u64) -> bool {
        let Some(end) = &tx.end else {
            // Ends come in the order of commits. Of a transaction whose changes are written again,
            // or whose end was before what is read, none comes any more. Several partitions of the
            // ends' topic may show them in another order for a moment, but not for a look.
            return tx.after.is_some_and(|after| self.latest_before > after);
        };
        let missing = end.counts.iter().filter(|(table, count)| {
            let seen = tx.seen.get(table).map_or(0, RoaringBitmap::len);
            seen < *count && self.is_read(table, end.look) && !self.has_passed(table, end, has_all)
        });
        let missing: Vec<&(String, u64)> = missing.collect();
        if missing.is_empty() {
            return true;
        }
        if !has_all || now_ms.saturating_sub(end.since_ms) < MISSING {
            return false;
        }
        let (table, count) = missing[0];
        let seen = tx.seen.get(table).map_or(0, RoaringBitmap::len);
        tracing::warn!(
            transaction = number,
            table,
            changes = count,
            seen,
            "a transaction lacks changes in the topics that are read, and is landed without them: a filter, a route or \
             compaction may have taken them"
        );
        true
    }

    /// Whether changes of a table come in the topics that are read, if one of them has come, or a
    /// topic is there that is called like it. One that is new need not be seen at once.
    fn is_read(&self, table: &str, since: u64) -> bool {
        if self.tables.contains_key(table) {
            return true;
        }
        let topic = self.called(table);
        self.topics.has(&topic) && (since == self.look || self.places_of(&topic).next().is_some())
    }

    /// The topic that Debezium makes for a table, if nothing routes its changes elsewhere.
    fn called(&self, table: &str) -> String {
        let letter = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
        format!("{}.{}", self.prefix, table.chars().map(letter).collect::<String>())
    }

    /// Whether no more changes of a table are to come of a transaction, because those of later ones
    /// have come in all partitions where the table's come. In one where none has come, they were
    /// before what is looked at, if there is such a time.
    fn has_passed(&self, table: &str, end: &End, has_all: bool) -> bool {
        let was_before = |place: &Place| place.is_resumed && !place.has_changes && has_all && end.look < self.look;
        let called = self.called(table);
        let topics = self.tables.get(table).into_iter().flatten().chain([&called]);
        let mut places = topics.flat_map(|topic| self.places_of(topic)).peekable();
        places.peek().is_some() && places.all(|place| place.passed >= end.lsn || was_before(place))
    }

    fn places_of<'a>(&'a self, topic: &'a str) -> impl Iterator<Item = &'a Place> {
        let is_of = move |name: &str| name.rsplit_once('/').is_some_and(|(of, _)| of == topic);
        let from = self.places.range(name_of(topic, 0)..).take_while(move |(name, _)| name.starts_with(topic));
        from.filter(move |(name, _)| is_of(name)).map(|(_, place)| place)
    }
}

#[cfg(test)]
mod tests;
