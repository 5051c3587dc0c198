//! Where a change comes from: the table, the place in PostgreSQL's log, the transaction.

use std::borrow::Cow;

use super::json::{self, Members};
use super::reason::Reason;

/// A table, by PostgreSQL's own names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table<'a> {
    /// The database.
    pub database: Option<Cow<'a, str>>,
    /// The schema.
    pub schema: Option<Cow<'a, str>>,
    /// The table.
    pub name: Cow<'a, str>,
    /// Whether a name is only the topic's, in which Debezium replaces letters that Kafka does not
    /// allow.
    pub from_topic: bool,
}

/// Whether a row was read by a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Snapshot {
    /// It is a change of the stream.
    #[default]
    No,
    /// The first row of the snapshot.
    First,
    /// The first row of its table.
    FirstInDataCollection,
    /// A row of the snapshot.
    Yes,
    /// The last row of its table.
    LastInDataCollection,
    /// The last row of the snapshot.
    Last,
    /// A row of an incremental snapshot, beside the stream.
    Incremental,
}

impl Snapshot {
    const WORDS: [(&'static str, Snapshot); 7] = [
        ("false", Snapshot::No),
        ("first", Snapshot::First),
        ("first_in_data_collection", Snapshot::FirstInDataCollection),
        ("true", Snapshot::Yes),
        ("last_in_data_collection", Snapshot::LastInDataCollection),
        ("last", Snapshot::Last),
        ("incremental", Snapshot::Incremental),
    ];

    /// Debezium's word.
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, there)| *there == self).map_or("false", |(word, _)| word)
    }

    /// Reads a word, or a boolean, which older versions write.
    fn read(raw: &str) -> Result<Snapshot, Reason> {
        let word = raw.trim_matches('"');
        let found = Self::WORDS.iter().find(|(there, _)| *there == word).map(|(_, snapshot)| *snapshot);
        found.ok_or_else(|| Reason::Unlike { name: "snapshot".to_owned(), expected: "a word that Debezium has for it" })
    }
}

/// The order over partitions of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// Where the last transaction before this one was committed; not known at the beginning.
    pub last_commit_lsn: Option<u64>,
    /// The change's own place.
    pub lsn: Option<u64>,
}

impl Sequence {
    /// Reads the text `["39337112","39337256"]`, in which either may be null.
    fn read(text: &str) -> Result<Sequence, Reason> {
        let unlike = || Reason::Unlike { name: "sequence".to_owned(), expected: "a pair of LSNs" };
        let lsn = |raw: &&str| match *raw {
            "null" => Ok(None),
            raw => raw.trim_matches('"').parse().map(Some).map_err(|_| unlike()),
        };
        match &json::elements(text).map_err(|_| unlike())?[..] {
            [commit, own] => Ok(Sequence { last_commit_lsn: lsn(commit)?, lsn: lsn(own)? }),
            _ => Err(unlike()),
        }
    }
}

/// Where in PostgreSQL's log a change is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The change's LSN. It is not unique, and not monotonic in a topic.
    pub lsn: Option<i64>,
    /// The transaction's number.
    pub tx_id: Option<i64>,
    /// When it was committed, or read by a snapshot, in microseconds.
    pub ts_us: Option<i64>,
    /// Whether a snapshot has read it.
    pub snapshot: Snapshot,
    /// The order over partitions.
    pub sequence: Option<Sequence>,
}

impl Source {
    /// Reads the fields of `members`, each with `prefix` before its name in a place that is common
    /// to Debezium's own block and to `add.fields`.
    pub(super) fn read(members: &Members<'_>, names: &Names) -> Result<Source, Reason> {
        let integer = |names: &[&str]| match names.iter().find(|name| members.some(name).is_some()) {
            Some(name) => members.integer(name),
            None => Ok(None),
        };
        let text = |names: &[&str]| names.iter().find_map(|name| members.some(name));
        let (micros, millis) = (integer(names.ts_us)?, integer(names.ts_ms)?);
        let sequence =
            text(names.sequence).map(|raw| json::text(raw).map_err(|reason| reason.of("sequence"))).transpose()?;
        Ok(Source {
            lsn: integer(names.lsn)?,
            tx_id: integer(names.tx_id)?,
            ts_us: micros.or_else(|| millis.and_then(|millis| millis.checked_mul(1000))),
            snapshot: text(names.snapshot).map(Snapshot::read).transpose()?.unwrap_or_default(),
            sequence: sequence.map(|text| Sequence::read(&text)).transpose()?,
        })
    }
}

/// What the fields of a source are called.
pub(super) struct Names {
    lsn: &'static [&'static str],
    tx_id: &'static [&'static str],
    ts_us: &'static [&'static str],
    ts_ms: &'static [&'static str],
    snapshot: &'static [&'static str],
    sequence: &'static [&'static str],
}

/// The names in an envelope's `source`.
pub(super) const ENVELOPE: Names = Names {
    lsn: &["lsn"],
    tx_id: &["txId"],
    ts_us: &["ts_us"],
    ts_ms: &["ts_ms"],
    snapshot: &["snapshot"],
    sequence: &["sequence"],
};

/// The names that `add.fields` gives them. `ts_ms` alone is when Debezium saw the change, and no
/// substitute.
pub(super) const ADDED: Names = Names {
    lsn: &["__source_lsn", "__lsn"],
    tx_id: &["__source_txId", "__txId"],
    ts_us: &["__source_ts_us"],
    ts_ms: &["__source_ts_ms"],
    snapshot: &["__source_snapshot", "__snapshot"],
    sequence: &["__source_sequence", "__sequence"],
};

/// The transaction, where `provide.transaction.metadata` is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction<'a> {
    /// `txId:lsn`. The LSN differs from event to event: only the number before the colon is the
    /// transaction's.
    pub id: Cow<'a, str>,
    /// Which change of the transaction this is, from 1.
    pub total_order: Option<i64>,
    /// Which change of the transaction in its table.
    pub data_collection_order: Option<i64>,
}

impl<'a> Transaction<'a> {
    pub(super) fn read(raw: &'a str) -> Result<Option<Transaction<'a>>, Reason> {
        let members = Members::read(raw, "transaction")?;
        let Some(id) = members.text("id")? else { return Ok(None) };
        let total_order = members.integer("total_order")?;
        Ok(Some(Transaction { id, total_order, data_collection_order: members.integer("data_collection_order")? }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_snapshots() {
        for (word, snapshot) in Snapshot::WORDS {
            assert_eq!((Snapshot::read(&format!("\"{word}\"")), snapshot.word()), (Ok(snapshot), word));
        }
        assert_eq!(Snapshot::read("true"), Ok(Snapshot::Yes), "as Debezium 1 writes it");
        assert!(Snapshot::read("\"perhaps\"").is_err());
    }

    #[test]
    fn sequences() {
        let pair = |last_commit_lsn, lsn| Ok(Sequence { last_commit_lsn, lsn });
        assert_eq!(Sequence::read("[\"39337112\",\"39337256\"]"), pair(Some(39_337_112), Some(39_337_256)));
        assert_eq!(Sequence::read("[null, \"1\"]"), pair(None, Some(1)));
        for text in ["", "[]", "[\"1\"]", "[\"1\",\"x\"]", "1,2", "[[1],2]"] {
            assert!(Sequence::read(text).is_err(), "{text}");
        }
    }
}
