//! Which files of a folder belong to a source, judged by name alone, before anything is opened.

use std::path::Path;

use globset::GlobMatcher;

use crate::error::StoreError;
use crate::glob;
use crate::source::files::names::{asks_for_temporary, is_temporary};

/// The files that `source.url` names, below the source's root.
pub(super) struct Select {
    which: Which,
    /// Whether hidden and temporary files are passed over.
    skips_temporary: bool,
}

enum Which {
    /// One file: the root is its folder, and this is its name.
    One(String),
    /// Everything below the root.
    All,
    /// The files that match, and what each level of folders must be called; `None` if the pattern
    /// cannot be split into levels.
    Glob(GlobMatcher, Option<Vec<Level>>),
}

/// What a glob requires of one level of folders.
enum Level {
    /// A folder whose name matches.
    Like(GlobMatcher),
    /// Any folders, however deep.
    Any,
}

/// What the name of a file or folder means for the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// A file that belongs to the source, or a folder that may hold such files.
    Wanted,
    /// It does not belong to the source.
    Other,
    /// It would be wanted if it were not hidden or temporary.
    Temporary,
}

impl Select {
    /// One file.
    pub(super) fn one(name: &str) -> Select {
        Select { which: Which::One(name.to_owned()), skips_temporary: false }
    }

    /// All files.
    pub(super) fn all() -> Select {
        Select { which: Which::All, skips_temporary: true }
    }

    /// The files that match `pattern`.
    pub(super) fn glob(pattern: &str, attempt: impl Fn() -> String) -> Result<Select, StoreError> {
        let compile = |pattern: &str| glob::compile(pattern).map_err(|e| StoreError::definite(attempt(), e));
        let matcher = compile(pattern)?;
        let levels = match levels(pattern) {
            Some(parts) => Some(parts.into_iter().map(|part| Level::of(part, &compile)).collect::<Result<_, _>>()?),
            None => None,
        };
        let skips_temporary = !asks_for_temporary(pattern);
        Ok(Select { which: Which::Glob(matcher, levels), skips_temporary })
    }

    /// Reads hidden and temporary files like all others.
    pub(super) fn read_temporary(&mut self) {
        self.skips_temporary = false;
    }

    /// The one file's name, if the source is one file.
    pub(super) fn single(&self) -> Option<&str> {
        match &self.which {
            Which::One(name) => Some(name),
            Which::All | Which::Glob(..) => None,
        }
    }

    /// The part of the source's identity after its root.
    pub(super) fn identity(&self) -> String {
        match &self.which {
            Which::One(name) => format!("/{name}"),
            Which::All => String::new(),
            Which::Glob(glob, _) => format!("/{}", glob.glob()),
        }
    }

    /// Whether the file of that name, relative to the root, belongs to the source.
    pub(super) fn file(&self, name: &Path) -> Judged {
        let wanted = match &self.which {
            Which::One(one) => name == Path::new(one),
            Which::All => true,
            Which::Glob(glob, _) => glob.is_match(name),
        };
        self.judge(wanted, name)
    }

    /// Whether files of the source may lie, at any depth, in the folder of that name, relative to
    /// the root.
    pub(super) fn folder(&self, name: &Path) -> Judged {
        let wanted = match &self.which {
            Which::One(_) => false,
            Which::All | Which::Glob(_, None) => true,
            Which::Glob(_, Some(levels)) => may_lie_below(levels, name),
        };
        self.judge(wanted, name)
    }

    fn judge(&self, wanted: bool, name: &Path) -> Judged {
        let temporary = |part: &std::ffi::OsStr| part.to_str().is_some_and(is_temporary);
        match wanted {
            false => Judged::Other,
            true if self.skips_temporary && name.iter().any(temporary) => Judged::Temporary,
            true => Judged::Wanted,
        }
    }
}

impl Level {
    fn of(part: &str, compile: &impl Fn(&str) -> Result<GlobMatcher, StoreError>) -> Result<Level, StoreError> {
        Ok(if part == "**" { Level::Any } else { Level::Like(compile(part)?) })
    }
}

/// The folder part of a pattern, level by level; `None` if it has a backslash, or if braces or
/// brackets may hold a slash.
fn levels(pattern: &str) -> Option<Vec<&str>> {
    let parts: Vec<&str> = pattern.split('/').collect();
    let is_whole = |part: &&str| part.matches('{').count() == part.matches('}').count() && !part.contains('\\');
    // The last part is the file's name, unless it crosses folders, too.
    let folders = if parts.last() == Some(&"**") { &parts[..] } else { &parts[..parts.len() - 1] };
    (parts.iter().all(is_whole) && !pattern.contains("[/") && !pattern.contains("/]")).then(|| folders.to_vec())
}

fn may_lie_below(levels: &[Level], folder: &Path) -> bool {
    let mut levels = levels.iter();
    for part in folder.iter() {
        match levels.next() {
            Some(Level::Any) => return true,
            Some(Level::Like(glob)) if glob.is_match(Path::new(part)) => {}
            Some(Level::Like(_)) | None => return false,
        }
    }
    // A match may lie in a deeper level, or among the files of this one.
    true
}

#[cfg(test)]
mod tests;
