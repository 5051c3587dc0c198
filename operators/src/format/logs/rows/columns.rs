//! The columns of each format: the one table from which the Arrow schema and the lookup of JSON
//! keys are derived.
//!
//! A key that is not listed here has no column; `unknown_keys` decides what becomes of it. Adding,
//! renaming or retyping a column changes what a line means, and so needs a new
//! [`ROWS_VERSION`](crate::format::logs::settings::ROWS_VERSION).

use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::format::logs::settings::Format;
use Kind::{Integer, Text, Time};
use Scope::{Properties, Top};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A JSON string, unescaped; or another value that is no object and no array, as it stands in
    /// the line.
    Text,
    /// A JSON number that is an integer and fits int64, in quotes or not.
    Integer,
    /// A JSON string that names a moment, see `time.rs`.
    Time,
}

impl Kind {
    /// The word for the type that is expected of a value.
    pub(super) fn word(self) -> &'static str {
        match self {
            Text => "string",
            Integer => "integer",
            Time => "time",
        }
    }

    pub(super) fn data_type(self) -> DataType {
        match self {
            Text => DataType::Utf8,
            Integer => DataType::Int64,
            Time => timestamp_type(),
        }
    }
}

/// The Arrow type of every moment we store: microseconds, UTC.
pub(super) fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// Where in the line a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// In the line's own object.
    Top,
    /// In the object under the key `properties`.
    Properties,
}

/// One column, and the JSON key that fills it.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) scope: Scope,
    pub(super) key: &'static str,
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

const fn column(scope: Scope, key: &'static str, name: &'static str, kind: Kind) -> Column {
    Column { scope, key, name, kind }
}

/// A column of `jsonlog`, which has the same name as PostgreSQL's key.
const fn own(key: &'static str, kind: Kind) -> Column {
    column(Top, key, key, kind)
}

/// No format has more columns than this, so that a line's values fit an array on the stack.
pub(super) const MAX_COLUMNS: usize = 32;

/// The column of a record's number among those of its line (0, 1, 2 and so on); null if the line is
/// the record.
pub(super) const ITEM: &str = "_item";

/// The key whose object holds the columns of [`Scope::Properties`].
const PROPERTIES_KEY: &str = "properties";

static AZURE: [Column; 22] = [
    column(Top, "time", "time", Time),
    column(Top, "resourceId", "resource_id", Text),
    column(Top, "location", "location", Text),
    column(Top, "category", "category", Text),
    column(Top, "operationName", "operation_name", Text),
    column(Properties, "timestamp", "log_timestamp", Time),
    column(Properties, "processId", "process_id", Integer),
    column(Properties, "errorLevel", "error_level", Text),
    column(Properties, "sqlerrcode", "sqlerrcode", Text),
    column(Properties, "backend_type", "backend_type", Text),
    column(Properties, "message", "message", Text),
    column(Properties, "detail", "detail", Text),
    column(Top, "ServerType", "server_type", Text),
    column(Top, "LogicalServerName", "logical_server_name", Text),
    column(Top, "ServerVersion", "server_version", Text),
    column(Top, "ServerLocation", "server_location", Text),
    column(Top, "ReplicaRole", "replica_role", Text),
    column(Top, "OriginalPrimaryServerName", "original_primary_server_name", Text),
    column(Top, "AppImage", "app_image", Text),
    column(Top, "AppType", "app_type", Text),
    column(Top, "AppVersion", "app_version", Text),
    column(Top, "Region", "region", Text),
];

static JSONLOG: [Column; 29] = [
    own("timestamp", Time),
    own("user", Text),
    own("dbname", Text),
    own("pid", Integer),
    own("remote_host", Text),
    own("remote_port", Integer),
    own("session_id", Text),
    own("line_num", Integer),
    own("ps", Text),
    own("session_start", Time),
    own("vxid", Text),
    own("txid", Integer),
    own("error_severity", Text),
    own("state_code", Text),
    own("message", Text),
    own("detail", Text),
    own("hint", Text),
    own("internal_query", Text),
    own("internal_position", Integer),
    own("context", Text),
    own("statement", Text),
    own("cursor_position", Integer),
    own("func_name", Text),
    own("file_name", Text),
    own("file_line_num", Integer),
    own("application_name", Text),
    own("backend_type", Text),
    own("leader_pid", Integer),
    own("query_id", Integer),
];

/// What a known key fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filled {
    /// The column at this place.
    Column(usize),
    /// The columns of [`Scope::Properties`].
    Properties,
}

/// The known keys of one scope, by length: keys of equal length are few, so a lookup is one or two
/// comparisons.
pub(super) struct Keys {
    by_length: Vec<Vec<(&'static str, Filled)>>,
}

impl Keys {
    fn of(columns: &'static [Column], scope: Scope) -> Self {
        let mut keys = Keys { by_length: Vec::new() };
        for (place, column) in columns.iter().enumerate().filter(|(_, column)| column.scope == scope) {
            keys.insert(column.key, Filled::Column(place));
        }
        keys
    }

    fn insert(&mut self, key: &'static str, target: Filled) {
        if self.by_length.len() <= key.len() {
            self.by_length.resize_with(key.len() + 1, Vec::new);
        }
        self.by_length[key.len()].push((key, target));
    }

    /// What `key` fills, or `None` if it is unknown.
    pub(super) fn find(&self, key: &str) -> Option<Filled> {
        let same_length = self.by_length.get(key.len())?;
        same_length.iter().find(|(known, _)| *known == key).map(|(_, target)| *target)
    }
}

/// Everything derived from a format's columns.
pub(super) struct Layout {
    pub(super) columns: &'static [Column],
    pub(super) top: Keys,
    pub(super) properties: Keys,
    pub(super) schema: SchemaRef,
}

impl Layout {
    fn of(columns: &'static [Column]) -> Self {
        assert!(columns.len() <= MAX_COLUMNS, "a format has more columns than MAX_COLUMNS");
        let mut top = Keys::of(columns, Top);
        // A format without columns in `properties` does not know that key at all.
        if columns.iter().any(|column| column.scope == Properties) {
            top.insert(PROPERTIES_KEY, Filled::Properties);
        }
        let mut fields: Vec<Field> =
            columns.iter().map(|column| Field::new(column.name, column.kind.data_type(), true)).collect();
        fields.push(Field::new("_rest", DataType::Utf8, true));
        fields.push(Field::new("_source", DataType::Utf8, true));
        fields.push(Field::new("_offset", DataType::Int64, true));
        fields.push(Field::new(ITEM, DataType::Int64, true));
        let properties = Keys::of(columns, Properties);
        Layout { columns, top, properties, schema: Arc::new(Schema::new(fields)) }
    }

    /// Whether some columns are keys of `properties`.
    pub(super) fn has_properties(&self) -> bool {
        self.top.find(PROPERTIES_KEY) == Some(Filled::Properties)
    }
}

/// The layout of `format`, derived once.
pub(super) fn layout(format: Format) -> &'static Layout {
    static AZURE_LAYOUT: LazyLock<Layout> = LazyLock::new(|| Layout::of(&AZURE));
    static JSONLOG_LAYOUT: LazyLock<Layout> = LazyLock::new(|| Layout::of(&JSONLOG));
    match format {
        Format::Azure => &AZURE_LAYOUT,
        Format::Jsonlog => &JSONLOG_LAYOUT,
    }
}

/// The layout of a record of `format` as CloudNativePG writes it: the keys of `jsonlog` have other
/// names there, those of `csvlog`.
///
/// `connection_from` and `location`, which each combine several columns, have none.
pub(super) fn record_layout(format: Format) -> &'static Layout {
    static RECORD_LAYOUT: LazyLock<Layout> = LazyLock::new(|| {
        let Layout { columns, schema, .. } = layout(Format::Jsonlog);
        let mut top = Keys { by_length: Vec::new() };
        for (place, column) in columns.iter().enumerate() {
            let renamed = CSVLOG.iter().find(|(own, _)| *own == column.key);
            if let Some(key) = renamed.map_or(Some(column.key), |(_, csv)| *csv) {
                top.insert(key, Filled::Column(place));
            }
        }
        Layout { columns, top, properties: Keys { by_length: Vec::new() }, schema: schema.clone() }
    });
    match format {
        Format::Azure => layout(format),
        Format::Jsonlog => &RECORD_LAYOUT,
    }
}

/// The names of keys of `jsonlog` in a record of CloudNativePG; `None` if it has no such key.
const CSVLOG: [(&str, Option<&str>); 18] = [
    ("timestamp", Some("log_time")),
    ("user", Some("user_name")),
    ("dbname", Some("database_name")),
    ("pid", Some("process_id")),
    ("remote_host", None),
    ("remote_port", None),
    ("line_num", Some("session_line_num")),
    ("ps", Some("command_tag")),
    ("session_start", Some("session_start_time")),
    ("vxid", Some("virtual_transaction_id")),
    ("txid", Some("transaction_id")),
    ("state_code", Some("sql_state_code")),
    ("internal_position", Some("internal_query_pos")),
    ("statement", Some("query")),
    ("cursor_position", Some("query_pos")),
    ("func_name", None),
    ("file_name", None),
    ("file_line_num", None),
];

/// The Arrow schema of the rows of `format`: its columns, then `_rest`, `_source`, `_offset` and
/// `_item`. Every field is nullable.
pub fn schema(format: Format) -> SchemaRef {
    Arc::clone(&layout(format).schema)
}

#[cfg(test)]
mod tests;
