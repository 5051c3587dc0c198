//! The columns of each format, listed a second time: two sides of a comparison must not share one
//! list.

use std::collections::HashMap;

use crate::format::logs::settings::Format;
use crate::totals::hash;

/// Column, key (`p.` marks a key inside `properties`), type: string, integer or time.
const AZURE: &str = "time time t,resource_id resourceId s,location location s,category category s,\
    operation_name operationName s,log_timestamp p.timestamp t,process_id p.processId i,error_level p.errorLevel s,\
    sqlerrcode p.sqlerrcode s,backend_type p.backend_type s,message p.message s,detail p.detail s,server_type ServerType s,\
    logical_server_name LogicalServerName s,server_version ServerVersion s,server_location ServerLocation s,\
    replica_role ReplicaRole s,original_primary_server_name OriginalPrimaryServerName s,app_image AppImage s,\
    app_type AppType s,app_version AppVersion s,region Region s";
const JSONLOG: &str = "timestamp timestamp t,user user s,dbname dbname s,pid pid i,remote_host remote_host s,\
    remote_port remote_port i,session_id session_id s,line_num line_num i,ps ps s,session_start session_start t,vxid vxid s,\
    txid txid i,error_severity error_severity s,state_code state_code s,message message s,detail detail s,hint hint s,\
    internal_query internal_query s,internal_position internal_position i,context context s,statement statement s,\
    cursor_position cursor_position i,func_name func_name s,file_name file_name s,file_line_num file_line_num i,\
    application_name application_name s,backend_type backend_type s,leader_pid leader_pid i,query_id query_id i";

/// The keys of `jsonlog` that CloudNativePG's records name differently, with that name; `-` if its
/// records lack the key.
const CSVLOG: &str = "timestamp log_time,user user_name,dbname database_name,pid process_id,remote_host -,remote_port -,\
    line_num session_line_num,ps command_tag,session_start session_start_time,vxid virtual_transaction_id,\
    txid transaction_id,state_code sql_state_code,internal_position internal_query_pos,statement query,\
    cursor_position query_pos,func_name -,file_name -,file_line_num -";

/// The column for keys that have no column of their own.
pub(in crate::prove) const REST: &str = "_rest";
/// The columns of a reject that go into its checksum.
pub(in crate::prove) const REJECT: [&str; 4] = ["reason", "raw", "length", "detail"];
/// The column of a record's number within its line, in every table.
pub(in crate::prove) const ITEM: &str = "_item";
/// The role of a row's server, the server's name, and its resource id.
pub(in crate::prove) const ROLE: &str = "replica_role";
pub(in crate::prove) const SERVER: &str = "logical_server_name";
pub(in crate::prove) const RESOURCE: &str = "resource_id";
/// When a row's server logged it, by format; and when Azure received it.
pub(in crate::prove) const LOGGED: [&str; 2] = ["log_timestamp", "timestamp"];
pub(in crate::prove) const RECEIVED: &str = "time";

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::prove) enum Kind {
    Text,
    Integer,
    Time,
}

/// A column.
pub(in crate::prove) struct Column {
    pub(in crate::prove) name: &'static str,
    pub(in crate::prove) key: &'static str,
    pub(in crate::prove) kind: Kind,
    /// Whether its key is inside `properties`.
    pub(in crate::prove) inner: bool,
    pub(in crate::prove) hash: hash::Column,
}

/// The columns of a format, and the column that each key goes to.
pub(in crate::prove) struct Columns {
    pub(in crate::prove) all: Vec<Column>,
    keys: HashMap<(bool, &'static str), usize>,
    /// Whether the format has columns in `properties`.
    pub(in crate::prove) nested: bool,
}

impl Columns {
    /// The columns of `format`.
    pub(in crate::prove) fn of(format: Format) -> Self {
        let list = match format {
            Format::Azure => AZURE,
            Format::Jsonlog => JSONLOG,
        };
        let (mut all, mut keys) = (Vec::new(), HashMap::new());
        for entry in list.split(',') {
            let mut words = entry.split_whitespace();
            let (Some(name), Some(key), Some(kind)) = (words.next(), words.next(), words.next()) else { continue };
            let (kind, type_name) = match kind {
                "s" => (Kind::Text, "string"),
                "i" => (Kind::Integer, "long"),
                _ => (Kind::Time, "timestamp"),
            };
            let (inner, key) = key.strip_prefix("p.").map_or((false, key), |key| (true, key));
            keys.insert((inner, key), all.len());
            all.push(Column { name, key, kind, inner, hash: hash::Column::new(name, type_name) });
        }
        let nested = all.iter().any(|column: &Column| column.inner);
        Columns { all, keys, nested }
    }

    /// The same columns, filled by the keys of a record of CloudNativePG.
    pub(in crate::prove) fn of_csvlog() -> Self {
        let mut columns = Columns::of(Format::Jsonlog);
        for (key, csv) in CSVLOG.split(',').filter_map(|entry| entry.trim().split_once(' ')) {
            let at = columns.keys.remove(&(false, key)).filter(|_| csv != "-");
            columns.keys.extend(at.map(|at| ((false, csv), at)));
        }
        columns
    }

    /// The column of a key, in `properties` or not.
    pub(in crate::prove) fn find(&self, inner: bool, key: &str) -> Option<usize> {
        self.keys.get(&(inner, key)).copied()
    }

    /// Each key, whether it is inside `properties`, and what its column holds.
    #[cfg(test)]
    pub(in crate::prove) fn keys(&self) -> impl Iterator<Item = (bool, &'static str, Kind)> {
        let mut keys: Vec<_> = self.keys.iter().map(|((inner, key), at)| (*inner, *key, self.all[*at].kind)).collect();
        keys.sort_unstable_by_key(|(inner, key, _)| (*inner, *key));
        keys.into_iter()
    }
}
