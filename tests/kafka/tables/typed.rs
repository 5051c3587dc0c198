//! Columns that get other types: a table stands still until somebody decides, while others go on.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::odd::reasons;
use super::world::{Cdc, event};
use crate::support::Running;
use crate::support::http::{free_address, get};

/// The columns of rows, with their types as Connect calls them.
type Columns<'a> = [(&'a str, &'a str)];

/// An event of a row that has these columns, with its schema block.
fn typed(table: &str, op: &str, lsn: u64, row: &Value, columns: &Columns<'_>) -> Value {
    let fields = columns.iter().map(|(name, of)| json!({"field": name, "type": of, "optional": true}));
    let block = json!({"type": "struct", "optional": true, "fields": fields.collect::<Vec<_>>()});
    let named = |field: &str| {
        let mut block = block.clone();
        block["field"] = json!(field);
        block["name"] = json!(format!("cdc.public.{table}.Value"));
        block
    };
    let name = format!("cdc.public.{table}.Envelope");
    json!({
        "schema": {"type": "struct", "name": name, "fields": [named("before"), named("after")]},
        "payload": event(table, op, lsn, row)
    })
}

impl Cdc {
    /// Writes an event with its schema block into a partition.
    fn typed(&self, (table, partition): (&str, i32), op: &str, lsn: u64, row: Value, columns: &Columns<'_>) {
        self.write(table, partition, json!({"id": row["id"]}), Some(&typed(table, op, lsn, &row, columns)));
    }

    fn accept(&self, rest: &[&str], code: i32) -> String {
        let ended = self.pipeline.call(&[&["schema", "accept", "p.toml", "public.orders"], rest].concat());
        let ended = ended.exits_with(code);
        if code == 0 { ended.stdout } else { ended.error().to_owned() }
    }
}

fn health(address: SocketAddr, tail: &mut Running, what: &str) -> Value {
    tail.until(what, || get(address, "/health").is_some_and(|answer| answer.json()["status"] == what));
    get(address, "/health").expect("an answer").json()
}

const NUMBERS: &Columns<'_> = &[("id", "int32"), ("n", "int32")];
const WIDE: &Columns<'_> = &[("id", "int64"), ("n", "int64")];
const TEXTS: &Columns<'_> = &[("id", "int32"), ("n", "string")];
const FLAGS: &Columns<'_> = &[("id", "int32"), ("n", "boolean")];

#[test]
fn a_table_whose_column_has_another_type_waits_while_others_go_on_and_goes_on_once_that_is_accepted() {
    let mut cdc = Cdc::new("typed");
    let address = free_address();
    cdc.pipeline.set("http", "listen", address.to_string());
    cdc.create("orders", 1);
    cdc.create("users", 1);
    for id in 1..=2 {
        cdc.typed(("orders", 0), "c", id, json!({"id": id, "n": id}), NUMBERS);
    }
    cdc.writer.flush();
    let mut tail = cdc.tail();
    health(address, &mut tail, "ok");
    tail.until("what came first", || {
        cdc.pipeline.path("lake/shop/public/orders").exists() && cdc.rows("orders").len() == 2
    });
    let error = cdc.accept(&[], 3);
    assert!(error.contains("nothing waits to be accepted"), "{error}");

    cdc.typed(("orders", 0), "u", 3, json!({"id": 1, "n": "one"}), TEXTS);
    cdc.typed(("orders", 0), "c", 4, json!({"id": 3, "n": "three"}), TEXTS);
    cdc.event("users", "c", 5, json!({"id": 1, "name": "a"}));
    cdc.writer.flush();
    let answer = health(address, &mut tail, "degraded");
    let reason = answer["reason"].as_str().expect("a reason");
    assert!(reason.contains("\"public.orders\" stands still"), "{reason}");
    assert!(reason.contains("column \"n\" of table public.orders is integer in the lake, and string"), "{reason}");
    assert!(reason.contains("lakefront schema accept FILE \"public.orders\""), "{reason}");
    assert_eq!(answer["ready"], true);
    let metrics = get(address, "/metrics").expect("an answer").body;
    assert!(metrics.contains("lakefront_table_stopped{table=\"public.orders\"} 1"), "{metrics}");
    assert!(metrics.contains("lakefront_table_stopped{table=\"rejects\"} 0"), "{metrics}");
    tail.until("others go on", || cdc.pipeline.path("lake/shop/public/users").exists() && cdc.rows("users").len() == 1);
    // Another run stands where this one does, and says so at once.
    let said = tail.stop().stderr;
    assert!(said.contains("the table stands still: its topic is not read further"), "{said}");
    let mut tail = cdc.tail();
    health(address, &mut tail, "degraded");
    assert_eq!(cdc.rows("orders"), [1, 2].map(|id| json!({"id": id, "n": id})));
    let status = cdc.pipeline.call(&["status", "p.toml"]).exits_with(0).stdout;
    assert!(status.contains("ready, but table") && status.contains("2 of 4"), "{status}");
    assert!(status.contains("2 rows, at LSN 0/2, the oldest record waits for"), "{status}");
    let status = cdc.pipeline.call(&["status", "p.toml", "--json"]).exits_with(0).json();
    let (orders, users) = (&status["tables"]["public.orders"], &status["tables"]["public.users"]);
    assert!(orders["state"].as_str().is_some_and(|state| state.starts_with("stopped: column \"n\"")), "{orders}");
    assert_eq!((&orders["rows"], &orders["lsn"], &orders["behind"]["records"]), (&json!(2), &json!("0/2"), &json!(2)));
    assert!(
        orders["behind"]["bytes"].as_u64() > Some(100) && orders["behind"]["seconds"].as_u64().is_some(),
        "{orders}"
    );
    assert_eq!((&users["state"], &users["rows"], &users["lsn"]), (&json!("running"), &json!(1), &json!("0/5")));
    assert_eq!(users["behind"], json!({"records": 0, "bytes": 0, "seconds": 0}));
    assert!(users["version"].as_u64() > Some(0), "{users}");

    let done = cdc.accept(&[], 0);
    assert!(done.contains("n: integer, now string; its values are the same"), "{done}");
    health(address, &mut tail, "ok");
    let row = |id: u64, n: &str| json!({"id": id, "n": n});
    tail.until("what waited", || cdc.rows("orders").len() == 3);
    assert_eq!(cdc.rows("orders"), [row(1, "one"), row(2, "2"), row(3, "three")]);
    assert!(cdc.rejects().is_empty());
    tail.stop();
    cdc.pipeline.set("source", "mode", "backfill");
    cdc.pipeline.run().exits_with(0);
}

#[test]
fn values_that_the_new_type_lacks_are_set_aside() {
    let cdc = Cdc::new("aside");
    cdc.create("orders", 1);
    for id in 1..=2 {
        cdc.typed(("orders", 0), "c", id, json!({"id": id, "n": id}), NUMBERS);
    }
    cdc.typed(("orders", 0), "u", 3, json!({"id": 2, "n": true}), FLAGS);
    cdc.writer.flush();
    let error = cdc.pipeline.run().exits_with(3).error().to_owned();
    assert!(error.contains("all is landed but what waits for a decision: column \"n\""), "{error}");
    let error = cdc.accept(&[], 3);
    assert!(error.contains("nothing says what its values are as Boolean"), "{error}");
    assert!(error.contains("lakefront schema accept FILE \"public.orders\" --aside"), "{error}");
    let done = cdc.accept(&["--aside"], 0);
    assert!(done.contains("its values are in \"n__v1\" now"), "{done}");
    cdc.pipeline.run().exits_with(0);
    let row = |id: u64, n: Value, before: Value| json!({"id": id, "n": n, "n__v1": before});
    assert_eq!(cdc.rows("orders"), [row(1, Value::Null, json!(1)), row(2, json!(true), Value::Null)]);
    let error = cdc.pipeline.call(&["schema", "accept", "p.toml", "public.other"]).exits_with(2).error().to_owned();
    assert!(error.contains("its tables are: public.orders"), "{error}");
}

#[test]
fn a_wider_type_is_taken_if_that_is_wanted_also_of_the_key() {
    let mut cdc = Cdc::new("wider");
    cdc.create("orders", 2);
    for id in 1..=3 {
        cdc.typed(("orders", 0), "c", id, json!({"id": id, "n": id}), NUMBERS);
    }
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    cdc.typed(("orders", 0), "u", 4, json!({"id": 1, "n": 1_u64 << 40}), WIDE);
    cdc.typed(("orders", 0), "d", 5, json!({"id": 2, "n": 2}), WIDE);
    cdc.typed(("orders", 0), "c", 6, json!({"id": 1_u64 << 41, "n": 4}), WIDE);
    // One of before, in a partition that is read later.
    cdc.typed(("orders", 1), "c", 3, json!({"id": 9, "n": 9}), NUMBERS);
    cdc.writer.flush();
    let error = cdc.pipeline.run().exits_with(3).error().to_owned();
    assert!(error.contains("is integer in the lake, and long in the event"), "{error}");
    cdc.pipeline.set("schema", "on_widen", "widen");
    let said = cdc.pipeline.run().exits_with(0).stderr;
    assert!(said.contains("columns of table public.orders are wider from its version"), "{said}");
    let row = |id: u64, n: u64| json!({"id": id, "n": n});
    assert_eq!(cdc.rows("orders"), [row(1, 1 << 40), row(1 << 41, 4), row(3, 3), row(9, 9)]);
    assert!(cdc.rejects().is_empty());
}

#[test]
fn an_event_of_before_an_accepted_type_changes_nothing_back_and_a_later_one_waits_again() {
    let cdc = Cdc::new("older");
    cdc.create("orders", 2);
    cdc.typed(("orders", 0), "c", 1, json!({"id": 1, "n": 1}), NUMBERS);
    cdc.typed(("orders", 0), "u", 10, json!({"id": 1, "n": "one"}), TEXTS);
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(3);
    cdc.accept(&[], 0);
    cdc.pipeline.run().exits_with(0);
    cdc.typed(("orders", 1), "c", 9, json!({"id": 2, "n": 2}), NUMBERS);
    cdc.typed(("orders", 1), "c", 11, json!({"id": 3, "n": "three"}), TEXTS);
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    assert_eq!(cdc.rows("orders"), [json!({"id": 1, "n": "one"}), json!({"id": 3, "n": "three"})]);
    let rejects = cdc.rejects();
    assert_eq!(reasons(&rejects), [(0, "other_type".to_owned())]);
    assert!(rejects[0]["detail"].as_str().is_some_and(|detail| detail.starts_with("it is from before")), "{rejects:?}");
    cdc.typed(("orders", 1), "c", 12, json!({"id": 4, "n": 4}), NUMBERS);
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(3);
    assert_eq!(cdc.rejects().len(), 1);
}

#[test]
fn nothing_is_accepted_while_a_partition_has_events_from_before() {
    let mut cdc = Cdc::new("behind");
    cdc.create("orders", 2);
    cdc.typed(("orders", 0), "c", 1, json!({"id": 1, "n": 1}), NUMBERS);
    cdc.typed(("orders", 1), "c", 2, json!({"id": 2, "n": 2}), NUMBERS);
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    cdc.typed(("orders", 0), "u", 10, json!({"id": 1, "n": "one"}), TEXTS);
    cdc.typed(("orders", 1), "u", 9, json!({"id": 2, "n": 3}), NUMBERS);
    cdc.typed(("orders", 1), "u", 11, json!({"id": 2, "n": "two"}), TEXTS);
    cdc.writer.flush();
    let error = cdc.accept(&[], 3);
    assert!(error.contains("/1 has events from before the columns have changed"), "{error}");
    cdc.pipeline.set("", "workers", 2);
    cdc.pipeline.run().exits_with(3);
    assert_eq!(cdc.rows("orders"), [json!({"id": 1, "n": 1}), json!({"id": 2, "n": 3})]);
    cdc.accept(&[], 0);
    cdc.pipeline.run().exits_with(0);
    assert_eq!(cdc.rows("orders"), [json!({"id": 1, "n": "one"}), json!({"id": 2, "n": "two"})]);
    assert!(cdc.rejects().is_empty());
}

#[test]
fn a_delete_waits_too_if_its_key_has_another_type() {
    let cdc = Cdc::new("deletes");
    cdc.create("orders", 1);
    for id in 1..=3 {
        cdc.typed(("orders", 0), "c", id, json!({"id": id, "n": id}), NUMBERS);
    }
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    // A record without a value, whose key has a schema of its own, and one whose key has none.
    let key = |id: u64| {
        let fields = [json!({"field": "id", "type": "int64", "optional": false})];
        json!({"schema": {"type": "struct", "fields": fields}, "payload": {"id": id}})
    };
    cdc.write("orders", 0, key(1), None);
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(3);
    assert_eq!(cdc.rows("orders").len(), 3);
    // It says nothing of its place in PostgreSQL's log, and may be accepted all the same.
    let done = cdc.accept(&[], 0);
    assert!(done.contains("id: integer, now long"), "{done}");
    cdc.pipeline.run().exits_with(0);
    cdc.typed(("orders", 0), "d", 5, json!({"id": 2, "n": 2}), TEXTS);
    cdc.write("orders", 0, json!({"id": 1_u64 << 40}), None);
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    assert_eq!(cdc.rows("orders"), [json!({"id": 3, "n": 3})]);
    assert!(cdc.rejects().is_empty());
}

#[test]
fn a_table_without_a_key_takes_another_type_too() {
    let cdc = Cdc::new("unkeyed");
    cdc.create("orders", 1);
    let send = |lsn: u64, n: Value, columns: &Columns<'_>| {
        cdc.write_keyless("orders", 0, &typed("orders", "c", lsn, &json!({"id": 1, "n": n}), columns));
    };
    send(1, json!(1), NUMBERS);
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    send(2, json!("two"), TEXTS);
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(3);
    cdc.accept(&[], 0);
    cdc.pipeline.run().exits_with(0);
    assert_eq!(cdc.rows("orders"), [json!({"id": 1, "n": "1"}), json!({"id": 1, "n": "two"})]);
}

#[test]
fn what_cannot_be_made_wider_waits_and_stops_nobody() {
    let mut cdc = Cdc::new("away");
    cdc.create("orders", 1);
    cdc.create("users", 1);
    cdc.typed(("orders", 0), "c", 1, json!({"id": 1, "n": 1}), NUMBERS);
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    cdc.typed(("orders", 0), "c", 2, json!({"id": 2, "n": 2}), WIDE);
    cdc.event("users", "c", 3, json!({"id": 1, "name": "a"}));
    cdc.writer.flush();
    // The file says where PostgreSQL is, and nobody answers there.
    cdc.pipeline.set("schema", "on_widen", "widen");
    cdc.pipeline.run().exits_with(0);
    assert_eq!(cdc.rows("orders").len(), 2, "its event tells the type");
    cdc.pipeline.run().exits_with(0);
    cdc.typed(("orders", 0), "c", 4, json!({"id": 3, "n": "x"}), TEXTS);
    cdc.event("users", "c", 5, json!({"id": 2, "name": "b"}));
    cdc.writer.flush();
    let url = format!("postgresql://nobody@{}/shop?sslmode=disable", free_address());
    cdc.pipeline.set("postgres", "url", url);
    let ended = cdc.pipeline.run().exits_with(3);
    assert!(ended.stderr.contains("its columns could not be made wider: it stands still"), "{}", ended.stderr);
    assert_eq!(cdc.rows("users").len(), 2);
}

#[test]
fn a_table_whose_column_has_another_type_goes_to_the_rejects_if_that_is_wanted() {
    let mut cdc = Cdc::new("refused");
    let address = free_address();
    cdc.pipeline.set("http", "listen", address.to_string());
    cdc.pipeline.set("tables", "public.orders", json!({"on_incompatible": "reject"}));
    cdc.create("orders", 1);
    cdc.event("orders", "c", 1, json!({"id": 1, "n": 1}));
    cdc.writer.flush();
    let mut tail = cdc.tail();
    health(address, &mut tail, "ok");
    // Without a schema, the type is that of a value: this is told by a schema that has another.
    for id in 2..=4 {
        cdc.typed(("orders", 0), "c", id, json!({"id": id, "n": true}), &[("id", "int64"), ("n", "boolean")]);
    }
    cdc.writer.flush();
    health(address, &mut tail, "degraded");
    // It goes on once the type is what it was.
    cdc.event("orders", "c", 6, json!({"id": 5, "n": 5}));
    cdc.writer.flush();
    health(address, &mut tail, "ok");
    let said = tail.stop().stderr;
    // Each run says so once.
    let runs = said.matches("claimed the tables").count();
    assert_eq!(said.matches("the table stands still").count(), runs, "{said}");
    let ids: Vec<_> = cdc.rows("orders").iter().map(|row| row["id"].clone()).collect();
    assert_eq!(ids, [1, 5]);
    assert_eq!(reasons(&cdc.rejects()), [1, 2, 3].map(|offset| (offset, "other_type".to_owned())));
}
