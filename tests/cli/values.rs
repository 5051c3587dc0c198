//! What the values of real lines become, and where the lines go.

use serde_json::{Value, json};

use crate::support::Pipeline;

/// How many rows a report counts, by table.
fn rows(report: &Value) -> [u64; 3] {
    ["primary", "replica", "rejects"].map(|table| report["tables"][table]["rows"].as_u64().expect("rows"))
}

#[test]
fn roles_are_compared_without_case_and_those_that_nothing_names_are_told() {
    let pipeline = Pipeline::new();
    for role in ["Primary", "AsyncReplica", "GeoAsyncReplica", "None", "Replica", "primary", "PRIMARY"] {
        pipeline.append("a.json", format!("{{\"ReplicaRole\": \"{role}\"}}\n"));
    }
    pipeline.append("a.json", "{\"ReplicaRole\": \"Master\"}\n".repeat(3));
    let ended = pipeline.run().exits_with(0);
    assert_eq!(rows(&ended.json()), [4, 6, 0]);
    assert_eq!(ended.json()["unnamed_roles"], json!({"Master": 3}));
    assert_eq!(ended.stderr.matches("lines name a role that [roles] does not").count(), 1, "{}", ended.stderr);
    pipeline.is_exact();
    pipeline.is_proved();
}

#[test]
fn a_line_without_a_role_goes_by_the_server_that_its_resource_names() {
    let mut pipeline = Pipeline::new();
    pipeline.set("roles", "servers", json!({"Orders-Uat-PG": "replica", "shop": "primary"}));
    pipeline.set("roles", "replica", json!(["Replica"]));
    let resource = "/SUBSCRIPTIONS/0F/PROVIDERS/MICROSOFT.DBFORPOSTGRESQL/FLEXIBLESERVERS/ORDERS-UAT-PG";
    pipeline.append("a.json", format!("{{\"resourceId\": \"{resource}\"}}\n"));
    pipeline.append("a.json", format!("{{\"resourceId\": \"{resource}\", \"LogicalServerName\": \"SHOP\"}}\n"));
    pipeline.append("a.json", format!("{{\"resourceId\": \"{resource}\", \"ReplicaRole\": \"Master\"}}\n"));
    pipeline.append("a.json", "{\"LogicalServerName\": \"other\"}\n{\"ReplicaRole\": \"Master\"}\n");
    let report = pipeline.land();
    assert_eq!(rows(&report), [1, 2, 2]);
    assert_eq!(report["rejects"], json!({"no_role": 1, "unknown_role": 1}));
    pipeline.is_exact();
    pipeline.is_proved();
}
