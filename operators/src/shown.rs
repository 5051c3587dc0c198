//! How foreign text is shown: names of files and blobs, messages of services and libraries, and
//! what somebody has typed.
//!
//! Promises: escaped text does nothing to a terminal. It neither breaks a line nor reverses one,
//! and cannot pass for a line of ours. What opens an account is left out: the query of every URL,
//! its user, and the values after `sig=` and the like.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` on one line, with escapes such as `\n` and `\u{202e}` for characters that act on a
/// terminal.
pub fn one_line(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false, escape)
}

/// The same, with line breaks and tabs as they are.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| matches!(c, '\n' | '\t'), escape)
}

/// `text`, which is JSON, with such characters in JSON's escapes: a parser reads the same value.
pub fn json(text: &str) -> Cow<'_, str> {
    escaped(
        text,
        |c| matches!(c, '\n' | '\t'),
        |c, out| {
            // Between values there is only ASCII, so it is in a string. Writing to a `String`
            // cannot fail.
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        },
    )
}

fn escaped(text: &str, stays: impl Fn(char) -> bool, escape: impl Fn(char, &mut String)) -> Cow<'_, str> {
    let acts = |c: char| acts(c) && !stays(c);
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match acts(c) {
            true => escape(c, &mut out),
            false => out.push(c),
        }
    }
    Cow::Owned(out)
}

fn escape(c: char, out: &mut String) {
    match c {
        '\n' | '\r' | '\t' => out.extend(c.escape_default()),
        c => out.extend(c.escape_unicode()),
    }
}

/// Whether a terminal acts on `c` or shows nothing for it: control characters, line separators,
/// marks that turn the direction of writing, and characters without width.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Punctuation that belongs to the sentence when it follows a URL or a value.
const BEHIND: [char; 7] = [')', ']', '\'', ',', ':', '.', ';'];
/// Replaces what is left out.
const HIDDEN: &str = "***";
/// A secret value follows these; `%3d` is an encoded equals sign.
const BEFORE: [&str; 8] = [
    "sig=",
    "sig%3d",
    "accountkey=",
    "accountkey%3d",
    "sharedaccesskey=",
    "sharedaccesskey%3d",
    "sharedaccesssignature=",
    "client_secret=",
];

/// `text` without what opens an account, however it got there and however it is misspelled:
/// everything after the question mark of a URL, its user and password, and the values of a
/// connection string. A `${VARIABLE}` reveals nothing, and stays.
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    let lower = text.to_ascii_lowercase();
    if !lower.contains("://") && !BEFORE.iter().any(|before| lower.contains(before)) {
        return Cow::Borrowed(text);
    }
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find("://") {
        let scheme = rest[..at].rfind(|c: char| !c.is_ascii_alphanumeric()).map_or(0, |before| before + 1);
        // After a character that is not ASCII, this index is no character boundary: then there is
        // no scheme.
        let scheme = rest.get(scheme..at).unwrap_or_default();
        let (before, url) = rest.split_at(at + "://".len());
        let (url, behind) = url.split_at(end_of_url(url));
        out.push_str(before);
        out.push_str(&without_query(url, &scheme.to_ascii_lowercase()));
        rest = behind;
    }
    out.push_str(rest);
    Cow::Owned(without_values(&out))
}

/// Where a URL ends in a sentence, a log line or a list.
fn end_of_url(text: &str) -> usize {
    let end = text.find(|c: char| c.is_whitespace() || c.is_control() || "\"<>`\\".contains(c)).unwrap_or(text.len());
    text[..end].trim_end_matches(BEHIND).len()
}

/// `url`, which begins after its scheme, without user and query. In schemes other than HTTP, a
/// question mark may belong to a glob, and what precedes an `@` may be a container.
fn without_query(url: &str, scheme: &str) -> String {
    let is_http = matches!(scheme, "http" | "https");
    let authority = url.find(['/', '?']).unwrap_or(url.len());
    let user = url[..authority].rfind('@').filter(|at| is_http || url[..*at].contains(':'));
    let (user, rest) = user.map_or(("", url), |at| (HIDDEN, &url[at..]));
    let lower = rest.to_ascii_lowercase();
    let query = ["?", "%3f"].iter().filter_map(|mark| Some((lower.find(mark)?, mark.len()))).min();
    let opens = |query: &str| !query.is_empty() && (is_http || query.contains('=') || query.contains("%3d"));
    match query.filter(|(at, mark)| scheme != "file" && opens(&lower[at + mark..])) {
        Some((at, mark)) => format!("{user}{}{HIDDEN}", &rest[..at + mark]),
        None => format!("{user}{rest}"),
    }
}

/// `text` without the values of keys that open an account.
fn without_values(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    let next = |at: usize| BEFORE.iter().filter_map(|name| Some(at + lower[at..].find(name)? + name.len())).min();
    while let Some(start) = next(at) {
        let is_end = |c: char| c.is_whitespace() || c.is_control() || "&;\"<>`\\)".contains(c);
        let end = text[start..].find(is_end).map_or(text.len(), |length| start + length);
        let end = start + text[start..end].trim_end_matches(BEHIND).len();
        out.push_str(&text[at..start]);
        out.push_str(if text[start..end].starts_with("${") { &text[start..end] } else { HIDDEN });
        at = end;
    }
    out + &text[at..]
}

#[cfg(test)]
mod tests;
