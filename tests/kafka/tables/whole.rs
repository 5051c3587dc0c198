//! `commit.cut_at = "transaction"` over topics that a test writes: transactions that come in parts.

use serde_json::{Value, json};

use super::world::{Cdc, event};
use crate::world::Written;

/// A pipeline that lands whole transactions, of the tables `a` and `b`.
fn whole(stem: &str) -> Cdc {
    let mut cdc = Cdc::new(stem);
    cdc.pipeline.set("source", "topics", format!("{}.public.*", cdc.stem)).set("commit", "cut_at", "transaction");
    cdc.create("a", 2);
    cdc.create("b", 1);
    cdc.create_topic(&format!("{}.transaction", cdc.stem), 1);
    cdc
}

/// Writes an insert of a transaction: of which table, in which partition, as its which.
fn insert(cdc: &Cdc, (tx, after): (u64, u64), (table, partition, order): (&str, i32, u64)) {
    let id = tx * 100 + order;
    let mut event = event(table, "c", after + order, &json!({"id": id}));
    event["source"]["sequence"] = json!(format!("[\"{after}\",\"{}\"]", after + order));
    let own = json!({"id": format!("{tx}:{}", after + order), "total_order": order, "data_collection_order": order});
    event["transaction"] = own;
    cdc.write(table, partition, json!({"id": id}), Some(&event));
}

/// Writes the end of a transaction: where it was committed, and how many changes it has.
fn end(cdc: &Cdc, (tx, lsn): (u64, u64), (a, b): (u64, u64)) {
    let of = |table: &str, count: u64| json!({"data_collection": format!("public.{table}"), "event_count": count});
    let value = json!({"status": "END", "id": format!("{tx}:{lsn}"), "event_count": a + b,
        "data_collections": [of("a", a), of("b", b)], "ts_ms": 0});
    let (key, value) = (json!({"id": format!("{tx}:{lsn}")}).to_string(), value.to_string());
    let record = Written { key: Some(key.as_bytes()), value: Some(value.as_bytes()), ..Written::default() };
    cdc.writer.send(&format!("{}.transaction", cdc.stem), &record);
}

fn ids(cdc: &Cdc, table: &str) -> Vec<u64> {
    cdc.rows(table).iter().map(|row| row["id"].as_u64().expect("an id")).collect()
}

#[test]
fn what_has_no_end_waits_for_it() {
    let cdc = whole("whole");
    insert(&cdc, (1, 0), ("a", 0, 1));
    insert(&cdc, (1, 0), ("b", 0, 1));
    end(&cdc, (1, 100), (1, 1));
    insert(&cdc, (2, 100), ("a", 0, 1));
    insert(&cdc, (2, 100), ("a", 1, 2));
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    assert_eq!((ids(&cdc, "a"), ids(&cdc, "b")), (vec![101], vec![101]));
    // Its end comes before its last change shows.
    end(&cdc, (2, 200), (2, 1));
    cdc.writer.flush();
    let waits = cdc.pipeline.start(&["run", "p.toml"]);
    insert(&cdc, (2, 100), ("b", 0, 1));
    cdc.writer.flush();
    waits.end().exits_with(0);
    assert_eq!((ids(&cdc, "a"), ids(&cdc, "b")), (vec![101, 201, 202], vec![101, 201]));
    assert_eq!(cdc.rejects(), [] as [Value; 0]);
}

#[test]
fn a_change_that_names_no_transaction_ends_the_run_before_it_lands() {
    let cdc = whole("unnamed");
    insert(&cdc, (1, 0), ("a", 0, 1));
    end(&cdc, (1, 100), (1, 0));
    cdc.event("b", "c", 150, json!({"id": 7}));
    cdc.writer.flush();
    let ended = cdc.pipeline.run().exits_with(3);
    assert!(ended.stderr.contains("needs provide.transaction.metadata = true"), "{}", ended.stderr);
    assert_eq!((ids(&cdc, "a"), ids(&cdc, "b")), (vec![], vec![]));
}

#[test]
fn ends_in_several_partitions_are_refused() {
    let mut cdc = Cdc::new("several");
    cdc.pipeline.set("source", "topics", format!("{}.public.*", cdc.stem)).set("commit", "cut_at", "transaction");
    cdc.create("a", 1);
    cdc.create_topic(&format!("{}.transaction", cdc.stem), 2);
    let ended = cdc.pipeline.run().exits_with(3);
    assert!(
        ended.stderr.contains("has 2 partitions, and ends of transactions have an order only in one"),
        "{}",
        ended.stderr
    );
}

#[test]
fn what_a_connector_writes_again_holds_up_no_run_that_begins_then() {
    let cdc = whole("again");
    let first = |cdc: &Cdc| {
        insert(cdc, (1, 0), ("a", 0, 1));
        insert(cdc, (1, 0), ("b", 0, 1));
        end(cdc, (1, 100), (1, 1));
    };
    first(&cdc);
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    // It dies within the next one, and begins again with the one before.
    insert(&cdc, (2, 100), ("a", 0, 1));
    first(&cdc);
    insert(&cdc, (2, 100), ("a", 0, 1));
    insert(&cdc, (2, 100), ("b", 0, 1));
    end(&cdc, (2, 200), (1, 1));
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    assert_eq!((ids(&cdc, "a"), ids(&cdc, "b")), (vec![101, 201], vec![101, 201]));
}

#[test]
fn a_pipeline_that_does_not_know_its_prefix_is_refused() {
    let mut cdc = Cdc::new("prefix");
    cdc.pipeline.set("source", "topics", "*").set("commit", "cut_at", "transaction");
    let ended = cdc.pipeline.call(&["validate", "p.toml"]).exits_with(2);
    assert!(ended.stderr.contains("connect.topic_prefix"), "{}", ended.stderr);
}
