//! `init`: what it writes is validated, checked by the doctor, and run.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::oracle::run_python;
use crate::support::{Ended, Pipeline, Running};

/// A folder that holds only what the commands create.
struct Desk(Pipeline);

impl Desk {
    fn new() -> Desk {
        Desk(Pipeline::new())
    }

    fn call(&self, below: &str, arguments: &[&str]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lakefront"));
        command.args(arguments).current_dir(self.0.path(below)).env_remove("LAKEFRONT_LOG");
        Running::start(command, &self.0.path(""), 99).end()
    }

    fn file(&self) -> String {
        fs::read_to_string(self.0.path("shop/lakefront.toml")).expect("a pipeline file")
    }
}

#[test]
fn the_steps_that_it_prints_lead_to_tables() {
    for format in ["azure", "jsonlog"] {
        let desk = Desk::new();
        let said =
            desk.call("", &["init", "shop", "--yes", "--format", format, "--pipeline", "shop"]).exits_with(0).stdout;
        let steps = [
            "cd shop",
            "lakefront generate --format",
            "lakefront doctor lakefront.toml",
            "lakefront run lakefront.toml",
        ];
        assert!(steps.iter().all(|step| said.contains(step)), "{said}");

        desk.call("shop", &["generate", "--format", format, "--size", "200KiB", "--files", "3", "logs/"]).exits_with(0);
        desk.call("shop", &["validate", "lakefront.toml"]).exits_with(0);
        desk.call("shop", &["doctor", "lakefront.toml"]).exits_with(0);
        let report = desk.call("shop", &["run", "lakefront.toml", "--json"]).exits_with(0).json();
        for table in ["primary", "replica"] {
            assert!(report["tables"][table]["rows"].as_u64() > Some(10), "{report}");
        }
        assert_eq!(report["tables"]["rejects"]["rows"], 0);
        assert!(desk.0.path("shop/lake/lakehouse/postgresql_logs").is_dir(), "paths count from the file's directory");
    }
}

#[test]
fn a_file_that_is_there_is_replaced_only_by_force() {
    let desk = Desk::new();
    desk.call("", &["init", "shop", "--pipeline", "one"]).exits_with(0);
    let before = desk.file();
    let error = desk.call("", &["init", "shop", "--pipeline", "two"]).exits_with(2).error();
    assert!(error.contains("is there already"), "{error}");
    assert_eq!(desk.file(), before);
    desk.call("", &["init", "shop", "--pipeline", "two", "--force"]).exits_with(0);
    assert!(desk.file().contains("pipeline = \"two\""));
}

#[test]
fn wrong_flags_are_named_and_write_nothing() {
    let desk = Desk::new();
    let wrong = [
        ["--source", "logs/"],
        ["--source", "file:[/"],
        ["--lake", "az://lake/*"],
        ["--pipeline", "no spaces"],
        ["--source", "https://shop.blob.core.windows.net/logs/?sv=2024-01-01&sig=hunter2"],
    ];
    for flags in wrong {
        let ended = desk.call("", &[&["init", "shop", "--yes"], &flags[..]].concat()).exits_with(2);
        assert!(ended.error().starts_with(&format!("error: {}: ", flags[0])), "{}", ended.stderr);
        assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    }
    for (lake, way_in) in [
        ("az://lake/?sv=2024-01-01&sig=hunter2", "AZURE_STORAGE_SAS_TOKEN"),
        ("s3://AKIA:hunter2@lake/x", "AWS_SECRET_ACCESS_KEY"),
    ] {
        let ended = desk.call("", &["init", "shop", "--yes", "--lake", lake]).exits_with(2);
        assert!(ended.error().contains(way_in) && !ended.stderr.contains("hunter2"), "{}", ended.stderr);
    }
    let ended = desk.call("", &["init", "--source", "az://logs/", "--account", "NOT ONE"]).exits_with(2);
    assert!(ended.error().starts_with("error: --account: "), "{}", ended.stderr);
    assert!(!desk.0.path("shop").exists() && !desk.0.path("lakefront.toml").exists());
}

#[test]
fn on_a_terminal_it_asks() {
    let desk = Desk::new();
    // A terminal made by Python: the answers are typed one by one, each after its question.
    let program = "import os, pty, sys\n\
        answers = ['logs', 'file:logs/', 'jsonlog', 'tail', '', 'asked']\n\
        pid, terminal = pty.fork()\n\
        if pid == 0:\n    os.chdir(sys.argv[2])\n    os.execv(sys.argv[1], [sys.argv[1], 'init', 'shop'])\n\
        said = b''\n\
        while True:\n\
        \x20   try:\n        more = os.read(terminal, 4096)\n    except OSError:\n        break\n\
        \x20   if not more:\n        break\n\
        \x20   said += more\n\
        \x20   if answers and said.endswith(b']: '):\n        os.write(terminal, answers.pop(0).encode() + b'\\n')\n\
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), len(answers))\n\
        print(said.decode())";
    let said = run_python(program, &[Path::new(env!("CARGO_BIN_EXE_lakefront")), &desk.0.path("")]);
    assert!(said.starts_with("0 0\n") && said.contains("That cannot be used"), "{said}");
    let file = desk.file();
    for line in ["pipeline = \"asked\"", "url    = \"file:logs/\"", "mode   = \"tail\"", "format = \"jsonlog\""] {
        assert!(file.contains(line), "{line} in\n{file}");
    }
}

#[test]
fn a_pipeline_is_named_after_its_folder_if_that_is_a_name_for_one() {
    let desk = Desk::new();
    desk.call("", &["init", "shop", "--yes"]).exits_with(0);
    assert!(desk.file().contains("pipeline = \"shop\""), "{}", desk.file());
    desk.call("", &["init", "the shop", "--yes"]).exits_with(0);
    let other = fs::read_to_string(desk.0.path("the shop/lakefront.toml")).expect("a pipeline file");
    assert!(other.contains("pipeline = \"pg-logs\""), "{other}");
}
