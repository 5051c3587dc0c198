use std::io::Write;

use super::*;
use crate::error::chain;

fn command(script: &str) -> Password {
    Password::Command(Vec::from(["sh", "-c", script].map(str::to_owned)))
}

async fn asked(password: &Password) -> Option<String> {
    let secret = password.ask().await.expect("a password");
    secret.map(|secret| secret.reveal().to_owned())
}

#[test]
fn a_password_is_not_shown() {
    let shown = format!(
        "{:?} {:?} {:?} {:?}",
        Password::None,
        Password::Text(Secret::new("hunter2")),
        Password::File("/run/secrets/pg".into()),
        Password::Command(vec!["vault".to_owned(), "--token=hunter2".to_owned()]),
    );
    assert_eq!(shown, "None Text(***) File(\"/run/secrets/pg\") Command(Some(\"vault\"), ..)");
}

#[tokio::test]
async fn the_first_line_of_a_file_counts_each_time() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    let password = Password::File(file.path().to_owned());
    file.write_all(b"hunter2\r\nnot this\n").expect("to write");
    assert_eq!(asked(&password).await.as_deref(), Some("hunter2"));
    std::fs::write(file.path(), "hunter3").expect("to write");
    assert_eq!(asked(&password).await.as_deref(), Some("hunter3"));

    std::fs::write(file.path(), "\nhunter3").expect("to write");
    let error = password.ask().await.expect_err("an empty line");
    assert!(!error.is_transient());
    assert!(chain(&error).ends_with("its first line is empty"), "{}", chain(&error));
}

#[tokio::test]
async fn a_command_is_asked() {
    assert_eq!(asked(&command("echo hunter2; echo not this; echo warning >&2")).await.as_deref(), Some("hunter2"));
    assert_eq!(asked(&Password::Text(Secret::new("hunter2"))).await.as_deref(), Some("hunter2"));
    assert_eq!(asked(&Password::None).await, None);
}

#[tokio::test]
async fn a_command_that_fails_says_why_but_not_what() {
    let error = command("echo hunter2; printf 'no\\nvault' >&2; exit 3").ask().await.expect_err("a failure");
    assert!(error.is_transient());
    assert_eq!(chain(&error), "could not ask \"sh\" for the password: exit status: 3: no\\nvault");

    let missing = Password::Command(vec!["/nowhere/vault".to_owned()]).ask().await.expect_err("no program");
    assert!(!missing.is_transient());
    let silent = command("true").ask().await.expect_err("no password");
    assert!(!silent.is_transient());
}
