//! What can be wrong with a pipeline file, reported so that the user can fix everything in one go.
//!
//! Promises: every problem of a file is reported, one per line, and each line begins with its
//! field; no resolved variable and no line of the file is ever part of a message.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a pipeline file gave no configuration.
#[derive(Debug)]
pub(crate) enum ConfigError {
    /// There is no such file.
    NotFound(PathBuf),
    /// The file exists but could not be read.
    Unreadable(PathBuf, io::Error),
    /// The file is not UTF-8.
    NotText(PathBuf),
    /// The file is not TOML. Parsing stops at the first error, because what follows it would be
    /// guesswork.
    Syntax {
        /// Counted from one.
        line: usize,
        /// Counted from one, in characters.
        column: usize,
        /// What the parser expected.
        message: String,
    },
    /// The file is TOML, but fields are wrong; never empty.
    Fields(Vec<Problem>),
}

/// What is wrong with one field.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The field's whole name, such as `source.mode`.
    pub(super) field: String,
    /// The value as the file has it, variables unresolved; `None` if the file does not have the
    /// field.
    pub(super) written: Option<String>,
    /// What is allowed. It says nothing about the value, which may be a secret.
    pub(super) constraint: String,
}

/// The problems found so far. All sections of a file share them, because sections are read one
/// inside the other.
#[derive(Default)]
pub(super) struct Problems(RefCell<Vec<Problem>>);

impl ConfigError {
    /// What is wrong with `field`, without its value; `None` if it is not among the problems.
    pub(crate) fn about(&self, field: &str) -> Option<&str> {
        match self {
            ConfigError::Fields(problems) => {
                problems.iter().find(|problem| problem.field == field).map(|problem| problem.constraint.as_str())
            }
            _ => None,
        }
    }

    /// One field that conflicts with the command line.
    pub(crate) fn field(field: &str, constraint: String) -> Self {
        ConfigError::Fields(vec![Problem { field: field.to_owned(), written: None, constraint }])
    }

    /// The parser's own error prints the offending line and keeps the whole text in its `Debug`
    /// form, and either may hold a secret. So only its place and message are used, and it is not
    /// kept as the source.
    pub(super) fn syntax(text: &str, error: &toml::de::Error) -> Self {
        let at = error.span().map_or(0, |span| span.start.min(text.len()));
        let before = &text.as_bytes()[..at];
        let line_start = before.iter().rposition(|&b| b == b'\n').map_or(0, |n| n + 1);
        // The parser's own messages mention only the grammar. Those of serde quote the value, and
        // the only value that TOML allows and serde cannot hold is a number that is too large.
        let message = match error.message() {
            quoting if quoting.starts_with("invalid ") && quoting.contains(" as i128") => "number too large",
            message => message,
        };
        let line_end = text[at..].find('\n').map_or(text.len(), |length| at + length);
        let quotes = match lacks_quotes(&text[line_start..line_end]) {
            true => "; a string must be quoted, as in mode = \"tail\" and poll = \"10s\"",
            false => "",
        };
        ConfigError::Syntax {
            line: 1 + before.iter().filter(|&&b| b == b'\n').count(),
            column: 1 + String::from_utf8_lossy(&before[line_start..]).chars().count(),
            message: message.replace('\n', ", ") + quotes,
        }
    }
}

/// Whether a line of the file gives a key a value without the quotes that TOML requires.
fn lacks_quotes(line: &str) -> bool {
    let Some((_, value)) = line.split_once('=') else { return false };
    let value = value.trim();
    let is_plain = value == "true" || value == "false" || value.parse::<f64>().is_ok();
    value.starts_with(|c: char| c.is_alphanumeric() || "/.~$*".contains(c)) && !is_plain
}

impl Problems {
    pub(super) fn push(&self, field: String, written: Option<String>, constraint: String) {
        self.0.borrow_mut().push(Problem { field, written, constraint });
    }

    pub(super) fn into_inner(self) -> Vec<Problem> {
        self.0.into_inner()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.written {
            Some(written) => write!(f, "{} = {written}: {}", self.field, self.constraint),
            None => write!(f, "{}: {}", self.field, self.constraint),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::NotFound(path) => write!(
                f,
                "could not find the pipeline file {path:?}: relative paths count from the directory the command runs in"
            ),
            ConfigError::Unreadable(path, _) => {
                write!(f, "could not read the pipeline file {path:?}: give a file that this user may read")
            }
            ConfigError::NotText(path) => {
                write!(f, "could not read the pipeline file {path:?}: it is not UTF-8, as TOML must be")
            }
            ConfigError::Syntax { line, column, message } => {
                write!(f, "line {line}, column {column}: not valid TOML: {message}")
            }
            ConfigError::Fields(problems) => {
                for (n, problem) in problems.iter().enumerate() {
                    let newline = if n == 0 { "" } else { "\n" };
                    write!(f, "{newline}{problem}")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ConfigError::Unreadable(_, source) => Some(source),
            _ => None,
        }
    }
}
