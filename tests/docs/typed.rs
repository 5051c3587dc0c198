//! What a page says is typed is typed here, line by line, and works.
//!
//! | kind of block | what becomes of it |
//! |---|---|
//! | `sh` | each line runs in order; a block is a terminal that begins in the page's folder |
//! | `python` | runs in the folder of the pipeline, with what the oracle has installed |
//! | `toml` | is laid over a small pipeline file, which must then be valid |
//! | `json` | is JSON |
//! | `python readers`, `python spark`, `sql spark` | `tests/readers` runs them |
//! | `sql duckdb`, `sql postgresql` | `tests/flush` runs them |
//! | `sql databricks` | needs an account, and so is not run; the page says so |
//! | `text` and none | is not typed |

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::pages::{all, blocks, root};
use crate::support::http::{free_address, get};
use crate::support::pipeline::copy;
use crate::support::{Ended, Running, oracle};

/// What `init` writes, and a run that listens there finds taken if another test uses it too.
const LISTENS: &str = "127.0.0.1:8089";
/// Their commands need services on ports of their own: `tests/azure/example.rs`,
/// `tests/connect/typed.rs`, `tests/connect/example.rs` and `tests/flush/example.rs` type them.
const TYPED_ELSEWHERE: [&str; 4] = ["docs/azure.md", "docs/debezium.md", "docs/pg_changes.md", "docs/pg_flush.md"];
/// The command that runs this very test.
const TESTS: &str = "cargo test --workspace";

/// A page's folder, and the run that was started there and goes on.
struct Page {
    folder: TempDir,
    /// Where the pipeline is, below the folder.
    pipeline: PathBuf,
    tail: Option<Running>,
    typed: usize,
}

impl Page {
    /// The repository as far as a newcomer needs it, before anything is typed.
    fn of_a_newcomer() -> Page {
        let folder = tempfile::tempdir().expect("a temporary directory");
        copy(&root().join("examples"), &folder.path().join("examples"));
        Page { folder, pipeline: PathBuf::from("shop"), tail: None, typed: 0 }
    }

    /// The folder of a pipeline that has landed some lines.
    fn of_a_user() -> Page {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let mut page = Page { folder, pipeline: PathBuf::new(), tail: None, typed: 0 };
        for line in [
            "lakefront init . --source file:logs --mode tail --lake file:lake --yes",
            "lakefront generate --size 1MiB --rejects 0.01 --files 3 logs",
            "lakefront run lakefront.toml --mode backfill",
        ] {
            page.types(line, Path::new(""));
        }
        page
    }

    /// Types a line in `place`, below the folder.
    fn types(&mut self, line: &str, place: &Path) {
        let place = self.folder.path().join(place);
        let line = line.replace("cargo run --release -- ", "lakefront ");
        let follows = line.starts_with("lakefront run") && self.is_tail(&line, &place);
        let mut command = Command::new("bash");
        // `exec`: a signal is for the program and not for the shell around it.
        command.arg("-c").arg(if follows { format!("exec {line}") } else { line.clone() });
        command.current_dir(place).env("PATH", path_with_lakefront());
        self.typed += 1;
        let mut running = Running::start(command, self.folder.path(), self.typed);
        match follows {
            true => {
                running.until_it_says("claimed");
                self.tail = Some(running);
            }
            false => {
                running.end().exits_with(0);
            }
        }
        if line.starts_with("lakefront init") {
            self.moves_to_a_free_port();
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join(&self.pipeline).join("lakefront.toml")
    }

    fn is_tail(&self, line: &str, place: &Path) -> bool {
        let file = line.split_whitespace().nth(2).expect("a file to run");
        let text = fs::read_to_string(place.join(file)).expect("the pipeline file");
        !line.contains("--mode backfill") && text.contains("mode   = \"tail\"")
    }

    /// Two tests at once cannot both listen where the page says.
    fn moves_to_a_free_port(&self) {
        let text = fs::read_to_string(self.file()).expect("the pipeline file");
        fs::write(self.file(), text.replace(LISTENS, &free_address().to_string())).expect("it is written");
    }

    fn runs_python(&self, program: &str) {
        let mut command = oracle::python();
        // The readers' threads outlive the program, and sometimes make the interpreter crash while
        // it shuts down.
        let program = format!("{program}\nimport os, sys\nsys.stdout.flush()\nos._exit(0)\n");
        command.arg("-c").arg(program).current_dir(self.folder.path().join(&self.pipeline));
        let said = command.output().expect("Python runs");
        assert!(said.status.success() && !said.stdout.is_empty(), "{}", String::from_utf8_lossy(&said.stderr));
    }

    /// The run that was left behind answers where the file says, and ends cleanly.
    fn stops(self) -> Option<Ended> {
        let text = fs::read_to_string(self.file()).ok()?;
        let address = text.lines().find_map(|line| line.strip_prefix("listen = \"")?.split('"').next());
        let tail = self.tail?;
        let page = get(address.expect("it listens").parse().expect("an address"), "/");
        assert_eq!(page.expect("the live page").status, 200);
        Some(tail.stop())
    }
}

/// `PATH`, with the program that is tested in front.
fn path_with_lakefront() -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_lakefront")).parent().expect("a folder");
    format!("{}:{}", program.display(), std::env::var("PATH").expect("a path"))
}

fn types_the_page(name: &str, mut page: Page) -> Page {
    let mut commands = 0;
    for block in blocks(Path::new(name)) {
        match block.kind.as_str() {
            "sh" => {
                let mut place = PathBuf::new();
                for line in block.text.lines().filter(|line| !line.starts_with(TESTS)) {
                    match line.strip_prefix("cd ") {
                        Some(folder) => place.push(folder),
                        None => page.types(line, &place),
                    }
                    commands += 1;
                }
            }
            "python" => page.runs_python(&block.text),
            _ => {}
        }
    }
    assert!(commands > 0, "{name} has no command");
    page
}

#[test]
fn the_readme() {
    let page = types_the_page("README.md", Page::of_a_newcomer());
    assert!(page.stops().is_some(), "the tail that the page starts went on");
}

#[test]
fn operations() {
    types_the_page("docs/operations.md", Page::of_a_user());
}

#[test]
fn proof() {
    types_the_page("docs/proof.md", Page::of_a_user());
}

#[test]
fn tables() {
    let page = Page::of_a_user();
    for block in blocks(Path::new("docs/tables.md")).iter().filter(|block| block.kind == "python") {
        page.runs_python(&block.text);
    }
}

#[test]
fn every_block_is_of_a_kind_that_somebody_checks() {
    let typed = [&["README.md", "docs/operations.md", "docs/proof.md"][..], &TYPED_ELSEWHERE].concat();
    let is_typed_elsewhere = |page: &Path| TYPED_ELSEWHERE.iter().any(|name| page == Path::new(name));
    for page in all() {
        for block in blocks(&page) {
            let place = format!("{}:{}", page.display(), block.line);
            match block.kind.as_str() {
                "sh" => assert!(typed.iter().any(|name| page == Path::new(name)), "{place}: nobody types it"),
                "python" => assert!(!is_typed_elsewhere(&page), "{place}: nobody runs it"),
                "toml" => is_valid(&block.text, &place),
                "json" => assert!(serde_json::from_str::<serde_json::Value>(&block.text).is_ok(), "{place}"),
                "sql duckdb" | "sql postgresql" => {
                    assert!(page == Path::new("docs/pg_flush.md"), "{place}: nobody runs it");
                }
                "" | "text" | "python readers" | "python spark" | "sql spark" | "sql databricks" => {}
                other => panic!("{place}: {other:?} is no kind of block"),
            }
        }
    }
    let ci = fs::read_to_string(root().join(".ci/run")).expect("what a change must pass");
    assert!(ci.lines().any(|line| line == TESTS), "CI runs the command of the README");
}

/// The least that a pipeline file says.
const LEAST: &str = "pipeline = \"p\"\ntopology = \"pg_logs\"\n[source]\nurl = \"file:logs\"\nformat = \"azure\"\n\
                     [lake]\nroot = \"file:lake\"\ncatalog = \"c\"\nschema = \"s\"\n";

/// The same of a pipeline of changes, of which a page of its own has all that is shown.
const LEAST_OF_CHANGES: &str = "pipeline = \"p\"\ntopology = \"pg_changes\"\n[source]\nbrokers = \"localhost:9092\"\n\
                                topics = \"cdc.*\"\n[lake]\nroot = \"file:lake\"\ncatalog = \"c\"\n";

/// `least`, with the lines of `text` in their sections, in place of its own for the same keys.
fn laid_over(least: &str, text: &str) -> String {
    let mut sections: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for text in [least, text] {
        let mut section = "";
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match line.strip_prefix('[') {
                Some(name) => section = name.split(']').next().expect("a name"),
                None => {
                    let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("{line:?} is no key and value"));
                    sections.entry(section).or_default().insert(key.trim(), value);
                }
            }
        }
    }
    let lines =
        |keys: &BTreeMap<&str, &str>| keys.iter().map(|(key, value)| format!("{key} ={value}\n")).collect::<String>();
    let section = |(name, keys): (&&str, &BTreeMap<&str, &str>)| match *name {
        "" => lines(keys),
        name => format!("[{name}]\n{}", lines(keys)),
    };
    sections.iter().map(section).collect()
}

/// Some lines of a pipeline file, in the place that they have there, are right.
fn is_valid(lines: &str, place: &str) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let least = if place.starts_with("docs/pg_changes.md") { LEAST_OF_CHANGES } else { LEAST };
    fs::write(folder.path().join("p.toml"), laid_over(least, lines)).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lakefront"));
    command.args(["validate", "p.toml"]).current_dir(folder.path());
    let ended = Running::start(command, folder.path(), 1).end();
    assert_eq!(ended.code, Some(0), "{place}: {}", ended.stderr);
}
