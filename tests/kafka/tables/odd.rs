//! Records that become no row.

use serde_json::{Value, json};

use super::world::{Cdc, UNSENT, event};
use crate::world::Written;

/// The reasons of rejects with their offsets.
fn reasons(rejects: &[Value]) -> Vec<(u64, String)> {
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

#[test]
fn a_table_without_a_key_is_kept_as_rejects_until_it_is_named() {
    let mut cdc = Cdc::new("keyless");
    cdc.create("log", 1);
    let send = |cdc: &Cdc| {
        let value = event("log", "c", 1, &json!({"at": 1, "text": "a"})).to_string();
        cdc.writer.send(&cdc.topic("log"), &Written { value: Some(value.as_bytes()), ..Written::default() });
        cdc.writer.flush();
    };
    send(&cdc);
    cdc.pipeline.run().exits_with(0);
    let rejects = cdc.rejects();
    assert_eq!(reasons(&rejects), [(0, "no_key".to_owned())]);
    let detail = rejects[0]["detail"].as_str().expect("a detail");
    assert!(detail.contains("\"public.log\" = { key = [\"column\"] }"), "{detail}");
    // What it advises works for what comes from then on.
    cdc.pipeline.set("tables", "public.log", json!({"key": ["at"]}));
    send(&cdc);
    cdc.pipeline.run().exits_with(0);
    assert_eq!(cdc.rows("log"), [json!({"at": 1, "text": "a"})]);
}
