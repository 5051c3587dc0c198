//! `completions`: the shells accept the scripts, which know every command and flag.

use std::fs;
use std::process::Command;

use crate::support::Pipeline;

const COMMANDS: [&str; 10] =
    ["init", "doctor", "run", "validate", "status", "prove", "changes", "generate", "replay", "completions"];

/// The long flags that a command's help lists.
fn flags(pipeline: &Pipeline, command: &str) -> Vec<String> {
    let help = pipeline.call(&[command, "--help"]).exits_with(0).stdout;
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let flag = |line: &str| line.split([' ', ',', '=']).find(|word| word.starts_with("--")).map(str::to_owned);
    lines.filter_map(flag).collect()
}

#[test]
fn every_shell_knows_every_command_and_flag() {
    let pipeline = Pipeline::new();
    let known: Vec<(&str, Vec<String>)> = COMMANDS.map(|command| (command, flags(&pipeline, command))).to_vec();
    assert!(known.iter().map(|(_, flags)| flags.len()).sum::<usize>() > 20, "{known:?}");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = pipeline.call(&["completions", shell]).exits_with(0).stdout;
        for (command, flags) in &known {
            assert!(script.contains(command), "{shell}: {command}");
            for flag in flags {
                // Fish names long flags without dashes.
                let name = if shell == "fish" { format!("-l {}", &flag[2..]) } else { flag.clone() };
                assert!(script.contains(&name), "{shell}: {command} {flag}");
            }
        }
        fs::write(pipeline.path(shell), script).expect("a script");
    }
    for shell in ["bash", "zsh", "fish"] {
        let checked = Command::new(shell).arg("-n").arg(pipeline.path(shell)).output();
        // Bash is on every machine that runs the tests; the others may be missing.
        match checked {
            Ok(output) => assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => assert_ne!(shell, "bash", "{error}"),
        }
    }
    pipeline.call(&["completions", "cobol"]).exits_with(2);
}

#[test]
fn bash_completes_a_flag() {
    let pipeline = Pipeline::new();
    fs::write(pipeline.path("script"), pipeline.call(&["completions", "bash"]).stdout).expect("a script");
    let program = "source \"$1\"; COMP_WORDS=(lakefront run --wor); COMP_CWORD=2; _lakefront lakefront --wor run; echo \"${COMPREPLY[@]}\"";
    let output =
        Command::new("bash").args(["-c", program, "bash"]).arg(pipeline.path("script")).output().expect("bash");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        "--workers",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
