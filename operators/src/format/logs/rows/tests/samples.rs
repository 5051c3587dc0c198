//! What the sample lines become.

use super::*;

/// The lines of a sample file as `push` gets them: without newline, CR, BOM and blank lines.
fn sample(name: &str) -> Vec<String> {
    let path = format!("{}/../tests/samples/{name}.ndjson", env!("CARGO_MANIFEST_DIR"));
    let file = std::fs::read_to_string(path).unwrap();
    let lines = file.trim_start_matches('\u{feff}').lines().filter(|line| !line.trim().is_empty());
    lines.map(str::to_owned).collect()
}

fn push_sample(format: Format, name: &str) -> (RecordBatch, Vec<Result<(), Reason>>) {
    let mut rows = RowBuilder::new(format, Keep);
    let pushed = sample(name).iter().map(|line| rows.push(line.as_bytes(), 0)).collect();
    (rows.finish(name), pushed)
}

#[test]
fn azure_samples_become_rows() {
    for (name, lines) in [
        ("azure_flex_primary", 7),
        ("azure_flex_replica", 5),
        ("azure_flex_crlf_bom", 3),
        ("azure_flex_categories_other", 2),
        ("azure_single_server", 2),
    ] {
        let (batch, pushed) = push_sample(Azure, name);
        assert_eq!(pushed, vec![Ok(()); lines], "{name}");
        assert_eq!(batch["time"].null_count(), 0, "{name}");
    }
    let (batch, _) = push_sample(Azure, "azure_flex_primary");
    assert_eq!(text_at(&batch, "log_timestamp", 0).as_deref(), Some("1795244401467000"));
    assert_eq!(text_at(&batch, "time", 0).as_deref(), Some("1795244401468000"));
    assert_eq!(text_at(&batch, "process_id", 0).as_deref(), Some("20611"));
    let statement = text_at(&batch, "message", 2).unwrap();
    assert!(statement.ends_with("o\n\tWHERE o.customer_id = $1\n\tORDER BY o.created_at DESC LIMIT 50"), "{statement}");
    let mut messages = (0..7).filter_map(|place| text_at(&batch, "message", place));
    let audit = messages.find(|message| message.contains("AUDIT")).unwrap();
    assert!(audit.contains("'café ☃ 😀 \\\\ \"\"q\"\"'"), "{audit}");
}

#[test]
fn azure_edge_cases_are_rejected_one_by_one() {
    let (batch, pushed) = push_sample(Azure, "azure_flex_edge_cases");
    let rejected: Vec<_> = pushed.iter().enumerate().filter_map(|(line, pushed)| Some((line, pushed.err()?))).collect();
    let last = pushed.len() - 1;
    assert_eq!(rejected, [(0, Reason::InvalidJson), (1, Reason::InvalidJson), (last, Reason::InvalidJson)]);
    assert_eq!(text(&batch, "replica_role"), None);
}

#[test]
fn jsonlog_samples_become_rows() {
    for (name, lines) in [("pg_jsonlog_primary", 3), ("pg_jsonlog_replica", 2)] {
        let (batch, pushed) = push_sample(Jsonlog, name);
        assert_eq!(pushed, vec![Ok(()); lines], "{name}");
        assert_eq!((names(&batch.schema()), batch["_rest"].null_count()), (names(&schema(Jsonlog)), lines), "{name}");
    }
    let (batch, _) = push_sample(Jsonlog, "pg_jsonlog_primary");
    assert_eq!(text_at(&batch, "query_id", 1).as_deref(), Some("-4923847293847239111"));
    assert_eq!(text_at(&batch, "session_start", 1).as_deref(), Some("1795244392000000"));
    assert_eq!(text_at(&batch, "user", 0), None);
}

#[test]
fn a_text_column_is_of_its_type_or_a_dictionary_of_it() {
    let mut rows = RowBuilder::new(Azure, Keep);
    for line in 0..100 {
        let text = format!(r#"{{"category":"same","properties":{{"message":"{line}"}}}}"#);
        rows.push(text.as_bytes(), line).unwrap();
    }
    rows.finish("blob");
    rows.push(br#"{"category":"same","properties":{"message":"m"}}"#, 0).unwrap();
    let batch = rows.finish("blob");
    let keys = DataType::Dictionary(DataType::UInt16.into(), DataType::Utf8.into());
    assert_eq!((batch["category"].data_type(), batch["message"].data_type()), (&keys, &DataType::Utf8));
    for (field, of) in batch.schema().fields().iter().zip(schema(Azure).fields()) {
        assert!(field.data_type() == of.data_type() || *field.data_type() == keys, "{}", field.name());
    }
}
