//! Decides which table a row goes to, row by row, by the rules in `settings.roles`.

use globset::GlobMatcher;

use crate::error::{Stop, StoreError};
use crate::format::logs::record::Reason;
use crate::format::logs::settings::{Destination, Roles, RowSettings};
use crate::glob;

/// The routing rules of a pipeline's settings.
pub(in crate::prove) struct Routing<'s> {
    settings: &'s RowSettings,
    globs: Vec<(GlobMatcher, Destination)>,
}

impl<'s> Routing<'s> {
    /// The rules of `settings`. Fails only on an invalid glob.
    pub(in crate::prove) fn new(settings: &'s RowSettings) -> Result<Self, Stop> {
        let glob = |(pattern, to): (&String, &Destination)| {
            let glob = glob::compile(pattern);
            glob.map(|glob| (glob, *to)).map_err(|e| StoreError::definite(format!("read roles.sources {pattern:?}"), e))
        };
        let globs = settings.roles.sources.iter().map(glob).collect::<Result<_, _>>()?;
        Ok(Routing { settings, globs })
    }

    /// Where all rows of the files of that `name` go, whatever they contain; none if no glob
    /// matches.
    pub(in crate::prove) fn of_file(&self, name: &str) -> Option<Destination> {
        self.globs.iter().find(|(glob, _)| glob.is_match(name)).map(|(_, to)| *to)
    }

    /// Where a row goes. `of_file` is what the settings say about its file. `role`, the server's
    /// name and the resource id come from the row, or are empty.
    pub(in crate::prove) fn of_row(
        &self,
        of_file: Option<Destination>,
        role: &str,
        [server, resource]: [&str; 2],
    ) -> Result<Destination, Reason> {
        let Roles { primary, replica, default, .. } = &self.settings.roles;
        let names = |list: &[String], role: &str| list.iter().any(|named| self.is_same(named, role));
        let to = match of_file {
            Some(to) => to,
            None if role.is_empty() => self.of_server(server, resource).unwrap_or(*default),
            // A star is a wildcard and never a name, even for the role `*`.
            None if role != "*" && names(replica, role) => Destination::Replica,
            None if role != "*" && names(primary, role) => Destination::Primary,
            None if names(replica, "*") => Destination::Replica,
            None if names(primary, "*") => Destination::Primary,
            None if self.settings.rows_version < 2 => return Err(Reason::UnknownRole),
            None => match self.of_server(server, resource).unwrap_or(*default) {
                Destination::Reject => return Err(Reason::UnknownRole),
                to => to,
            },
        };
        match to {
            Destination::Reject => Err(Reason::NoRole),
            to => Ok(to),
        }
    }

    /// Where the settings send rows of the server with that name, or else of the one that
    /// `/…/Microsoft.DBforPostgreSQL/<kind>/<name>` names.
    fn of_server(&self, server: &str, resource: &str) -> Option<Destination> {
        let servers = &self.settings.roles.servers;
        let named = |name: &str| servers.iter().find(|(server, _)| self.is_same(server, name)).map(|(_, to)| *to);
        let by_resource = || {
            let words: Vec<&str> = resource.split('/').collect();
            let provider = words.iter().position(|word| word.eq_ignore_ascii_case("MICROSOFT.DBFORPOSTGRESQL"))?;
            named(words.get(provider + 2)?)
        };
        named(server).or_else(|| if self.settings.rows_version < 2 { None } else { by_resource() })
    }

    fn is_same(&self, one: &str, other: &str) -> bool {
        one == other || self.settings.rows_version >= 2 && one.eq_ignore_ascii_case(other)
    }
}
