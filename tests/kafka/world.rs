//! Who writes topics, and who reads them: a producer and an administrator of Kafka's own kind, and
//! the source of records without a pipeline around it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use lakefront_operators::error::{Stop, chain};
use lakefront_operators::fetch::Reader;
use lakefront_operators::kafka::client::Client;
use lakefront_operators::kafka::failure::{Answer, Outcome};
use lakefront_operators::kafka::settings::{Isolation, Settings};
use lakefront_operators::position::Position;
use lakefront_operators::protocol::last_rows::LastRows;
use lakefront_operators::protocol::supply::Supply;
use lakefront_operators::run::memory::{Budget, Parts};
use lakefront_operators::source::kafka::kind::{Offsets, Settings as Rules, Standing};
use lakefront_operators::source::kafka::look::{Watch, failure};
use lakefront_operators::source::kafka::range::Range;
use lakefront_operators::source::kafka::reader::TopicReader;
use lakefront_operators::source::kafka::records::Records;
use lakefront_operators::source::kafka::sizes::Sizes;
use lakefront_operators::source::kafka::supply::{ColdStart, OnLoss, TopicSupply};
use lakefront_operators::source::kafka::topics::Topics;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use tokio::runtime::Runtime;

/// How long Kafka may take for what a test asks of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A name that no other topic of this binary has.
pub(crate) fn topic(stem: &str) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("{stem}-{}", NEXT.fetch_add(1, Relaxed))
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// Creates, changes and deletes topics.
pub(crate) struct Admin {
    client: AdminClient<DefaultClientContext>,
    runtime: Runtime,
}

impl Admin {
    pub(crate) fn new(brokers: &str) -> Admin {
        let client = ClientConfig::new().set("bootstrap.servers", brokers).create().expect("a client");
        Admin { client, runtime: runtime() }
    }

    fn options() -> AdminOptions {
        AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE))
    }

    pub(crate) fn create(&self, topic: &str, partitions: i32, settings: &[(&str, &str)]) {
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        let new = settings.iter().fold(new, |new, (name, value)| new.set(name, value));
        let created = self.runtime.block_on(self.client.create_topics([&new], &Admin::options()));
        assert_eq!(created.expect("an answer"), [Ok(topic.to_owned())]);
    }

    pub(crate) fn delete(&self, topic: &str) {
        let deleted = self.runtime.block_on(self.client.delete_topics(&[topic], &Admin::options()));
        assert_eq!(deleted.expect("an answer"), [Ok(topic.to_owned())]);
    }

    pub(crate) fn grow(&self, topic: &str, partitions: usize) {
        let new = NewPartitions::new(topic, partitions);
        let grown = self.runtime.block_on(self.client.create_partitions([&new], &Admin::options()));
        assert_eq!(grown.expect("an answer"), [Ok(topic.to_owned())]);
    }

    /// Deletes the records of partition 0 below `offset`.
    pub(crate) fn delete_records(&self, topic: &str, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Offset(offset)).expect("an offset");
        let deleted = self.runtime.block_on(self.client.delete_records(&list, &Admin::options()));
        deleted.expect("an answer");
    }
}

/// A record to write.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written<'a> {
    pub(crate) partition: i32,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: Vec<(&'a str, Option<&'a [u8]>)>,
}

/// Writes records.
pub(crate) struct Writer(BaseProducer);

impl Writer {
    pub(crate) fn new(brokers: &str, settings: &[(&str, &str)]) -> Writer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers).set("linger.ms", "5").set("message.max.bytes", "20000000");
        for (name, value) in settings {
            config.set(*name, *value);
        }
        Writer(config.create().expect("a producer"))
    }

    pub(crate) fn send(&self, topic: &str, record: &Written<'_>) {
        let header =
            |headers: OwnedHeaders, (key, value): &(&str, Option<&[u8]>)| headers.insert(Header { key, value: *value });
        loop {
            let mut new: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic).partition(record.partition);
            (new.key, new.payload) = (record.key, record.value);
            if !record.headers.is_empty() {
                new = new.headers(record.headers.iter().fold(OwnedHeaders::new(), header));
            }
            match self.0.send(new) {
                Ok(()) => return,
                Err((error, _)) if error.to_string().contains("QueueFull") => {
                    self.0.poll(PATIENCE / 600);
                }
                Err((error, _)) => panic!("{error}"),
            }
        }
    }

    /// Waits until all records are in Kafka.
    pub(crate) fn flush(&self) {
        self.0.flush(PATIENCE).expect("all records are written");
    }

    /// Writes values with their numbers as keys to one partition.
    pub(crate) fn values(&self, topic: &str, partition: i32, values: impl IntoIterator<Item = String>) {
        for (at, value) in values.into_iter().enumerate() {
            let key = at.to_string();
            let (key, value) = (Some(key.as_bytes()), Some(value.as_bytes()));
            self.send(topic, &Written { partition, key, value, ..Written::default() });
        }
        self.flush();
    }

    /// Begins to write transactions, under an id of its own.
    pub(crate) fn transactional(brokers: &str) -> Writer {
        let writer = Writer::new(brokers, &[("transactional.id", &topic("transactions"))]);
        writer.0.init_transactions(PATIENCE).expect("transactions");
        writer
    }

    pub(crate) fn begin(&self) {
        self.0.begin_transaction().expect("a transaction");
    }

    pub(crate) fn commit(&self) {
        self.0.commit_transaction(PATIENCE).expect("a commit");
    }

    pub(crate) fn abort(&self) {
        self.0.abort_transaction(PATIENCE).expect("an abort");
    }
}

/// A record that was read: partition, offset, key, value.
pub(crate) type Row = (i32, u64, Option<String>, Option<String>);

/// The source of records, without a pipeline.
pub(crate) struct Source {
    pub(crate) client: Arc<Client>,
    pub(crate) supply: TopicSupply,
    pub(crate) reader: Arc<TopicReader>,
    watch: Watch,
    budget: Arc<Budget>,
    /// Ranges that were read, in order; of one that did not fit into its room, each part.
    pub(crate) ranges: Vec<Range>,
    /// What is left of the last range.
    rest: Option<Range>,
    rules: Arc<Rules>,
    /// The time, on a clock of the test's own.
    pub(crate) now_ms: u64,
    /// The most offsets of a range.
    pub(crate) room: u64,
    // The last, because the others wait on it.
    pub(crate) runtime: Runtime,
}

impl Source {
    /// Topics from their beginning, in ranges of at most about so many bytes.
    pub(crate) fn new(settings: &Settings, topics: &[&str], most: u64) -> Result<Source, Stop> {
        let runtime = runtime();
        let open = || Client::open(settings, runtime.handle()).map(Arc::new);
        let clients = [open()?, open()?];
        let mut watch = Watch::new(clients[0].clone(), Topics::parse(topics).expect("topics"), PATIENCE);
        let sights = runtime.block_on(watch.look())?;
        let begin = ColdStart::Earliest.offsets(&sights);
        Ok(Source::over(clients, watch, (begin, settings.isolation), most, OnLoss::Stop, runtime))
    }

    fn over(
        clients: [Arc<Client>; 2],
        watch: Watch,
        (at, isolation): (Offsets, Isolation),
        most: u64,
        on_loss: OnLoss,
        runtime: Runtime,
    ) -> Source {
        let [asks, fetches] = clients;
        let rules = Arc::new(Rules { isolation, ..Rules::default() });
        let (sizes, work) = (Arc::new(Sizes::default()), 32 << 20);
        let parts = Parts { workers: 1, groups: 1, work, beyond: 0, in_flight: 1, turn: work, batches: 0, uploads: 0 };
        let standing = Standing {
            offsets: Arc::new(at),
            settings: rules.clone(),
            since: Position(0),
            last_rows: LastRows::default(),
        };
        Source {
            supply: TopicSupply::new(&[standing], sizes.clone(), most, on_loss),
            reader: Arc::new(TopicReader::new(asks.clone(), fetches, sizes, PATIENCE)),
            client: asks,
            watch,
            budget: Budget::new(parts.usual(), parts),
            ranges: Vec::new(),
            rest: None,
            rules,
            now_ms: 0,
            room: u64::MAX,
            runtime,
        }
    }

    /// The next run: it begins where this one stands.
    pub(crate) fn again(self, settings: &Settings, topics: &[&str], on_loss: OnLoss) -> Source {
        let at = self.supply.offsets().clone();
        drop(self);
        let runtime = runtime();
        let open = || Arc::new(Client::open(settings, runtime.handle()).expect("a client"));
        let clients = [open(), open()];
        let watch = Watch::new(clients[0].clone(), Topics::parse(topics).expect("topics"), PATIENCE);
        Source::over(clients, watch, (at, settings.isolation), 1 << 20, on_loss, runtime)
    }

    /// Looks once.
    pub(crate) fn look(&mut self) -> Result<(), Stop> {
        let sights = self.runtime.block_on(self.watch.look())?;
        self.now_ms += 1000;
        match self.supply.see(sights, self.now_ms).first() {
            Some((id, loss)) => Err(failure(id, loss)),
            None => Ok(()),
        }
    }

    /// The records of the next range, or of what is left of the last one.
    pub(crate) fn next(&mut self) -> Result<Option<Records>, Stop> {
        let next = self.rest.take().or_else(|| self.supply.next(self.room, &self.rules));
        next.map(|range| self.read(range)).transpose()
    }

    /// The records of a range, or of as much of it as there is room for.
    pub(crate) fn read(&mut self, range: Range) -> Result<Records, Stop> {
        let block = self.runtime.block_on(self.reader.read(&range, &self.budget))?.block;
        self.rest = self.reader.rest(&range, &block);
        let to = self.rest.as_ref().map_or(range.to, |rest| rest.from);
        assert_eq!(block.offsets, range.from..to);
        assert!(block.bytes() <= range.bytes || block.len() == 1, "{} of {}", block.bytes(), range.bytes);
        self.ranges.push(Range { to, ..range });
        Ok(block)
    }

    /// The records of ranges that are asked for at once, in this order.
    pub(crate) fn at_once(&self, ranges: &[Range]) -> Vec<Records> {
        let read = |range: &Range| {
            let (reader, budget, range) = (self.reader.clone(), self.budget.clone(), range.clone());
            self.runtime.spawn(async move {
                let (mut parts, mut left) = (Vec::new(), Some(range));
                while let Some(range) = left {
                    let block = reader.read(&range, &budget).await?.block;
                    left = reader.rest(&range, &block);
                    parts.push(block);
                }
                Ok::<_, Stop>(parts)
            })
        };
        let reads: Vec<_> = ranges.iter().map(read).collect();
        let all = reads.into_iter().map(|read| self.runtime.block_on(read).expect("no panic"));
        all.flat_map(|parts| parts.unwrap_or_else(|stop| panic!("{}", chain(&stop)))).collect()
    }

    /// Everything that there is now, and was not read yet.
    pub(crate) fn rest(&mut self) -> Result<Vec<Row>, Stop> {
        self.look()?;
        let mut rows = Vec::new();
        while let Some(records) = self.next()? {
            rows.extend(rows_of(&records));
        }
        Ok(rows)
    }
}

pub(crate) fn rows_of(records: &Records) -> Vec<Row> {
    let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    records.iter().map(|r| (records.partition, r.offset(), text(r.key()), text(r.value()))).collect()
}

/// All records of topics, in ranges of about so many bytes.
pub(crate) fn all(brokers: &str, topics: &[&str], isolation: Isolation, most: u64) -> Vec<Row> {
    let settings = Settings { isolation, ..Settings::new(brokers) };
    let mut source = Source::new(&settings, topics, most).unwrap_or_else(|stop| panic!("{}", chain(&stop)));
    source.rest().unwrap_or_else(|stop| panic!("{}", chain(&stop)))
}

/// What is behind the end of a run, and how it is told.
#[track_caller]
pub(crate) fn outcome<T>(result: Result<T, Stop>) -> (Outcome, String) {
    let Err(stop) = result else { panic!("it has gone well") };
    let text = chain(&stop);
    let Stop::Store(error) = &stop else { panic!("{text}") };
    (Answer::behind(error).unwrap_or_else(|| panic!("{text}")).outcome, text)
}

/// A recorded sample.
pub(crate) fn sample(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/debezium").join(name);
    std::fs::read_to_string(path).expect("a sample")
}
