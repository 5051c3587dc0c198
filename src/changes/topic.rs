//! Events of a topic: read as a pipeline reads them, and printed.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use lakefront_operators::error::Stop;
use lakefront_operators::fetch::Reader;
use lakefront_operators::format::debezium::{Decoder, Reason, Texts};
use lakefront_operators::kafka::client::Client;
use lakefront_operators::kafka::schemas::SchemaRegistry;
use lakefront_operators::kafka::settings::{Isolation, Settings, check_brokers};
use lakefront_operators::position::Position;
use lakefront_operators::protocol::clock::Clock;
use lakefront_operators::protocol::last_rows::LastRows;
use lakefront_operators::protocol::supply::Supply;
use lakefront_operators::run::clock::SystemClock;
use lakefront_operators::run::memory::{Budget, Parts};
use lakefront_operators::source::kafka::kind::{self, Offsets, Standing};
use lakefront_operators::source::kafka::look::{Watch, failure};
use lakefront_operators::source::kafka::reader::{PATIENCE, TopicReader};
use lakefront_operators::source::kafka::records::{Borrowed, Records};
use lakefront_operators::source::kafka::sizes::Sizes;
use lakefront_operators::source::kafka::supply::{ColdStart, OnLoss, Sight, TopicSupply};
use lakefront_operators::source::kafka::topics::Topics;
use lakefront_operators::web::Service;
use serde_json::json;
use tokio::runtime::Handle;

use super::tally::Tally;
use super::{Failed, print_record, write_line};
use crate::cli::{ChangesArgs, FromOffset};
use crate::exit::Usage;
use crate::{config, runtime};

/// Bytes of records that are read at once, as far as can be known.
const AT_ONCE: u64 = 4 << 20;
/// Between two looks for more.
const POLL: Duration = Duration::from_millis(500);

/// Prints the events of a topic: to the end that each partition has now, or until stopped.
pub(super) fn print(args: &ChangesArgs, topic: &str, out: impl Write, tally: &mut Tally) -> Result<(), Failed> {
    let read = |error: anyhow::Error| Failed::Topic(error);
    let (settings, registry) = settings(args).map_err(read)?;
    let topics = Topics::parse(&[topic]).map_err(|wrong| read(Usage(format!("--topic {wrong}")).into()))?;
    let runtime = runtime::tokio().map_err(read)?;
    runtime.block_on(async {
        let stopped = |stop: Stop| Failed::Topic(stop.into());
        let open = || Client::open(&settings, &Handle::current()).map(Arc::new).map_err(|error| stopped(error.into()));
        let (asks, fetches) = (open()?, open()?);
        let rules = kind::Settings { isolation: settings.isolation, ..kind::Settings::default() };
        let mut watch = Watch::new(asks.clone(), topics, PATIENCE);
        let mut sights = watch.look().await.map_err(stopped)?;
        if sights.is_empty() {
            return Err(Failed::Topic(Usage(format!("no topic matches --topic {topic:?}")).into()));
        }
        let registry = registry.map(|service| SchemaRegistry::new(service, PATIENCE).map(Arc::new)).transpose();
        let registry = registry.map_err(|error| stopped(error.into()))?;
        let reader = TopicReader::new(asks, fetches, Arc::default(), PATIENCE).with_schemas(registry);
        let mut printing = Printing::new(reader, rules, begin(args.from_offset, &sights), out, tally);
        loop {
            printing.all(sights).await?;
            if !args.follow {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
            sights = watch.look().await.map_err(stopped)?;
        }
    })
}

/// How the cluster is reached, and where schemas are.
fn settings(args: &ChangesArgs) -> anyhow::Result<(Settings, Option<Service>)> {
    let brokers = args.brokers.clone().context("clap requires --brokers")?;
    check_brokers(&brokers).map_err(|wrong| Usage(format!("--brokers {wrong}")))?;
    let (security, registry) = args.security.as_deref().map_or(Ok(Default::default()), config::source_of)?;
    let isolation = if args.uncommitted { Isolation::ReadUncommitted } else { Isolation::ReadCommitted };
    Ok((Settings { isolation, security, ..Settings::new(brokers) }, registry))
}

/// Where each partition is begun. None is begun behind its end.
fn begin(from: FromOffset, sights: &[Sight]) -> Offsets {
    match from {
        FromOffset::Earliest => ColdStart::Earliest.offsets(sights),
        FromOffset::Latest => ColdStart::Latest.offsets(sights),
        FromOffset::At(offset) => {
            let at = |sight: &Sight| Sight { earliest: offset.min(sight.end), ..sight.clone() };
            ColdStart::Earliest.offsets(&sights.iter().map(at).collect::<Vec<_>>())
        }
    }
}

/// What reads a topic, and where its events go.
struct Printing<'a, W> {
    reader: TopicReader,
    supply: TopicSupply,
    rules: Arc<kind::Settings>,
    budget: Arc<Budget>,
    decoder: Decoder,
    texts: Texts,
    out: W,
    tally: &'a mut Tally,
}

impl<'a, W: Write> Printing<'a, W> {
    fn new(
        reader: TopicReader,
        rules: kind::Settings,
        begin: Offsets,
        out: W,
        tally: &'a mut Tally,
    ) -> Printing<'a, W> {
        let rules = Arc::new(rules);
        let sizes = Arc::new(Sizes::default());
        let standing = Standing {
            offsets: Arc::new(begin),
            settings: rules.clone(),
            since: Position(0),
            last_rows: LastRows::default(),
        };
        // One piece at a time is in memory, so nothing waits for room.
        let parts = Parts {
            workers: 1,
            groups: 1,
            work: 2 * AT_ONCE,
            beyond: 0,
            in_flight: 1,
            turn: AT_ONCE,
            batches: 0,
            uploads: 0,
        };
        Printing {
            supply: TopicSupply::new(&[standing], sizes.clone(), AT_ONCE, OnLoss::Stop),
            reader,
            rules,
            budget: Budget::new(parts.usual(), parts),
            decoder: Decoder::default(),
            texts: Texts::default(),
            out,
            tally,
        }
    }

    /// Prints everything up to where the partitions were seen to end.
    async fn all(&mut self, sights: Vec<Sight>) -> Result<(), Failed> {
        if let Some((id, loss)) = self.supply.see(sights, SystemClock.steady_ms()).first() {
            return Err(Failed::Topic(failure(id, loss).into()));
        }
        while let Some(range) = self.supply.next(u64::MAX, &self.rules) {
            let mut left = Some(range);
            while let Some(range) = left {
                let read = self.reader.read(&range, &self.budget).await;
                let block = read.map_err(|stop| Failed::Topic(stop.into()))?.block;
                self.print(&block)?;
                left = self.reader.rest(&range, &block);
            }
        }
        self.out.flush().map_err(Failed::Write)
    }

    fn print(&mut self, records: &Records) -> Result<(), Failed> {
        let mut text = String::new();
        for record in records.iter() {
            self.tally.lines += 1;
            text.clear();
            let read = record.debezium(&mut self.texts);
            let printed = read.and_then(|r| print_record(&mut self.decoder, &r, self.tally, &mut text));
            if let Err(reason) = printed {
                self.tally.wrong += 1;
                text = wrong(records, record, &reason);
            }
            write_line(&mut self.out, &mut text).map_err(Failed::Write)?;
        }
        Ok(())
    }
}

/// The line for a record that is no event.
fn wrong(records: &Records, record: Borrowed<'_>, reason: &Reason) -> String {
    let (topic, partition, offset) = (&records.topic, records.partition, record.offset());
    json!({"error": reason.to_string(), "topic": topic, "partition": partition, "offset": offset}).to_string()
}
