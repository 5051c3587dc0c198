//! The replication slot: whether it is read, and how much of the log it keeps.

use lakefront_operators::postgres::capture::Slot;

use super::connector::Registered;
use super::{Sight, bytes};
use crate::doctor::Findings;

/// More than a reader that keeps up leaves unread, in bytes.
const MUCH: i64 = 1 << 30;

/// Checks the slot.
pub(super) fn look(findings: &mut Findings, sight: &Sight<'_>) {
    let name = sight.slot();
    match (&sight.found.slot, sight.registered) {
        (Some(slot), _) => found(findings, sight, &name, slot),
        (None, Registered::Runs | Registered::Rests) => findings.problem(
            "slot",
            format!("slot {name:?} does not exist: no change is captured"),
            "lakefront debezium restart FILE makes it; if the slot was dropped, what changed meanwhile is not captured: \
             lakefront debezium delete FILE --offsets, then register FILE, begins with a snapshot",
        ),
        (None, Registered::No) => findings.ok("slot", format!("slot {name:?} will be made when the connector starts")),
        (None, Registered::Unknown) => findings.warn(
            "slot",
            format!("slot {name:?} does not exist"),
            "the connector makes it when it starts; if its slot has another name, set postgres.slot",
        ),
    }
}

fn found(findings: &mut Findings, sight: &Sight<'_>, name: &str, slot: &Slot) {
    let database = &sight.postgres.location.database;
    if slot.plugin != "pgoutput" || slot.database != *database {
        let advice = "give postgres.slot another name, or drop that slot if nobody needs it";
        let found = format!(
            "slot {name:?} is of plugin {:?} and database {:?}, not of pgoutput and {database:?}",
            slot.plugin, slot.database
        );
        return findings.problem("slot", found, advice);
    }
    let state = slot.wal_status.as_deref();
    if state == Some("lost") {
        return findings.problem(
            "slot",
            format!("slot {name:?} is lost: PostgreSQL has removed log that was not read, and changes with it"),
            format!(
                "lakefront debezium delete FILE --offsets; SELECT pg_drop_replication_slot('{name}'); lakefront debezium \
                 register FILE: it begins with a snapshot. A larger max_slot_wal_keep_size prevents it"
            ),
        );
    }
    let keeps = format!("{} of log are not confirmed, {} are kept", bytes(slot.behind), bytes(slot.kept));
    if !slot.is_active && sight.registered == Registered::Runs {
        findings.warn(
            "slot",
            format!("nobody reads slot {name:?} at the moment, although the connector runs: {keeps}"),
            "this is so while the connector takes its snapshot, or has lost its session; if it stays so, Connect's log says why",
        );
    } else if !slot.is_active {
        findings.problem(
            "slot",
            format!("nobody reads slot {name:?}: {keeps}, and it grows until the disk is full"),
            format!(
                "lakefront debezium status FILE tells why: register, resume or restart the connector; if it is not needed any \
                 more: SELECT pg_drop_replication_slot('{name}')"
            ),
        );
    } else if slot.behind > MUCH {
        findings.warn(
            "slot",
            format!("slot {name:?} is read, but far behind: {keeps}"),
            "if it grows: look at Connect's load, at long transactions in PostgreSQL, and whether connect.heartbeat_query is \
             empty",
        );
    } else {
        findings.ok("slot", format!("slot {name:?} is read: {keeps}"));
    }
    limit(findings, sight, name, slot, state);
}

/// What becomes of the slot, or of the disk, if it is not read.
fn limit(findings: &mut Findings, sight: &Sight<'_>, name: &str, slot: &Slot, state: Option<&str>) {
    match (sight.found.server.keeps_mib, slot.safe) {
        (None, _) if state.is_some() => findings.warn(
            "slot",
            "max_slot_wal_keep_size is -1: a slot that nobody reads fills the server's disk",
            "as a superuser, with what the disk can spare: ALTER SYSTEM SET max_slot_wal_keep_size = '50GB'; SELECT \
             pg_reload_conf(). Beyond that, the slot is lost instead",
        ),
        (None, _) => {}
        (Some(mib), _) if state == Some("unreserved") => findings.problem(
            "slot",
            format!(
                "slot {name:?} keeps more than max_slot_wal_keep_size, {mib} MiB: the next checkpoint may remove log"
            ),
            "have the connector catch up at once, or raise max_slot_wal_keep_size",
        ),
        (Some(mib), safe) => {
            let left = safe.map_or(String::new(), |safe| format!(", {} are left", bytes(safe)));
            findings.ok("slot", format!("max_slot_wal_keep_size is {mib} MiB{left}"));
        }
    }
}
