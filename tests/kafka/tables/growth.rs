//! Tables and columns that come while a pipeline runs.

use serde_json::{Value, json};

use super::world::Cdc;

#[test]
fn a_table_and_a_column_that_come_later_join_a_run() {
    let mut cdc = Cdc::new("growth");
    cdc.create("orders", 1);
    (1..=10).for_each(|id| cdc.event("orders", "c", id, json!({"id": id, "note": format!("n{id}")})));
    cdc.writer.flush();
    let mut running = cdc.tail();
    running.until_it_says("rows=10");
    cdc.create("later", 1);
    (1..=5).for_each(|id| cdc.event("later", "c", 100 + id, json!({"id": id, "x": true})));
    cdc.event("orders", "u", 200, json!({"id": 1, "note": "n1", "amount": 7}));
    cdc.writer.flush();
    running.until_it_says("public.later 5");
    running.until_it_says("public.orders 1");
    let ended = running.stop();
    assert!(ended.stderr.contains("the run begins anew"), "{}", ended.stderr);
    let later: Vec<Value> = (1..=5).map(|id| json!({"id": id, "x": true})).collect();
    assert_eq!(cdc.rows("later"), later);
    let orders = cdc.rows("orders");
    assert_eq!(orders.len(), 10);
    assert!(orders.contains(&json!({"id": 1, "note": "n1", "amount": 7})), "{orders:?}");
    assert!(orders.contains(&json!({"id": 2, "note": "n2", "amount": null})), "{orders:?}");
    // The next run knows both, and has nothing to do.
    cdc.pipeline.set("source", "mode", "backfill");
    let ended = cdc.pipeline.run().exits_with(0);
    assert!(!ended.stderr.contains("begins anew"), "{}", ended.stderr);
    assert_eq!(cdc.rows("orders"), orders);
}

#[test]
fn several_tables_that_come_at_once_join_one_after_the_other() {
    let mut cdc = Cdc::new("several");
    cdc.pipeline.set("", "workers", 1);
    cdc.create("first", 1);
    cdc.event("first", "c", 1, json!({"id": 1}));
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    // Each in a block of its own, and one whose columns differ from block to block.
    for table in ["a", "b", "c"] {
        cdc.create(table, 2);
        for partition in 0..2 {
            let row = json!({"id": partition, "x": if partition == 0 { Value::Null } else { json!("x") }});
            let value = super::world::event(table, "c", 2, &row);
            cdc.write(table, partition, json!({"id": partition}), Some(&value));
        }
    }
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    for table in ["a", "b", "c"] {
        assert_eq!(cdc.rows(table), [json!({"id": 0, "x": null}), json!({"id": 1, "x": "x"})], "{table}");
    }
    assert!(!cdc.pipeline.path("state/p.met.json").exists() || cdc.pipeline.run().exits_with(0).code == Some(0));
}

#[test]
fn a_table_has_one_pipeline() {
    let mut cdc = Cdc::new("owned");
    cdc.create("orders", 1);
    cdc.event("orders", "c", 1, json!({"id": 1}));
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    cdc.pipeline.set("", "pipeline", "q");
    let ended = cdc.pipeline.run().exits_with(3);
    assert!(ended.stderr.contains("is that of pipeline \"p\" too"), "{}", ended.stderr);
}

#[test]
fn a_table_that_is_gone_from_the_lake_is_not_begun_anew_in_silence() {
    let cdc = Cdc::new("vanished");
    cdc.create("orders", 1);
    cdc.create("others", 1);
    cdc.event("orders", "c", 1, json!({"id": 1}));
    cdc.event("others", "c", 2, json!({"id": 1}));
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    std::fs::remove_dir_all(cdc.pipeline.path("lake/shop/public/orders")).expect("the table goes");
    let ended = cdc.pipeline.run().exits_with(3);
    assert!(
        ended.stderr.contains("table public.orders") && ended.stderr.contains("was the pipeline's"),
        "{}",
        ended.stderr
    );
    assert!(!cdc.pipeline.path("lake/shop/public/orders").exists(), "nothing was made in its place");
}
