//! What the tests of this binary share: servers that are started once, and for each test a database
//! and a pipeline file of its own.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::connect::Connect;
use crate::support::kafka::Broker;
use crate::support::postgres::Server;
use crate::support::{Ended, Running, wait};

/// The role that captures, and its password.
pub(crate) const ROLE: &str = "cdc";
pub(crate) const PASSWORD: &str = "hunter2";

/// Who may enter: the superuser as he likes, others with a password.
const RULES: &str = "local all all trust\nhost all postgres 127.0.0.1/32 trust\n\
                     host all all 127.0.0.1/32 scram-sha-256\nhost replication all 127.0.0.1/32 scram-sha-256\n";

/// Connect, and the broker that it writes to.
pub(crate) fn connect() -> &'static (Broker, Connect) {
    static SHARED: OnceLock<(Broker, Connect)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let broker = Broker::start();
        let connect = Connect::start(&broker);
        (broker, connect)
    })
}

/// The server whose changes are captured.
pub(crate) fn server() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(|| {
        let settings = [("wal_level", "logical"), ("max_replication_slots", "30"), ("max_wal_senders", "30")];
        let server = Server::with(&settings);
        server.psql("postgres", &format!("CREATE ROLE {ROLE} LOGIN REPLICATION PASSWORD '{PASSWORD}'"));
        server.keep("pg_hba.conf", RULES);
        server.reload();
        server
    })
}

/// A database with two tables, and a pipeline that captures them.
pub(crate) struct World {
    folder: TempDir,
    /// The database, the pipeline and the prefix of topics.
    pub(crate) name: String,
    /// Lines of the file by section and key.
    settings: BTreeMap<(&'static str, &'static str), String>,
    outputs: Cell<usize>,
}

impl World {
    pub(crate) fn new(stem: &str) -> World {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("{stem}{}", NEXT.fetch_add(1, Relaxed));
        let server = server();
        server.psql("postgres", &format!("CREATE DATABASE {name} OWNER {ROLE}"));
        server.psql(
            &name,
            &format!(
                "SET ROLE {ROLE};
                 CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL);
                 CREATE TABLE orders (id int PRIMARY KEY, amount numeric(12,2), took interval);
                 ALTER TABLE orders REPLICA IDENTITY FULL;
                 INSERT INTO customers VALUES (1, 'Ann'), (2, 'Bob')"
            ),
        );
        let folder = tempfile::Builder::new().prefix("lakefront-").tempdir().expect("a temporary directory");
        let mut world = World { folder, name: name.clone(), settings: BTreeMap::new(), outputs: Cell::new(0) };
        let url = format!("postgresql://{ROLE}@127.0.0.1:{}/{name}?sslmode=disable", server.port());
        world.set("", "pipeline", &name).set("", "topology", "pg_changes");
        world.set("source", "topics", &format!("{name}.public.*")).set("source", "brokers", &connect().0.brokers());
        world.set("postgres", "url", &url).set("postgres", "password", "${PGPASSWORD}");
        world.set("connect", "url", &connect().1.url());
        world.set("lake", "root", "file:lake").set("lake", "catalog", "shop");
        world
    }

    /// Sets a text.
    pub(crate) fn set(&mut self, section: &'static str, key: &'static str, value: &str) -> &mut World {
        self.line(section, key, &format!("{value:?}"))
    }

    /// Sets what is no text, as TOML has it.
    pub(crate) fn line(&mut self, section: &'static str, key: &'static str, value: &str) -> &mut World {
        self.settings.insert((section, key), value.to_owned());
        self
    }

    pub(crate) fn unset(&mut self, section: &'static str, key: &'static str) {
        self.settings.remove(&(section, key));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `lakefront` to its end. The password is in its environment.
    pub(crate) fn call(&self, arguments: &[&str]) -> Ended {
        self.call_with(arguments, PASSWORD)
    }

    /// The same with another password. Whatever it is, it is not shown.
    pub(crate) fn call_with(&self, arguments: &[&str], password: &str) -> Ended {
        let ended = self.start_with(arguments, (password, None)).end();
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(!said.contains(password), "{arguments:?} shows the password:\n{said}");
        ended
    }

    /// Runs a pipeline that fails at these points.
    pub(crate) fn run_failing(&self, points: &str) -> Ended {
        self.start_with(&["run", "p.toml", "--once"], (PASSWORD, Some(points))).end()
    }

    /// Starts `lakefront`.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        self.start_with(arguments, (PASSWORD, None))
    }

    fn start_with(&self, arguments: &[&str], (password, points): (&str, Option<&str>)) -> Running {
        let (mut file, mut current) = (String::new(), "");
        for ((section, key), value) in &self.settings {
            if *section != current {
                file += &format!("[{section}]\n");
                current = section;
            }
            file += &format!("{key} = {value}\n");
        }
        fs::write(self.path("p.toml"), file).expect("a pipeline file");
        self.outputs.set(self.outputs.get() + 1);
        let mut command = Command::new(env!("CARGO_BIN_EXE_lakefront"));
        command.args(arguments).current_dir(self.folder.path()).env("PGPASSWORD", password);
        // Nobody can be asked.
        command.stdin(Stdio::null());
        command.env_remove("FAILPOINTS").env_remove("LAKEFRONT_LOG");
        command.envs(points.map(|points| ("FAILPOINTS", points)));
        Running::start(command, self.folder.path(), self.outputs.get())
    }

    /// `lakefront debezium WHAT p.toml …`.
    pub(crate) fn debezium(&self, what: &[&str]) -> Ended {
        self.call(&[&["debezium", what[0], "p.toml"], &what[1..]].concat())
    }

    /// Runs SQL in the database, as its superuser.
    #[track_caller]
    pub(crate) fn psql(&self, sql: &str) -> String {
        server().psql(&self.name, sql)
    }

    /// The connector's slot, as this program names it.
    pub(crate) fn slot(&self) -> String {
        format!("lakefront_{}", self.name)
    }

    /// One value of the slot; empty if there is none.
    pub(crate) fn of_slot(&self, column: &str) -> String {
        self.psql(&format!("SELECT {column} FROM pg_replication_slots WHERE slot_name = '{}'", self.slot()))
    }

    /// What `lakefront changes` shows of a table's topic.
    #[track_caller]
    pub(crate) fn events(&self, table: &str) -> Vec<Value> {
        let (topic, brokers) = (format!("{}.public.{table}", self.name), connect().0.brokers());
        let is_avro = self.settings.contains_key(&("source.registry", "url"));
        let registry: &[&str] = if is_avro { &["--security", "p.toml"] } else { &[] };
        let ended = self.call(&[&["changes", "--topic", &topic, "--brokers", &brokers], registry].concat());
        // Connect makes a topic with its first record.
        if ended.stderr.contains("UnknownTopicOrPartition") {
            return Vec::new();
        }
        ended.exits_with(0).stdout.lines().map(|line| serde_json::from_str(line).expect("a JSON object")).collect()
    }

    /// Waits until a table's topic has so many events, and no more. Returns them.
    #[track_caller]
    pub(crate) fn has_events(&self, table: &str, count: usize) -> Vec<Value> {
        let mut events = Vec::new();
        let all = wait::until(|| {
            events = self.events(table);
            events.len() >= count
        });
        assert!(all && events.len() == count, "{events:#?}");
        events
    }
}

impl Drop for World {
    /// Each connector costs the worker threads and connections.
    fn drop(&mut self) {
        let _ = connect().1.ask("DELETE", &format!("/connectors/{}", self.name), "");
    }
}
