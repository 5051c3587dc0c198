//! Records that become no row.

use serde_json::{Value, json};

use super::world::{Cdc, UNSENT, event};
use crate::support::http::free_address;
use crate::world::Written;

/// The reasons of rejects with their offsets.
pub(super) fn reasons(rejects: &[Value]) -> Vec<(u64, String)> {
    let of = |reject: &Value| Some((reject["_offset"].as_u64()?, reject["reason"].as_str()?.to_owned()));
    let mut reasons: Vec<_> = rejects.iter().map(|reject| of(reject).expect("a reject")).collect();
    reasons.sort();
    reasons
}

#[test]
fn a_poison_record_is_kept_with_its_reason_and_stalls_nothing() {
    let cdc = Cdc::new("poison");
    cdc.create("orders", 1);
    let row = |id: u64| json!({"id": id, "note": "good"});
    cdc.event("orders", "c", 1, row(1));
    let send = |value: &[u8]| {
        let value = Some(value);
        cdc.writer.send(&cdc.topic("orders"), &Written { key: Some(b"{\"id\":9}"), value, ..Written::default() });
    };
    send(b"no JSON");
    send(b"\xff\xfe");
    send(b"{\"a\":1}");
    // A table whose name leads out of the lake.
    send(event("../../evil", "c", 2, &row(2)).to_string().as_bytes());
    // A row without its key, and one whose key is null.
    cdc.write("orders", 0, json!({"id": 3}), Some(&event("orders", "c", 3, &json!({"note": "no id"}))));
    cdc.write("orders", 0, json!({"id": 4}), Some(&event("orders", "c", 4, &json!({"id": null, "note": "x"}))));
    // A value of another type than the column's.
    cdc.event("orders", "c", 5, json!({"id": "five", "note": "x"}));
    // An update that keeps a value which nobody has.
    cdc.event("orders", "u", 6, json!({"id": 6, "note": UNSENT}));
    cdc.event("orders", "c", 7, row(7));
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    assert_eq!(cdc.rows("orders"), [row(1), row(7)]);
    let rejects = cdc.rejects();
    let expected = [
        (1, "no_event"),
        (2, "no_event"),
        (3, "no_event"),
        (4, "no_table"),
        (5, "no_key"),
        (6, "no_key"),
        (7, "value"),
        (8, "toast_gap"),
    ];
    assert_eq!(reasons(&rejects), expected.map(|(offset, reason)| (offset, reason.to_owned())));
    let at = |offset: u64| rejects.iter().find(|reject| reject["_offset"] == offset).expect("a reject");
    assert_eq!((&at(1)["value"], &at(1)["_key"]), (&json!("no JSON"), &json!("{\"id\":9}")));
    assert!(at(2)["value"].is_null() && !at(2)["value_bytes"].is_null(), "{:?}", at(2));
    assert!(at(8)["value"].as_str().is_some_and(|value| value.contains(UNSENT)), "{:?}", at(8));
    assert!(at(8)["detail"].as_str().is_some_and(|detail| detail.contains("\"note\"")), "{:?}", at(8));
    assert!(!cdc.pipeline.path("evil").exists() && !cdc.pipeline.path("lake/evil").exists());
    // A second run finds nothing new.
    cdc.pipeline.run().exits_with(0);
    assert_eq!(cdc.rejects().len(), expected.len());
}

/// Writes an event without a key.
fn send_keyless(cdc: &Cdc, op: &str, row: &serde_json::Value) {
    cdc.write_keyless("log", 0, &event("log", op, 1, row));
}

#[test]
fn a_table_without_a_key_is_appended_to() {
    let cdc = Cdc::new("appended");
    cdc.create("log", 1);
    cdc.create("orders", 1);
    let (one, other) = (json!({"at": 1, "text": "a"}), json!({"at": 2, "text": "b"}));
    // It comes later than another table.
    cdc.event("orders", "c", 1, json!({"id": 1, "note": "x"}));
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    // The same row twice is two rows.
    for row in [&one, &one, &other] {
        send_keyless(&cdc, "c", row);
    }
    cdc.writer.flush();
    let ended = cdc.pipeline.run().exits_with(0);
    assert!(ended.stderr.contains("the table has no key"), "{}", ended.stderr);
    assert_eq!(cdc.rows("log"), [one.clone(), one.clone(), other.clone()]);
    // What cannot be done to it is kept, and what comes behind it goes on; a column joins.
    let wider = json!({"at": 3, "text": "c", "more": "m"});
    send_keyless(&cdc, "u", &one);
    send_keyless(&cdc, "d", &one);
    send_keyless(&cdc, "t", &json!({}));
    send_keyless(&cdc, "r", &wider);
    cdc.writer.flush();
    let ended = cdc.pipeline.run().exits_with(0);
    let widened = |row: &serde_json::Value| {
        let mut row = row.clone();
        row["more"] = row.get("more").cloned().unwrap_or_default();
        row
    };
    assert_eq!(cdc.rows("log"), [&one, &one, &other, &wider].map(widened));
    // The report counts them too.
    assert_eq!(ended.json()["rejects"], json!({"no_key": 3}), "{}", ended.stdout);
    assert_eq!(reasons(&cdc.rejects()), [3, 4, 5].map(|offset| (offset, "no_key".to_owned())));
    assert_eq!(cdc.rows("orders").len(), 1);
    // A second run finds nothing new, and the table keeps to what it is.
    cdc.pipeline.run().exits_with(0);
    assert_eq!(cdc.rows("log").len(), 4);
    let text = cdc.pipeline.call(&["validate", "p.toml", "--connect"]).exits_with(0).stdout;
    assert!(text.contains("public.log without a key, appended to: 3 columns, it goes on"), "{text}");
    let mut cdc = cdc;
    cdc.pipeline.set("tables", "public.log", json!({"key": ["at"]}));
    let ended = cdc.pipeline.run().exits_with(3);
    assert!(ended.error().contains("its rows are only appended"), "{}", ended.error());
}

#[test]
fn a_table_without_a_key_is_kept_as_rejects_if_that_is_wanted_until_it_is_named() {
    let mut cdc = Cdc::new("keyless");
    cdc.pipeline.set("tables", "*", json!({"keyless": "refuse"}));
    cdc.create("log", 1);
    let row = json!({"at": 1, "text": "a"});
    send_keyless(&cdc, "c", &row);
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    let rejects = cdc.rejects();
    assert_eq!(reasons(&rejects), [(0, "no_key".to_owned())]);
    let detail = rejects[0]["detail"].as_str().expect("a detail");
    assert!(detail.contains("\"public.log\" = { key = [\"column\"] }"), "{detail}");
    // What it advises works for what comes from then on.
    cdc.pipeline.set("tables", "public.log", json!({"key": ["at"]}));
    send_keyless(&cdc, "c", &row);
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    assert_eq!(cdc.rows("log"), [row]);
}

#[test]
fn a_key_that_changes_in_postgresql_merges_no_rows() {
    let mut cdc = Cdc::new("rekeyed");
    cdc.create("orders", 1);
    cdc.event("orders", "c", 1, json!({"id": 7, "tenant": 1}));
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    let row = json!({"id": 7, "tenant": 2});
    cdc.write("orders", 0, row.clone(), Some(&event("orders", "c", 2, &row)));
    cdc.writer.flush();
    // It waits for a decision: it may become a reject, or be a change of the row of its old key.
    let error = cdc.pipeline.run().exits_with(3).error().to_owned();
    assert!(error.contains("its key is \"id\", \"tenant\""), "{error}");
    let error = cdc.pipeline.call(&["schema", "accept", "p.toml", "public.orders"]).exits_with(3).error().to_owned();
    assert!(error.contains("land its topic in another lake.catalog"), "{error}");
    assert_eq!(cdc.rows("orders"), [json!({"id": 7, "tenant": 1})]);
    // A record without a value that has the other key says nothing of the row.
    cdc.write("orders", 0, row, None);
    cdc.writer.flush();
    cdc.pipeline.set("tables", "public.orders", json!({"on_incompatible": "reject"}));
    cdc.pipeline.run().exits_with(0);
    assert_eq!(cdc.rows("orders"), [json!({"id": 7, "tenant": 1})]);
    assert_eq!(reasons(&cdc.rejects()), [(1, "other_key".to_owned())]);
    let row = json!({"id": 7, "tenant": 3});
    cdc.write("orders", 0, row.clone(), Some(&event("orders", "c", 3, &row)));
    cdc.writer.flush();
    cdc.pipeline.set("tables", "public.orders", json!({"key": ["id"]}));
    cdc.pipeline.run().exits_with(0);
    assert_eq!(cdc.rows("orders"), [row]);
}

#[test]
fn an_update_by_another_key_than_the_records_says_what_the_row_was_before_or_is_rejected() {
    let mut cdc = Cdc::new("chosen");
    cdc.pipeline.set("tables", "public.users", json!({"key": ["email"]}));
    cdc.create("users", 1);
    cdc.event("users", "c", 1, json!({"id": 1, "email": "a", "n": 1}));
    cdc.event("users", "c", 2, json!({"id": 2, "email": "b", "n": 1}));
    // Without the row before, nobody knows whether the key has changed.
    cdc.event("users", "u", 3, json!({"id": 1, "email": "c", "n": 2}));
    let mut whole = event("users", "u", 4, &json!({"id": 2, "email": "d", "n": 2}));
    whole["before"] = json!({"id": 2, "email": "b", "n": 1});
    cdc.write("users", 0, json!({"id": 2}), Some(&whole));
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    assert_eq!(cdc.rows("users"), [json!({"id": 1, "email": "a", "n": 1}), json!({"id": 2, "email": "d", "n": 2})]);
    let rejects = cdc.rejects();
    assert_eq!(reasons(&rejects), [(2, "no_key".to_owned())]);
    assert!(rejects[0]["detail"].as_str().is_some_and(|detail| detail.contains("REPLICA IDENTITY FULL")));
}

#[test]
fn a_table_that_cannot_be_made_or_an_odd_column_stalls_nobody() {
    let cdc = Cdc::new("unmade");
    cdc.create("orders", 1);
    cdc.create("bad", 1);
    cdc.event("orders", "c", 1, json!({"id": 1, "Name": "a"}));
    // The key of a new table is null; two columns differ in case; a database that is not the
    // table's.
    cdc.write("bad", 0, json!({"id": null}), Some(&event("bad", "c", 2, &json!({"id": null}))));
    cdc.event("bad", "c", 3, json!({"id": 1, "x": 1, "X": 2}));
    cdc.event("orders", "c", 4, json!({"id": 2, "name": "b"}));
    cdc.event("orders", "c", 5, json!({"id": 3, "Name": "c"}));
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    assert_eq!(cdc.rows("orders"), [json!({"id": 1, "Name": "a"}), json!({"id": 3, "Name": "c"})]);
    let mut all: Vec<(String, u64, String)> = cdc
        .rejects()
        .iter()
        .map(|reject| {
            let text = |name: &str| reject[name].as_str().expect("a text").to_owned();
            (text("_topic"), reject["_offset"].as_u64().expect("an offset"), text("reason"))
        })
        .collect();
    all.sort();
    let (bad, orders, of) = (cdc.topic("bad"), cdc.topic("orders"), str::to_owned);
    assert_eq!(all, [(bad.clone(), 0, of("no_key")), (bad, 1, of("value")), (orders, 1, of("value"))]);
    assert_eq!(cdc.rows("bad"), [] as [Value; 0]);
}

#[test]
fn records_that_are_lost_stop_a_run_until_somebody_accepts_that() {
    let cdc = Cdc::new("lost");
    cdc.create("orders", 1);
    for id in 1..=3 {
        cdc.event("orders", "c", id, json!({"id": id, "note": "x"}));
    }
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    for id in 4..=9 {
        cdc.event("orders", "c", id, json!({"id": id, "note": "x"}));
    }
    cdc.writer.flush();
    cdc.lose("orders", 7);
    let ended = cdc.pipeline.run().exits_with(3);
    let error = ended.error();
    assert!(error.contains("4 offsets are lost") && error.contains("run --accept-loss"), "{error}");
    assert_eq!(cdc.rows("orders").len(), 3);
    // What it advises.
    cdc.pipeline.call(&["run", "p.toml", "--accept-loss"]).exits_with(0);
    let ids: Vec<_> = cdc.rows("orders").iter().map(|row| row["id"].clone()).collect();
    assert_eq!(ids, [1, 2, 3, 8, 9]);
    let rejects = cdc.rejects();
    assert_eq!(reasons(&rejects), [(3, "lost".to_owned())]);
    assert_eq!(rejects[0]["detail"], "the records of offsets 3 to 6 are lost, which was accepted");
    cdc.pipeline.run().exits_with(0);
}

#[test]
fn a_table_says_where_its_rows_are_from_if_that_is_wanted() {
    let mut cdc = Cdc::new("origins");
    cdc.pipeline.set("tables", "metadata", json!(true));
    cdc.create("orders", 1);
    for (op, lsn, note) in [("c", 5, "a"), ("c", 6, "b"), ("u", 7, "c")] {
        cdc.event("orders", op, lsn, json!({"id": if op == "u" { 1 } else { lsn - 4 }, "note": note}));
    }
    cdc.event("orders", "d", 8, json!({"id": 2, "note": "b"}));
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    let from = |lsn: u64, offset: u64, row: serde_json::Value| {
        let mut row = row;
        let moment = "2023-11-14 22:13:20+00:00";
        let topic = cdc.topic("orders");
        for (name, value) in [
            ("_lsn", json!(lsn)),
            ("_tx_id", json!(lsn)),
            ("_source_ts", json!(moment)),
            ("_topic", json!(topic)),
            ("_partition", json!(0)),
            ("_offset", json!(offset)),
        ] {
            row[name] = value;
        }
        row
    };
    assert_eq!(cdc.rows("orders"), [from(7, 2, json!({"id": 1, "note": "c"}))]);
    // A column that comes later stands behind them, and they stay right.
    cdc.event("orders", "c", 9, json!({"id": 3, "note": "d", "more": 1}));
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    let rows = cdc.rows("orders");
    assert_eq!(rows[0], from(7, 2, json!({"id": 1, "note": "c", "more": null})));
    assert_eq!(rows[1], from(9, 4, json!({"id": 3, "note": "d", "more": 1})));
    // A column of PostgreSQL's own is not taken for one.
    cdc.create("odd", 1);
    cdc.event("odd", "c", 10, json!({"id": 1, "_lsn": "mine"}));
    cdc.writer.flush();
    let ended = cdc.pipeline.run().exits_with(3);
    assert!(ended.error().contains("has a column \"_lsn\" of its own"), "{}", ended.error());
    cdc.pipeline.set("tables", "public.odd", json!({"metadata": false}));
    cdc.pipeline.run().exits_with(0);
    assert_eq!(cdc.rows("odd"), [json!({"id": 1, "_lsn": "mine"})]);
}

#[test]
fn a_name_in_tables_that_no_table_has_is_told() {
    let mut cdc = Cdc::new("misnamed");
    cdc.create("orders", 1);
    cdc.event("orders", "c", 1, json!({"id": 1, "note": "x"}));
    cdc.writer.flush();
    cdc.pipeline.set("tables", "public.orders", json!({"cdf": false})).set(
        "tables",
        "public.order",
        json!({"cdf": false}),
    );
    let text = cdc.pipeline.call(&["validate", "p.toml", "--connect"]).exits_with(0).stdout;
    assert!(text.contains("tables   public.order is in [tables], and no event of it has come yet"), "{text}");
    assert!(!text.contains("public.orders is in [tables]"), "{text}");
}

#[test]
fn a_status_without_kafka_says_that_nobody_knows() {
    let mut cdc = Cdc::new("unseen");
    cdc.create("orders", 1);
    cdc.event("orders", "c", 1, json!({"id": 1, "note": "x"}));
    cdc.writer.flush();
    cdc.pipeline.run().exits_with(0);
    cdc.pipeline.set("source", "brokers", free_address().to_string());
    let text = cdc.pipeline.call(&["status", "p.toml"]).exits_with(0).stdout;
    assert!(text.contains("nobody knows how far behind") && text.contains("Kafka could not be looked at"), "{text}");
    let status = cdc.pipeline.call(&["status", "p.toml", "--json"]).exits_with(0).json();
    assert!(status["tables"]["public.orders"]["lag"].is_null(), "{status}");
}
