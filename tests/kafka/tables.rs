//! `pg_changes` from topics to tables, without a connector: recorded events are written to topics,
//! and `deltalake` reads what becomes of them.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::support::Pipeline;
use crate::support::kafka::Broker;
use crate::support::oracle::run_python;
use crate::world::{Admin, Writer, Written, sample, topic};

type Raw = BTreeMap<String, Box<RawValue>>;

/// A pipeline of recorded events, whose topics have names of their own.
struct Cdc {
    pipeline: Pipeline,
    stem: String,
    brokers: String,
}

impl Cdc {
    fn new(stem: &str, topics: &[&str]) -> Cdc {
        let (brokers, stem) = (Broker::shared().brokers(), topic(stem));
        let mut pipeline = Pipeline::new();
        for (section, key) in [
            ("source", "url"),
            ("source", "format"),
            ("source", "chunk"),
            ("limits", "reject_ratio"),
            ("lake", "schema"),
            ("tables", "primary"),
            ("tables", "replica"),
            ("tables", "rejects"),
        ] {
            pipeline.unset(section, key);
        }
        let topics: Vec<String> = topics.iter().map(|topic| format!("{stem}.{topic}")).collect();
        pipeline.set("", "topology", "pg_changes").set("source", "brokers", &*brokers).set("source", "topics", topics);
        pipeline.set("source", "mode", "backfill").set("lake", "catalog", "shop");
        Cdc { pipeline, stem, brokers }
    }

    /// Writes those recorded events that are `wanted` by their topics and values.
    fn write(&self, name: &str, wanted: impl Fn(&str, &str) -> bool) {
        let (admin, writer, mut created) = (Admin::new(&self.brokers), Writer::new(&self.brokers, &[]), Vec::new());
        for line in sample(name).lines() {
            let record: Raw = serde_json::from_str(line).expect("a record");
            let text = |raw: &RawValue| (raw.get() != "null").then(|| raw.get().to_owned());
            let topic: String = serde_json::from_str(record["topic"].get()).expect("a topic");
            let (key, value) = (text(&record["key"]), text(&record["value"]));
            if !wanted(&topic, value.as_deref().unwrap_or_default()) {
                continue;
            }
            let topic = format!("{}.{topic}", self.stem);
            if !created.contains(&topic) {
                admin.create(&topic, 1, &[]);
                created.push(topic.clone());
            }
            let (key, value) = (key.as_deref().map(str::as_bytes), value.as_deref().map(str::as_bytes));
            writer.send(&topic, &Written { partition: 0, key, value, ..Written::default() });
        }
        writer.flush();
    }

    /// The rows of a table, each as JSON, sorted.
    fn rows(&self, table: &str) -> Vec<Value> {
        let program = "import sys, json\nfrom deltalake import DeltaTable, QueryBuilder\n\
                       query = QueryBuilder().register('t', DeltaTable(sys.argv[1]))\n\
                       batch = query.execute('select * from t').read_all()\n\
                       import pyarrow\n\
                       rows = pyarrow.table(batch).to_pylist()\n\
                       print(json.dumps(sorted((json.dumps(row, default=str) for row in rows))))";
        let printed = run_python(program, &[&self.pipeline.path("lake/shop").join(table)]);
        let rows: Vec<String> = serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"));
        rows.iter().map(|row| serde_json::from_str(row).expect("a row")).collect()
    }
}

#[test]
fn recorded_events_become_the_rows_that_postgresql_had() {
    let cdc = Cdc::new("tables", &["lake.public.compkey", "lake.public.toasty_full", "lake.public.customers"]);
    cdc.write("envelope_schema.ndjson", |topic, value| {
        topic.starts_with("lake.public.") && !value.contains("\"op\":\"t\"")
    });
    let ended = cdc.pipeline.run().exits_with(0);
    println!("{}", ended.stderr);
    assert_eq!(cdc.rows("public/compkey"), [] as [Value; 0]);
    let customers = cdc.rows("public/customers");
    let ids: Vec<&Value> = customers.iter().map(|row| &row["id"]).collect();
    assert_eq!(ids, [&json!(1), &json!(100), &json!(4), &json!(901)], "{customers:?}");
    assert_eq!(customers[0]["email"], "ann@new");
    let toasty = cdc.rows("public/toasty_full");
    assert_eq!((toasty.len(), &toasty[0]["small"]), (1, &json!(2)));
    assert!(toasty[0]["big"].as_str().is_some_and(|big| big.len() == 9600), "{toasty:?}");
}
