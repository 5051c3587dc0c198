//! What is not ours but is shown: names that would act on a terminal, and URLs that open an
//! account.

use std::fs;

use crate::support::{Ended, Lines, Pipeline};

/// Names that anybody who may write logs could choose: with lines of their own, with text that
/// reads backwards, with escapes and controls.
const NAMES: [&str; 4] = [
    "a\nerror: forged\n  primary  forged.json",
    "b\u{202e}nosj.gol\u{2028}forged.json",
    "c\u{1b}[2J\u{1b}]0;forged\u{7}\u{9b}31m.json",
    "d\rforged\u{200b}\u{feff}\u{2066}.json",
];

/// The output does nothing to a terminal, and no line of it comes from a name.
#[track_caller]
fn is_harmless(said: &Ended) {
    for text in [&said.stdout, &said.stderr] {
        let acts = |c: &char| {
            (c.is_control() && *c != '\n')
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        };
        assert_eq!(text.chars().find(acts), None, "{text:?}");
        let forged =
            text.lines().find(|line| line.trim_start().starts_with("error: forged") || line.starts_with("forged"));
        assert_eq!(forged, None, "{text}");
        assert!(!text.lines().any(|line| line.starts_with("  primary  forged")), "{text}");
    }
}

fn nasty() -> Pipeline {
    let pipeline = Pipeline::new();
    NAMES.iter().for_each(|name| pipeline.write(name, [&Lines::new(3).take(20)[..], b"{\"torn"].concat()));
    pipeline
}

#[test]
fn no_commands_output_lets_a_name_do_anything() {
    let mut pipeline = nasty();
    pipeline.call(&["run", "p.toml", "--log-format", "json"]).exits_with(0);
    let landed: Vec<Ended> = [
        &["run", "p.toml"][..],
        &["run", "p.toml", "--json", "--log-format", "json"],
        &["status", "p.toml"],
        &["status", "p.toml", "--json"],
        &["prove", "p.toml"],
        &["prove", "p.toml", "--json"],
        &["doctor", "p.toml"],
        &["doctor", "p.toml", "--json"],
        &["validate", "p.toml", "--connect"],
        &["validate", NAMES[0]],
        &["run", NAMES[1], "--log-format", "json"],
        &["init", NAMES[2], "--yes"],
        &["init", NAMES[2], "--yes"],
        &["generate", "--size", "1KiB", NAMES[3]],
        &["generate", "--size", "1KiB", NAMES[3]],
        &["replay", NAMES[3], "--to", NAMES[0]],
        &["replay", NAMES[3], "--to", NAMES[0]],
        &["completions", NAMES[0]],
    ]
    .into_iter()
    .map(|arguments| pipeline.call(arguments))
    .collect();
    let status = &landed[2].stdout;
    assert!(status.contains("a\\nerror: forged\\n  primary  forged.json ") && status.contains("\\u{202e}"), "{status}");
    landed.iter().for_each(is_harmless);
    // In JSON, a reader gets the names as they are.
    let offsets = &landed[3].json()["tables"]["primary"]["offsets"];
    assert!(NAMES.iter().all(|name| offsets[*name].is_u64()), "{offsets}");

    // Files that are gone, and others in place of what was read.
    fs::remove_file(pipeline.path("logs").join(NAMES[0])).expect("a file");
    pipeline.write(NAMES[1], "{}\n");
    fs::rename(pipeline.path("logs").join(NAMES[2]), pipeline.path("logs/d\n\u{1b}.json")).expect("a file");
    for arguments in [&["run", "p.toml"][..], &["prove", "p.toml"], &["status", "p.toml"], &["doctor", "p.toml"]] {
        is_harmless(&pipeline.call(arguments));
    }
    // Folders with such names, too.
    pipeline.set("source", "url", format!("file:{}", NAMES[1])).set("lake", "root", format!("file:{}", NAMES[0]));
    pipeline.set("source", "state_file", NAMES[2]);
    for command in ["run", "status", "prove", "doctor", "validate"] {
        is_harmless(&pipeline.call(&[command, "p.toml"]));
    }
    is_harmless(&pipeline.call(&["validate", "p.toml", "--connect"]));
}

#[test]
fn no_commands_output_has_what_opens_an_account() {
    let mut pipeline = Pipeline::new();
    pipeline.set("source.retry", "max_time", "100ms").set("source.retry", "first", "10ms");
    pipeline.set("source.retry", "timeout", "100ms").set("source.retry", "cap", "10ms");
    for url in [
        // Nobody listens there, and the libraries report that with the URL.
        "http://127.0.0.1:1/devstoreaccount1/logs?sv=2024-01-01&sp=rl&se=2030-01-01&sig=hunter2%3D",
        "http://127.0.0.1:1/devstoreaccount1/logs?sv=2024-01-01&sp=rl&sig%3Dhunter2",
        "http://127.0.0.1:1/devstoreaccount1/logs?sv=2024-01-01&sp=rl&sgi=hunter2",
        "http://127.0.0.1:1/devstoreaccount1/logs/&sv=2024-01-01&sp=rl&sig=hunter2",
        "http://x:hunter2@127.0.0.1:1/devstoreaccount1/logs",
        "az://logs/?sv=2024-01-01&sgi=hunter2",
        "abfss://logs@acc1.dfs.core.windows.net/?sv=2024-01-01&sgi=hunter2",
    ] {
        pipeline.set("source", "url", url);
        for arguments in [
            &["run", "p.toml"][..],
            &["run", "p.toml", "--log-format", "json"],
            &["doctor", "p.toml"],
            &["validate", "p.toml", "--connect"],
            &["status", "p.toml", "--json"],
            &["prove", "p.toml"],
            &["run", url],
            &["run", "p.toml", "--frobnicate", url],
            &["init", "shop", "--yes", "--source", url],
            &["init", "shop", "--yes", "--lake", url],
            &["replay", "p.toml", "--to", url],
        ] {
            let mut command = pipeline.command(arguments);
            command.env("LAKEFRONT_LOG", "trace");
            let said = pipeline.spawn(command).end();
            assert_ne!(said.code, Some(0), "{arguments:?}");
            for text in [&said.stdout, &said.stderr] {
                assert!(!text.contains("hunter2"), "{arguments:?} says {text}");
            }
        }
    }
}
