//! Which tables fit, are widened, or are refused.

use super::*;
use arrow_schema::{DataType, Field};

fn ours() -> Schema {
    Schema::new(vec![Field::new("a", DataType::Utf8, true), Field::new("n", DataType::Int64, true)])
}

fn table(columns: Value, configuration: Value) -> Value {
    let schema = json!({"type": "struct", "fields": columns}).to_string();
    json!({"schemaString": schema, "partitionColumns": [], "configuration": configuration})
}

fn column(name: &str, data_type: &str, nullable: bool) -> Value {
    json!({"name": name, "type": data_type, "nullable": nullable, "metadata": {}})
}

fn made(partition_columns: &[&str]) -> Value {
    metadata("id", &ours(), partition_columns, 0).expect("Delta has these types")
}

#[test]
fn a_new_table_fits_itself() {
    assert_eq!(check(&protocol(), &made(&[]), &ours(), &[]), Ok(Fit::Fits));
}

#[test]
fn missing_columns_are_added_behind_the_others() {
    let existing = table(json!([column("x", "double", true), column("n", "long", true)]), json!({}));
    let Ok(Fit::Widen(widened)) = check(&protocol(), &existing, &ours(), &[]) else { panic!("a column is missing") };
    let text = widened["schemaString"].as_str().expect("a schema");
    let names: Vec<_> = text.match_indices("\"name\":\"").map(|(i, m)| &text[i + m.len()..=i + m.len()]).collect();
    assert_eq!(names, ["x", "n", "a"]);
}

#[test]
fn what_an_append_would_break_is_refused_by_name() {
    let good = json!([column("a", "string", true), column("n", "long", true)]);
    let cases = [
        (table(json!([column("a", "long", true)]), json!({})), r#"column "a" as "long""#),
        (table(json!([column("A", "string", true)]), json!({})), "only in case"),
        (table(json!([column("x", "long", false)]), json!({})), "must not be null"),
        (table(good.clone(), json!({"delta.constraints.c": "n > 0"})), "delta.constraints.c"),
        (table(good.clone(), json!({"delta.setTransactionRetentionDuration": "1 day"})), "expire"),
        (table(good, json!({"delta.columnMapping.mode": "name"})), "renames columns"),
    ];
    for (existing, reason) in cases {
        let error = check(&protocol(), &existing, &ours(), &[]).expect_err(reason);
        assert!(error.contains(reason), "{error}");
    }
    let feature = json!({"minReaderVersion": 3, "minWriterVersion": 7, "writerFeatures": ["rowTracking"]});
    assert!(check(&feature, &made(&[]), &ours(), &[]).is_err());
    assert!(check(&protocol(), &made(&["d"]), &ours(), &[]).is_err());
}
