//! Lines as Azure Database for PostgreSQL writes them: a server's envelope around its message. They
//! have 18 keys, or 22.

use std::io::Write;

use super::random::Random;
use super::shapes::{self, Said};
use crate::moment::Second;

/// The keys that newer images add.
const APP_KEYS: &str = "\"AppImage\": \"azurelinux/postgres_standalone_17_azl3:63.0.2609150\", \"AppType\": \"PostgreSQL\", \
                        \"AppVersion\": \"breadthpg17_2026-09-10-06-02-11\", \"Region\": \"westeurope\", ";
const PRIMARY: &str = "orders-uat-pg";
/// Name and role. The first is the primary.
const SERVERS: [(&str, &str); 3] =
    [(PRIMARY, "Primary"), ("orders-uat-pg-ro1", "AsyncReplica"), ("orders-uat-pg-ro2", "GeoAsyncReplica")];

/// All that does not change from line to line, already rendered.
pub(super) struct Azure {
    head: String,
    /// Texts of the primary, and texts of replicas.
    pools: [Vec<Text>; 2],
    servers: [Server; 3],
}

/// A message, before and after the prefix that PostgreSQL puts in front of it.
struct Text {
    before: String,
    after: String,
}

/// The end of an envelope, before and after its time.
struct Server {
    before: String,
    after: String,
}

impl Azure {
    pub(super) fn new(app_keys: bool, random: &mut Random) -> Azure {
        let app = if app_keys { APP_KEYS } else { "" };
        let head = format!(
            "{{ {app}\"category\": \"PostgreSQLLogs\", \"location\": \"westeurope\", \"operationName\": \"LogEvent\", \
             \"properties\": {{\"timestamp\": \""
        );
        let mut pool = |primary| shapes::said(primary, random).iter().map(text).collect();
        Azure { head, pools: [pool(true), pool(false)], servers: SERVERS.map(server) }
    }

    /// Appends a line without its newline, written `ms` into `second`. Returns whether it is the
    /// primary's.
    pub(super) fn line(&self, out: &mut Vec<u8>, second: &Second, ms: u32, random: &mut Random) -> bool {
        // Two lines of the primary for each line of a replica.
        let server = *random.pick(&[0, 0, 0, 0, 1, 2]);
        let text = random.pick(&self.pools[usize::from(server > 0)]);
        let pid = random.between(20_000, 22_000);
        let Second { unix, date, time } = second;
        out.extend_from_slice(self.head.as_bytes());
        put(out, format_args!("{date} {time}.{ms:03} UTC\",\"processId\": {pid}"));
        out.extend_from_slice(text.before.as_bytes());
        // A session is identified by its start and its process.
        put(out, format_args!("{date} {time} UTC-{unix:x}.{pid:x}-"));
        out.extend_from_slice(text.after.as_bytes());
        let server_end = &self.servers[server];
        out.extend_from_slice(server_end.before.as_bytes());
        put(out, format_args!("{date}T{time}.{:03}Z", ms + 1));
        out.extend_from_slice(server_end.after.as_bytes());
        server == 0
    }
}

/// Formats into memory, which does not fail.
pub(super) fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("memory takes what is written");
}

fn text(said: &Said) -> Text {
    let Said { level, state, backend, message, detail, .. } = said;
    let detail = detail.as_ref().map_or(String::new(), |detail| format!(",\"detail\": \"{detail}\""));
    Text {
        before: format!(
            ",\"errorLevel\": \"{level}\",\"sqlerrcode\": \"{state}\",\"backend_type\": \"{backend}\",\"message\": \""
        ),
        after: format!("{level}:  {message}\"{detail}}}"),
    }
}

fn server((name, role): (&str, &str)) -> Server {
    Server {
        before: format!(
            ", \"resourceId\": \"/SUBSCRIPTIONS/0F1E2D3C-4B5A-6978-8796-A5B4C3D2E1F0/RESOURCEGROUPS/RG-ORDERS-UAT/PROVIDERS/\
             MICROSOFT.DBFORPOSTGRESQL/FLEXIBLESERVERS/{}\", \"time\": \"",
            name.to_uppercase()
        ),
        after: format!(
            "\", \"ServerType\": \"PostgreSQL\", \"LogicalServerName\": \"{name}\", \"ServerVersion\": \"17.6\", \
             \"ServerLocation\": \"prod:westeurope\", \"ReplicaRole\": \"{role}\", \"OriginalPrimaryServerName\": \"{PRIMARY}\"}}"
        ),
    }
}
