//! Which transactions of PostgreSQL are whole in what was seen of the topics, so that a cut parts
//! none. Decisions only: it reads nothing.
//!
//! Debezium writes transactions one after the other, in the order of their commits, and the end of
//! each, with how many changes it has of each table, into a topic of one partition. So ends have an
//! order, and a partition of a table has runs of records, each of one transaction. A transaction is
//! *whole* once its end was seen and all of its changes. It is *given* once it is whole, and so are
//! all that were committed before it. A step goes up to the records of what was given, and a cut
//! may end between two steps.
//!
//! Debezium may write records again after it has died. What was committed before the last one that
//! was given is known, and such records go with what is before them; so does a change that was seen
//! before, by its number within its transaction and table.

mod place;
mod said;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use roaring::RoaringBitmap;

use self::place::{Place, Run, Seen};
pub(super) use self::said::{Change, End, Said};
use super::kind::name_of;
use super::topics::Topics;

/// For how long changes may be missing that the end of their transaction tells of, while nothing
/// more is there where they could be, in milliseconds: whoever routes, filters or compacts records
/// takes some away, and a broker may be away for minutes.
const MISSING: u64 = 300_000;

/// How far each partition may be handed out next, by its name.
pub type Step = BTreeMap<String, u64>;

/// What was seen of the topics.
pub(super) struct Transactions {
    /// Which topics are read, and what those of tables begin with.
    topics: Topics,
    prefix: String,
    /// The offsets of a step, about.
    size: u64,
    places: BTreeMap<String, Place>,
    /// Of each transaction that is not given, what was seen.
    open: HashMap<u64, Tx>,
    /// The ends of transactions that are not given, in order, with when each was seen.
    ends: VecDeque<(End, Seen)>,
    /// The last commit that was given.
    landed: u64,
    /// The topics in which changes of each table were seen.
    tables: HashMap<String, BTreeSet<String>>,
    /// Tables that were waited for in vain, because no topic has them.
    absent: HashSet<String>,
    /// The transaction that all others wait for.
    blocked: Option<u64>,
    /// The look that is under way.
    look: Seen,
    /// Whether it is known what has landed. If not, ends up to the first look that has seen all
    /// that was there may be of it.
    knows_landed: bool,
    first_whole: Option<u64>,
}

/// What was seen of a transaction.
#[derive(Default)]
struct Tx {
    /// Its changes, by table.
    seen: HashMap<String, RoaringBitmap>,
    /// The commit that it follows.
    after: u64,
    /// The last offset of it in each partition.
    last: BTreeMap<String, u64>,
    /// Whether its end was seen.
    has_ended: bool,
}

impl Transactions {
    /// Nothing was seen yet of these `topics`; those of tables begin with `prefix`. Steps have
    /// about `size` offsets. All up to the commit at `landed` has landed before; if that is not
    /// known, ends may be of what has.
    pub(super) fn of(topics: Topics, prefix: &str, size: u64, landed: Option<u64>) -> Transactions {
        Transactions {
            topics,
            prefix: prefix.to_owned(),
            size: size.max(1),
            places: BTreeMap::new(),
            open: HashMap::new(),
            ends: VecDeque::new(),
            landed: landed.unwrap_or_default(),
            tables: HashMap::new(),
            absent: HashSet::new(),
            blocked: None,
            look: Seen::default(),
            knows_landed: landed.is_some(),
            first_whole: None,
        }
    }

    /// The topic with the ends.
    pub(super) fn ends_topic(&self) -> String {
        format!("{}.transaction", self.prefix)
    }

    /// Another look begins, at `now_ms` on the steady clock.
    pub(super) fn begins(&mut self, now_ms: u64, size: u64) {
        self.look = Seen { look: self.look.look + 1, ms: now_ms };
        self.size = size.max(1);
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

    /// Forgets a partition, whose topic is another one now. What was seen in it counts no more.
    pub(super) fn forget(&mut self, name: &str) {
        self.places.remove(name);
        for tx in self.open.values_mut() {
            if tx.last.remove(name).is_some() {
                tx.seen.clear();
            }
        }
    }

    /// A partition was looked at up to an offset, which need not have a record. `is_whole` says
    /// whether that is all that was there.
    pub(super) fn seen_to(&mut self, name: &str, to: u64, is_whole: bool) {
        let look = self.look;
        let Some(place) = self.places.get_mut(name) else { return };
        place.next = place.next.max(to);
        if let Some(run) = place.runs.back_mut() {
            run.to = place.next;
        }
        place.whole_since = is_whole.then(|| place.whole_since.unwrap_or(look));
    }

    /// Only these partitions are there: of others, nothing more comes.
    pub(super) fn there(&mut self, names: &BTreeSet<String>) {
        let look = self.look;
        for (_, place) in self.places.iter_mut().filter(|(name, _)| !names.contains(*name)) {
            place.whole_since.get_or_insert(look);
        }
    }

    /// The record at an offset of a partition says this.
    pub(super) fn record(&mut self, name: &str, offset: u64, said: Said) {
        let topic = name.rsplit_once('/').map_or(name, |(topic, _)| topic);
        let of = match said {
            Said::Nothing => None,
            Said::End(end) => self.end(end),
            Said::Change(change) => {
                self.tables.entry(change.table.clone()).or_default().insert(topic.to_owned());
                if let Some(place) = self.places.get_mut(name) {
                    (place.passed, place.has_changes) = (place.passed.max(change.after), true);
                }
                self.change(change)
            }
        };
        let Some(place) = self.places.get_mut(name) else { return };
        let size = self.size;
        match place.runs.back_mut() {
            Some(run) if run.tx == of && of.is_some() => run.to = offset + 1,
            // It goes with what is before it. What belongs to none is given in steps, too.
            Some(run) if of.is_none() && (run.tx.is_some() || offset - run.from < size) => run.to = offset + 1,
            _ => place.runs.push_back(Run { tx: of, from: offset, to: offset + 1 }),
        }
        place.next = offset + 1;
        if let Some(of) = of.and_then(|tx| self.open.get_mut(&tx)) {
            of.last.insert(name.to_owned(), offset);
        }
    }

    /// The transaction that an end is of, if that is not given, and was not known to have ended.
    fn end(&mut self, end: End) -> Option<u64> {
        if end.lsn <= self.landed {
            return None;
        }
        let of = self.open.entry(end.tx).or_default();
        if !std::mem::replace(&mut of.has_ended, true) {
            let tx = end.tx;
            self.ends.push_back((end, self.look));
            return Some(tx);
        }
        // A connector that goes on within a transaction may count what is left of it.
        let (known, _) = self.ends.iter_mut().rfind(|(known, _)| known.tx == end.tx)?;
        for (table, count) in end.counts {
            match known.counts.iter_mut().find(|(of, _)| *of == table) {
                Some((_, known)) => *known = count.max(*known),
                None => known.counts.push((table, count)),
            }
        }
        None
    }

    /// The transaction that a change is of, if that is not given, and the change is new.
    fn change(&mut self, Change { tx, table, order, after }: Change) -> Option<u64> {
        if after < self.landed {
            return None;
        }
        let of = self.open.entry(tx).or_default();
        of.after = of.after.max(after);
        of.seen.entry(table).or_default().insert(order).then_some(tx)
    }

    /// Gives what is whole. `has_all` says whether all that is there was seen. Returns how far each
    /// partition may be handed out now, in steps.
    pub(super) fn steps(&mut self, has_all: bool) -> Vec<Step> {
        if has_all {
            self.first_whole.get_or_insert(self.look.look);
        }
        self.drop_endless();
        let mut steps = Steps { all: Vec::new(), waits: 0 };
        let names: Vec<String> = self.places.keys().cloned().collect();
        names.iter().for_each(|name| self.give_free(name, &mut steps));
        loop {
            let count = match self.whole() {
                Ok(count) => count,
                Err(blocked) => {
                    self.blocked = blocked;
                    break;
                }
            };
            let mut last: BTreeMap<String, u64> = BTreeMap::new();
            for (end, _) in self.ends.drain(..count) {
                self.landed = self.landed.max(end.lsn);
                for (name, offset) in self.open.remove(&end.tx).into_iter().flat_map(|tx| tx.last) {
                    let known = last.entry(name).or_default();
                    *known = offset.max(*known);
                }
            }
            // All of what belongs together, before a step may end.
            for (name, offset) in &last {
                let Some(place) = self.places.get_mut(name) else { continue };
                while place.runs.front().is_some_and(|run| run.from <= *offset) {
                    steps.waits += place.give();
                }
            }
            last.keys().for_each(|name| self.give_free(name, &mut steps));
        }
        if steps.waits > 0 {
            steps.all.push(self.step());
        }
        steps.all
    }

    fn step(&self) -> Step {
        self.places.iter().map(|(name, place)| (name.clone(), place.given)).collect()
    }

    /// How many records wait for the rest of their transactions, in offsets.
    pub(super) fn waiting(&self) -> u64 {
        self.places.values().map(|place| place.next - place.given).sum()
    }

    /// The transaction that all others wait for: its number, and a table of which it lacks changes,
    /// if its end is known.
    pub(super) fn first(&self) -> Option<(u64, Option<String>)> {
        if let Some(tx) = self.blocked {
            let table = self.end_of(tx).and_then(|end| self.missing(end).next());
            return Some((tx, table.map(str::to_owned)));
        }
        let of_run = |place: &Place| place.runs.front().and_then(|run| run.tx);
        self.places.values().find_map(of_run).map(|tx| (tx, None))
    }

    /// Whether it is known what is missing, so that time alone may tell that it does not come.
    pub(super) fn may_give(&self) -> bool {
        self.blocked.is_some_and(|tx| self.open.get(&tx).is_some_and(|tx| tx.has_ended))
    }

    fn end_of(&self, tx: u64) -> Option<&End> {
        self.ends.iter().map(|(end, _)| end).find(|end| end.tx == tx)
    }

    /// Whether changes may come in a partition that others wait for.
    pub(super) fn is_wanted(&self, name: &str) -> bool {
        let Some(end) = self.blocked.and_then(|tx| self.end_of(tx)) else { return false };
        let topic = name.rsplit_once('/').map_or(name, |(topic, _)| topic);
        self.missing(end).any(|table| self.called(table) == topic || self.is_in(table, topic))
    }

    /// Ends come in the order of commits. Of a transaction whose end is missing behind a later one,
    /// none comes any more: the topic of ends has lost it.
    fn drop_endless(&mut self) {
        let Some(latest) = self.ends.back().map(|(end, _)| end.lsn).or(Some(self.landed)) else { return };
        self.open.retain(|_, of| of.after >= latest || of.has_ended);
    }

    /// Gives the records at the front of a partition that wait for nothing.
    fn give_free(&mut self, name: &str, steps: &mut Steps) {
        loop {
            if steps.waits >= self.size {
                steps.waits = 0;
                steps.all.push(self.step());
            }
            let (open, Some(place)) = (&self.open, self.places.get_mut(name)) else { return };
            let is_free = |run: &Run| run.tx.is_none_or(|tx| !open.contains_key(&tx));
            match place.runs.front() {
                Some(run) if is_free(run) => steps.waits += place.give(),
                Some(_) => return,
                None => {
                    // No record is at these offsets.
                    steps.waits += place.next - place.given;
                    place.given = place.next;
                    return;
                }
            }
        }
    }

    /// How many of the first transactions can be given together: one, if nothing of others lies
    /// between its records. Or else the one that is waited for, if there is any.
    fn whole(&mut self) -> Result<usize, Option<u64>> {
        let (mut count, mut at) = (1, 0);
        while at < count {
            let Some((end, seen)) = self.ends.get(at).cloned() else { return Err(None) };
            if !self.is_whole(&end, seen) {
                return Err(Some(end.tx));
            }
            let last = self.open.get(&end.tx).into_iter().flat_map(|tx| &tx.last);
            for (name, offset) in last {
                let runs = self.places.get(name).into_iter().flat_map(|place| &place.runs);
                for tx in runs.take_while(|run| run.from <= *offset).filter_map(|run| run.tx) {
                    match self.open.get(&tx) {
                        Some(of) if !of.has_ended => return Err(Some(tx)),
                        Some(_) => {
                            let place = self.ends.iter().position(|(end, _)| end.tx == tx);
                            count = count.max(place.map_or(0, |place| place + 1));
                        }
                        None => {}
                    }
                }
            }
            at += 1;
        }
        Ok(count)
    }

    fn is_whole(&mut self, end: &End, seen: Seen) -> bool {
        let missing: Vec<String> = self.missing(end).map(str::to_owned).collect();
        let mut has_waited = false;
        for table in &missing {
            match self.comes(table, end, seen) {
                Comes::No => {}
                Comes::Perhaps => return false,
                Comes::NotInTime => {
                    has_waited = true;
                    // Once is enough of what no topic has.
                    if !self.tables.contains_key(table) {
                        self.absent.insert(table.clone());
                    }
                }
            }
        }
        if has_waited {
            tracing::warn!(
                transaction = end.tx,
                tables = missing.join(", "),
                "a transaction lacks changes in the topics that are read, and is landed without them: a filter, a route or \
                 compaction may have taken them"
            );
        }
        true
    }

    /// The tables of which changes are missing that are read.
    fn missing<'a>(&'a self, end: &'a End) -> impl Iterator<Item = &'a str> {
        let seen = move |table: &String| {
            self.open.get(&end.tx).and_then(|tx| tx.seen.get(table)).map_or(0, RoaringBitmap::len)
        };
        let missing = end.counts.iter().filter(move |(table, count)| seen(table) < *count);
        missing.map(|(table, _)| table.as_str()).filter(|table| self.is_read(table))
    }

    /// Whether changes of a table come in the topics that are read.
    fn is_read(&self, table: &str) -> bool {
        self.tables.contains_key(table) || (self.topics.has(&self.called(table)) && !self.absent.contains(table))
    }

    /// Whether changes that are missing of a table may still come.
    fn comes(&self, table: &str, end: &End, seen: Seen) -> Comes {
        let called = self.called(table);
        let topics = self.tables.get(table).into_iter().flatten().chain([&called]);
        let places: Vec<&Place> = topics.flat_map(|topic| self.places_of(topic)).collect();
        let is_old = !self.knows_landed && self.first_whole.is_none_or(|first| seen.look <= first);
        if places.is_empty() {
            // The topic is so new that no look has found it yet, or it is not there.
            return if self.look.ms - seen.ms < MISSING { Comes::Perhaps } else { Comes::NotInTime };
        }
        let mut comes = Comes::No;
        for place in places.into_iter().filter(|place| place.passed < end.lsn) {
            let Some(whole_since) = place.whole_since else { return Comes::Perhaps };
            // They were before what is looked at.
            if is_old && place.is_resumed && !place.has_changes && seen.look < self.look.look {
                continue;
            }
            if self.look.ms - whole_since.ms.max(seen.ms) < MISSING {
                return Comes::Perhaps;
            }
            comes = Comes::NotInTime;
        }
        comes
    }

    /// The topic that Debezium makes for a table, if nothing routes its changes elsewhere.
    fn called(&self, table: &str) -> String {
        let letter = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
        format!("{}.{}", self.prefix, table.chars().map(letter).collect::<String>())
    }

    fn is_in(&self, table: &str, topic: &str) -> bool {
        self.tables.get(table).is_some_and(|topics| topics.contains(topic))
    }

    fn places_of<'a>(&'a self, topic: &'a str) -> impl Iterator<Item = &'a Place> {
        let is_of = move |name: &str| name.rsplit_once('/').is_some_and(|(of, _)| of == topic);
        let from = self.places.range(name_of(topic, 0)..).take_while(move |(name, _)| name.starts_with(topic));
        from.filter(move |(name, _)| is_of(name)).map(|(_, place)| place)
    }
}

/// Steps that were found, and how many offsets were given since the last of them.
struct Steps {
    all: Vec<Step>,
    waits: u64,
}

/// Whether changes come that are missing.
enum Comes {
    /// Later ones have come wherever they could be, or they were before what is looked at.
    No,
    /// Nothing tells.
    Perhaps,
    /// They should have come by now.
    NotInTime,
}

#[cfg(test)]
mod tests;
