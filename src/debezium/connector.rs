//! The configuration of Debezium's connector for PostgreSQL.
//!
//! Promises: it says what this program needs of the events (exact decimals and intervals,
//! truncates, the bounds of transactions), and what keeps the slot moving. What is secret in it can
//! be told from the rest, so that it is sent and never shown. The settings are those of Debezium 3.

use std::collections::BTreeMap;
use std::fmt::Display;

use lakefront_operators::postgres::{Location, Mode, Roots};
use lakefront_operators::secret::Secret;
use serde_json::{Map, Value};

use super::{Capture, tables};
use crate::config::{AvroConverter, Connect, Converter, SecretRef};
use crate::exit::Usage;

/// The connector's class, which is also how Connect names the plugin.
pub(crate) const PLUGIN: &str = "io.debezium.connector.postgresql.PostgresConnector";
/// The setting with PostgreSQL's password, or a reference to it.
const PASSWORD: &str = "database.password";
/// Ours among the logical messages in PostgreSQL's log.
const HEARTBEAT_PREFIX: &str = "lakefront_heartbeat";
/// Writes a message to PostgreSQL's log. The slot moves only with what is in its database's log: if
/// nothing changes there while other databases are busy, it would keep all of theirs.
const HEARTBEAT_QUERY: &str =
    "SELECT pg_catalog.pg_logical_emit_message(false, 'lakefront_heartbeat', pg_catalog.now()::text)";
/// Of the metadata that an unwrapped row would lose, what this program reads.
const ADDED: &str = "op,source.db,source.schema,source.table,source.lsn,source.txId,source.ts_us,source.ts_ms,\
                     source.snapshot,source.sequence,transaction.id,transaction.total_order,\
                     transaction.data_collection_order";

/// How the worker gets in.
pub(crate) enum Entry {
    /// Without a password.
    Open,
    /// By a reference that the worker resolves.
    Reference(SecretRef),
    /// With the password itself.
    Password(Secret),
}

/// A connector: its name and its configuration.
pub(crate) struct Connector {
    /// Its name.
    pub(crate) name: String,
    /// What Connect is sent.
    pub(crate) config: BTreeMap<String, String>,
    /// What must not be shown.
    hidden: Vec<Secret>,
}

impl Connector {
    /// The connector of a pipeline. Fails if the file does not say which tables are meant, or if a
    /// worker cannot get in as we do.
    pub(crate) fn new(capture: &Capture, entry: &Entry) -> Result<Connector, Usage> {
        let mut config = BTreeMap::new();
        let mut set = |name: &str, value: &dyn Display| config.insert(name.to_owned(), value.to_string());
        set("connector.class", &PLUGIN);
        set("tasks.max", &1);
        database(&mut set, capture, entry)?;
        captured(&mut set, capture)?;
        events(&mut set, capture)?;
        let settings = &capture.connect.settings;
        for (name, value) in settings {
            match value.is_empty() {
                true => drop(config.remove(name)),
                false => drop(config.insert(name.clone(), value.clone())),
            }
        }
        let mut hidden = capture.connect.secrets();
        if let Entry::Password(password) = entry {
            hidden.push(password.clone());
        }
        Ok(Connector { name: capture.name().to_owned(), config, hidden })
    }

    /// What `POST /connectors` takes, without secrets: references are in their places. Also the
    /// settings for which that was done.
    pub(crate) fn shown(&self) -> (Value, Vec<String>) {
        let mut replaced = Vec::new();
        let entry = |(name, value): (&String, &String)| {
            let is_hidden = self.hidden.iter().any(|hidden| hidden.reveal() == value);
            let value = match is_hidden {
                true => {
                    replaced.push(name.clone());
                    placeholder(&self.name, name)
                }
                false => value.clone(),
            };
            (name.clone(), Value::String(value))
        };
        let config: Map<String, Value> = self.config.iter().map(entry).collect();
        (serde_json::json!({"name": self.name, "config": config}), replaced)
    }

    /// The configuration alone, as it is sent.
    pub(crate) fn body(&self) -> Value {
        let with_name = [("name".to_owned(), self.name.clone())].into_iter().chain(self.config.clone());
        Value::Object(with_name.map(|(name, value)| (name, Value::String(value))).collect())
    }

    /// The settings in which `there`, which Connect has, differs from this; `None` if it is no
    /// configuration. Values are not named: they may be secrets.
    pub(crate) fn differences(&self, there: &Value) -> Option<Vec<String>> {
        let there = there.as_object()?;
        let is_same = |name: &str| there.get(name).and_then(Value::as_str) == self.config.get(name).map(String::as_str);
        let names = there.keys().chain(self.config.keys()).filter(|name| *name != "name" && !is_same(name));
        let mut names: Vec<String> = names.cloned().collect();
        names.sort();
        names.dedup();
        Some(names)
    }

    /// Whether this is the password that Connect is sent.
    pub(crate) fn has(&self, password: &Secret) -> bool {
        self.config.get(PASSWORD).is_some_and(|there| there == password.reveal())
    }

    /// Leaves PostgreSQL's password to the reference that Connect has in its place: whoever has put
    /// it there wants no password in a configuration that many may read.
    pub(crate) fn keep_reference(&mut self, there: &Value) {
        let known = there.get(PASSWORD).and_then(Value::as_str).filter(|value| is_reference(value));
        if let (Some(known), Some(ours)) = (known, self.config.get_mut(PASSWORD))
            && !is_reference(ours)
        {
            known.clone_into(ours);
        }
    }

    /// What must not be shown of answers.
    pub(crate) fn hidden(&self) -> &[Secret] {
        &self.hidden
    }
}

/// The reference that stands in the place of a secret: a file on the worker's machine.
pub(super) fn placeholder(connector: &str, setting: &str) -> String {
    format!("${{file:{}:{setting}}}", placeholder_file(connector))
}

/// That file.
pub(super) fn placeholder_file(connector: &str) -> String {
    format!("/etc/kafka-connect/{connector}.properties")
}

/// Whether the setting `name` opens something. A reference that the worker resolves does not.
fn is_secret(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    telling(&name) && !value.is_empty() && !is_reference(value)
}

fn telling(name: &str) -> bool {
    const WORDS: [&str; 11] = [
        "password",
        "passphrase",
        "secret",
        "token",
        "jaas",
        "credential",
        "private.key",
        "keystore.key",
        "access.key",
        "api.key",
        "user.info",
    ];
    WORDS.iter().any(|word| name.contains(word))
}

/// Whether a value is a reference as a whole, such as `${file:/etc/x.properties:password}`.
fn is_reference(value: &str) -> bool {
    value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).is_some_and(|inside| !inside.contains(['{', '}']))
}

impl Connect {
    /// What its settings have that opens something.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        let secrets = self.settings.iter().filter(|(name, value)| is_secret(name, value));
        secrets.map(|(_, value)| Secret::new(value)).collect()
    }
}

/// Where the database is, and how the worker gets in.
fn database(
    set: &mut impl FnMut(&str, &dyn Display) -> Option<String>,
    capture: &Capture,
    entry: &Entry,
) -> Result<(), Usage> {
    let Location { host, port, user, database, tls, .. } = &capture.postgres.location;
    if host.starts_with('/') && !capture.connect.settings.contains_key("database.hostname") {
        return Err(Usage(
            "postgres.url names a directory of Unix sockets, which Debezium cannot use: give the server's name to it in \
             [connect.settings], as in \"database.hostname\" = \"localhost\""
                .to_owned(),
        ));
    }
    set("database.hostname", host);
    set("database.port", port);
    set("database.user", user);
    set("database.dbname", database);
    match entry {
        Entry::Open => None,
        Entry::Reference(reference) => set(PASSWORD, &reference.as_str()),
        Entry::Password(password) => set(PASSWORD, &password.reveal()),
    };
    let mode = match (tls.mode, &tls.roots) {
        (Mode::Disable, _) => "disable",
        (Mode::Prefer, _) => "prefer",
        (Mode::Require, None) => "require",
        (Mode::Require, Some(_)) | (Mode::VerifyCa, _) => "verify-ca",
        (Mode::VerifyFull, _) => "verify-full",
    };
    set("database.sslmode", &mode);
    match &tls.roots {
        Some(Roots::File(file)) => set("database.sslrootcert", &file.display()),
        // Java's own store of the worker's machine.
        Some(Roots::System) => set("database.sslfactory", &"org.postgresql.ssl.DefaultJavaSSLFactory"),
        None => None,
    };
    Ok(())
}

/// What is captured: slot, publication and tables.
fn captured(set: &mut impl FnMut(&str, &dyn Display) -> Option<String>, capture: &Capture) -> Result<(), Usage> {
    let connect = &capture.connect;
    set("plugin.name", &"pgoutput");
    set("slot.name", &capture.slot());
    set("publication.name", &capture.publication());
    set("publication.autocreate.mode", &connect.publication_mode.word());
    // A partitioned table is one table.
    set("publish.via.partition.root", &true);
    set("topic.prefix", &capture.topic_prefix()?);
    let tables: Vec<String> = capture.tables()?.iter().map(|table| tables::expression(table)).collect();
    set("table.include.list", &tables.join(","));
    set("snapshot.mode", &connect.snapshot_mode);
    set("heartbeat.interval.ms", &connect.heartbeat_interval.as_millis());
    match connect.heartbeat_query.as_deref() {
        None => {
            set("heartbeat.action.query", &HEARTBEAT_QUERY);
            set("message.prefix.exclude.list", &HEARTBEAT_PREFIX);
        }
        Some("") => {}
        Some(query) => drop(set("heartbeat.action.query", &query)),
    }
    Ok(())
}

/// What events look like, and the topics that they go to.
fn events(set: &mut impl FnMut(&str, &dyn Display) -> Option<String>, capture: &Capture) -> Result<(), Usage> {
    let connect = &capture.connect;
    // All digits, and NaN.
    set("decimal.handling.mode", &"string");
    // Months, days and seconds as they are, instead of microseconds by averages.
    set("interval.handling.mode", &"string");
    // Debezium leaves truncates out by default.
    set("skipped.operations", &"none");
    set("provide.transaction.metadata", &true);
    converters(set, &connect.converter);
    // The worker may have another one.
    set("header.converter", &"org.apache.kafka.connect.storage.SimpleHeaderConverter");
    // Connect makes the topics, as the broker makes its own: there need be no auto.create.topics.
    set("topic.creation.default.replication.factor", &-1);
    set("topic.creation.default.partitions", &-1);
    // Ends of transactions have an order only in one partition.
    let ends = format!("{}.transaction", capture.topic_prefix()?);
    set("topic.creation.groups", &"ends");
    set("topic.creation.ends.include", &tables::expression(&ends));
    set("topic.creation.ends.replication.factor", &-1);
    set("topic.creation.ends.partitions", &1);
    if connect.unwrap {
        set("transforms", &"unwrap");
        set("transforms.unwrap.type", &"io.debezium.transforms.ExtractNewRecordState");
        set("transforms.unwrap.delete.tombstone.handling.mode", &"rewrite");
        set("transforms.unwrap.add.fields", &ADDED);
        set("transforms.unwrap.replace.null.with.default", &false);
    }
    Ok(())
}

/// What writes keys and values.
fn converters(set: &mut impl FnMut(&str, &dyn Display) -> Option<String>, converter: &Converter) {
    let mut both = |name: &str, value: &dyn Display| {
        for of in ["key", "value"] {
            set(&format!("{of}.converter{name}"), value);
        }
    };
    match converter {
        Converter::Json { schemas } => {
            both("", &"org.apache.kafka.connect.json.JsonConverter");
            both(".schemas.enable", schemas);
            // Otherwise null becomes the default of a column that has one.
            both(".replace.null.with.default", &false);
        }
        Converter::Avro(AvroConverter::Confluent, url) => {
            both("", &"io.confluent.connect.avro.AvroConverter");
            both(".schema.registry.url", url);
            // The same.
            both(".ignore.default.for.nullables", &true);
        }
        Converter::Avro(AvroConverter::Apicurio, url) => {
            both("", &"io.apicurio.registry.utils.converter.AvroConverter");
            both(".apicurio.registry.url", url);
            both(".apicurio.registry.auto-register", &true);
            // The wire format that clients of all registries read: four bytes of the id.
            both(".apicurio.registry.as-confluent", &true);
            both(".apicurio.registry.use-id", &"contentId");
            both(".apicurio.registry.headers.enabled", &false);
        }
    }
    if let Converter::Avro(..) = converter {
        // Without it, nobody can tell a date from a number.
        both(".connect.meta.data", &true);
        // Names of topics and tables become those of types, which have fewer letters.
        set("schema.name.adjustment.mode", &"avro");
    }
}

impl Capture {
    /// What the connector's topics begin with.
    pub(crate) fn topic_prefix(&self) -> Result<&str, Usage> {
        self.connect.topic_prefix.as_deref().or_else(|| tables::prefix(&self.topics)).ok_or_else(|| {
            Usage(
                "source.topics does not tell what the connector's topics begin with: give connect.topic_prefix, which is \
                 \"cdc\" for topics = \"cdc.public.*\""
                    .to_owned(),
            )
        })
    }

    /// The tables, as `schema.table` with `*` for any letters.
    pub(crate) fn tables(&self) -> Result<Vec<String>, Usage> {
        self.connect.tables.clone().or_else(|| tables::tables(&self.topics)).ok_or_else(|| {
            Usage(
                "source.topics does not tell which tables are captured: give connect.tables, as in [\"public.*\", \
                 \"sales.orders\"]"
                    .to_owned(),
            )
        })
    }
}

#[cfg(test)]
mod tests;
