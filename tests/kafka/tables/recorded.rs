//! Events that a real connector has written.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::world::Cdc;
use crate::world::{Written, sample};

type Raw = BTreeMap<String, Box<RawValue>>;

/// Writes the recorded events of these tables; those of TRUNCATE only if `truncates`.
fn write(cdc: &Cdc, name: &str, tables: &[&str], truncates: bool) {
    tables.iter().for_each(|table| cdc.create(table, 1));
    for line in sample(name).lines() {
        let record: Raw = serde_json::from_str(line).expect("a record");
        let text = |raw: &RawValue| (raw.get() != "null").then(|| raw.get().to_owned());
        let topic: String = serde_json::from_str(record["topic"].get()).expect("a topic");
        let (key, value) = (text(&record["key"]), text(&record["value"]));
        let Some(table) = tables.iter().find(|table| topic == format!("lake.public.{table}")) else { continue };
        if !truncates && value.as_ref().is_some_and(|value| value.contains("\"op\":\"t\"")) {
            continue;
        }
        let headers: Vec<Raw> = serde_json::from_str(record["headers"].get()).expect("headers");
        let headers: Vec<(String, Option<String>)> = headers
            .iter()
            .map(|header| (serde_json::from_str(header["key"].get()).expect("a name"), text(&header["value"])))
            .collect();
        let headers = headers.iter().map(|(name, v)| (name.as_str(), v.as_deref().map(str::as_bytes))).collect();
        let (key, value) = (key.as_deref().map(str::as_bytes), value.as_deref().map(str::as_bytes));
        cdc.writer.send(&cdc.topic(table), &Written { key, value, headers, ..Written::default() });
    }
    cdc.writer.flush();
}

#[test]
fn recorded_events_become_the_rows_that_postgresql_had() {
    for name in
        ["envelope_schema", "envelope_noschema", "unwrap_noschema", "unwrap_noschema_rewrite", "unwrap_schema_rewrite"]
    {
        let cdc = Cdc::new(name);
        write(&cdc, &format!("{name}.ndjson"), &["compkey", "toasty_full", "customers"], false);
        cdc.pipeline.run().exits_with(0);
        assert_eq!(cdc.rows("compkey"), [] as [Value; 0]);
        let customers = cdc.rows("customers");
        let ids: Vec<&Value> = customers.iter().map(|row| &row["id"]).collect();
        assert_eq!(ids, [&json!(1), &json!(100), &json!(4), &json!(901)], "{name}: {customers:?}");
        assert_eq!(customers[0]["email"], "ann@new");
        let toasty = cdc.rows("toasty_full");
        assert_eq!((toasty.len(), &toasty[0]["small"]), (1, &json!(2)), "{name}");
        assert!(toasty[0]["big"].as_str().is_some_and(|big| big.len() == 9600), "{name}: {toasty:?}");
        assert_eq!(cdc.rejects(), [] as [Value; 0]);
    }
}

#[test]
fn a_record_without_a_value_is_a_delete_also_for_a_run_that_has_seen_nothing_before_it() {
    let cdc = Cdc::new("tombstones");
    cdc.create("orders", 1);
    let row = |id: u64| json!({"id": id, "note": "n", "__deleted": null, "__op": "c"});
    (1..=3).for_each(|id| cdc.write("orders", 0, json!({"id": id}), Some(&row(id))));
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    assert_eq!(cdc.rows("orders").len(), 3);
    cdc.write("orders", 0, json!({"id": 2}), None);
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    assert_eq!(cdc.rows("orders"), [json!({"id": 1, "note": "n"}), json!({"id": 3, "note": "n"})]);
}

#[test]
fn a_truncate_empties_the_table_of_the_lake_too_unless_it_is_ignored() {
    let mut cdc = Cdc::new("truncated");
    write(&cdc, "envelope_schema.ndjson", &["trunc_me", "customers"], true);
    cdc.pipeline.run().exits_with(0);
    assert_eq!(cdc.rows("customers"), [] as [Value; 0]);
    assert_eq!(cdc.rows("trunc_me"), [json!({"id": 1, "v": "after truncate"})]);
    // In a cut of its own, on rows that the lake has.
    cdc.event(
        "customers",
        "c",
        900_000_000,
        json!({"id": 7, "name": "Eve", "email": null, "created_at": "2026-01-01T00:00:00Z"}),
    );
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    assert_eq!(cdc.rows("customers").len(), 1);
    let truncate = super::world::event("customers", "t", 900_000_001, &Value::Null);
    let send = |cdc: &Cdc| {
        let value = truncate.to_string();
        cdc.writer.send(&cdc.topic("customers"), &Written { value: Some(value.as_bytes()), ..Written::default() });
        cdc.writer.flush();
    };
    send(&cdc);
    cdc.pipeline.run().exits_with(0);
    assert_eq!(cdc.rows("customers"), [] as [Value; 0]);
    cdc.event(
        "customers",
        "c",
        900_000_002,
        json!({"id": 8, "name": "Zed", "email": null, "created_at": "2026-01-01T00:00:00Z"}),
    );
    send(&cdc);
    cdc.pipeline.set("tables", "*", json!({"on_truncate": "ignore"}));
    let ended = cdc.pipeline.run().exits_with(0);
    assert!(ended.stderr.contains("its rows in the lake stay"), "{}", ended.stderr);
    assert_eq!(cdc.rows("customers").len(), 1);
}
