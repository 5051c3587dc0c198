//! Questions, answers, and wrong answers.

use clap::Parser;

use super::*;
use crate::cli::{Cli, Command};

fn asked(flags: &[&str], typed: &str) -> (anyhow::Result<Answers>, String) {
    let parsed = Cli::try_parse_from([&["lakefront", "init"], flags].concat()).expect("good flags");
    let Command::Init(args) = parsed.command else { panic!("it is init") };
    let mut out = Vec::new();
    let answers = ask(&args, &mut typed.as_bytes(), &mut out);
    (answers, String::from_utf8(out).expect("text"))
}

#[test]
fn enter_takes_the_defaults() {
    let (answers, said) = asked(&[], "\n\n\n\n\n");
    let answers = answers.expect("answers");
    assert_eq!((answers.source.as_str(), answers.lake.as_str()), ("file:logs/", "file:lake"));
    assert_eq!((answers.format, answers.mode), (FormatArg::Azure, ModeArg::Backfill));
    assert_eq!(said.matches("]: ").count(), 5, "five questions:\n{said}");
}

#[test]
fn wrong_answers_are_asked_again_and_secrets_not_repeated() {
    let typed = "logs\nhttps://shop.blob.core.windows.net/c/?sv=1&sig=hunter2\naz://logs/\nxml\njsonlog\ntail\n\nSHOP!\nshop1\n../x\nx\n";
    let (answers, said) = asked(&[], typed);
    let answers = answers.expect("answers");
    assert_eq!((answers.source.as_str(), answers.account.as_deref()), ("az://logs/", Some("shop1")));
    assert_eq!((answers.pipeline.as_str(), answers.mode), ("x", ModeArg::Tail));
    assert_eq!(said.matches("That cannot be used").count(), 5, "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn what_a_flag_says_is_not_asked_and_missing_answers_end_it() {
    let (answers, said) = asked(&["--source", "file:x/", "--format", "jsonlog", "--mode", "tail"], "\n");
    assert!(answers.expect_err("no more lines").is::<Usage>());
    assert!(said.contains("lake [file:lake]") && !said.contains("source ["), "{said}");
}
