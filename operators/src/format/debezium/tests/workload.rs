//! The recorded workload: its golden plain forms, what the SQL says of it, and that the
//! configurations agree.

use expect_test::expect_file;
use serde_json::{Value, json};

use super::*;

#[test]
fn golden_plain_forms() {
    for name in ALL {
        let golden = expect_file![format!("../../../../../tests/samples/debezium/plain/{name}.ndjson")];
        golden.assert_eq(&plain(&sample(name)).iter().map(|line| line.clone() + "\n").collect::<String>());
    }
}

#[test]
fn what_is_no_change_is_known() {
    let count = |name: &str| {
        let mut decoder = Decoder::default();
        let told: Vec<Told> =
            sample(name).lines().map(|line| told(&mut decoder, line.as_bytes()).expect("an event")).collect();
        let of = |kind: &Told| told.iter().filter(|told| *told == kind).count();
        let aside = |kind| of(&Told::Aside(kind));
        [of(&Told::Boundary), aside(Aside::Heartbeat), aside(Aside::Message), aside(Aside::Tombstone)]
    };
    assert_eq!(count("envelope_noschema"), [6, 2, 2, 13]);
    assert_eq!(count("envelope_schema"), [6, 2, 2, 13]);
    assert_eq!(count("unwrap_noschema"), [6, 2, 2, 0], "its tombstones are the deletes");
    assert_eq!(count("unwrap_noschema_rewrite"), [6, 2, 2, 13]);
    assert_eq!(count("unwrap_schema_rewrite"), [6, 2, 2, 0]);
}

/// The events of a table, in order.
fn of_table(events: &[Value], table: &str) -> Vec<Value> {
    events.iter().filter(|event| event["table"] == table).cloned().collect()
}

#[test]
fn operations_are_those_of_the_statements() {
    let events = events("envelope_schema");
    let operations = |table: &str| {
        let events = of_table(&events, table);
        let words = events.iter().map(|event| event["operation"].as_str().expect("a text").chars().next());
        words.map(|letter| letter.expect("a letter")).collect::<String>()
    };
    assert_eq!(operations("customers"), "rrriuddiit");
    assert_eq!(operations("orders"), "rruuddiiuudiit");
    assert_eq!(operations("compkey"), "iudid");
    assert_eq!(operations("trunc_me"), "rrti");
    assert_eq!(operations("nokey"), "iud");
    assert_eq!(operations("Mixed Case Tbl"), "iu");
}

#[test]
fn a_delete_shows_the_key_unless_the_row_is_known() {
    for name in ["envelope_noschema", "envelope_schema", "unwrap_noschema_rewrite", "unwrap_schema_rewrite"] {
        let events = events(name);
        let deleted = |table: &str| {
            let mut events = of_table(&events, table);
            events.retain(|event| event["operation"] == "delete");
            events.swap_remove(0)
        };
        let customers = deleted("customers");
        assert_eq!(customers["before"], json!({"id": 2}), "{name}: 1970 and the empty name are fillers");
        assert_eq!((&customers["data"], &customers["metadata"]["before"]), (&Value::Null, &json!("key")));
        assert_eq!(deleted("idxident")["before"], json!({"code": "c1"}), "{name}");
        assert_eq!(deleted("nokey")["before"], json!({"a": 1, "b": "y"}), "{name}: without a key it is FULL");
        let order = deleted("orders");
        if name.ends_with("noschema") || name == "unwrap_noschema_rewrite" {
            assert_eq!(order["before"], json!({"id": 2}), "{name}: nobody knows that it is FULL");
        } else {
            let row = json!({"id": 2, "customer_id": 1, "amount": "-0.01", "qty": 2, "note": null, "updated_at": null});
            assert_eq!((&order["before"], &order["metadata"]["before"]), (&row, &json!("row")), "{name}");
        }
    }
}

#[test]
fn a_tombstone_is_the_delete_where_nothing_else_is() {
    let deletes: Vec<Value> =
        events("unwrap_noschema").into_iter().filter(|event| event["operation"] == "delete").collect();
    assert_eq!(deletes.len(), 13);
    assert_eq!(deletes[0]["primary_key"], json!({"id": 2}));
    assert_eq!(deletes[0]["before"], json!({"id": 2}));
    assert_eq!(deletes[0]["metadata"]["table_from"], "topic");
}

#[test]
fn a_change_of_the_key_names_the_other_key() {
    for name in ALL {
        let events = of_table(&events(name), "customers");
        let with = |field: &str| events.iter().find(|event| !event["metadata"][field].is_null()).expect("an event");
        let (delete, insert) = (with("new_key"), with("old_key"));
        assert_eq!(
            (&delete["operation"], &delete["metadata"]["new_key"]),
            (&json!("delete"), &json!({"id": 100})),
            "{name}"
        );
        assert_eq!(
            (&insert["metadata"]["old_key"], &insert["primary_key"]),
            (&json!({"id": 3}), &json!({"id": 100})),
            "{name}"
        );
        assert_eq!(insert["data"]["name"], "Zoë 漢字 😀", "{name}");
    }
}

#[test]
fn what_was_not_sent_is_named_and_not_shown() {
    for name in ALL {
        let updates = of_table(&events(name), "toasty");
        let update = updates.iter().find(|event| event["data"]["small"] == 2).expect("the first update");
        assert_eq!(update["unavailable"], json!(["big", "bigj", "bigb", "bigarr", "bigh"]), "{name}");
        let mut data = update["data"].clone();
        // Three hundred numbers are short enough to stay in the row.
        assert_eq!(data["bigia"].take()[299].as_i64(), Some(300), "{name}");
        assert_eq!(data, json!({"id": 1, "bigia": null, "bign": null, "small": 2}), "{name}");
        let second = updates.iter().find(|event| event["data"]["small"] == 3).expect("the second update");
        assert_eq!(second["data"]["big"], "short now", "{name}");
        let full = of_table(&events(name), "toasty_full");
        let full = full.iter().find(|event| event["data"]["small"] == 2).expect("the update under FULL");
        assert_eq!((full["unavailable"].is_null(), full["data"]["bigia"][299].as_i64()), (true, Some(300)), "{name}");
    }
}

#[test]
fn the_configurations_agree_where_they_know_the_same() {
    let strip = |events: &[Value], table: &str| -> Vec<Value> {
        let mut events = of_table(events, table);
        events.retain(|event| event["operation"] != "truncate");
        events
            .iter()
            .map(|e| json!([e["operation"], e["data"], e["before"], e["primary_key"], e["unavailable"]]))
            .collect()
    };
    let schema = events("envelope_schema");
    for table in [
        "typezoo",
        "toasty",
        "toasty_full",
        "nokey",
        "nokey_default",
        "idxident",
        "compkey",
        "ddl",
        "meas_2024",
        "newtbl",
    ] {
        assert!(!of_table(&schema, table).is_empty(), "{table}");
        let unwrapped = strip(&events("unwrap_schema_rewrite"), table);
        let mut enveloped = strip(&schema, table);
        // The envelope has the rows before updates too.
        enveloped.iter_mut().filter(|event| event[0] == "update").for_each(|event| event[2] = Value::Null);
        assert_eq!(unwrapped, enveloped, "{table}");
    }
    for table in ["nokey", "idxident", "compkey", "Mixed Case Tbl", "trunc_me"] {
        assert_eq!(strip(&events("envelope_noschema"), table), strip(&schema, table), "{table}: no type matters");
    }
}

#[test]
fn decimals_from_bytes_are_those_of_string_mode() {
    let (bytes, strings) = (events("envelope_schema"), events("unwrap_noschema_rewrite"));
    let pairs = of_table(&bytes, "typezoo").into_iter().zip(of_table(&strings, "typezoo"));
    let mut compared = 0;
    for (bytes, strings) in pairs {
        for column in ["n_free", "n_38_0", "n_12_4", "mon", "na", "defn"] {
            // Bytes cannot say NaN: Debezium sends null.
            if strings["data"][column] != "NAN" {
                assert_eq!(bytes["data"][column], strings["data"][column], "{column} of {}", bytes["primary_key"]);
                compared += usize::from(!bytes["data"][column].is_null());
            }
        }
    }
    assert!(compared > 20, "{compared}");
}
