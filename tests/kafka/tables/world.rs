//! A pipeline whose topics a test writes, and what is in its tables.

use serde_json::{Value, json};

use crate::support::kafka::Broker;
use crate::support::oracle::run_python;
use crate::support::{Pipeline, Running};
use crate::world::{Admin, Writer, Written, topic};

/// The rows of a table as `deltalake` reads them: each as JSON, in the order of these texts.
const ROWS: &str = "import sys, json, pyarrow\n\
                    from deltalake import DeltaTable, QueryBuilder\n\
                    query = QueryBuilder().register('t', DeltaTable(sys.argv[1])).execute('select * from t')\n\
                    rows = pyarrow.table(query.read_all()).to_pylist()\n\
                    print(json.dumps(sorted(json.dumps(row, default=str) for row in rows)))";

/// What PostgreSQL has not sent, as Debezium writes it.
pub(super) const UNSENT: &str = "__debezium_unavailable_value";

/// A pipeline of topics that have names of their own.
pub(super) struct Cdc {
    pub(super) pipeline: Pipeline,
    pub(super) stem: String,
    pub(super) writer: Writer,
    admin: Admin,
}

impl Cdc {
    /// Reads the topics with this stem, into tables whose schema is `public`.
    pub(super) fn new(stem: &str) -> Cdc {
        Cdc::of(topic(stem))
    }

    /// The same of topics that another one may read too.
    pub(super) fn of(stem: String) -> Cdc {
        let brokers = Broker::shared().brokers();
        let mut pipeline = Pipeline::new();
        for (section, keys) in [("source", ["url", "format", "chunk"]), ("tables", ["primary", "replica", "rejects"])] {
            keys.iter().for_each(|key| pipeline.unset(section, key));
        }
        pipeline.unset("limits", "reject_ratio");
        pipeline.unset("lake", "schema");
        pipeline.unset("commit", "bytes");
        pipeline.set("", "topology", "pg_changes").set("source", "brokers", &*brokers);
        pipeline.set("source", "topics", format!("{stem}.*")).set("source", "mode", "backfill");
        pipeline.set("lake", "catalog", "shop").set("commit", "interval", "200ms");
        Cdc { pipeline, stem, writer: Writer::new(&brokers, &[]), admin: Admin::new(&brokers) }
    }

    /// Makes the topic of a table.
    pub(super) fn create(&self, table: &str, partitions: i32) {
        self.admin.create(&self.topic(table), partitions, &[]);
    }

    /// Makes any topic.
    pub(super) fn create_topic(&self, name: &str, partitions: i32) {
        self.admin.create(name, partitions, &[]);
    }

    /// Deletes the records of a table's first partition up to an offset, as retention does.
    pub(super) fn lose(&self, table: &str, before: i64) {
        self.admin.delete_records(&self.topic(table), before);
    }

    pub(super) fn topic(&self, table: &str) -> String {
        format!("{}.public.{table}", self.stem)
    }

    /// Writes a record, whose key is that of the row.
    pub(super) fn write(&self, table: &str, partition: i32, key: Value, value: Option<&Value>) {
        let (key, value) = (key.to_string(), value.map(Value::to_string));
        let (key, value) = (Some(key.as_bytes()), value.as_deref().map(str::as_bytes));
        self.writer.send(&self.topic(table), &Written { partition, key, value, ..Written::default() });
    }

    /// Writes a record without a key.
    pub(super) fn write_keyless(&self, table: &str, partition: i32, value: &Value) {
        let value = value.to_string();
        self.writer
            .send(&self.topic(table), &Written { partition, value: Some(value.as_bytes()), ..Written::default() });
    }

    /// Writes the event of an operation on the row with this id.
    pub(super) fn event(&self, table: &str, op: &str, lsn: u64, row: Value) {
        let id = json!({"id": row["id"]});
        self.write(table, 0, id, Some(&event(table, op, lsn, &row)));
    }

    pub(super) fn tail(&mut self) -> Running {
        self.pipeline.set("source", "mode", "tail").set("source", "poll", "50ms");
        self.pipeline.start(&["run", "p.toml"])
    }

    /// The rows of a table of the schema `public`.
    pub(super) fn rows(&self, table: &str) -> Vec<Value> {
        self.read(&format!("public/{table}"))
    }

    /// What became no row.
    pub(super) fn rejects(&self) -> Vec<Value> {
        self.read("p_rejects")
    }

    fn read(&self, table: &str) -> Vec<Value> {
        let printed = run_python(ROWS, &[&self.pipeline.path("lake/shop").join(table)]);
        let rows: Vec<String> = serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"));
        rows.iter().map(|row| serde_json::from_str(row).expect("a row")).collect()
    }
}

/// An event in an envelope without a schema block. The row is what it is after the change, or
/// before a delete.
pub(super) fn event(table: &str, op: &str, lsn: u64, row: &Value) -> Value {
    let (before, after) = if op == "d" { (row.clone(), Value::Null) } else { (Value::Null, row.clone()) };
    let source = json!({
        "connector": "postgresql", "schema": "public", "table": table, "snapshot": "false", "txId": lsn, "lsn": lsn,
        "sequence": format!("[\"{}\",\"{lsn}\"]", lsn.saturating_sub(1)), "ts_ms": 1_700_000_000_000_u64
    });
    json!({"before": before, "after": after, "source": source, "op": op, "ts_ms": 1_700_000_000_000_u64})
}
