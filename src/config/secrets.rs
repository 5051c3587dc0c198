//! Variables in values: `${NAME}` stands for the value in the environment, `$${` for a plain `${`.
//!
//! Promises: values are resolved once, after the file was parsed, so nothing in a variable is read
//! as TOML or as another variable; [`as_written`] shows a value as the file has it. Messages use
//! only that form, which makes every variable a secret without declaring it one. Signatures and
//! keys that stand in the file itself are left out of it.

use std::borrow::Cow;

use lakefront_operators::shown::without_secrets;
use toml::{Table, Value};

use super::raw::Reading;

/// Looks a variable up; `None` if it is not set.
pub(super) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// `value` with the variables in all its strings resolved, or an error for each that could not be.
pub(super) fn resolve(value: &Value, env: Env<'_>) -> Result<Value, Vec<String>> {
    match value {
        Value::String(text) => resolve_text(text, env).map(Value::String),
        Value::Array(items) => {
            let (mut resolved, mut wrong) = (Vec::new(), Vec::new());
            for item in items {
                match resolve(item, env) {
                    Ok(item) => resolved.push(item),
                    Err(more) => wrong.extend(more),
                }
            }
            if wrong.is_empty() { Ok(Value::Array(resolved)) } else { Err(wrong) }
        }
        // An entry of a list. The entries of a section are resolved one by one.
        Value::Table(entries) => {
            let (mut resolved, mut wrong) = (Table::new(), Vec::new());
            for (key, entry) in entries {
                match resolve(entry, env) {
                    Ok(entry) => drop(resolved.insert(key.clone(), entry)),
                    Err(more) => wrong.extend(more),
                }
            }
            if wrong.is_empty() { Ok(Value::Table(resolved)) } else { Err(wrong) }
        }
        other => Ok(other.clone()),
    }
}

/// `value` as the file has it, on one line, variables unresolved.
pub(super) fn as_written(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{:?}", without_keys(text)),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => format!("{number:?}"),
        Value::Boolean(flag) => flag.to_string(),
        Value::Datetime(time) => time.to_string(),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(as_written).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Table(table) if table.is_empty() => "{}".to_owned(),
        Value::Table(_) => "{ … }".to_owned(),
    }
}

/// A secret as the file has it: the name of its variable, or else `***`.
pub(super) fn hidden(value: &Value) -> String {
    let variable = |text: &&str| text.strip_prefix("${").and_then(|text| text.strip_suffix('}')).is_some_and(is_name);
    value.as_str().filter(variable).map_or("\"***\"".to_owned(), |text| format!("{text:?}"))
}

/// `text` without credentials, wherever someone may have put a signed URL, its query alone, or a
/// connection string.
fn without_keys(text: &str) -> Cow<'_, str> {
    let is_query = !text.contains("://") && text.contains('&') && text.contains('=');
    if is_query { Cow::Borrowed("***") } else { without_secrets(text) }
}

/// The first of the variables `names` that is set and not empty.
pub(super) fn variable<T>(env: Env<'_>, names: &[&str], read: impl FnOnce(&Value) -> Reading<T>) -> Reading<Option<T>> {
    let set = names.iter().find_map(|name| Some((name, env(name).filter(|value| !value.is_empty())?)));
    let Some((name, value)) = set else {
        return Ok(None);
    };
    let wrong = |constraint| format!("the environment variable {name} cannot be used: {constraint}");
    read(&Value::String(value)).map(Some).map_err(wrong)
}

fn resolve_text(text: &str, env: Env<'_>) -> Result<String, Vec<String>> {
    let mut resolved = String::new();
    let mut wrong = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, after) = (&rest[..start], &rest[start + 2..]);
        if let Some(before) = before.strip_suffix('$') {
            resolved.push_str(before);
            resolved.push_str("${");
            rest = after;
            continue;
        }
        resolved.push_str(before);
        let Some((name, after)) = after.split_once('}').filter(|(name, _)| is_name(name)) else {
            wrong.push(
                "\"${\" must be followed by a variable's name and \"}\"; write \"$${\" for a plain \"${\"".to_owned(),
            );
            rest = after;
            continue;
        };
        match env(name) {
            Some(value) => resolved.push_str(&value),
            None => wrong.push(format!("the environment variable {name} is not set, or is not UTF-8")),
        }
        rest = after;
    }
    resolved.push_str(rest);
    if wrong.is_empty() { Ok(resolved) } else { Err(wrong) }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
