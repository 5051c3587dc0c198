//! The server's settings and the role's rights.

use lakefront_operators::postgres::quoted;
use lakefront_operators::protocol::clock::Clock;
use lakefront_operators::run::clock::SystemClock;

use super::Sight;
use crate::config::PublicationMode;
use crate::doctor::{Findings, clock};

/// Checks what does not depend on slot or table.
pub(super) fn look(findings: &mut Findings, sight: &Sight<'_>) {
    settings(findings, sight);
    role(findings, sight);
    heartbeat(findings, sight);
    clock::database(findings, sight.found.server.now_ms, SystemClock.now_ms());
}

fn settings(findings: &mut Findings, sight: &Sight<'_>) {
    let server = &sight.found.server;
    match server.wal_level.as_str() {
        "logical" => findings.ok("postgres", format!("{}: wal_level is logical", sight.postgres.location.shown())),
        level => findings.problem(
            "postgres",
            format!("wal_level is {level}: the log does not have what changes are decoded from"),
            "as a superuser: ALTER SYSTEM SET wal_level = 'logical'; then start the server again. Hosted servers have it \
             among their parameters, on Amazon RDS as rds.logical_replication",
        ),
    }
    let needs = |limits: (i64, i64)| sight.found.slot.is_none() && limits.0 >= limits.1;
    for (name, limits) in [("max_replication_slots", server.slots), ("max_wal_senders", server.senders)] {
        if needs(limits) {
            findings.problem(
                "postgres",
                format!("{name} is {}, and all are taken: the connector gets none", limits.1),
                format!(
                    "drop slots that nobody reads, or as a superuser: ALTER SYSTEM SET {name} = {}; then start the server \
                     again",
                    limits.1 + 10
                ),
            );
        }
    }
}

fn role(findings: &mut Findings, sight: &Sight<'_>) {
    let role = &sight.found.role;
    match role.may_replicate {
        true => findings.ok("rights", format!("role {:?} may read the log", role.name)),
        false => findings.problem(
            "rights",
            format!("role {:?} may not read the log", role.name),
            format!(
                "as a superuser: ALTER ROLE {} REPLICATION; on Amazon RDS: GRANT rds_replication TO {}",
                quoted(&role.name),
                quoted(&role.name)
            ),
        ),
    }
    let makes = sight.connect.is_some_and(|connect| connect.publication_mode != PublicationMode::Disabled);
    if makes && sight.found.publication.is_none() && !role.may_publish {
        findings.problem(
            "rights",
            format!(
                "role {:?} may not make publication {:?}, as the connector is told to",
                role.name,
                sight.publication()
            ),
            format!(
                "as the database's owner: GRANT CREATE ON DATABASE {} TO {}; or make the publication, and set \
                 connect.publication_mode = \"disabled\"",
                quoted(&sight.postgres.location.database),
                quoted(&role.name)
            ),
        );
    }
}

/// Whether the connector can move the slot on when no table changes.
fn heartbeat(findings: &mut Findings, sight: &Sight<'_>) {
    let Some(connect) = sight.connect else { return };
    let every = connect.heartbeat_interval.as_secs();
    match (connect.heartbeat_query.as_deref(), sight.found.server.is_standby) {
        (Some(""), _) => findings.warn(
            "heartbeat",
            "none is written to PostgreSQL: while no captured table changes, the slot keeps the log of all others",
            "leave connect.heartbeat_query out, unless the server is a standby",
        ),
        (_, true) => findings.problem(
            "heartbeat",
            "the server is a standby, where the heartbeat's query fails",
            "set connect.heartbeat_query = \"\", and watch how much of the log the slot keeps",
        ),
        (None, false) if !sight.found.role.may_emit => findings.problem(
            "heartbeat",
            format!("role {:?} may not write the heartbeat's message to the log", sight.found.role.name),
            format!(
                "as a superuser: GRANT EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, text) TO {}; or set \
                 connect.heartbeat_query to one that it may run",
                quoted(&sight.found.role.name)
            ),
        ),
        _ => findings.ok("heartbeat", format!("the connector writes one every {every} s, which moves the slot on")),
    }
}
