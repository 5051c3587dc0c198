//! Wrong usage and wrong pipeline files: exit code 2, with what is wrong and what is allowed.

use expect_test::expect;

use super::stopped;
use crate::support::Pipeline;

#[test]
fn help_and_version_are_no_errors() {
    let pipeline = Pipeline::new();
    for arguments in [&["--help"][..], &["--version"], &["-h"], &["help", "run"], &["run", "-h"]] {
        let ended = pipeline.call(arguments).exits_with(0);
        assert!(ended.stderr.is_empty() && !ended.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn every_command_teaches() {
    let pipeline = Pipeline::new();
    let all = pipeline.call(&["--help"]).exits_with(0).stdout;
    for words in ["First steps:", "Exit codes:", "LAKEFRONT_LOG"] {
        assert!(all.contains(words), "{words} in\n{all}");
    }
    assert_eq!(pipeline.call(&["-h"]).exits_with(0).stdout, all, "-h says the same");
    let commands = all.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands: Vec<&str> =
        commands.filter_map(|line| line.split_whitespace().next()).filter(|c| *c != "help").collect();
    assert!(commands.contains(&"run") && commands.contains(&"doctor"), "{all}");
    for command in commands {
        let help = pipeline.call(&[command, "--help"]).exits_with(0).stdout;
        assert!(help.contains(&format!("Examples:\n  lakefront {command}")), "{help}");
        assert!(help.contains("Exit codes:") || command == "completions", "{help}");
        assert_eq!(pipeline.call(&[command, "-h"]).exits_with(0).stdout, help, "{command} -h says the same");
        let wide: Vec<&str> = help.lines().filter(|line| line.chars().count() > 120).collect();
        assert_eq!(wide, Vec::<&str>::new(), "{command}");
    }
}

#[test]
fn wrong_usage_exits_with_2() {
    let pipeline = Pipeline::new();
    let wrong: [&[&str]; 6] = [
        &[],
        &["runn", "p.toml"],
        &["run"],
        &["run", "p.toml", "--wurkers", "2"],
        &["run", "p.toml", "--workers", "0"],
        &["run", "p.toml", "--mode", "sideways"],
    ];
    for arguments in wrong {
        let ended = pipeline.call(arguments).exits_with(2);
        assert!(ended.stdout.is_empty() && !ended.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let pipeline = Pipeline::new();
    let ended = pipeline.call(&["run", "gone.toml"]);
    stopped(
        &pipeline,
        ended,
        2,
        &expect![[r#"
        error: could not find the pipeline file "gone.toml": relative paths count from the directory the command runs in
    "#]],
    );
}

#[test]
fn every_wrong_field_is_named_with_its_value_and_what_is_allowed() {
    let mut pipeline = Pipeline::new();
    pipeline.set("source", "mode", "sideways").set("source", "chunk", "8 elephants").set("", "worker", 3);
    pipeline.set("lake", "partition_by", "hour").set("limits", "reject_ratio", 1.5).set("commit", "interval", "1ms");
    let ended = pipeline.run();
    stopped(
        &pipeline,
        ended,
        2,
        &expect![[r#"
            error: pipeline file p.toml: source.mode = "sideways": allowed are "backfill" and "tail"
            source.chunk = "8 elephants": allowed is a size from 1 KiB to 64 MiB, such as "8 MiB", "64 MB" or 4096 for bytes; each chunk in flight holds one buffer of this size
            lake.partition_by = "hour": allowed are "none" and "day"
            commit.interval = "1ms": allowed is a duration from 10ms to 168h in ms, s, m or h, such as "500ms" or "10s"
            limits.reject_ratio = 1.5: allowed is a number from 0 to 1
            worker: unknown key at the top of the file, did you mean "workers"?
        "#]],
    );
}

#[test]
fn a_secret_does_not_reach_an_error() {
    let mut pipeline = Pipeline::new();
    pipeline.set("source", "chunk", "${LAKEFRONT_TEST_SECRET}");
    let mut command = pipeline.command(&["run", "p.toml"]);
    command.env("LAKEFRONT_TEST_SECRET", "hunter2");
    let ended = pipeline.spawn(command).end();
    assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    stopped(
        &pipeline,
        ended,
        2,
        &expect![[r#"
            error: pipeline file p.toml: source.chunk = "${LAKEFRONT_TEST_SECRET}": allowed is a size from 1 KiB to 64 MiB, such as "8 MiB", "64 MB" or 4096 for bytes; each chunk in flight holds one buffer of this size
        "#]],
    );
}

#[test]
fn all_commands_refuse_a_wrong_file() {
    let mut pipeline = Pipeline::new();
    pipeline.set("source", "format", "xml");
    for command in ["run", "status", "validate", "doctor"] {
        pipeline.call(&[command, "p.toml"]).exits_with(2);
    }
}
