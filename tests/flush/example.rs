//! `docs/pg_flush.md`, as it is typed: its commands in a shell, its statements in DuckDB. What a
//! role needs, which the page has too, is for `access.rs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::pages::{Block, blocks, root};
use crate::support::duck::Duck;
use crate::support::http::free_address;
use crate::support::pipeline::copy;

/// The port and the folder of the page's server. The tests have others.
const PORT: &str = "5434";
const FOLDER: &str = "/tmp/hot";

/// A terminal in a folder with the examples, and the server that was started there.
struct Terminal {
    folder: TempDir,
    server: PathBuf,
    port: String,
}

impl Terminal {
    fn new() -> Terminal {
        let folder = tempfile::tempdir().expect("a folder");
        copy(&root().join("examples"), &folder.path().join("examples"));
        // The server drops its rights, and must still reach its folder; the script makes it.
        let server = tempfile::Builder::new().prefix("lakefront-hot-").tempdir_in("/tmp").expect("a folder").keep();
        fs::remove_dir(&server).expect("an empty folder");
        let port = free_address().port().to_string();
        let pipeline = folder.path().join("examples/pg_flush.toml");
        let text = fs::read_to_string(&pipeline).expect("the example");
        assert!(text.contains(&format!(":{PORT}/")), "the port that the script uses by itself");
        fs::write(pipeline, text.replace(&format!(":{PORT}/"), &format!(":{port}/"))).expect("a file");
        Terminal { folder, server, port }
    }

    /// Types a line, with this server in the place of the page's.
    fn runs(&self, line: &str) -> Output {
        let stop = format!("{FOLDER} stop");
        let server = self.server.display();
        let line = match line.contains(&stop) {
            true => line.replace(&stop, &format!("{server} stop")),
            false => line.replace(FOLDER, &format!("{server} {}", self.port)),
        };
        let program = Path::new(env!("CARGO_BIN_EXE_lakefront")).parent().expect("a folder");
        let path = format!("{}:{}", program.display(), std::env::var("PATH").expect("a path"));
        let mut command = Command::new("bash");
        command.arg("-c").arg(&line).current_dir(self.folder.path()).env("PATH", path);
        command.output().expect("a shell")
    }

    /// The same, for what must succeed. Returns what it prints.
    #[track_caller]
    fn types(&self, line: &str) -> String {
        let output = self.runs(line);
        assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// Runs the statements of a block, and returns the rows of each as lines.
    fn asks(&self, duck: &mut Duck, block: &Block) -> Vec<Vec<String>> {
        let text = block.text.replace(&format!("port={PORT}"), &format!("port={}", self.port));
        let statements = text.split(';').map(str::trim).filter(|statement| !statement.is_empty());
        // They are loaded already, from where no network is needed.
        let statements =
            statements.filter(|statement| !["INSTALL ", "LOAD "].iter().any(|verb| statement.starts_with(verb)));
        statements.map(|statement| duck.lines(statement)).collect()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has stopped already, unless the test failed.
        let _ = self.runs(&format!("examples/hot/start.sh {FOLDER} stop"));
        let _ = fs::remove_dir_all(&self.server);
    }
}

#[test]
fn the_page_works_as_typed() {
    let page = blocks(Path::new("docs/pg_flush.md"));
    let of = |kind: &str| page.iter().filter(|block| block.kind == kind).collect::<Vec<_>>();
    let ([commands], [look, clean_up]) = (&of("sh")[..], &of("sql duckdb")[..]) else {
        panic!("one block of commands, and two for DuckDB")
    };
    let terminal = Terminal::new();
    let lines: Vec<&str> = commands.text.lines().collect();
    let (last, lines) = lines.split_last().expect("commands");
    let said: String = lines.iter().map(|line| terminal.types(line)).collect();
    for words in ["21 hot tables", "ledgers_row_v2", "flushed up to sequence 60000500"] {
        assert!(said.contains(words), "{words} in {said}");
    }

    // In the folder of the commands, a relative path of the page means the same.
    let mut duck = Duck::start();
    let answers = terminal.asks(&mut duck, look);
    assert_eq!(answers[1], ["1000|60000500"]);
    let snapshots = answers.last().expect("snapshots");
    assert!(snapshots.iter().any(|line| line.ends_with("|lakefront|flush 1 of stellar-flush")), "{snapshots:?}");
    let counted = "SELECT sum(record_count)::BIGINT FROM __ducklake_metadata_lake.bronze_meta.ducklake_data_file";
    let rows = duck.lines(counted);
    assert!(commands.text.contains("40,800 rows") && rows == ["40800"], "{rows:?}");
    terminal.asks(&mut duck, clean_up);
    assert_eq!(duck.lines("SELECT count(*) FROM lake.bronze.ledgers_row_v2"), ["1000"], "no file of the lake went");

    // It finds nothing that waits, and makes no snapshot.
    let run = lines.iter().find(|line| line.starts_with("lakefront run")).expect("a run");
    terminal.types(run);
    assert_eq!(duck.lines("SELECT count(*) FROM lake.snapshots()"), [snapshots.len().to_string()]);
    drop(duck);
    terminal.types(last);
}
