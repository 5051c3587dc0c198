//! Which table a row goes to.

use std::collections::HashMap;

use arrow_array::RecordBatch;
use globset::GlobMatcher;

use crate::error::{Stop, StoreError};
use crate::glob;
use crate::record::Reason;
use crate::rows::TextColumn;
use crate::settings::{Destination, Roles};

/// The role of a line's server, and the server's name: columns of the `azure` format.
const ROLE: &str = "replica_role";
const SERVER: &str = "logical_server_name";
/// For more pairs of a role and a server than this, no table is made.
const MOST_PAIRS: usize = 4096;

/// The configured roles, ready for rows.
pub struct RoleMap {
    sources: Vec<(GlobMatcher, Destination)>,
    roles: HashMap<String, Destination>,
    /// Where roles go that are named nowhere.
    other: Option<Destination>,
    servers: HashMap<String, Destination>,
    default: Destination,
}

impl RoleMap {
    /// Compiles `roles`. Fails only on a glob that is none.
    pub fn new(roles: &Roles) -> Result<Self, Stop> {
        let mut sources = Vec::new();
        for (pattern, destination) in &roles.sources {
            let glob = glob::compile(pattern)
                .map_err(|e| StoreError::definite(format!("read roles.sources {pattern:?}"), e))?;
            sources.push((glob, *destination));
        }
        let (mut named, mut other) = (HashMap::new(), None);
        let lists = [(&roles.primary, Destination::Primary), (&roles.replica, Destination::Replica)];
        for (values, destination) in lists {
            for value in values {
                match value.as_str() {
                    "*" => other = Some(destination),
                    value => drop(named.insert(value.to_owned(), destination)),
                }
            }
        }
        let servers = roles.servers.iter().map(|(name, to)| (name.clone(), *to)).collect();
        Ok(RoleMap { sources, roles: named, other, servers, default: roles.default })
    }

    /// Where each row goes, or why it goes nowhere.
    pub fn destinations(&self, partition: &str, rows: &RecordBatch) -> Vec<Result<Destination, Reason>> {
        if let Some((_, to)) = self.sources.iter().find(|(glob, _)| glob.is_match(partition)) {
            return vec![checked(*to); rows.num_rows()];
        }
        let (roles, servers) = (text(rows, ROLE), text(rows, SERVER));
        // By role and server, each pair is looked up once, if they repeat.
        let (of_roles, of_servers) =
            (roles.map_or(Some(1), TextColumn::places), servers.map_or(Some(1), TextColumn::places));
        let pairs =
            of_roles.zip(of_servers).map(|(roles, servers)| roles * servers).filter(|pairs| *pairs <= MOST_PAIRS);
        let mut known: Vec<Option<Result<Destination, Reason>>> = vec![None; pairs.unwrap_or_default()];
        let place = |column: Option<TextColumn<'_>>, row| column.map_or(0, |column| column.place(row));
        let to = |row| {
            let look_up = || self.destination(value(roles, row), value(servers, row));
            let pair = place(roles, row) * of_servers.unwrap_or_default() + place(servers, row);
            known.get_mut(pair).map_or_else(look_up, |known| *known.get_or_insert_with(look_up))
        };
        (0..rows.num_rows()).map(to).collect()
    }

    fn destination(&self, role: &str, server: &str) -> Result<Destination, Reason> {
        if role.is_empty() {
            return checked(self.servers.get(server).copied().unwrap_or(self.default));
        }
        self.roles.get(role).copied().or(self.other).ok_or(Reason::UnknownRole)
    }
}

/// A configured destination, where "reject" means that no role was found.
fn checked(to: Destination) -> Result<Destination, Reason> {
    match to {
        Destination::Reject => Err(Reason::NoRole),
        to => Ok(to),
    }
}

fn text<'r>(rows: &'r RecordBatch, column: &str) -> Option<TextColumn<'r>> {
    rows.column_by_name(column).and_then(|c| TextColumn::of(c))
}

/// The text in a row; empty if there is none.
fn value(column: Option<TextColumn<'_>>, row: usize) -> &str {
    column.and_then(|c| c.get(row)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn roles() -> Roles {
        Roles {
            primary: vec!["Primary".into()],
            replica: vec!["*".into()],
            default: Destination::Reject,
            servers: BTreeMap::from([("known".into(), Destination::Primary)]),
            sources: BTreeMap::from([("**/replica-*/**".into(), Destination::Replica)]),
        }
    }

    #[test]
    fn the_role_decides_then_the_server_then_the_default() {
        let map = RoleMap::new(&roles()).expect("good globs");
        assert_eq!(map.destination("Primary", ""), Ok(Destination::Primary));
        assert_eq!(map.destination("AsyncReplica", "known"), Ok(Destination::Replica));
        assert_eq!(map.destination("", "known"), Ok(Destination::Primary));
        assert_eq!(map.destination("", "unknown"), Err(Reason::NoRole));
    }

    #[test]
    fn without_a_wildcard_an_unnamed_role_is_unknown() {
        let map = RoleMap::new(&Roles { replica: vec!["Replica".into()], ..roles() }).expect("good globs");
        assert_eq!(map.destination("Odd", ""), Err(Reason::UnknownRole));
    }
}
