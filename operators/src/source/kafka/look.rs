//! Looks at topics: which there are, and how far each partition may be read.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;
use tokio::task::spawn_blocking;

use super::scout::{Scout, Scouted};
use super::supply::Sight;
use super::topics::Topics;
use crate::error::{Stop, StoreError, chain};
use crate::kafka::client::Client;
use crate::kafka::failure::{Answer, Loss, Outcome, failed};
use crate::protocol::offsets::PartitionId;
use crate::run::clock::Stopwatch;

/// The pause after a look that has failed.
const PAUSE: Duration = Duration::from_secs(2);

/// Looks at topics while a run lasts.
pub struct Watch {
    client: Arc<Client>,
    topics: Arc<Topics>,
    /// For how long a cluster that was there may be away.
    patience: Duration,
    has_looked: bool,
    /// Partitions that had no leader at the last look.
    without_leader: BTreeSet<(String, i32)>,
    /// What was found lost; the next look reports it.
    pub(super) losses: Vec<(PartitionId, Loss)>,
    /// Who reads ahead, if cuts end between transactions, and how much of what it has found waits.
    scout: Option<Scout>,
    pub(super) waiting: u64,
}

/// What a look has found, and who has read ahead.
pub struct Seen {
    /// The partitions.
    pub(super) sights: Vec<Sight>,
    pub(super) scouted: Scouted,
}

impl Watch {
    /// A watch over `topics`. A cluster that goes away is waited for as long as `patience`.
    pub fn new(client: Arc<Client>, topics: Topics, patience: Duration) -> Watch {
        let (topics, without_leader) = (Arc::new(topics), BTreeSet::new());
        Watch {
            client,
            topics,
            patience,
            has_looked: false,
            without_leader,
            losses: Vec::new(),
            scout: None,
            waiting: 0,
        }
    }

    /// The same, with a scout that reads ahead, so that no cut parts a transaction of PostgreSQL.
    pub fn with_scout(self, scout: Option<Scout>) -> Watch {
        Watch { scout, ..self }
    }

    /// Looks once, and reads ahead if there is a scout.
    ///
    /// # Errors
    /// As [`Watch::look`]; and if a change does not name its transaction.
    pub(super) async fn look_ahead(&mut self) -> Result<Seen, Stop> {
        let sights = self.look().await?;
        let scouted = match &mut self.scout {
            Some(scout) => scout.look(&sights, self.waiting).await?,
            None => Scouted::default(),
        };
        Ok(Seen { sights, scouted })
    }

    /// Looks once. The first look fails if the cluster is not there, or a partition has no leader;
    /// later ones wait for it.
    ///
    /// # Errors
    /// If a topic that is named is not there or may not be read, if brokers refuse us, if the
    /// cluster is away for too long, or if records were found lost.
    pub async fn look(&mut self) -> Result<Vec<Sight>, Stop> {
        if let Some((id, loss)) = self.losses.pop() {
            return Err(failure(&id, &loss));
        }
        let begun = Stopwatch::start();
        loop {
            let (client, topics, is_first) = (self.client.clone(), self.topics.clone(), !self.has_looked);
            let sights = spawn_blocking(move || sights(&client, &topics, is_first)).await;
            match sights.map_err(|error| Stop::Bug(format!("a look at topics has failed: {error}")))? {
                Ok(sights) => {
                    self.has_looked = true;
                    self.tell_without_leader(&sights);
                    return Ok(sights);
                }
                Err(error) if !self.has_looked || !passes(&error) || begun.elapsed() >= self.patience => {
                    return Err(error.into());
                }
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "could not look at topics: trying again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

impl Watch {
    /// Reports partitions that have no leader since the last look.
    fn tell_without_leader(&mut self, sights: &[Sight]) {
        let now = sights.iter().filter(|sight| !sight.has_leader).map(|sight| (sight.topic.clone(), sight.partition));
        let before = std::mem::replace(&mut self.without_leader, now.collect());
        for (topic, partition) in self.without_leader.difference(&before) {
            tracing::warn!(topic, partition, "a partition has no leader: it is read on when it has one");
        }
    }
}

/// Whether a cluster that was there may be there again in a while. One that has let us in before
/// may do so again, too: its certificate is renewed, or who gives us tokens is away.
pub(super) fn passes(error: &StoreError) -> bool {
    let outcome = Answer::behind(error).map(|answer| answer.outcome);
    error.is_transient() || matches!(outcome, Some(Outcome::NotAuthenticated | Outcome::NotTrusted))
}

/// What is lost of a partition, as the end of a run.
pub fn failure(id: &PartitionId, loss: &Loss) -> Stop {
    let (topic, partition) = super::kind::place_of(id).unwrap_or((&id.name, 0));
    loss.failure(topic, partition).into()
}

/// All partitions of the topics, with how far each may be read. A topic that is named must be there
/// the first time; what it means if it goes later, the supply tells. It waits.
fn sights(client: &Client, topics: &Topics, is_first: bool) -> Result<Vec<Sight>, StoreError> {
    let mut names: Vec<String> = topics.names.iter().chain(&topics.later).cloned().collect();
    if topics.has_patterns() {
        names.extend(client.topics()?.into_iter().filter(|name| topics.has(name)));
    }
    names.sort_unstable();
    names.dedup();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut sights = Vec::new();
    for (name, described) in names.iter().zip(client.describe(&names)?) {
        match described {
            Ok(topic) => sights.extend((0..).zip(&topic.partitions).map(|(partition, has_leader)| {
                let (topic, topic_id) = (topic.name.clone(), topic.id.clone());
                // Who begins must know where; the question tells who has no leader.
                Sight { topic, partition, topic_id, has_leader: *has_leader || is_first, earliest: 0, end: 0 }
            })),
            // It was deleted, perhaps since it was listed.
            Err((code, _))
                if Outcome::of(code) == Outcome::UnknownTopic
                    && (!is_first || !topics.names.iter().any(|named| named == name)) => {}
            Err((code, words)) => return Err(refused(client, name, code, &words)),
        }
    }
    let led = sights.iter().filter(|sight| sight.has_leader);
    let places: Vec<(&str, i32)> = led.map(|sight| (sight.topic.as_str(), sight.partition)).collect();
    // The end first: what is deleted in between only moves the beginning.
    let (ends, earliest) = (client.ends(&places)?, client.earliest(&places)?);
    let led = sights.iter_mut().filter(|sight| sight.has_leader);
    for ((sight, end), earliest) in led.zip(ends).zip(earliest) {
        (sight.earliest, sight.end) = (earliest, end);
    }
    Ok(sights)
}

fn refused(client: &Client, name: &str, code: RDKafkaErrorCode, words: &str) -> StoreError {
    failed(format!("look at topic {name:?} of Kafka at {}", client.brokers()), code, words)
}
