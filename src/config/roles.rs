//! The `[roles]` section: which lines go to which table.
//!
//! Promises: no role goes to two tables, every glob is valid, and at least some lines of the format
//! can reach a table.

use std::collections::{BTreeMap, BTreeSet};

use lakefront_operators::format::logs::settings::{Destination, Format, Roles};
use lakefront_operators::glob;

use super::defaults;
use super::raw::Section;
use super::values;

/// Reads `[roles]`; `format` is `None` if that field is wrong.
pub(super) fn roles(top: &mut Section<'_>, format: Option<Format>) -> Option<Roles> {
    let mut section = top.section("roles");
    let named = |roles: &[&str]| roles.iter().map(|role| (*role).to_owned()).collect();
    let primary = section.optional("primary", named(&defaults::PRIMARY_ROLES), values::role_list);
    let replica = section.optional("replica", named(&defaults::REPLICA_ROLES), values::role_list);
    let default = section.optional("default", defaults::DEFAULT_DESTINATION, values::destination);
    let servers = section.section("servers").entries(values::destination);
    let sources = section.section("sources").entries(values::destination);

    if let (Some(primary), Some(replica)) = (&primary, &replica) {
        refuse_shared(&section, primary, replica);
    }
    if servers.as_ref().is_some_and(has_twins) {
        section.refuse("servers", "names a server twice: names that differ only in case mean one server".to_owned());
    }
    if format == Some(Format::Jsonlog)
        && default == Some(Destination::Reject)
        && sources.as_ref().is_some_and(|sources| sources.is_empty())
    {
        section.refuse(
            "sources",
            "must name the files when source.format is \"jsonlog\" and roles.default is \"reject\": jsonlog lines carry \
             no role, so every line would be rejected; name them as in \"**/replica-*/**\" = \"replica\", or set \
             roles.default to \"primary\" or \"replica\""
                .to_owned(),
        );
    }
    for pattern in sources.iter().flat_map(|sources| sources.keys()) {
        if let Err(error) = glob::compile(pattern) {
            section.refuse("sources", format!("{pattern:?} is not a glob: {}", error.kind()));
        }
    }
    section.finish();
    Some(Roles { primary: primary?, replica: replica?, default: default?, servers: servers?, sources: sources? })
}

/// Refuses a role that both lists have. The message does not name it, because it may have come from
/// a variable.
fn refuse_shared(section: &Section<'_>, primary: &[String], replica: &[String]) {
    let is_shared = |role: &String| replica.iter().any(|other| other.eq_ignore_ascii_case(role));
    if primary.iter().any(is_shared) {
        section.refuse(
            "replica",
            "shares a role with roles.primary; a role, in any case, and \"*\", any role not named, may be in one \
             list only; the defaults are primary = [\"Primary\", \"None\"] and replica = [\"*\"]"
                .to_owned(),
        );
    }
}

/// Whether two names differ only in case.
fn has_twins(servers: &BTreeMap<String, Destination>) -> bool {
    let names: BTreeSet<String> = servers.keys().map(|name| name.to_ascii_lowercase()).collect();
    names.len() < servers.len()
}
