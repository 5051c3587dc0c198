//! The kind of a source of topics: what marks a place in a partition, and what two pipelines share.
//!
//! A position counts *offsets* that were consumed, over all partitions. Not every offset has a
//! record: where compaction has removed some, where a transaction ended or was aborted, the offsets
//! in between count as consumed all the same.
//!
//! What is not noticed: an unclean election may cut records off that were read, and new ones may
//! take their offsets before anybody looks. No look tells the two apart, because a mark knows no
//! epoch of a leader. Topics whose `min.insync.replicas` is 2 or more, written with `acks=all`, and
//! without unclean elections, lose nothing so.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::Stop;
use crate::kafka::settings::Isolation;
use crate::position::Position;
use crate::protocol::Pending;
use crate::protocol::document::{Origin, Recorded};
use crate::protocol::kind::{self, Kind, TooNew};
use crate::protocol::neighbours::Reading;
use crate::protocol::offsets::{self, PartitionId, Partitions};
use crate::protocol::standing;

/// Records of topics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Topics;

/// Where the next read of each partition starts.
pub type Offsets = offsets::Offsets<Topics>;
/// Where a group of tables stands.
pub type Standing = standing::Standing<Topics>;
/// The version of the rules of this build.
pub const RULES: u32 = 1;

/// What decides which rows a range of offsets becomes.
///
/// ```
/// use lakefront_operators::kafka::settings::Isolation;
/// use lakefront_operators::source::kafka::kind::{RULES, Settings};
///
/// let plain = Settings { rules: RULES, isolation: Isolation::ReadCommitted, tables: Vec::new() };
/// assert_eq!(Settings::default(), plain);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The version of the rules by which records become rows.
    pub rules: u32,
    /// Which records there are.
    #[serde(default)]
    pub isolation: Isolation,
    /// The tables that records become rows of, in claim order. They are found in the records: new
    /// ones come behind those that are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<Keyed>,
}

/// A table that records become rows of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyed {
    /// Its schema and its name in PostgreSQL, with a point between them: its role in the pipeline.
    pub name: String,
    /// The columns that tell its rows apart.
    pub key: Vec<String>,
    /// The database that it is of, if events tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Whether a value that the lake has none for becomes null.
    #[serde(default, skip_serializing_if = "is_not")]
    pub odd_is_null: bool,
    /// Whether a TRUNCATE leaves its rows.
    #[serde(default, skip_serializing_if = "is_not")]
    pub keeps_truncated: bool,
    /// Columns that are texts, whatever PostgreSQL has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<String>,
    /// Whether it has columns that say where each row's last change is from.
    #[serde(default, skip_serializing_if = "is_not")]
    pub metadata: bool,
    /// Whether events of another type or key are rejects, and do not hold it.
    #[serde(default, skip_serializing_if = "is_not")]
    pub rejects_others: bool,
}

fn is_not(flag: &bool) -> bool {
    !*flag
}

/// The role of the table with what became no row.
pub const REJECTS: &str = "rejects";

impl Default for Settings {
    fn default() -> Settings {
        Settings { rules: RULES, isolation: Isolation::default(), tables: Vec::new() }
    }
}

/// How far a partition has been consumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The offset that is read next.
    pub next: u64,
    /// The first offset that was to be read: what is before it was there earlier, or was gone.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub begin: u64,
    /// The id that the cluster has given to the topic, as Kafka's tools show it. A topic that is
    /// created anew has another one. Empty if the cluster gives none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub topic_id: String,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Mark {
    /// How many offsets were consumed.
    pub fn consumed(&self) -> u64 {
        self.next.saturating_sub(self.begin)
    }
}

impl kind::Mark for Mark {
    fn precedes(&self, later: &Mark) -> bool {
        // A cluster that is upgraded begins to give ids.
        let is_same = self.topic_id.is_empty() || self.topic_id == later.topic_id;
        is_same && self.begin == later.begin && self.next <= later.next
    }
}

impl Kind for Topics {
    const NAME: &'static str = "topics";
    type Mark = Mark;
    type Retired = ();
    type Settings = Settings;

    fn sum(partitions: &Partitions<Mark>, (): &()) -> Option<Position> {
        Some(Position(partitions.values().map(Mark::consumed).sum()))
    }

    fn adds_up(lower: &Offsets, higher: &Offsets) -> bool {
        // No partition ever leaves: a name costs less than a doubt.
        lower.partitions.keys().all(|id| higher.partitions.contains_key(id))
    }

    fn has_role(settings: &Settings, role: &str) -> bool {
        role == REJECTS || settings.tables.iter().any(|table| table.name == role)
    }

    fn check(settings: &Settings) -> Result<(), TooNew> {
        match settings.rules <= RULES {
            true => Ok(()),
            false => Err(TooNew { version: settings.rules, known: RULES }),
        }
    }
}

/// Offsets of these partitions, at the position that they add up to.
pub fn summed(partitions: Partitions<Mark>) -> Offsets {
    let position = Topics::sum(&partitions, &()).unwrap_or_default();
    Offsets::new(position, partitions, ())
}

/// What offsets call a partition: the topic and the number, which no topic's name can blur, because
/// none has a slash.
pub fn name_of(topic: &str, partition: i32) -> String {
    format!("{topic}/{partition}")
}

/// The topic and the number of the partition that offsets call so.
pub fn place_of(id: &PartitionId) -> Option<(&str, i32)> {
    let (topic, partition) = id.name.rsplit_once('/')?;
    Some((topic, partition.parse().ok()?))
}

/// The topics that a pipeline reads.
pub struct TopicSource {
    source: String,
    topics: super::topics::Topics,
}

impl TopicSource {
    /// These `topics`, `shown` like this, of the cluster with these `brokers`.
    pub fn new(brokers: &str, shown: &str, topics: super::topics::Topics) -> TopicSource {
        TopicSource { source: format!("{brokers}/{shown}"), topics }
    }
}

impl Reading<Topics> for TopicSource {
    fn source(&self) -> &str {
        &self.source
    }

    fn root(&self) -> &str {
        &self.source
    }

    fn continues(&self, _origin: &Origin) -> Result<(), String> {
        // Brokers move to other hosts and ports, and patterns come to name more topics. Another
        // cluster has other topics, which their ids tell.
        Ok(())
    }

    fn shared<'a>(&'a self, others: &'a [Recorded<Topics>]) -> Pending<'a, Result<Vec<Option<String>>, Stop>> {
        let what = |theirs: &Recorded<Topics>| {
            let read = theirs.standing.offsets.partitions.keys().filter_map(place_of).map(|(topic, _)| topic);
            let both: BTreeSet<&str> = read.filter(|topic| self.topics.has(topic)).collect();
            let both: Vec<&str> = both.into_iter().collect();
            (!both.is_empty()).then(|| format!("topics {}", both.join(", ")))
        };
        let shared = others.iter().map(what).collect();
        Box::pin(async { Ok(shared) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::kind::Mark as _;

    fn at(next: u64, begin: u64, topic_id: &str) -> Mark {
        Mark { next, begin, topic_id: topic_id.to_owned() }
    }

    #[test]
    fn a_position_counts_offsets_from_where_each_partition_began() {
        let partitions = [("t/0", at(70, 50, "a")), ("t/1", at(5, 0, "a"))];
        let offsets = summed(partitions.map(|(name, at)| (PartitionId::first(name), at)).into());
        assert_eq!(offsets.position(), Position(25));
        let json = serde_json::to_string(&offsets).expect("offsets are JSON");
        assert!(json.contains(r#""name":"t/1","generation":1,"next":5,"topic_id":"a""#), "{json}");
        assert_eq!(serde_json::from_str::<Offsets>(&json).expect("our own JSON"), offsets);
    }

    #[test]
    fn another_topic_of_the_same_name_is_not_later() {
        assert!(at(5, 0, "a").precedes(&at(6, 0, "a")));
        assert!(!at(5, 0, "a").precedes(&at(6, 0, "b")));
        assert!(!at(5, 0, "a").precedes(&at(4, 0, "a")));
        assert!(at(5, 0, "").precedes(&at(6, 0, "a")), "the cluster was upgraded in between");
        assert!(!at(5, 0, "a").precedes(&at(6, 0, "")));
    }

    #[test]
    fn settings_are_recorded_by_their_names_in_kafka() {
        let settings = Settings { isolation: Isolation::ReadUncommitted, ..Settings::default() };
        let json = serde_json::to_string(&settings).expect("settings are JSON");
        assert_eq!(json, r#"{"rules":1,"isolation":"read_uncommitted"}"#);
        assert_eq!(serde_json::from_str::<Settings>(&json).expect("our own JSON"), settings);
        assert_eq!(settings.isolation.name(), "read_uncommitted");
        let newer = Settings { rules: RULES + 1, ..settings.clone() };
        assert!(Topics::check(&settings).is_ok() && Topics::check(&newer).is_err());
    }

    #[test]
    fn no_partition_leaves() {
        let both =
            summed([("t/0", at(1, 0, "")), ("t/1", at(2, 0, ""))].map(|(n, m)| (PartitionId::first(n), m)).into());
        let one = summed([(PartitionId::first("t/0"), at(3, 0, ""))].into());
        assert!(!both.precede(&one) && one.position() == Position(3));
    }

    #[test]
    fn a_name_is_a_place() {
        let id = PartitionId::first(name_of("cdc.public.orders-2", 11));
        assert_eq!(place_of(&id), Some(("cdc.public.orders-2", 11)));
        assert_eq!(place_of(&PartitionId::first("x")), None);
    }
}
