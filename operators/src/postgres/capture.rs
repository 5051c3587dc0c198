//! What PostgreSQL has of what it takes to capture a database's changes: its settings, the slot,
//! the publication, the tables and the role's rights.
//!
//! Promises: it only reads, in a few round trips, and needs no right but to connect. Leaves to
//! others: what is good of it, and what to do about the rest.

use tokio_postgres::{Client, Row};

use super::failure::failed;
use super::{Ask, quoted};
use crate::error::StoreError;

/// The first version that tells how much of its log a slot may keep, and how far it is from that.
const HAS_WAL_STATUS: i32 = 130_000;

/// What is there.
#[derive(Clone, Debug)]
pub struct Capture {
    /// The server.
    pub server: Server,
    /// The role that has asked.
    pub role: Role,
    /// The slot, if there is one of its name.
    pub slot: Option<Slot>,
    /// The publication, if there is one of its name.
    pub publication: Option<Publication>,
    /// The tables whose changes are in the log, partitions too.
    pub tables: Vec<Table>,
}

/// A server's settings, and how much of them is used.
#[derive(Clone, Debug)]
pub struct Server {
    /// Such as 150018 for 15.18.
    pub version: i32,
    /// `wal_level`: `minimal`, `replica` or `logical`.
    pub wal_level: String,
    /// Whether it follows another server.
    pub is_standby: bool,
    /// What its clock says, in milliseconds since 1970.
    pub now_ms: i64,
    /// Slots that there are, and that there may be.
    pub slots: (i64, i64),
    /// Sessions that send the log, and how many there may be.
    pub senders: (i64, i64),
    /// `max_slot_wal_keep_size` in MiB; `None` for no limit.
    pub keeps_mib: Option<i64>,
}

/// A role's rights that do not depend on a table.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Whether it may read the log, by itself or by a role that hosted servers have for that.
    pub may_replicate: bool,
    /// Whether it may make a publication in this database.
    pub may_publish: bool,
    /// Whether it may write a message to the log.
    pub may_emit: bool,
}

/// A replication slot.
#[derive(Clone, Debug)]
pub struct Slot {
    /// What decodes the log for it; empty for a physical slot.
    pub plugin: String,
    /// Its database; empty for a physical slot.
    pub database: String,
    /// Whether somebody reads it.
    pub is_active: bool,
    /// Bytes of the log that it makes the server keep.
    pub kept: i64,
    /// Bytes of the log that its reader has not confirmed.
    pub behind: i64,
    /// `reserved`, `extended`, `unreserved` or `lost`; `None` before PostgreSQL 13.
    pub wal_status: Option<String>,
    /// Bytes that may still be written before it is in danger; `None` if that is not limited.
    pub safe: Option<i64>,
}

/// A publication.
#[derive(Clone, Debug)]
pub struct Publication {
    /// Whether it has all tables.
    pub has_all_tables: bool,
    /// The kinds of changes that it leaves out: `INSERT`, `UPDATE`, `DELETE`, `TRUNCATE`.
    pub lacks: Vec<&'static str>,
    /// Whether changes of partitions are published as the partitioned table's.
    pub is_via_root: bool,
}

/// A table.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What the log has of a row before its change.
    pub identity: Identity,
    /// Whether it has a primary key.
    pub has_key: bool,
    /// Whether it is a partition of another table.
    pub is_partition: bool,
    /// Whether the publication has it, or the table whose partition it is.
    pub is_published: bool,
    /// Whether the role may read it, and use its schema.
    pub may_read: bool,
    /// Whether the role owns it, or is a member of the role that does.
    pub is_owned: bool,
    /// Columns whose large values Debezium cannot tell from NULL in an update that leaves them as
    /// they are: numeric, and arrays of numeric and timestamptz.
    pub silent: Vec<String>,
    /// Columns that may be null and have a default.
    pub defaulted: Vec<String>,
}

/// A table's replica identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The primary key, if there is one.
    Default,
    /// The columns of an index.
    Index,
    /// The whole row.
    Full,
    /// Nothing.
    Nothing,
}

impl Table {
    /// Schema and name, as events and patterns have them.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// Schema and name, as SQL has them.
    pub fn quoted(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.name))
    }

    /// Whether PostgreSQL refuses its updates and deletes once they are published.
    pub fn is_stuck(&self) -> bool {
        match self.identity {
            Identity::Default => !self.has_key,
            Identity::Nothing => true,
            Identity::Index | Identity::Full => false,
        }
    }
}

/// Looks at the database of `client`.
///
/// # Errors
/// A statement that failed.
pub async fn look(client: &Client, slot: &str, publication: &str) -> Result<Capture, StoreError> {
    let attempt = |error| failed("read what PostgreSQL has for capturing changes", error);
    let server = client.ask_one(SERVER, &[]).await.map_err(attempt)?;
    let server = Server {
        version: server.get(0),
        wal_level: server.get(1),
        is_standby: server.get(2),
        now_ms: server.get(3),
        slots: (server.get(4), server.get(5)),
        senders: (server.get(6), server.get(7)),
        keeps_mib: server.get::<_, Option<i64>>(8).filter(|mib| *mib >= 0),
    };
    let role = client.ask_one(ROLE, &[]).await.map_err(attempt)?;
    let role = Role { name: role.get(0), may_replicate: role.get(1), may_publish: role.get(2), may_emit: role.get(3) };
    let slot = client.ask_opt(&slot_query(server.version), &[&slot]).await.map_err(attempt)?;
    let published = client.ask_opt(&publication_query(server.version), &[&publication]).await.map_err(attempt)?;
    let tables = client.ask(TABLES, &[&publication]).await.map_err(attempt)?;
    Ok(Capture {
        server,
        role,
        slot: slot.as_ref().map(slot_of),
        publication: published.as_ref().map(publication_of),
        tables: tables.iter().map(table_of).collect(),
    })
}

const SERVER: &str = "
    SELECT current_setting('server_version_num')::int4, current_setting('wal_level'), pg_is_in_recovery(),
        (extract(epoch FROM clock_timestamp()) * 1000)::int8,
        (SELECT count(*) FROM pg_replication_slots), current_setting('max_replication_slots')::int8,
        (SELECT count(*) FROM pg_stat_replication), current_setting('max_wal_senders')::int8,
        (SELECT setting::int8 FROM pg_settings WHERE name = 'max_slot_wal_keep_size')";

/// On Amazon RDS, the right is a role's.
const ROLE: &str = "
    SELECT current_user::text,
        coalesce((SELECT rolsuper OR rolreplication FROM pg_roles WHERE rolname = current_user), false)
            OR EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_replication' AND pg_has_role(oid, 'MEMBER')),
        has_database_privilege(current_database(), 'CREATE'),
        EXISTS (SELECT FROM pg_proc WHERE proname = 'pg_logical_emit_message' AND has_function_privilege(oid, 'EXECUTE'))";

fn slot_query(version: i32) -> String {
    let status = if version >= HAS_WAL_STATUS { "wal_status, safe_wal_size" } else { "NULL::text, NULL::int8" };
    format!(
        "SELECT coalesce(plugin::text, ''), coalesce(database::text, ''), active,
            coalesce(pg_wal_lsn_diff(ends, restart_lsn), 0)::int8,
            coalesce(pg_wal_lsn_diff(ends, confirmed_flush_lsn), 0)::int8, {status}
         FROM pg_replication_slots, (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
            ELSE pg_current_wal_lsn() END AS ends) AS log WHERE slot_name = $1::text::name"
    )
}

fn slot_of(row: &Row) -> Slot {
    Slot {
        plugin: row.get(0),
        database: row.get(1),
        is_active: row.get(2),
        kept: row.get(3),
        behind: row.get(4),
        wal_status: row.get(5),
        safe: row.get(6),
    }
}

fn publication_query(version: i32) -> String {
    let via_root = if version >= HAS_WAL_STATUS { "pubviaroot" } else { "false" };
    format!(
        "SELECT puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, {via_root}
         FROM pg_publication WHERE pubname = $1::text::name"
    )
}

fn publication_of(row: &Row) -> Publication {
    let kinds = [(1, "INSERT"), (2, "UPDATE"), (3, "DELETE"), (4, "TRUNCATE")];
    Publication {
        has_all_tables: row.get(0),
        lacks: kinds.into_iter().filter(|(at, _)| !row.get::<_, bool>(*at)).map(|(_, kind)| kind).collect(),
        is_via_root: row.get(5),
    }
}

/// Of numeric, only those without bounds can be so large that they are stored elsewhere. (The
/// numbers are those of `pg_type.dat`: numeric, numeric[] and timestamptz[].)
const TABLES: &str = "
    WITH published AS (SELECT format('%I.%I', schemaname, tablename)::regclass::oid AS id
        FROM pg_publication_tables WHERE pubname = $1::text::name)
    SELECT n.nspname::text, c.relname::text, c.relreplident::text,
        EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary), c.relispartition,
        c.oid IN (SELECT id FROM published) OR EXISTS (SELECT FROM pg_partition_ancestors(c.oid) AS a (id)
            WHERE a.id::oid IN (SELECT id FROM published)),
        has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'),
        pg_has_role(c.relowner, 'USAGE'),
        ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
            AND NOT a.attisdropped AND (a.atttypid = 1700 AND a.atttypmod = -1 OR a.atttypid IN (1231, 1185))
            ORDER BY a.attnum),
        ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
            AND NOT a.attisdropped AND a.atthasdef AND NOT a.attnotnull AND a.attgenerated = '' ORDER BY a.attnum)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
        AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
    ORDER BY 1, 2";

fn table_of(row: &Row) -> Table {
    let identity = match row.get::<_, &str>(2) {
        "f" => Identity::Full,
        "i" => Identity::Index,
        "n" => Identity::Nothing,
        _ => Identity::Default,
    };
    Table {
        schema: row.get(0),
        name: row.get(1),
        identity,
        has_key: row.get(3),
        is_partition: row.get(4),
        is_published: row.get(5),
        may_read: row.get(6),
        is_owned: row.get(7),
        silent: row.get(8),
        defaulted: row.get(9),
    }
}
