//! A client of a cluster: it lists topics, says how far each partition may be read, and assigns
//! partitions to itself. Nothing of a consumer group decides what it reads.
//!
//! All requests wait, so they are called where waiting is allowed.

use std::collections::HashSet;
use std::fs::File;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::runtime::Handle;

use super::context::{self, Context};
use super::failure::{Outcome, failed, told};
use super::native::topics::{self, Described, Refused};
use super::settings::{Isolation, Sasl, Security, Settings, check_brokers};
use super::tokens::Tokens;
use crate::error::StoreError;
use crate::run::clock::Stopwatch;

/// How long one request may take. A broker that is there answers in milliseconds.
const REQUEST: Duration = Duration::from_secs(10);
/// How long the first try of a request may take, before it is looked what is in its way.
const SLICE: Duration = Duration::from_millis(500);
/// Idle connections are closed before Event Hubs closes them after 240 s, and before load balancers
/// forget them.
const IDLE: &str = "180000";
/// The group of who names none: librdkafka assigns no partitions without one. Nothing is committed
/// to it.
const NO_GROUP: &str = "lakefront";

/// Bytes of records of one partition that are fetched before somebody asks for them, beside one
/// answer of a broker.
pub(crate) const PREFETCH: usize = 2 << 20;

/// A partition of a topic.
pub(crate) type Place<'a> = (&'a str, i32);

/// A client, and the thread that listens to what librdkafka tells by itself.
pub struct Client {
    pub(crate) consumer: Arc<BaseConsumer<Context>>,
    brokers: String,
    isolation: Isolation,
    has_group: bool,
    /// Partitions whose broker was looked for.
    found: Mutex<HashSet<(String, i32)>>,
    listener: Option<JoinHandle<()>>,
}

impl Client {
    /// Sets up a client. Nothing is sent until it is asked for something. Tokens, if it needs some,
    /// are asked for on `runtime`.
    ///
    /// # Errors
    /// If librdkafka does not take the settings: a file is not there, or does not hold what it
    /// should. If the brokers are no hosts with ports.
    pub fn open(settings: &Settings, runtime: &Handle) -> Result<Client, StoreError> {
        check_brokers(&settings.brokers)
            .map_err(|wrong| StoreError::definite("set up a client of Kafka", format!("brokers {wrong}")))?;
        let tokens = Tokens::for_client(settings, runtime)?;
        readable(&settings.security)?;
        let consumer: BaseConsumer<Context> = configured(settings)
            .create_with_context(Context::new(tokens))
            .map_err(|error| refused(settings, &error))?;
        let consumer = Arc::new(consumer);
        let listens = consumer.clone();
        let listener = thread::Builder::new().name("kafka".to_owned()).spawn(move || listen(&listens));
        let listener = listener.map_err(|error| StoreError::definite("start a thread for Kafka", error))?;
        let (brokers, isolation, has_group) = (settings.brokers.clone(), settings.isolation, settings.group.is_some());
        Ok(Client { consumer, brokers, isolation, has_group, found: Mutex::default(), listener: Some(listener) })
    }

    /// The brokers, as they were given.
    pub(crate) fn brokers(&self) -> &str {
        &self.brokers
    }

    /// What it reads of transactions.
    pub(crate) fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// What librdkafka tells by itself.
    pub(crate) fn context(&self) -> &Context {
        self.consumer.client().context()
    }

    /// The names of all topics that are shown to us, but those that Kafka keeps for itself.
    pub(crate) fn topics(&self) -> Result<Vec<String>, StoreError> {
        let metadata = self.ask("list topics", |patience| {
            self.consumer.fetch_metadata(None, patience).map_err(|error| code_of(&error))
        })?;
        let names = metadata.topics().iter().filter(|topic| topic.error().is_none()).map(|topic| topic.name());
        Ok(names.filter(|name| !name.starts_with("__")).map(str::to_owned).collect())
    }

    /// These topics, each with its identity.
    pub(crate) fn describe(&self, names: &[&str]) -> Result<Vec<Result<Described, Refused>>, StoreError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        self.ask("look at topics", |patience| topics::describe(&self.consumer, names, patience.max(4 * SLICE)))
    }

    /// The first offset that is there of each partition.
    pub(crate) fn earliest(&self, places: &[Place<'_>]) -> Result<Vec<u64>, StoreError> {
        self.offsets(places, Offset::Beginning)
    }

    /// The offset up to which each partition may be read: where it ends, or where the first open
    /// transaction begins.
    pub(crate) fn ends(&self, places: &[Place<'_>]) -> Result<Vec<u64>, StoreError> {
        self.offsets(places, Offset::End)
    }

    /// One request for each broker that leads some of the partitions.
    fn offsets(&self, places: &[Place<'_>], which: Offset) -> Result<Vec<u64>, StoreError> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        self.ask("ask how far partitions may be read", |_| {
            let list = listed(places.iter().map(|place| (*place, which))).map_err(|error| code_of(&error))?;
            let list = self.consumer.offsets_for_times(list, REQUEST).map_err(|error| code_of(&error))?;
            let found = |place: &Place<'_>| {
                let element = list.find_partition(place.0, place.1);
                let element = element.ok_or((RDKafkaErrorCode::UnknownPartition, String::new()))?;
                element.error().map_err(|error| code_of(&error))?;
                match element.offset() {
                    Offset::Offset(offset) => Ok(u64::try_from(offset).unwrap_or_default()),
                    _ => Err((RDKafkaErrorCode::LeaderNotAvailable, String::new())),
                }
            };
            places.iter().map(found).collect()
        })
    }

    /// Shows people how far we are. Does nothing if no group was named.
    pub(crate) fn commit(&self, offsets: &[(Place<'_>, u64)]) -> Result<(), StoreError> {
        if !self.has_group || offsets.is_empty() {
            return Ok(());
        }
        let raw = |offset: &u64| Offset::Offset(i64::try_from(*offset).unwrap_or(i64::MAX));
        let result = listed(offsets.iter().map(|(place, offset)| (*place, raw(offset))))
            .and_then(|list| self.consumer.commit(&list, CommitMode::Sync));
        result.map_err(|error| {
            let (code, words) = code_of(&error);
            failed("commit the group's offsets", code, &words)
        })
    }

    /// Fetches a partition from an offset on, into its own queue.
    pub(crate) fn assign(&self, place: Place<'_>, from: u64) -> Result<(), StoreError> {
        self.find(place);
        let from = Offset::Offset(i64::try_from(from).unwrap_or(i64::MAX));
        let list = listed(std::iter::once((place, from))).and_then(|list| self.consumer.incremental_assign(&list));
        list.map_err(|error| self.wrong(&format!("begin to read partition {} of topic {:?}", place.1, place.0), &error))
    }

    /// Learns which broker has a partition. librdkafka finds that out by itself, but it looks for
    /// partitions without a broker only once a second.
    fn find(&self, (topic, partition): Place<'_>) {
        let mut found = self.found.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if found.insert((topic.to_owned(), partition)) {
            drop(found);
            // If nobody answers, that is met when the partition is read.
            let _ = self.consumer.fetch_metadata(Some(topic), SLICE);
        }
    }

    /// Fetches a partition no more, and drops what was fetched of it.
    pub(crate) fn unassign(&self, place: Place<'_>) -> Result<(), StoreError> {
        let list = listed(std::iter::once((place, Offset::Invalid)));
        let list = list.and_then(|list| self.consumer.incremental_unassign(&list));
        list.map_err(|error| self.wrong(&format!("stop reading partition {} of topic {:?}", place.1, place.0), &error))
    }

    fn wrong(&self, attempt: &str, error: &KafkaError) -> StoreError {
        told(attempt, Outcome::Other, &error.to_string(), "")
    }

    /// Asks until there is an answer, for at most as long as a request may take, or until it is
    /// clear that there will be none. Each try may take longer than the one before, because a large
    /// cluster has a long answer.
    fn ask<T>(&self, attempt: &str, mut ask: impl FnMut(Duration) -> Result<T, Refused>) -> Result<T, StoreError> {
        let (asked, mut patience) = (Stopwatch::start(), SLICE);
        loop {
            let left = REQUEST.saturating_sub(asked.elapsed());
            let (code, words) = match ask(patience.min(left).max(SLICE)) {
                Ok(answer) => {
                    self.context().forget();
                    return Ok(answer);
                }
                Err(refused) => refused,
            };
            let outcome = Outcome::of(code);
            // A request that has got nowhere does not know what is in the way of its connection.
            let way = (outcome == Outcome::OutOfReach).then(|| self.context().in_the_way()).flatten();
            let is_clear = match &way {
                Some((code, _)) => !Outcome::of(*code).may_pass(),
                None => !outcome.may_pass(),
            };
            if is_clear || asked.elapsed() >= REQUEST {
                let (code, words) = way.unwrap_or((code, words));
                return Err(failed(format!("{attempt} of Kafka at {}", self.brokers), code, &words));
            }
            patience *= 2;
            if outcome != Outcome::OutOfReach {
                // Whoever has no leader, say, gets one in a moment; nobody is told when.
                thread::park_timeout(SLICE / 5);
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.context().is_closed.store(true, Relaxed);
        // The thread may be the last to hold the client; waiting for it ends the client here.
        if let Some(listener) = self.listener.take() {
            drop(listener.join());
        }
    }
}

/// Serves what librdkafka tells by itself. Records have queues of their own, so none comes here.
fn listen(consumer: &BaseConsumer<Context>) {
    while !consumer.client().context().is_closed.load(Relaxed) {
        if let Some(Ok(_)) = consumer.poll(Duration::from_millis(50)) {
            context::stray(consumer.client().context());
        }
    }
}

fn listed<'a>(places: impl Iterator<Item = (Place<'a>, Offset)>) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::new();
    for ((topic, partition), offset) in places {
        list.add_partition_offset(topic, partition, offset)?;
    }
    Ok(list)
}

/// An error's code, and what it says beyond that.
fn code_of(error: &KafkaError) -> Refused {
    match error.rdkafka_error_code() {
        Some(code) => (code, String::new()),
        None => (RDKafkaErrorCode::Fail, error.to_string()),
    }
}

/// That the files for TLS can be read: librdkafka does not name one that cannot.
fn readable(security: &Security) -> Result<(), StoreError> {
    let files = security.tls.iter().flat_map(|tls| [&tls.ca_file, &tls.certificate_file, &tls.key_file]);
    for file in files.flatten() {
        let wrong = |error| StoreError::definite(format!("read {file:?}, which TLS to Kafka needs"), error);
        File::open(file).map_err(wrong)?;
    }
    Ok(())
}

/// librdkafka does not take the settings. Its text may have a value, so only its reason is shown.
fn refused(settings: &Settings, error: &KafkaError) -> StoreError {
    let reason = match error {
        KafkaError::ClientConfig(_, reason, key, _) => format!("{key}: {reason}"),
        other => other.to_string(),
    };
    let hidden = secrets(&settings.security).into_iter().fold(reason, |text, secret| text.replace(secret, "***"));
    let attempt = format!("set up a client of Kafka at {}", settings.brokers);
    StoreError::definite(attempt, std::io::Error::other(hidden))
}

fn secrets(security: &Security) -> Vec<&str> {
    let login = match &security.sasl {
        Some(Sasl::Plain(login) | Sasl::Scram256(login) | Sasl::Scram512(login)) => Some(login.password.reveal()),
        _ => None,
    };
    let key = security.tls.as_ref().and_then(|tls| tls.key_password.as_ref()).map(|secret| secret.reveal());
    login.into_iter().chain(key).filter(|secret| !secret.is_empty()).collect()
}

/// The configuration of librdkafka, as its `CONFIGURATION.md` describes it.
fn configured(settings: &Settings) -> ClientConfig {
    let mut config = ClientConfig::new();
    for (key, value) in [
        ("bootstrap.servers", settings.brokers.as_str()),
        ("client.id", "lakefront"),
        ("group.id", settings.group.as_deref().unwrap_or(NO_GROUP)),
        // For so long a commit waits for the group's coordinator. The group is never joined.
        ("session.timeout.ms", "2000"),
        ("isolation.level", settings.isolation.name()),
        // We say where to read from and what was read; nothing goes on elsewhere by itself.
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("auto.offset.reset", "error"),
        ("allow.auto.create.topics", "false"),
        ("enable.partition.eof", "true"),
        ("check.crcs", "true"),
        // A partition is fetched again as soon as there is room for more of it.
        ("queued.max.messages.kbytes", &(PREFETCH >> 10).to_string()),
        // That counts values alone, so records without one are counted by their number.
        ("queued.min.messages", "10000"),
        ("fetch.queue.backoff.ms", "10"),
        // A partition that is to be read waits for an answer of the others for so long.
        ("fetch.wait.max.ms", "100"),
        // The longest record may be longer than what is fetched at once.
        ("receive.message.max.bytes", "1000000000"),
        ("socket.keepalive.enable", "true"),
        ("connections.max.idle.ms", IDLE),
        ("metadata.max.age.ms", IDLE),
        ("reconnect.backoff.max.ms", "2000"),
        ("security.protocol", settings.security.protocol()),
    ] {
        config.set(key, value);
    }
    secure(&mut config, &settings.security);
    config.set_log_level(RDKafkaLogLevel::Info);
    config
}

fn secure(config: &mut ClientConfig, security: &Security) {
    if let Some(tls) = &security.tls {
        let path = |path: &std::path::PathBuf| path.to_string_lossy().into_owned();
        // Our build of OpenSSL does not know where this machine keeps its authorities.
        config.set("ssl.ca.location", tls.ca_file.as_ref().map_or_else(|| "probe".to_owned(), path));
        for (key, file) in [("ssl.certificate.location", &tls.certificate_file), ("ssl.key.location", &tls.key_file)] {
            if let Some(file) = file {
                config.set(key, path(file));
            }
        }
        if let Some(password) = &tls.key_password {
            config.set("ssl.key.password", password.reveal());
        }
    }
    if let Some(sasl) = &security.sasl {
        config.set("sasl.mechanism", sasl.mechanism());
        if let Sasl::Plain(login) | Sasl::Scram256(login) | Sasl::Scram512(login) = sasl {
            config.set("sasl.username", &login.user).set("sasl.password", login.password.reveal());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::chain;
    use crate::kafka::settings::{Login, Tls};
    use crate::secret::Secret;

    fn opened(settings: &Settings) -> Result<Client, StoreError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Client::open(settings, runtime.handle())
    }

    #[test]
    fn librdkafka_takes_every_setting() {
        let login = || Login { user: "reader".to_owned(), password: Secret::new("hunter2") };
        for sasl in [None, Some(Sasl::Plain(login())), Some(Sasl::Scram256(login())), Some(Sasl::Scram512(login()))] {
            for tls in [None, Some(Tls::default())] {
                let security = Security { tls, sasl: sasl.clone() };
                let settings = Settings { group: Some("g".to_owned()), security, ..Settings::new("127.0.0.1:1") };
                let client = opened(&settings);
                assert!(client.is_ok(), "{:?}", client.err());
            }
        }
        let (id, secret) = (Secret::new("id"), Secret::new("hunter2"));
        let credential = crate::s3::Credential::Key { id, secret, token: None };
        let iam = Sasl::MskIam { region: "eu-west-1".to_owned(), credential };
        for sasl in [Sasl::Entra(crate::azure::Entra::default()), iam] {
            let security = Security { tls: Some(Tls::default()), sasl: Some(sasl) };
            assert!(opened(&Settings { security, ..Settings::new("127.0.0.1:1") }).is_ok());
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named_and_no_secret() {
        let tls = Tls {
            ca_file: Some("/nowhere/ca.pem".into()),
            key_password: Some(Secret::new("hunter2")),
            ..Tls::default()
        };
        let login = Login { user: "reader".to_owned(), password: Secret::new("hunter3") };
        let security = Security { tls: Some(tls), sasl: Some(Sasl::Plain(login)) };
        let text = chain(&opened(&Settings { security, ..Settings::new("127.0.0.1:1") }).err().expect("no such file"));
        assert!(text.starts_with("could not read \"/nowhere/ca.pem\", which TLS to Kafka needs: "), "{text}");
        assert!(!text.contains("hunter"), "{text}");
    }
}
