//! Which blobs a source's path names, and what they are called in it.
//!
//! A path is a blob, a folder (all blobs below it), or a glob. A blob's name in the source is what
//! follows the folder, or the glob's fixed part; for a single blob it is the last part of its name.
//! A path means the same with and without a trailing slash.

use globset::GlobMatcher;

use crate::error::StoreError;
use crate::glob;
use crate::source::files::names;

/// The blobs of one path.
pub(super) struct Names {
    /// All names begin with this.
    prefix: String,
    select: Select,
    /// Whether hidden and temporary blobs are passed over.
    skips_temporary: bool,
}

enum Select {
    /// A blob of that name, or all blobs below it, whichever exists.
    Either,
    /// All below the prefix, which ends with a slash or is empty.
    All,
    /// The blobs below the prefix that match.
    Glob(GlobMatcher),
}

/// A blob's name in the source.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// It is the one blob that the path names.
    Single(String),
    /// It lies below the path.
    Below(String),
}

impl Names {
    /// The names of `path`, which has no leading slash.
    pub(super) fn of(path: &str) -> Result<Names, StoreError> {
        if let Some(special) = path.find(['*', '?', '[', '{']) {
            let fixed = path[..special].rfind('/').map_or(0, |slash| slash + 1);
            let glob = glob::compile(&path[fixed..])
                .map_err(|e| StoreError::definite(format!("read the glob {path:?}"), e))?;
            let skips_temporary = !names::asks_for_temporary(&path[fixed..]);
            return Ok(Names { prefix: path[..fixed].to_owned(), select: Select::Glob(glob), skips_temporary });
        }
        let select = if path.is_empty() || path.ends_with('/') { Select::All } else { Select::Either };
        Ok(Names { prefix: path.to_owned(), select, skips_temporary: true })
    }

    /// Reads hidden and temporary blobs like all others.
    pub(super) fn read_temporary(&mut self) {
        self.skips_temporary = false;
    }

    /// Whether a blob of this name is passed over as hidden or temporary. A blob that the path
    /// itself names is not.
    pub(super) fn is_temporary(&self, named: &Named) -> bool {
        match named {
            Named::Single(_) => false,
            Named::Below(name) => self.skips_temporary && name.split('/').any(names::is_temporary),
        }
    }

    /// The folder that blob names are relative to, without a trailing slash; `single`: the path
    /// names one blob.
    pub(super) fn root(&self, single: bool) -> &str {
        match &self.select {
            Select::Either if single => self.prefix.rsplit_once('/').map_or("", |(folder, _)| folder),
            _ => self.prefix.trim_end_matches('/'),
        }
    }

    /// The prefix that a listing asks for.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The name of `blob` in the source; `None` if it does not belong to it.
    pub(super) fn name(&self, blob: &str) -> Option<Named> {
        let rest = blob.strip_prefix(&self.prefix)?;
        match &self.select {
            // A folder has an entry of its own in some accounts.
            _ if rest.ends_with('/') => None,
            Select::Either if rest.is_empty() => {
                Some(Named::Single(blob.rsplit('/').next().unwrap_or_default().to_owned()))
            }
            Select::Either => rest.strip_prefix('/').map(|rest| Named::Below(rest.to_owned())),
            Select::All => (!rest.is_empty()).then(|| Named::Below(rest.to_owned())),
            Select::Glob(glob) => glob.is_match(rest).then(|| Named::Below(rest.to_owned())),
        }
    }

    /// The blob that has this `name` in the source; `single`: it is the one that the path names.
    pub(super) fn blob(&self, name: &str, single: bool) -> String {
        match &self.select {
            Select::Either if single => self.prefix.clone(),
            Select::Either => format!("{}/{name}", self.prefix),
            Select::All | Select::Glob(_) => format!("{}{name}", self.prefix),
        }
    }
}

#[cfg(test)]
mod tests;
