//! Roles that `[roles]` does not name: each is told once, with how many lines say it, for a wildcard may send it to the wrong table.

use std::collections::BTreeMap;

use crate::metrics::Metrics;
use crate::rows::TextColumn;
use crate::settings::Destination;

/// What Azure calls the servers that a wildcard is meant for.
const REPLICAS: [&str; 3] = ["Replica", "AsyncReplica", "GeoAsyncReplica"];

/// Roles, and how many lines say each.
pub(super) type Unnamed<'r> = BTreeMap<&'r str, u64>;

/// The roles among the first `rows` of a column that are not empty, not those of Azure's replicas, and `unnamed`.
pub(super) fn count(roles: TextColumn<'_>, rows: usize, unnamed: impl Fn(&str) -> bool) -> Unnamed<'_> {
    let told = |role: &str| {
        !role.is_empty() && !REPLICAS.iter().any(|replica| replica.eq_ignore_ascii_case(role)) && unnamed(role)
    };
    let mut found = Unnamed::new();
    match roles {
        TextColumn::Keys(keys, values) => {
            // A dictionary has few values, and mostly none that is told of.
            let told: Vec<bool> = values.iter().map(|role| role.is_some_and(told)).collect();
            if told.contains(&true) {
                for key in keys.iter().flatten().map(usize::from).filter(|key| told[*key]) {
                    *found.entry(values.value(key)).or_default() += 1;
                }
            }
        }
        TextColumn::Text(_) => {
            for role in (0..rows).filter_map(|row| roles.get(row)).filter(|role| told(role)) {
                *found.entry(role).or_default() += 1;
            }
        }
    }
    found
}

/// Counts the roles, and warns of each that was not there before. `other` is where they go.
pub(super) fn tell(unnamed: Unnamed<'_>, other: Option<Destination>, metrics: &Metrics) {
    for (role, lines) in unnamed {
        let Some(shown) = metrics.unnamed_roles().saw(role, lines) else { continue };
        match other {
            Some(to) => tracing::warn!(
                role = shown,
                to = to.as_str(),
                "lines name a role that [roles] does not: the wildcard \"*\" decides; name the role in roles.primary or roles.replica"
            ),
            None => tracing::warn!(
                role = shown,
                "lines name a role that [roles] does not: roles.servers and roles.default decide; name the role in roles.primary or \
                 roles.replica"
            ),
        }
    }
}
