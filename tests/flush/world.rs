//! A pipeline in its own folder, with a database of its own.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::support::duck::Duck;
use crate::support::postgres::Server;
use crate::support::process::{Ended, Running};

/// The schema of the catalog's tables.
pub(crate) const META: &str = "bronze_meta";

/// A pipeline, its database and its lake.
pub(crate) struct World {
    folder: tempfile::TempDir,
    database: String,
    url: String,
    conninfo: String,
    /// The catalog's database, if it is another one.
    catalog: Option<String>,
    settings: Vec<(String, String)>,
    runs: AtomicUsize,
}

impl World {
    /// The hot tables of `sql`, in a new database of the shared server. The watermark is that of
    /// table `ledgers`, column `sequence`.
    pub(crate) fn new(sql: &str) -> World {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let database = format!("hot{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let server = Server::shared();
        server.create_database(&database);
        server.psql(&database, sql);
        let folder = tempfile::tempdir().expect("a folder");
        let (url, conninfo) = (server.url(&database), server.conninfo(&database));
        let settings = [
            ("source.watermark", r#"{ table = "ledgers", column = "sequence" }"#),
            ("lake.metadata_schema", r#""bronze_meta""#),
            ("lake.schema", r#""bronze""#),
            ("lake.data_path", r#""file:lake""#),
        ];
        let settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        World { folder, database, url, conninfo, catalog: None, settings, runs: AtomicUsize::new(0) }
    }

    /// Sets `section.key` to a value as TOML has it.
    pub(crate) fn set(&mut self, key: &str, value: &str) -> &mut World {
        self.settings.retain(|(known, _)| known != key);
        self.settings.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Leaves a key out.
    pub(crate) fn unset(&mut self, key: &str) -> &mut World {
        self.settings.retain(|(known, _)| known != key);
        self
    }

    /// Reads the hot tables through another address, such as a proxy's.
    pub(crate) fn through(&mut self, port: u16) {
        self.url = format!("postgresql://postgres@127.0.0.1:{port}/{}", self.database);
    }

    /// Has the catalog in a database of its own.
    pub(crate) fn apart(&mut self) {
        let catalog = format!("catalog_of_{}", self.database);
        Server::shared().create_database(&catalog);
        self.set("lake.catalog", &format!("{:?}", Server::shared().url(&catalog)));
        self.catalog = Some(catalog);
    }

    /// Reaches that catalog through another address.
    pub(crate) fn catalog_through(&mut self, port: u16) {
        let url = format!("{:?}", format!("postgresql://postgres@127.0.0.1:{port}/{}", self.catalog()));
        self.set("lake.catalog", &url);
    }

    /// Statements in the catalog's database.
    #[track_caller]
    pub(crate) fn psql_of_the_catalog(&self, sql: &str) -> String {
        Server::shared().psql(self.catalog(), sql)
    }

    fn catalog(&self) -> &str {
        self.catalog.as_ref().unwrap_or(&self.database)
    }

    /// Uses another server.
    pub(crate) fn at(&mut self, url: &str, conninfo: &str) {
        (self.url, self.conninfo) = (url.to_owned(), conninfo.to_owned());
    }

    /// Where the hot tables are, as libpq's keywords.
    pub(crate) fn conninfo(&self) -> &str {
        &self.conninfo
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Statements in the hot database.
    #[track_caller]
    pub(crate) fn psql(&self, sql: &str) -> String {
        Server::shared().psql(&self.database, sql)
    }

    /// Statements that may fail.
    pub(crate) fn try_psql(&self, sql: &str) -> Result<String, String> {
        Server::shared().try_psql(&self.database, sql)
    }

    /// A number that a query of the hot database returns.
    #[track_caller]
    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.psql(sql).parse().expect("a number")
    }

    /// Another reader of the lake.
    pub(crate) fn duck(&self) -> Duck {
        let catalog = match &self.catalog {
            Some(catalog) => Server::shared().conninfo(catalog),
            None => self.conninfo.clone(),
        };
        let mut duck = Duck::attach(&catalog, "", META);
        duck.attach_hot(&self.conninfo);
        duck
    }

    /// A lake that DuckDB has made.
    pub(crate) fn duck_of_a_new_lake(&self) -> Duck {
        let path = format!("{}/", self.path("lake").display());
        let mut duck = Duck::attach(&self.conninfo, &path, META);
        duck.attach_hot(&self.conninfo);
        duck
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut text = String::from("pipeline = \"stellar\"\ntopology = \"pg_flush\"\nworkers = 2\n");
        let mut sections: std::collections::BTreeMap<&str, String> = std::collections::BTreeMap::new();
        sections.insert("source", format!("url = {:?}\n", self.url));
        for (key, value) in &self.settings {
            let (section, key) = key.split_once('.').expect("a section and a key");
            sections.entry(section).or_default().push_str(&format!("{key} = {value}\n"));
        }
        sections.iter().for_each(|(name, lines)| text.push_str(&format!("[{name}]\n{lines}")));
        std::fs::write(self.path("p.toml"), text).expect("a pipeline file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_lakefront"));
        command.args(arguments).current_dir(self.folder.path()).env_remove("FAILPOINTS").env_remove("LAKEFRONT_LOG");
        // What libpq looks for in the home of whoever runs the tests is not for them.
        command.env("HOME", self.folder.path());
        command
    }

    fn spawn(&self, command: Command) -> Running {
        Running::start(command, self.folder.path(), self.runs.fetch_add(1, Ordering::Relaxed))
    }

    /// Starts a command that is given the pipeline file.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        self.spawn(self.command(arguments))
    }

    /// Runs a command that is given the pipeline file.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.spawn(self.command(arguments)).end()
    }

    /// Runs once, with fail points.
    pub(crate) fn run_with(&self, points: &str) -> Running {
        let mut command = self.command(&["run", "p.toml", "--once", "--json"]);
        command.env("FAILPOINTS", points);
        self.spawn(command)
    }

    /// Whether a session of the hot database is in `pg_sleep`.
    pub(crate) fn is_asleep(&self) -> bool {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
        self.number(sql) > 0
    }

    /// Flushes until nothing waits; what the run reports.
    #[track_caller]
    pub(crate) fn flush(&self) -> Value {
        let ended = self.run(&["run", "p.toml", "--once", "--json"]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        serde_json::from_str(ended.stdout.trim()).expect("a report in JSON")
    }

    /// Starts a run that goes on, with fail points.
    pub(crate) fn tail(&self, points: &str) -> Running {
        let mut command = self.command(&["run", "p.toml"]);
        command.env("FAILPOINTS", points);
        let mut tail = self.spawn(command);
        tail.until_it_says("claimed the tables");
        tail
    }

    /// Runs `prove`, which must exit with `code`. Returns what it says.
    #[track_caller]
    pub(crate) fn prove(&self, code: i32) -> Value {
        self.run(&["prove", "p.toml", "--json"]).exits_with(code).json()
    }

    /// The lake has every row that was flushed to it, once, and all of them can be verified.
    #[track_caller]
    pub(crate) fn proves(&self) -> Value {
        let said = self.prove(0);
        assert!(said["ok"] == true && said["unverifiable_rows"] == 0, "{said:#}");
        said
    }

    /// The snapshots of the lake that are ours and have rows.
    pub(crate) fn flushes(&self) -> i64 {
        let sql = "SELECT count(*) FROM bronze_meta.lakefront_commits WHERE snapshot_id IS NOT NULL";
        self.psql_of_the_catalog(sql).parse().expect("a number")
    }

    /// The same, also before there is a catalog.
    pub(crate) fn flushes_so_far(&self) -> i64 {
        let sql = "SELECT to_regclass('bronze_meta.lakefront_offsets') IS NOT NULL";
        if self.psql_of_the_catalog(sql) == "t" { self.flushes() } else { 0 }
    }

    /// The lake's table has the rows of the hot database's `saved` table, each as often.
    #[track_caller]
    pub(crate) fn is_saved(&self, duck: &mut Duck, table: &str, columns: &str) {
        let (lake, saved) =
            (format!("SELECT {columns} FROM lake.bronze.{table}"), format!("SELECT {columns} FROM hot.saved.{table}"));
        for (what, sql) in [
            ("lost or changed", format!("FROM ({saved}) EXCEPT ALL FROM ({lake}) LIMIT 3")),
            ("not from there", format!("FROM ({lake}) EXCEPT ALL FROM ({saved}) LIMIT 3")),
        ] {
            let lines = duck.lines(&sql);
            assert!(lines.is_empty(), "table {table}, {what}: {lines:#?}");
        }
    }
}
