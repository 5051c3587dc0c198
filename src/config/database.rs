//! A database of PostgreSQL and the way into it, as sections name them.
//!
//! Promises: a password comes from one place, and is never part of a message.

use lakefront_operators::postgres::{Location, Password};
use lakefront_operators::secret::Secret;
use toml::Value;

use super::raw::{Reading, Section};
use super::values::{self, text};

/// The three ways to a password, beside a URL.
pub(super) const PASSWORDS: [&str; 3] = ["password", "password_file", "password_command"];

/// A database and the way in: the URL at `key`, and at most one of three ways to a password. The
/// file may leave the database out if there is a `usual` one.
pub(super) fn database(
    section: &mut Section<'_>,
    key: &'static str,
    keys: [&'static str; 3],
    usual: Option<Option<&Location>>,
) -> Option<Location> {
    let location = section.secret(key, |v| Location::parse(text(v)?));
    let secret = section.secret(keys[0], |v| Ok(Password::Text(Secret::new(text(v)?))));
    let file = section.optional(keys[1], None, |v| values::path(v).map(|path| Some(Password::File(path))));
    let command = section.secret(keys[2], |v| Ok(Password::Command(words(v)?)));
    let given: Vec<&str> = keys.into_iter().filter(|key| section.given(key)).collect();
    if let [first, second, ..] = given[..] {
        let at = keys.into_iter().find(|key| *key == second)?;
        section.refuse(at, format!("cannot be given together with {first}"));
        return None;
    }
    let password = secret?.or(file?).or(command?);
    let location = match (location?, usual) {
        (Some(location), _) => location,
        (None, Some(Some(usual))) => usual.clone(),
        // What is wrong with the source has been said.
        (None, Some(None)) => return None,
        (None, None) => {
            let example = "postgresql://user@host:5432/database";
            section.refuse(key, format!("must be given, such as {key} = {example:?}"));
            return None;
        }
    };
    Some(match password {
        Some(password) => location.with_password(password),
        None => location,
    })
}

/// A name in PostgreSQL, which is at most 63 bytes long.
pub(super) fn name(value: &Value) -> Reading<String> {
    let fits = |name: &&str| !name.is_empty() && name.len() <= 63 && !name.contains('\0');
    value.as_str().filter(fits).map(str::to_owned).ok_or_else(|| "allowed is a name of 1 to 63 bytes".to_owned())
}

/// A program and its arguments.
fn words(value: &Value) -> Reading<Vec<String>> {
    let allowed = || "allowed is a list: a program and its arguments".to_owned();
    let words = value.as_array().filter(|list| !list.is_empty()).ok_or_else(allowed)?;
    words.iter().map(|word| word.as_str().map(str::to_owned).ok_or_else(allowed)).collect()
}
