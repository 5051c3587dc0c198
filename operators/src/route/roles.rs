//! Which table a row goes to.
//!
//! From version 2 of the row rules on, roles and servers are compared without regard to the case of
//! ASCII letters; the server may also come from the line's resource id; and a line whose role the
//! lists send nowhere is judged as a line without a role.

use std::collections::HashMap;

use arrow_array::RecordBatch;
use globset::GlobMatcher;

use super::unnamed::{Unnamed, count};
use crate::error::{Stop, StoreError};
use crate::format::logs::record::Reason;
use crate::format::logs::rows::TextColumn;
use crate::format::logs::settings::{Destination, RowSettings};
use crate::glob;

/// Columns of the `azure` format: the role of a line's server, the server's name, and its resource
/// id.
const ROLE: &str = "replica_role";
const SERVER: &str = "logical_server_name";
const RESOURCE: &str = "resource_id";
/// The provider of servers: in a resource id, the kind of server follows it, and then the server's
/// name.
const PROVIDER: &str = "microsoft.dbforpostgresql";
/// With more combinations of a role, a server and a resource than this, no lookup table is made.
const MOST_COMBINATIONS: usize = 4096;

/// The configured roles, ready for rows.
pub struct RoleMap {
    sources: Vec<(GlobMatcher, Destination)>,
    /// The destination of each role, [`folded`](RoleMap::folded).
    roles: HashMap<String, Destination>,
    /// Where roles go that no list names.
    other: Option<Destination>,
    /// The destination of each server, folded.
    servers: HashMap<String, Destination>,
    default: Destination,
    /// Whether the rules are of version 2 or later.
    lenient: bool,
}

impl RoleMap {
    /// Compiles the roles of `settings`. Fails only on an invalid glob.
    pub fn new(settings: &RowSettings) -> Result<Self, Stop> {
        let roles = &settings.roles;
        let mut sources = Vec::new();
        for (pattern, destination) in &roles.sources {
            let glob = glob::compile(pattern)
                .map_err(|e| StoreError::definite(format!("read roles.sources {pattern:?}"), e))?;
            sources.push((glob, *destination));
        }
        let lenient = settings.rows_version >= 2;
        let mut map = RoleMap {
            sources,
            roles: HashMap::new(),
            other: None,
            servers: HashMap::new(),
            default: roles.default,
            lenient,
        };
        let lists = [(&roles.primary, Destination::Primary), (&roles.replica, Destination::Replica)];
        for (values, destination) in lists {
            for value in values {
                match value.as_str() {
                    "*" => map.other = Some(destination),
                    value => drop(map.roles.insert(map.folded(value), destination)),
                }
            }
        }
        map.servers = roles.servers.iter().map(|(name, to)| (map.folded(name), *to)).collect();
        Ok(map)
    }

    /// Where each row goes, or why it goes nowhere.
    pub fn destinations(&self, partition: &str, rows: &RecordBatch) -> Vec<Result<Destination, Reason>> {
        if let Some(to) = self.of_file(partition) {
            return vec![checked(to, Reason::NoRole); rows.num_rows()];
        }
        // Columns that decide nothing are not read.
        let by_server = |column| text(rows, column).filter(|_| !self.servers.is_empty());
        let columns = [text(rows, ROLE), by_server(SERVER), by_server(RESOURCE).filter(|_| self.lenient)];
        // Each combination is looked up once, if the values are known to repeat.
        let places = columns.map(|column| column.map_or(Some(1), TextColumn::places));
        let combinations = places.into_iter().try_fold(1_usize, |all, places| all.checked_mul(places?));
        let combinations = combinations.filter(|all| *all <= MOST_COMBINATIONS).unwrap_or_default();
        let mut known: Vec<Option<Result<Destination, Reason>>> = vec![None; combinations];
        let to = |row| {
            let [role, server, resource] = columns;
            let look_up = || self.destination(value(role, row), value(server, row), value(resource, row));
            let combination = columns.iter().zip(places).fold(0, |at, (column, places)| {
                at * places.unwrap_or_default() + column.map_or(0, |column| column.place(row))
            });
            known.get_mut(combination).map_or_else(look_up, |known| *known.get_or_insert_with(look_up))
        };
        (0..rows.num_rows()).map(to).collect()
    }

    /// The roles of `rows` that `[roles]` does not name and Azure does not give to replicas.
    pub(super) fn unnamed<'r>(&self, partition: &str, rows: &'r RecordBatch) -> Unnamed<'r> {
        match text(rows, ROLE) {
            Some(roles) if self.of_file(partition).is_none() => {
                count(roles, rows.num_rows(), |role| !self.roles.contains_key(&self.folded(role)))
            }
            _ => Unnamed::new(),
        }
    }

    /// Where roles go that no list names, if there is such a place.
    pub(super) fn other(&self) -> Option<Destination> {
        self.other
    }

    fn of_file(&self, partition: &str) -> Option<Destination> {
        self.sources.iter().find(|(glob, _)| glob.is_match(partition)).map(|(_, to)| *to)
    }

    fn destination(&self, role: &str, server: &str, resource: &str) -> Result<Destination, Reason> {
        if !role.is_empty() {
            match self.roles.get(&self.folded(role)).copied().or(self.other) {
                Some(to) => return Ok(to),
                None if !self.lenient => return Err(Reason::UnknownRole),
                None => {}
            }
        }
        let named = |server: &str| self.servers.get(&self.folded(server)).copied();
        let to = named(server).or_else(|| server_of(resource).and_then(named)).unwrap_or(self.default);
        checked(to, if role.is_empty() { Reason::NoRole } else { Reason::UnknownRole })
    }

    /// A role or a server, in the form that is compared.
    fn folded(&self, name: &str) -> String {
        if self.lenient { name.to_ascii_lowercase() } else { name.to_owned() }
    }
}

/// A configured destination, or `reason` if that is "reject".
fn checked(to: Destination, reason: Reason) -> Result<Destination, Reason> {
    match to {
        Destination::Reject => Err(reason),
        to => Ok(to),
    }
}

/// The server that a resource id names, in upper or lower case:
/// `/SUBSCRIPTIONS/…/PROVIDERS/MICROSOFT.DBFORPOSTGRESQL/FLEXIBLESERVERS/<server>`.
fn server_of(resource: &str) -> Option<&str> {
    let mut segments = resource.split('/').skip_while(|segment| !segment.eq_ignore_ascii_case(PROVIDER));
    segments.nth(2)
}

fn text<'r>(rows: &'r RecordBatch, column: &str) -> Option<TextColumn<'r>> {
    rows.column_by_name(column).and_then(|c| TextColumn::of(c))
}

/// The text in a row; empty if there is none.
fn value(column: Option<TextColumn<'_>>, row: usize) -> &str {
    column.and_then(|c| c.get(row)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
