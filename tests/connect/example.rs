//! `docs/pg_changes.md`, as it is typed: with PostgreSQL, Kafka and Connect as the example starts
//! them. After each run the lake holds what PostgreSQL holds, value by value.

use std::fs;
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use crate::pages::{blocks, root};
use crate::support::oracle::run_python;
use crate::support::pipeline::copy;
use crate::support::postgres::{free_port, rows_at};

/// The folder of the page's servers. The test has another.
const FOLDER: &str = "/tmp/changes";

/// A port: the variable that gives the script another, the one that it has by itself, and whether
/// the pipeline file has it.
const PORTS: [(&str, &str, bool); 4] = [
    ("POSTGRES_PORT", "5435", true),
    ("KAFKA_PORT", "9092", true),
    ("KAFKA_CONTROLLER_PORT", "9093", false),
    ("CONNECT_PORT", "8083", true),
];

/// The tables, with their keys.
const TABLES: [(&str, &str); 4] =
    [("customers", "id"), ("products", "sku"), ("orders", "id"), ("order_items", "order_id,line")];

/// Compares a table of the lake with a file of rows as JSON, by key. Prints how many there are.
const SAME: &str = "
import sys, json, datetime, pyarrow
from deltalake import DeltaTable, QueryBuilder
texts = {'parse_int': str, 'parse_float': str}
keys = sys.argv[3].split(',')
def by_key(rows):
    return {tuple(str(row[key]) for key in keys): row for row in rows}
def same(lake, source):
    if isinstance(source, dict):
        return json.loads(lake, **texts) == source
    if isinstance(source, list):
        return isinstance(lake, list) and len(lake) == len(source) and all(map(same, lake, source))
    if isinstance(lake, datetime.datetime):
        return lake == datetime.datetime.fromisoformat(source)
    if lake is None or isinstance(lake, bool):
        return lake is source
    return str(lake) == source
query = QueryBuilder().register('t', DeltaTable(sys.argv[1])).execute('select * from t')
rows = pyarrow.table(query.read_all()).to_pylist()
lake = by_key(rows)
source = by_key(json.loads(line, **texts) for line in open(sys.argv[2], encoding='utf-8'))
assert len(rows) == len(lake) and lake.keys() == source.keys(), (len(rows), lake.keys() ^ source.keys())
for key, row in source.items():
    assert lake[key].keys() == row.keys(), (lake[key].keys(), row.keys())
    for column, value in row.items():
        assert same(lake[key][column], value), (key, column, lake[key][column], value)
print(len(rows))
";

/// Waits until its own standard input closes, which is when the test has ended, however it did;
/// then stops what runs, and removes the folder.
const WATCH: &str = r#"
trap '' HUP INT TERM
read -r _
"$1" "$0" stop
rm -rf "$0"
"#;

/// A terminal in a folder with the examples, and the servers that are started there.
struct Terminal {
    folder: TempDir,
    servers: PathBuf,
    /// In the order of `PORTS`.
    ports: [u16; PORTS.len()],
    watch: Child,
}

impl Terminal {
    fn new() -> Terminal {
        let folder = tempfile::tempdir().expect("a folder");
        for part in ["examples", "tests/kafka/stack"] {
            copy(&root().join(part), &folder.path().join(part));
        }
        // The servers drop their rights, and must still reach their folder; the script makes it.
        let servers =
            tempfile::Builder::new().prefix("lakefront-changes-").tempdir_in("/tmp").expect("a folder").keep();
        fs::remove_dir(&servers).expect("an empty folder");
        let mut watch = Command::new("sh");
        watch.args(["-c", WATCH]).arg(&servers).arg(root().join("examples/changes/start.sh")).process_group(0);
        watch.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let watch = watch.spawn().expect("a shell");
        Terminal { folder, servers, ports: [0; PORTS.len()], watch }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Takes ports on which nobody listened a moment ago, also in the pipeline file.
    fn moves_to_free_ports(&mut self) {
        self.ports = self.ports.map(|_| free_port());
        let mut text = fs::read_to_string(root().join("examples/pg_changes.toml")).expect("the example");
        let mut replace = |from: &str, to: &str| {
            assert!(text.contains(from), "the example has {from}");
            text = text.replace(from, to);
        };
        for ((_, port, _), other) in PORTS.iter().zip(self.ports).filter(|((.., is_in_file), _)| *is_in_file) {
            replace(&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{other}"));
        }
        // What is written shows as confirmed that soon.
        replace("heartbeat_interval = \"10s\"", "heartbeat_interval = \"1s\"");
        fs::write(self.path("examples/pg_changes.toml"), text).expect("a file");
    }

    /// Types a line, with these servers in the place of the page's.
    fn runs(&self, line: &str) -> Output {
        let line = line.replace(FOLDER, &self.servers.display().to_string());
        let program = Path::new(env!("CARGO_BIN_EXE_lakefront")).parent().expect("a folder");
        let path = format!("{}:{}", program.display(), std::env::var("PATH").expect("a path"));
        let mut command = Command::new("bash");
        command.arg("-c").arg(&line).current_dir(self.folder.path()).env("PATH", path).stdin(Stdio::null());
        command.env_remove("FAILPOINTS").env_remove("LAKEFRONT_LOG");
        for ((variable, ..), port) in PORTS.iter().zip(self.ports) {
            command.env(variable, port.to_string());
        }
        command.output().expect("a shell")
    }

    /// The same, for what must succeed. Returns what it prints.
    #[track_caller]
    fn types(&self, line: &str) -> String {
        let output = self.runs(line);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{line}\n{said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    /// Types the line that starts the servers.
    #[track_caller]
    fn starts(&mut self, line: &str) {
        let mut said = String::new();
        // Another process may take a free port before a server does.
        let started = (0..3).any(|_| {
            self.moves_to_free_ports();
            let output = self.runs(line);
            said = String::from_utf8_lossy(&output.stderr).into_owned();
            output.status.success()
        });
        assert!(started, "{line}\n{said}");
    }

    /// The lake's tables have the rows of PostgreSQL's.
    #[track_caller]
    fn lake_holds_the_same(&self) {
        let (url, file) = (format!("postgresql://cdc@127.0.0.1:{}/shop", self.ports[0]), self.path("rows.json"));
        for (table, key) in TABLES {
            let rows = rows_at(&url, &format!("SELECT to_jsonb(t) FROM {table} t"));
            assert!(rows.len() >= 19, "{table} has {rows:?}");
            fs::write(&file, rows.join("\n")).expect("a file");
            let lake = self.path("lake/shop/public").join(table);
            assert_eq!(run_python(SAME, &[&lake, &file, key.as_ref()]), rows.len().to_string(), "{table}");
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Closes its standard input, at which it stops what runs.
        drop(self.watch.stdin.take());
        let _ = self.watch.wait();
    }
}

#[test]
fn the_page_works_as_typed() {
    let page = blocks(Path::new("docs/pg_changes.md"));
    let commands: Vec<_> = page.iter().filter(|block| block.kind == "sh").collect();
    let [commands] = commands[..] else { panic!("one block of commands") };
    let lines: Vec<&str> = commands.text.lines().collect();
    let [first, between @ .., last] = &lines[..] else { panic!("commands") };
    let mut terminal = Terminal::new();
    terminal.starts(first);
    let mut said = Vec::new();
    for line in between {
        said.push(terminal.types(line));
        if line.starts_with("lakefront run") {
            terminal.lake_holds_the_same();
        }
    }
    let runs: Vec<&String> = said.iter().filter(|said| said.starts_with("landed ")).collect();
    assert!(runs.len() == 2 && runs[0].starts_with("landed 100 offsets "), "{runs:?}");
    assert!(said.iter().any(|said| said.contains("is proved")), "{said:?}");

    // It runs already; once it is stopped, it is started again with all that it had.
    let again = terminal.runs(first);
    assert!(!again.status.success(), "{again:?}");
    assert!(String::from_utf8_lossy(&again.stderr).contains("it runs already"), "{again:?}");
    terminal.types(last);
    for port in terminal.ports {
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "port {port} is free");
    }
    terminal.types(first);
    let more = between.iter().find(|line| line.contains(" change ")).expect("a line that makes changes");
    terminal.types(more);
    let run = between.iter().find(|line| line.starts_with("lakefront run")).expect("a run");
    assert!(!terminal.types(run).starts_with("landed 0 "), "there is more to land");
    terminal.lake_holds_the_same();
    terminal.types(last);
    terminal.types(last);
}
