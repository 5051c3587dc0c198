//! The publication and its tables: whether changes of all that are meant are sent, and what the log
//! has of a row before its change.

use std::collections::BTreeSet;

use lakefront_operators::postgres::capture::{Identity, Table};
use lakefront_operators::postgres::quoted;

use super::connector::Registered;
use super::{Sight, some};
use crate::config::PublicationMode;
use crate::debezium::{Nulls, matches};
use crate::doctor::Findings;

/// Checks the publication, and the tables that are captured.
pub(super) fn look(findings: &mut Findings, sight: &Sight<'_>) {
    // Without patterns, what is published is what is meant.
    let is_meant = |table: &Table| match &sight.wanted {
        Some(wanted) => matches(wanted, &table.full_name()),
        None => table.is_published,
    };
    let tables: Vec<&Table> = sight.found.tables.iter().filter(|table| is_meant(table)).collect();
    publication(findings, sight, &tables);
    if let (true, Some(wanted)) = (tables.is_empty(), &sight.wanted) {
        let advice = "check source.topics, or give connect.tables; topics have '_' where names have other letters";
        findings.warn("tables", format!("no table matches {}", wanted.join(", ")), advice);
    }
    rights(findings, sight, &tables);
    identities(findings, &tables);
    nulls(findings, sight, &tables);
}

fn publication(findings: &mut Findings, sight: &Sight<'_>, tables: &[&Table]) {
    let name = sight.publication();
    let Some(publication) = &sight.found.publication else { return missing(findings, sight, &name, tables) };
    if !publication.lacks.is_empty() {
        findings.warn(
            "tables",
            format!(
                "publication {name:?} leaves out {}: such changes do not reach the lake",
                publication.lacks.join(", ")
            ),
            format!(
                "as its owner: ALTER PUBLICATION {} SET (publish = 'insert, update, delete, truncate')",
                quoted(&name)
            ),
        );
    }
    if !publication.is_via_root && tables.iter().any(|table| table.is_partition) {
        findings.warn(
            "tables",
            format!("publication {name:?} sends changes of partitions as their own: each becomes a table of its own"),
            format!("as its owner: ALTER PUBLICATION {} SET (publish_via_partition_root = true)", quoted(&name)),
        );
    }
    let left_out: Vec<&&Table> = tables.iter().filter(|table| !table.is_published).collect();
    if left_out.is_empty() {
        return findings
            .ok("tables", format!("publication {name:?} has {} of the tables that are meant", tables.len()));
    }
    let names: Vec<String> = left_out.iter().map(|table| table.full_name()).collect();
    let quotes: Vec<String> = left_out.iter().map(|table| table.quoted()).collect();
    findings.problem(
        "tables",
        format!("publication {name:?} leaves out {}: their changes are not captured", some(&names)),
        format!("as its owner: ALTER PUBLICATION {} ADD TABLE {}", quoted(&name), quotes.join(", ")),
    );
}

/// There is no publication.
fn missing(findings: &mut Findings, sight: &Sight<'_>, name: &str, tables: &[&Table]) {
    let mode = sight.connect.map(|connect| connect.publication_mode);
    let is_made = mode.is_some_and(|mode| mode != PublicationMode::Disabled);
    if is_made && matches!(sight.registered, Registered::No | Registered::Unknown) {
        return findings.ok("tables", format!("publication {name:?} will be made when the connector starts"));
    }
    if mode.is_none() {
        let advice = "the connector makes it when it starts; if it has another name, set postgres.publication";
        return findings.warn("tables", format!("publication {name:?} does not exist"), advice);
    }
    let of: Vec<String> = tables.iter().filter(|table| !table.is_partition).map(|table| table.quoted()).collect();
    let of = if of.is_empty() { "ALL TABLES".to_owned() } else { format!("TABLE {}", of.join(", ")) };
    findings.problem(
        "tables",
        format!("publication {name:?} does not exist: no change is captured"),
        format!(
            "as the tables' owner: CREATE PUBLICATION {} FOR {of} WITH (publish_via_partition_root = true); then lakefront \
             debezium restart FILE",
            quoted(name)
        ),
    );
}

fn rights(findings: &mut Findings, sight: &Sight<'_>, tables: &[&Table]) {
    let role = &sight.found.role.name;
    let closed: Vec<&&Table> = tables.iter().filter(|table| !table.may_read).collect();
    if !closed.is_empty() {
        let names: Vec<String> = closed.iter().map(|table| table.full_name()).collect();
        let quotes: Vec<String> = closed.iter().map(|table| table.quoted()).collect();
        let schemas: BTreeSet<String> = closed.iter().map(|table| quoted(&table.schema)).collect();
        findings.problem(
            "rights",
            format!("role {role:?} may not read {}: the snapshot fails", some(&names)),
            format!(
                "as their owner: GRANT USAGE ON SCHEMA {} TO {2}; GRANT SELECT ON {} TO {2}",
                schemas.into_iter().collect::<Vec<_>>().join(", "),
                quotes.join(", "),
                quoted(role)
            ),
        );
    } else if !tables.is_empty() {
        findings.ok("rights", format!("role {role:?} may read the {} tables that are meant", tables.len()));
    }
    let makes = sight.connect.is_some_and(|connect| connect.publication_mode == PublicationMode::Filtered);
    let foreign: Vec<String> = tables.iter().filter(|table| !table.is_owned).map(|table| table.full_name()).collect();
    if makes && sight.found.publication.is_none() && !foreign.is_empty() {
        findings.problem(
            "rights",
            format!(
                "role {role:?} does not own {}, and so cannot publish them, as the connector is told to",
                some(&foreign)
            ),
            "make the publication as their owner, and set connect.publication_mode = \"disabled\"",
        );
    }
}

/// What the log has of rows before a change.
fn identities(findings: &mut Findings, tables: &[&Table]) {
    // A partitioned table has no rows of its own.
    let names = |is: &dyn Fn(&Table) -> bool| -> Vec<String> {
        tables.iter().filter(|table| is(table)).map(|table| table.full_name()).collect()
    };
    let stuck: Vec<&&Table> = tables.iter().filter(|table| table.is_stuck()).collect();
    if !stuck.is_empty() {
        let all: Vec<String> = stuck.iter().map(|table| table.full_name()).collect();
        findings.problem(
            "identity",
            format!(
                "{}: without a key, PostgreSQL refuses their updates and deletes once they are published",
                some(&all)
            ),
            full(stuck.iter().map(|table| **table)),
        );
    }
    let silent: Vec<&&Table> =
        tables.iter().filter(|table| table.identity != Identity::Full && !table.silent.is_empty()).collect();
    if !silent.is_empty() {
        let columns: Vec<String> =
            silent.iter().map(|table| format!("{} ({})", table.full_name(), table.silent.join(", "))).collect();
        findings.warn(
            "identity",
            format!(
                "{}: an update that leaves a large value as it is looks like one that sets it to NULL",
                some(&columns)
            ),
            full(silent.iter().map(|table| **table)),
        );
    }
    let whole = names(&|table| table.identity == Identity::Full);
    if !whole.is_empty() {
        findings.ok("identity", format!("FULL, events have the row before a change: {}", some(&whole)));
    }
    let keys = names(&|table| !table.is_stuck() && table.identity != Identity::Full);
    if !keys.is_empty() {
        findings.ok(
            "identity",
            format!(
                "DEFAULT or an index, events have of the row before a change its key alone, and large values that did not \
                 change come as placeholders; the lake has both: {}",
                some(&keys)
            ),
        );
    }
}

/// What becomes of null in columns that have a default.
fn nulls(findings: &mut Findings, sight: &Sight<'_>, tables: &[&Table]) {
    let columns: Vec<String> = tables
        .iter()
        .filter(|table| !table.defaulted.is_empty())
        .map(|table| format!("{} ({})", table.full_name(), table.defaulted.join(", ")))
        .collect();
    match sight.nulls {
        Nulls::Lost(advice) if !columns.is_empty() => findings.problem(
            "nulls",
            format!("{}: the connector sends the column's default in the place of NULL", some(&columns)),
            advice,
        ),
        Nulls::Lost(_) | Nulls::Unknown => {}
        Nulls::Kept => findings.ok("nulls", "NULL arrives as such also in columns that have a default".to_owned()),
    }
}

/// How tables get the identity that loses nothing.
fn full<'a>(tables: impl Iterator<Item = &'a Table>) -> String {
    let alter: Vec<String> =
        tables.map(|table| format!("ALTER TABLE {} REPLICA IDENTITY FULL", table.quoted())).collect();
    format!("as their owner: {}", alter.join("; "))
}
