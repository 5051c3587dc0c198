//! Which table a row goes to, by the rules in `settings.roles`, row by row.

use globset::GlobMatcher;

use crate::error::{Stop, StoreError};
use crate::glob;
use crate::record::Reason;
use crate::settings::{Destination, Roles};

/// Lines without a role of their own, of one partition, and lines with one.
pub(super) struct Routing<'s> {
    roles: &'s Roles,
    globs: Vec<(GlobMatcher, Destination)>,
}

impl<'s> Routing<'s> {
    /// The rules of `roles`. Fails only on a glob that is none.
    pub(super) fn new(roles: &'s Roles) -> Result<Self, Stop> {
        let glob = |(pattern, to): (&String, &Destination)| {
            let glob = glob::compile(pattern);
            glob.map(|glob| (glob, *to)).map_err(|e| StoreError::definite(format!("read roles.sources {pattern:?}"), e))
        };
        let globs = roles.sources.iter().map(glob).collect::<Result<_, _>>()?;
        Ok(Routing { roles, globs })
    }

    /// Where all rows of the files of that `name` go, whatever they say.
    pub(super) fn of_file(&self, name: &str) -> Option<Destination> {
        self.globs.iter().find(|(glob, _)| glob.is_match(name)).map(|(_, to)| *to)
    }

    /// Where a row goes; `of_file` is what is said of its file. `role` and `server` are its own words, or empty.
    pub(super) fn of_row(&self, of_file: Option<Destination>, role: &str, server: &str) -> Result<Destination, Reason> {
        let Roles { primary, replica, default, servers, .. } = self.roles;
        let names = |list: &[String], role: &str| list.iter().any(|named| named == role);
        let to = match of_file {
            Some(to) => to,
            None if role.is_empty() => servers.get(server).copied().unwrap_or(*default),
            // A star is not a name, not even its own.
            None if role != "*" && names(replica, role) => Destination::Replica,
            None if role != "*" && names(primary, role) => Destination::Primary,
            None if names(replica, "*") => Destination::Replica,
            None if names(primary, "*") => Destination::Primary,
            None => return Err(Reason::UnknownRole),
        };
        match to {
            Destination::Reject => Err(Reason::NoRole),
            to => Ok(to),
        }
    }
}
