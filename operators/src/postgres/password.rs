//! Passwords: where one comes from.
//!
//! Promises: a file is read and a command run anew for each connection, so that a password may
//! change under a running pipeline. What a command prints, and its arguments, are never shown.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::error::StoreError;
use crate::secret::Secret;
use crate::shown;

/// How long a command may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
/// How much of what a command complains about is shown, in characters.
const COMPLAINT: usize = 300;

/// The source of a password.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Password {
    /// None: the server lets us in without, or not at all.
    #[default]
    None,
    /// The password itself.
    Text(Secret),
    /// The first line of this file.
    File(PathBuf),
    /// The first line that this program prints; its arguments follow it. No shell is involved.
    Command(Vec<String>),
}

impl Password {
    /// The password; `None` if there is none.
    ///
    /// # Errors
    /// A command that fails may succeed later; a missing file or program, and an empty line, are
    /// definite errors.
    pub async fn ask(&self) -> Result<Option<Secret>, StoreError> {
        match self {
            Password::None => Ok(None),
            Password::Text(secret) => Ok(Some(secret.clone())),
            Password::File(path) => in_file(path).map(Some),
            Password::Command(command) => of_command(command).await.map(Some),
        }
    }

    /// What to look at when the password is wrong.
    pub(super) fn described(&self) -> String {
        match self {
            Password::None => "none is given: it belongs in the URL, or in a setting".to_owned(),
            Password::Text(_) => "it is the one in the URL or in a setting".to_owned(),
            Password::File(path) => format!("it is the first line of {}", path.display()),
            Password::Command(command) => {
                format!("it is the first line that {} printed", command.first().map_or("nothing", String::as_str))
            }
        }
    }
}

impl fmt::Debug for Password {
    /// Arguments may be secrets, such as a token for the vault, and are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Password::None => f.write_str("None"),
            Password::Text(secret) => f.debug_tuple("Text").field(secret).finish(),
            Password::File(path) => f.debug_tuple("File").field(path).finish(),
            Password::Command(command) => f.debug_tuple("Command").field(&command.first()).finish_non_exhaustive(),
        }
    }
}

/// A file of one line is read where we are, because that takes no longer than handing it over.
fn in_file(path: &Path) -> Result<Secret, StoreError> {
    let attempt = || format!("read the password in {}", path.display());
    let text = std::fs::read(path).map_err(|error| StoreError::definite(attempt(), error))?;
    first_line(text).map_err(|why| StoreError::definite(attempt(), why))
}

async fn of_command(command: &[String]) -> Result<Secret, StoreError> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(StoreError::definite("ask a command for the password", "the command is empty"));
    };
    let attempt = || format!("ask {program:?} for the password");
    let mut child = Command::new(program);
    // Output is collected, so a complaint does not end up between our lines.
    child.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let ended = match tokio::time::timeout(COMMAND_TIMEOUT, child.output()).await {
        Ok(ended) => ended.map_err(|error| StoreError::definite(attempt(), error))?,
        Err(_) => {
            let why = format!("it did not end within {} s, and was ended", COMMAND_TIMEOUT.as_secs());
            return Err(StoreError::transient(attempt(), why));
        }
    };
    if !ended.status.success() {
        let why = format!("{}{}", ended.status, complaint(&ended.stderr));
        return Err(StoreError::transient(attempt(), why));
    }
    first_line(ended.stdout)
        .map_err(|why| StoreError::definite(attempt(), format!("{why}{}", complaint(&ended.stderr))))
}

/// What a command wrote to its standard error, on one line after a colon.
fn complaint(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let text = shown::without_secrets(text.trim());
    let text: String = shown::one_line(&text).chars().take(COMPLAINT).collect();
    if text.is_empty() { text } else { format!(": {text}") }
}

fn first_line(text: Vec<u8>) -> Result<Secret, &'static str> {
    let text = String::from_utf8(text).map_err(|_| "the password is not UTF-8")?;
    match text.lines().next() {
        Some(line) if line.contains('\0') => Err("the password has a zero byte"),
        Some(line) if !line.is_empty() => Ok(Secret::new(line)),
        _ => Err("its first line is empty"),
    }
}

#[cfg(test)]
mod tests;
