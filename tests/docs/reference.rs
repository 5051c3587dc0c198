//! The reference has every command and flag of the program, and no other. (`src/config/tests`
//! compares its keys with the code, `tests/http` its metrics.)

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::pages::read;

/// What `lakefront …` prints.
fn said(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_lakefront")).args(arguments).output().expect("it runs");
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The commands in the list of `lakefront --help`, or those of a command; none if it has none.
fn commands(of: &[&str]) -> Vec<String> {
    let help = said(&[of, &["--help"]].concat());
    let Some((_, list)) = help.split_once("Commands:\n") else { return Vec::new() };
    let names =
        list.lines().take_while(|line| line.starts_with("  ")).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// The flags that begin a line of a command's help, or of those below it.
fn flags(command: &str) -> BTreeSet<String> {
    let below = commands(&[command]);
    let all = below.iter().map(|below| said(&[command, below, "--help"])).chain([said(&[command, "--help"])]);
    let help: String = all.collect();
    let named = help.lines().map(str::trim_start).filter_map(|line| {
        let line = line.split_once(", ").filter(|(short, _)| short.len() == 2).map_or(line, |(_, long)| long);
        line.starts_with("--").then(|| flag(line))
    });
    named.collect()
}

/// The flag at the beginning of `text`.
fn flag(text: &str) -> String {
    text.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect()
}

#[test]
fn it_has_every_command_and_flag_and_no_other() {
    let page = read(Path::new("docs/reference.md"));
    let commands = commands(&[]);
    assert!(commands.len() > 8, "{commands:?}");
    for command in &commands {
        assert!(page.contains(&format!("| `lakefront {command} ")), "{command} is not in the reference");
    }
    let there: BTreeSet<String> = commands.iter().flat_map(|command| flags(command)).collect();
    let (page, _) = page.split_once("## Environment").expect("the part about commands");
    let told: BTreeSet<String> = page.match_indices("`--").map(|(at, _)| flag(&page[at + 1..])).collect();
    assert_eq!(told, there);
}
