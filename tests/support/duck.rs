//! DuckDB with its ducklake extension: others read our lakes with it, and write to them beside us.
//! `tests/lakes/reader.py` runs it, in a virtual environment that is set up once.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Map, Value, json};

use super::venv;

/// A connection of DuckDB with a lake as `lake`, in a process of its own. It ends when dropped.
pub(crate) struct Duck {
    process: Child,
    /// `None` only while it is dropped.
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Duck {
    /// Attaches a lake, and makes it if it is not there. `catalog` has libpq's keywords, and an
    /// empty `data_path` means the one that the catalog names.
    #[track_caller]
    pub(crate) fn attach(catalog: &str, data_path: &str, metadata_schema: &str) -> Duck {
        let mut duck = Duck::start();
        duck.attach_again(catalog, data_path, metadata_schema, &[]).unwrap_or_else(|error| panic!("{error}"));
        duck
    }

    /// DuckDB without a lake yet.
    pub(crate) fn start() -> Duck {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|folder| folder.join("tests/lakes").is_dir());
        let folder = root.expect("the workspace has it").join("tests/lakes");
        let mut command = venv::python("lakes", &folder.join("requirements.txt"));
        command.arg(folder.join("reader.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("the reader starts");
        let answers = BufReader::new(process.stdout.take().expect("a pipe"));
        Duck { requests: process.stdin.take(), process, answers }
    }

    /// Attaches a lake in the place of the one before, with options of DuckLake's ATTACH, such as
    /// `("DATA_INLINING_ROW_LIMIT", "0")` or `("READ_ONLY", "true")`.
    pub(crate) fn attach_again(
        &mut self,
        catalog: &str,
        data_path: &str,
        metadata_schema: &str,
        options: &[(&str, &str)],
    ) -> Result<(), String> {
        let options: Map<String, Value> =
            options.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let mut lake = json!({ "catalog": catalog, "metadata_schema": metadata_schema, "options": options });
        if !data_path.is_empty() {
            lake["data_path"] = json!(data_path);
        }
        self.ask(&json!({ "attach": lake })).map(drop)
    }

    /// Attaches a database of PostgreSQL as `hot`.
    #[track_caller]
    pub(crate) fn attach_hot(&mut self, conninfo: &str) {
        self.ask(&json!({ "hot": conninfo })).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Runs statements. Returns the last one's rows, with values as `reader.py` writes them, or
    /// DuckDB's error, which has rolled an open transaction back.
    pub(crate) fn sql(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>, String> {
        self.ask(&json!({ "sql": sql }))
    }

    /// As `sql`, for what must succeed.
    #[track_caller]
    pub(crate) fn rows(&mut self, sql: &str) -> Vec<Vec<Option<String>>> {
        self.sql(sql).unwrap_or_else(|error| panic!("{error}\nfrom:\n{sql}"))
    }

    /// The rows as psql prints them: `|` between values, nothing for null.
    #[track_caller]
    pub(crate) fn lines(&mut self, sql: &str) -> Vec<String> {
        let line =
            |row: Vec<Option<String>>| row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>().join("|");
        self.rows(sql).into_iter().map(line).collect()
    }

    fn ask(&mut self, request: &Value) -> Result<Vec<Vec<Option<String>>>, String> {
        let requests = self.requests.as_mut().expect("it is open until the end");
        writeln!(requests, "{request}").expect("the reader lives");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("an answer in UTF-8");
        let mut answer: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?} for {request}"));
        match answer.get("error") {
            Some(error) => Err(error.as_str().expect("text").to_owned()),
            None => Ok(serde_json::from_value(answer["rows"].take()).expect("rows of texts and nulls")),
        }
    }
}

impl Drop for Duck {
    fn drop(&mut self) {
        // The end of its input is the end of the reader; one that hangs in a statement is killed.
        drop(self.requests.take());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
