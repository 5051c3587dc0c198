//! Roles that `[roles]` does not name: lines are counted for each, and a warning is logged once,
//! because a wildcard may send them to the wrong table.

use std::collections::BTreeMap;

use crate::format::logs::rows::TextColumn;
use crate::format::logs::settings::Destination;
use crate::run::metrics::Metrics;

/// Azure's names for the roles that a wildcard is meant for.
const REPLICAS: [&str; 3] = ["Replica", "AsyncReplica", "GeoAsyncReplica"];

/// Roles, and how many lines name each.
pub(super) type Unnamed<'r> = BTreeMap<&'r str, u64>;

/// The roles in the first `rows` rows of a column that are `unnamed`, not empty, and not those of
/// Azure's replicas.
pub(super) fn count(roles: TextColumn<'_>, rows: usize, unnamed: impl Fn(&str) -> bool) -> Unnamed<'_> {
    let told = |role: &str| {
        !role.is_empty() && !REPLICAS.iter().any(|replica| replica.eq_ignore_ascii_case(role)) && unnamed(role)
    };
    let mut found = Unnamed::new();
    match roles {
        TextColumn::Keys(keys, values) => {
            // A dictionary has few values, and mostly none to report.
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

/// Counts the roles, and warns about each that is new. `other` is where they go, if there is such a
/// place.
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
