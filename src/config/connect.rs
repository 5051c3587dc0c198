//! `[postgres]` and `[connect]`: where changes come from before they are in Kafka, and how the
//! connector is to be configured that brings them there.
//!
//! Promises: a name that PostgreSQL or Kafka would refuse is refused here. Leaves to others: what
//! the connector's configuration is made of (`src/debezium`).

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use lakefront_operators::postgres::Location;
use lakefront_operators::web::Service;
use toml::Value;

use super::database::{PASSWORDS, database, name};
use super::decode::Decode;
use super::raw::{Reading, Section};
use super::service::{self, About, service};
use super::values::{choice, duration, flag, text};

/// Kafka Connect. It asks PostgreSQL itself when it checks a configuration, which may take long.
const ABOUT: About = About {
    section: "connect",
    what: "worker",
    example: "http://localhost:8083",
    timeout: Duration::from_secs(30),
    has_token: false,
};
/// How often the connector says that it lives, and moves the slot on, when no table changes.
const HEARTBEAT: Duration = Duration::from_secs(10);
const HEARTBEAT_ALLOWED: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);
/// A row for all tables, once, at the first start.
const SNAPSHOT_MODE: &str = "initial";
/// Debezium's words that need no class or settings of the user's own.
const SNAPSHOT_MODES: [(&str, &str); 5] = [
    ("initial", "initial"),
    ("initial_only", "initial_only"),
    ("always", "always"),
    ("no_data", "no_data"),
    ("when_needed", "when_needed"),
];
/// Settings of the connector that have a key of their own here, because other commands need them.
const KEYS: [(&str, &str); 4] = [
    ("name", "connect.name"),
    ("topic.prefix", "connect.topic_prefix"),
    ("slot.name", "postgres.slot"),
    ("publication.name", "postgres.publication"),
];

/// The `[postgres]` section: the database whose changes are captured.
#[cfg_attr(test, derive(Debug))]
#[derive(Clone)]
pub(crate) struct Postgres {
    /// The database, and the role that captures.
    pub(crate) location: Location,
    /// The replication slot; `None` for the one that is named after the pipeline.
    slot: Option<String>,
    /// The publication; `None` likewise.
    publication: Option<String>,
}

impl Postgres {
    /// The replication slot of `pipeline`.
    pub(crate) fn slot(&self, pipeline: &str) -> String {
        self.slot.clone().unwrap_or_else(|| named_after(pipeline))
    }

    /// The publication of `pipeline`.
    pub(crate) fn publication(&self, pipeline: &str) -> String {
        self.publication.clone().unwrap_or_else(|| named_after(pipeline))
    }
}

/// A name that PostgreSQL allows for a slot, which has letters of one case, digits and underscores.
fn named_after(pipeline: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    format!("lakefront_{}", pipeline.chars().map(letter).take(53).collect::<String>())
}

/// The `[connect]` section: Kafka Connect, and Debezium's connector in it.
#[cfg_attr(test, derive(Debug))]
#[derive(Clone)]
pub(crate) struct Connect {
    /// A worker.
    pub(crate) service: Service,
    /// The connector; `None` for the pipeline's name.
    pub(crate) name: Option<String>,
    /// What its topics begin with; `None` for what the source's topics begin with.
    pub(crate) topic_prefix: Option<String>,
    /// The tables, as `schema.table` with `*` for any letters; `None` for those of the source's
    /// topics.
    pub(crate) tables: Option<Vec<String>>,
    /// Debezium's `snapshot.mode`.
    pub(crate) snapshot_mode: &'static str,
    /// Who makes the publication.
    pub(crate) publication_mode: PublicationMode,
    /// How often it says that it lives.
    pub(crate) heartbeat_interval: Duration,
    /// What it then runs in PostgreSQL; `None` for its usual query, empty for nothing.
    pub(crate) heartbeat_query: Option<String>,
    /// Whether events are rows alone, without Debezium's envelope.
    pub(crate) unwrap: bool,
    /// What writes keys and values.
    pub(crate) converter: Converter,
    /// Where the worker finds PostgreSQL's password.
    pub(crate) secret_ref: Option<SecretRef>,
    /// Further settings of the connector, which come before ours; an empty one leaves ours out.
    pub(crate) settings: BTreeMap<String, String>,
}

/// Who makes the publication, in Debezium's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PublicationMode {
    /// The connector, for the tables that it captures. Its role must own them.
    Filtered,
    /// The connector, for all tables. Its role must be a superuser.
    AllTables,
    /// Somebody else, before it starts.
    Disabled,
}

impl PublicationMode {
    const ALL: [PublicationMode; 3] =
        [PublicationMode::Filtered, PublicationMode::AllTables, PublicationMode::Disabled];

    /// Debezium's word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            PublicationMode::Filtered => "filtered",
            PublicationMode::AllTables => "all_tables",
            PublicationMode::Disabled => "disabled",
        }
    }
}

/// What writes keys and values for Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Converter {
    /// Connect's own, of JSON.
    Json {
        /// Whether each event carries its schema.
        schemas: bool,
    },
    /// One of Avro, and where the worker finds the registry.
    Avro(AvroConverter, String),
}

/// Whose converter of Avro.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AvroConverter {
    /// Confluent's.
    Confluent,
    /// That of Apicurio Registry.
    Apicurio,
}

/// What Apicurio's address ends with where it answers as Confluent's registry does, and where its
/// own converter asks then.
const COMPATIBLE: [(&str, &str); 3] = [
    ("/apis/ccompat/v6", "/apis/registry/v2"),
    ("/apis/ccompat/v7", "/apis/registry/v2"),
    ("/apis/ccompat/v8", "/apis/registry/v3"),
];

/// A reference to a secret that a worker of Connect resolves itself, such as
/// `${file:/etc/kafka-connect/shop.properties:password}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecretRef(String);

impl SecretRef {
    /// Takes `provider:path:key`, or the same as Connect writes it, in `${…}`.
    pub(crate) fn parse(text: &str) -> Result<SecretRef, String> {
        let inner = text.strip_prefix("${").and_then(|text| text.strip_suffix('}')).unwrap_or(text);
        let is_provider = |name: &str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        };
        let good = inner.split_once(':').is_some_and(|(provider, rest)| is_provider(provider) && !rest.is_empty())
            && !inner.contains(['{', '}', '$'])
            && !inner.contains(char::is_control);
        match good {
            true => Ok(SecretRef(format!("${{{inner}}}"))),
            false => Err("allowed is PROVIDER:PATH:KEY, such as file:/etc/kafka-connect/shop.properties:password, or \
                          env:PGPASSWORD"
                .to_owned()),
        }
    }

    /// As it stands in the connector's configuration.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads `[postgres]`; `Some(None)` if the file does not have it.
pub(super) fn postgres(top: &mut Section<'_>) -> Option<Option<Postgres>> {
    let mut section = top.section("postgres");
    if !top.given("postgres") {
        return Some(None);
    }
    let location = database(&mut section, "url", PASSWORDS, None);
    let slot = section.optional("slot", None, |v| slot(v).map(Some));
    let publication = section.optional("publication", None, |v| name(v).map(Some));
    section.finish();
    Some(Some(Postgres { location: location?, slot: slot?, publication: publication? }))
}

/// Reads `[connect]`; `Some(None)` if the file does not have it.
/// `decode` is the form of records, if that could be read.
pub(super) fn connect(top: &mut Section<'_>, decode: Option<&Decode>) -> Option<Option<Connect>> {
    let mut section = top.section("connect");
    if !top.given("connect") {
        return Some(None);
    }
    let service = service(&mut section, &ABOUT);
    let name = section.optional("name", None, |v| word(v).map(Some));
    let topic_prefix = section.optional("topic_prefix", None, |v| word(v).map(Some));
    let tables = section.optional("tables", None, |v| tables(v).map(Some));
    let snapshot_mode = section.optional("snapshot_mode", SNAPSHOT_MODE, |v| choice(v, &SNAPSHOT_MODES));
    let publication_mode = section.optional("publication_mode", PublicationMode::Filtered, |v| {
        choice(v, &PublicationMode::ALL.map(|mode| (mode.word(), mode)))
    });
    let heartbeat_interval = section.optional("heartbeat_interval", HEARTBEAT, |v| duration(v, HEARTBEAT_ALLOWED));
    let heartbeat_query = section.optional("heartbeat_query", None, |v| query(v).map(Some));
    let unwrap = section.optional("unwrap", false, flag);
    let converter = converter(&mut section, decode);
    // Somebody may give the secret itself.
    let secret_ref = section.secret("secret_ref", |v| SecretRef::parse(text(v)?));
    let settings = settings(&mut section);
    section.finish();
    Some(Some(Connect {
        service: service?,
        name: name?,
        topic_prefix: topic_prefix?,
        tables: tables?,
        snapshot_mode: snapshot_mode?,
        publication_mode: publication_mode?,
        heartbeat_interval: heartbeat_interval?,
        heartbeat_query: heartbeat_query?,
        unwrap: unwrap?,
        converter: converter?,
        secret_ref: secret_ref?,
        settings: settings?,
    }))
}

/// What writes keys and values.
fn converter(section: &mut Section<'_>, decode: Option<&Decode>) -> Option<Converter> {
    let schemas = section.optional("schemas", true, flag);
    let all = [("confluent", AvroConverter::Confluent), ("apicurio", AvroConverter::Apicurio)];
    let of = section.optional("converter", AvroConverter::Confluent, |v| choice(v, &all));
    let url = section.optional("registry_url", None, |v| service::url(v, "http://registry:8081").map(Some));
    let Decode::Avro(registry) = decode? else {
        let (of, url, is_avros) = (of?, url?, "is for source.decode.format = \"avro\" only");
        if of != AvroConverter::Confluent {
            section.refuse("converter", is_avros.to_owned());
        }
        if url.is_some() {
            section.refuse("registry_url", is_avros.to_owned());
        }
        return Some(Converter::Json { schemas: schemas? });
    };
    let (of, url) = (of?, url?);
    if !schemas? {
        section.refuse("schemas", "is for JSON only: schemas of Avro are in the registry".to_owned());
    }
    let theirs = || match of {
        AvroConverter::Confluent => Some(registry.url.clone()),
        AvroConverter::Apicurio => {
            COMPATIBLE.iter().find_map(|(end, own)| Some(format!("{}{own}", registry.url.strip_suffix(end)?)))
        }
    };
    let Some(url) = url.or_else(theirs) else {
        let example = "http://apicurio:8080/apis/registry/v2";
        section.refuse("registry_url", format!("must be given for Apicurio's converter, such as {example:?}"));
        return None;
    };
    Some(Converter::Avro(of, url))
}

/// A name that can be a part of a topic's name, and of a URL.
fn word(value: &Value) -> Reading<String> {
    let good = |text: &&str| {
        (1..=100).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
    };
    value.as_str().filter(good).map(str::to_owned).ok_or_else(|| {
        "allowed are up to 100 ASCII letters, digits, '.', '_' and '-', a letter or digit first".to_owned()
    })
}

/// The name of a replication slot.
fn slot(value: &Value) -> Reading<String> {
    let good = |text: &&str| {
        (1..=63).contains(&text.len()) && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    value
        .as_str()
        .filter(good)
        .map(str::to_owned)
        .ok_or_else(|| "allowed are up to 63 lower-case ASCII letters, digits and '_', as PostgreSQL has it".to_owned())
}

/// Tables with their schemas.
fn tables(value: &Value) -> Reading<Vec<String>> {
    let allowed = || "allowed is a list of \"schema.table\", where * stands for any letters".to_owned();
    let list = value.as_array().filter(|list| !list.is_empty()).ok_or_else(allowed)?;
    let is_table =
        |text: &&str| text.split_once('.').is_some_and(|(schema, table)| !(schema.is_empty() || table.is_empty()));
    list.iter().map(|table| table.as_str().filter(is_table).map(str::to_owned).ok_or_else(allowed)).collect()
}

/// A query, or an empty text for none.
fn query(value: &Value) -> Reading<String> {
    value.as_str().map(str::to_owned).ok_or_else(|| "allowed is a query, or \"\" for none".to_owned())
}

/// The connector's further settings. Their names have dots, which make tables of them in TOML if
/// they are not quoted: both are read.
fn settings(section: &mut Section<'_>) -> Option<BTreeMap<String, String>> {
    let given = section.section("settings").entries(flat)?;
    let mut settings = BTreeMap::new();
    for (first, values) in given {
        for (rest, value) in values {
            let name = if rest.is_empty() { first.clone() } else { format!("{first}.{rest}") };
            settings.insert(name, value);
        }
    }
    for (name, key) in KEYS.into_iter().filter(|(name, _)| settings.contains_key(*name)) {
        section.refuse("settings", format!("has {name:?}, which is given as {key}"));
    }
    Some(settings)
}

/// The values in `value`, each with the rest of its name, which is empty for one that is no table.
fn flat(value: &Value) -> Reading<Vec<(String, String)>> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Boolean(flag) => flag.to_string(),
        Value::Table(table) => {
            let mut all = Vec::new();
            for (key, value) in table {
                for (rest, value) in flat(value)? {
                    all.push((if rest.is_empty() { key.clone() } else { format!("{key}.{rest}") }, value));
                }
            }
            return Ok(all);
        }
        _ => {
            return Err("allowed is a string, a whole number, true or false, as Debezium's documentation has it".into());
        }
    };
    Ok(vec![(String::new(), text)])
}
