//! When nothing comes: for how long that is waited for, and what is said of it.

use std::time::Duration;

use super::range::Range;
use super::reader::Reading;
use crate::error::{StoreError, chain};
use crate::kafka::client::Client;
use crate::kafka::failure::{Outcome, failed, told};
use crate::run::clock::Stopwatch;

/// For how long nothing may come before that is reported.
const QUIET: Duration = Duration::from_secs(15);
/// What is said where nothing is known to be in the way.
const NOTHING: &str = "nothing is known to be in the way: its broker may take long, or all records up to there were \
                       compacted away, which shows when another is written";

/// For how long nothing has come.
pub(super) struct Quiet {
    since: Stopwatch,
    told: Option<Stopwatch>,
    patience: Duration,
    at: u64,
}

impl Quiet {
    pub(super) fn new(patience: Duration) -> Quiet {
        Quiet { since: Stopwatch::start(), told: None, patience, at: 0 }
    }

    /// Reports that nothing comes, and ends the read if that goes on.
    pub(super) fn look(&mut self, client: &Client, range: &Range, reading: &Reading) -> Result<(), StoreError> {
        if reading.next > self.at {
            *self = Quiet { at: reading.next, ..Quiet::new(self.patience) };
            return Ok(());
        }
        let waited = self.since.elapsed();
        if waited < QUIET.min(self.patience)
            || self.told.is_some_and(|told| told.elapsed() < QUIET && waited < self.patience)
        {
            return Ok(());
        }
        let error = in_the_way(client, range, reading, waited);
        if waited >= self.patience {
            return Err(error);
        }
        self.told = Some(Stopwatch::start());
        tracing::warn!(error = %chain(&error), seconds = waited.as_secs(), "nothing comes from Kafka: waiting for it");
        Ok(())
    }
}

/// Why nothing has come for so long. What was met before that is over, because something came.
fn in_the_way(client: &Client, range: &Range, reading: &Reading, waited: Duration) -> StoreError {
    let (at, brokers) = (reading.next, client.brokers());
    let attempt = format!("read {} from offset {at} to {} of Kafka at {brokers}", range.partition, range.to);
    match client.context().met_within(waited).or_else(|| reading.trouble.clone()) {
        Some((code, words)) => failed(attempt, code, &words),
        // librdkafka tells of an end only where records end, so the last offsets may have none.
        None => told(attempt, Outcome::Other, NOTHING, ""),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use rdkafka::ClientContext;
    use rdkafka::error::{KafkaError, RDKafkaErrorCode};

    use super::*;
    use crate::kafka::settings::Settings;
    use crate::protocol::offsets::PartitionId;
    use crate::source::kafka::lanes::Lanes;
    use crate::source::kafka::records::Records;

    #[test]
    fn what_was_in_the_way_is_over_when_records_come() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let client = Client::open(&Settings::new("127.0.0.1:1"), runtime.handle()).expect("a client");
        let (client, partition) = (Arc::new(client), PartitionId::first("t/0"));
        let lanes = Lanes::new(client.clone());
        let range = Range {
            partition,
            topic_id: String::new(),
            from: 0,
            to: 10,
            bytes: 1,
            follows: false,
            is_lost: false,
            settings: Arc::default(),
            catch_up: false,
        };
        let held = runtime.block_on(lanes.hold("t", 0, 0, false));
        let mut reading = Reading::new(held, Records::new("t", 0, 0..10));
        client.context().error(KafkaError::Global(RDKafkaErrorCode::Authentication), "denied hours ago");
        thread::park_timeout(Duration::from_millis(5));
        let text = |reading: &Reading, waited| chain(&in_the_way(&client, &range, reading, waited));
        let waits_longer = text(&reading, Duration::MAX);
        assert!(waits_longer.contains("denied hours ago"), "{waits_longer}");
        // Something has come since then. Nobody runs there, so there may be another reason soon.
        let nothing = text(&reading, Duration::from_micros(1));
        assert!(!nothing.contains("denied"), "{nothing}");
        reading.trouble = Some((RDKafkaErrorCode::LeaderNotAvailable, "an election".to_owned()));
        let trouble = text(&reading, Duration::ZERO);
        assert!(trouble.contains("an election"), "{trouble}");
    }
}
