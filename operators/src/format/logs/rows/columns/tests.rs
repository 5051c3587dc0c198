//! Keys and columns of each format.

use super::*;

#[test]
fn every_listed_key_is_found_and_no_other() {
    for format in [Format::Azure, Format::Jsonlog] {
        let layout = layout(format);
        for (place, column) in layout.columns.iter().enumerate() {
            let (here, elsewhere) = match column.scope {
                Top => (&layout.top, &layout.properties),
                Properties => (&layout.properties, &layout.top),
            };
            assert_eq!(here.find(column.key), Some(Filled::Column(place)), "{}", column.key);
            assert_eq!(elsewhere.find(column.key), None, "{}", column.key);
        }
        for key in ["", "Time", "tim", "times", "RESOURCEID", &"k".repeat(300)] {
            assert_eq!(layout.top.find(key), None, "{key}");
        }
    }
    assert_eq!(layout(Format::Azure).top.find("properties"), Some(Filled::Properties));
    assert_eq!(layout(Format::Jsonlog).top.find("properties"), None);
}

#[test]
fn columns_have_one_name_each_and_every_field_is_nullable() {
    for format in [Format::Azure, Format::Jsonlog] {
        let schema = schema(format);
        let mut names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names[names.len() - 4..], ["_rest", "_source", "_offset", ITEM]);
        assert!(schema.fields().iter().all(|field| field.is_nullable()));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), schema.fields().len());
    }
}

#[test]
fn a_record_of_cloudnativepg_fills_the_columns_of_jsonlog() {
    let (own, record) = (layout(Format::Jsonlog), record_layout(Format::Jsonlog));
    for (own_key, csv) in CSVLOG {
        assert_eq!(record.top.find(own_key), None, "{own_key}");
        assert!(csv.is_none_or(|csv| record.top.find(csv) == own.top.find(own_key)), "{own_key}");
    }
    for key in ["message", "error_severity", "session_id", "leader_pid", "query_id", "backend_type"] {
        assert_eq!(record.top.find(key), own.top.find(key), "{key}");
    }
}

#[test]
fn the_schema_is_derived_once() {
    assert!(Arc::ptr_eq(&schema(Format::Azure), &schema(Format::Azure)));
}
