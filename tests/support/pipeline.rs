//! A pipeline in its own folder: its file, its source, its lake, and the binary run in that folder.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::{Ended, Running, oracle};

/// Where the tables lie, below the folder.
pub(crate) const TABLES: &str = "lake/lakehouse/logs";

/// A pipeline from `logs/` to `lake/`.
pub(crate) struct Pipeline {
    folder: TempDir,
    /// Section, key, value; the top section is `""`.
    settings: BTreeMap<String, BTreeMap<String, Value>>,
    outputs: Cell<usize>,
}

impl Pipeline {
    /// With two workers, and chunks and cuts so small that a few lines make many of them.
    pub(crate) fn new() -> Pipeline {
        let folder = tempfile::Builder::new().prefix("lakefront-").tempdir().expect("a temporary directory");
        fs::create_dir_all(folder.path().join("logs")).expect("a folder for logs");
        let mut pipeline = Pipeline { folder, settings: BTreeMap::new(), outputs: Cell::new(0) };
        pipeline.set("", "pipeline", "p").set("", "topology", "pg_logs").set("", "workers", 2);
        pipeline.set("source", "url", "file:logs/").set("source", "format", "azure").set("source", "poll", "10ms");
        pipeline.set("source", "chunk", "4 KiB").set("commit", "bytes", "8 KiB").set("limits", "reject_ratio", 1.0);
        pipeline.set("lake", "root", "file:lake").set("lake", "catalog", "lakehouse").set("lake", "schema", "logs");
        for table in ["primary", "replica", "rejects"] {
            pipeline.set("tables", table, table);
        }
        pipeline
    }

    /// Sets `key` in `[section]`, which takes effect at the next start.
    pub(crate) fn set(&mut self, section: &str, key: &str, value: impl Into<Value>) -> &mut Self {
        self.settings.entry(section.to_owned()).or_default().insert(key.to_owned(), value.into());
        self
    }

    /// Resets `key` of `[section]` to its default.
    pub(crate) fn unset(&mut self, section: &str, key: &str) {
        self.settings.get_mut(section).map(|keys| keys.remove(key));
    }

    fn setting(&self, section: &str, key: &str) -> Option<&Value> {
        self.settings.get(section)?.get(key)
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    pub(crate) fn table(&self, name: &str) -> PathBuf {
        self.path(TABLES).join(name)
    }

    /// Writes a file into the source.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path("logs").join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("a log file");
    }

    /// Appends to a file of the source.
    pub(crate) fn append(&self, name: &str, content: impl AsRef<[u8]>) {
        append(&self.path("logs").join(name), content.as_ref());
    }

    /// The binary, to be run in the folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let section = |(name, keys): (&String, &BTreeMap<String, Value>)| {
            let header = if name.is_empty() { String::new() } else { format!("[{name}]\n") };
            let keys = keys.iter().map(|(key, value)| format!("{} = {}\n", Value::from(key.as_str()), toml(value)));
            header + &keys.collect::<String>()
        };
        let file: String = self.settings.iter().map(section).collect();
        fs::write(self.path("p.toml"), file).expect("a pipeline file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_lakefront"));
        command.args(arguments).current_dir(self.folder.path()).env_remove("FAILPOINTS").env_remove("LAKEFRONT_LOG");
        command
    }

    /// Starts `lakefront` with these arguments.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        self.spawn(self.command(arguments))
    }

    /// Starts `command`; its output goes to files in the folder.
    pub(crate) fn spawn(&self, command: Command) -> Running {
        self.outputs.set(self.outputs.get() + 1);
        Running::start(command, self.folder.path(), self.outputs.get())
    }

    /// Runs `lakefront` with these arguments to its end.
    pub(crate) fn call(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).end()
    }

    /// Runs a backfill to its end.
    pub(crate) fn run(&self) -> Ended {
        self.call(&["run", "p.toml", "--json"])
    }

    /// Runs a backfill that must succeed. Returns its report.
    #[track_caller]
    pub(crate) fn land(&self) -> Value {
        self.run().exits_with(0).json()
    }

    /// Runs a backfill with fail points to its end.
    pub(crate) fn run_failing(&self, points: &str) -> Ended {
        let mut command = self.command(&["run", "p.toml", "--json"]);
        command.env("FAILPOINTS", points);
        self.spawn(command).end()
    }

    /// Starts a tail and waits until it has claimed its tables.
    pub(crate) fn tail(&self) -> Running {
        let mut tail = self.start(&["run", "p.toml", "--mode", "tail", "--json"]);
        tail.until_it_says("claimed the tables");
        tail
    }

    /// The state file, if there is one.
    pub(crate) fn state(&self) -> Option<Value> {
        let content = fs::read(self.path("state/p.offset.json")).ok()?;
        Some(serde_json::from_slice(&content).expect("a state file is replaced whole"))
    }

    pub(crate) fn forget_state(&self) {
        // There may be none.
        let _ = fs::remove_file(self.path("state/p.offset.json"));
    }

    /// The position that was acknowledged last.
    pub(crate) fn position(&self) -> u64 {
        self.state().and_then(|state| state["position"].as_u64()).unwrap_or(0)
    }

    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        self.call(&["status", "p.toml", "--json"]).exits_with(0).json()
    }

    /// Runs `prove`, which must exit with `code`. Returns its report.
    #[track_caller]
    pub(crate) fn prove(&self, code: i32) -> Value {
        self.call(&["prove", "p.toml", "--json"]).exits_with(code).json()
    }

    /// `prove` finds that every row is there once, and leaves nothing out.
    #[track_caller]
    pub(crate) fn is_proved(&self) {
        let said = self.prove(0);
        let whole = |table: &Value| table["unverifiable"] == Value::Array(Vec::new());
        assert!(said["tables"].as_array().is_some_and(|tables| tables.iter().all(whole)), "{said:#}");
    }

    /// `text` without what differs between machines.
    pub(crate) fn normalised(&self, text: &str) -> String {
        let real = fs::canonicalize(self.folder.path()).expect("the folder");
        text.replace(&real.display().to_string(), "<dir>").replace(&self.folder.path().display().to_string(), "<dir>")
    }

    /// The tables hold the source exactly. Returns what the oracle says.
    #[track_caller]
    pub(crate) fn is_exact(&self) -> String {
        self.is_exact_with(&[])
    }

    /// The same, with more arguments for the oracle.
    #[track_caller]
    pub(crate) fn is_exact_with(&self, more: &[&str]) -> String {
        let text = |section, key| self.setting(section, key).and_then(Value::as_str).map(str::to_owned);
        let (file, logs, tables) = (self.path("p.toml"), self.path("logs"), self.path(TABLES));
        let path = |path: &Path| path.display().to_string();
        let mut arguments = vec!["--source".to_owned(), path(&logs), "--lake".to_owned(), path(&tables)];
        arguments.extend(["--roles".to_owned(), path(&file)]);
        let settings =
            [("source", "format"), ("source", "unterminated"), ("rows", "unknown_keys"), ("rows", "envelope")];
        let tables = ["primary", "replica", "rejects"].map(|table| ("tables", table));
        for (section, key) in settings.into_iter().chain(tables) {
            let flag = format!("--{}", key.replace('_', "-"));
            arguments.extend(text(section, key).into_iter().flat_map(|value| [flag.clone(), value]));
        }
        for key in ["zone", "zones", "raw"] {
            let written = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let value = self.setting("rows", key).map(written);
            arguments.extend(value.into_iter().flat_map(|value| [format!("--{key}={value}")]));
        }
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        let output = oracle::oracle(&arguments);
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let folder = self.folder.path().display();
        assert!(output.status.success(), "{folder}: {said}\n{}", String::from_utf8_lossy(&output.stderr));
        said
    }
}

/// TOML writes values as JSON does, except for tables.
fn toml(value: &Value) -> String {
    let list = |items: Vec<String>| items.join(", ");
    match value {
        Value::Array(items) => format!("[{}]", list(items.iter().map(toml).collect())),
        Value::Object(entries) => {
            let entry = |(key, value): (&String, &Value)| format!("{} = {}", Value::from(key.as_str()), toml(value));
            format!("{{ {} }}", list(entries.iter().map(entry).collect()))
        }
        other => other.to_string().replace('\u{7f}', "\\u007F"),
    }
}

/// Appends to a file, and creates it if there is none.
pub(crate) fn append(path: &Path, content: &[u8]) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).expect("a log file");
    file.write_all(content).expect("a log file grows");
}

/// Copies a folder with everything below it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).expect("a file is copied")),
        }
    }
}
