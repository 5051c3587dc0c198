//! Unknown keys, duplicates, and many of them.

use super::*;

#[test]
fn unknown_keys_are_kept_dropped_or_rejected() {
    let line = r#"{"b": 1.50,"properties":{"schemaName":"p\u0075b","message":"m"},"a":{"x":[1, null]}}"#;
    let kept = row_with(Azure, Keep, line).unwrap();
    let rest = r#"{"b":1.50,"properties.schemaName":"p\u0075b","a":{"x":[1, null]}}"#;
    assert_eq!(text(&kept, "_rest").as_deref(), Some(rest));
    let dropped = row_with(Azure, Drop, line).unwrap();
    assert_eq!((text(&dropped, "_rest"), text(&dropped, "message").as_deref()), (None, Some("m")));
    assert_eq!(row_with(Azure, Reject, line).err(), Some(Reason::UnknownKey));
    for unknown in [r#"{"time":null,"x":null}"#, r#"{"properties":{"detail":"d","x":1}}"#] {
        assert_eq!(row_with(Azure, Reject, unknown).err(), Some(Reason::UnknownKey), "{unknown}");
    }
}

#[test]
fn a_control_character_in_a_key_is_not_json() {
    for line in ["{\"Region\t\":\"we\"}", "{\"Region\":\"we\",\"x\r\":1}", "{\"properties\":{\"detail\t\":\"d\"}}"] {
        for unknown_keys in [Keep, Drop, Reject] {
            assert_eq!(row_with(Azure, unknown_keys, line).err(), Some(Reason::InvalidJson), "{line}");
        }
    }
}

#[test]
fn half_a_surrogate_pair_is_kept_where_it_is_not_decoded() {
    let row = row(r#"{"x":"\ud83d","Region":"we"}"#);
    assert_eq!(text(&row, "_rest").as_deref(), Some(r#"{"x":"\ud83d"}"#));
}

#[test]
fn of_duplicates_only_the_last_is_judged() {
    let row =
        row(r#"{"Region":1,"time":"bad","Region":"\ud83d","x":1,"Region":"we","time":"1970-01-01T00:00:00Z","x":2}"#);
    assert_eq!((text(&row, "region").as_deref(), text(&row, "time").as_deref()), (Some("we"), Some("0")));
    assert_eq!(text(&row, "_rest").as_deref(), Some(r#"{"x":2}"#));
    assert_eq!(reason(r#"{"Region":"we","Region":[1]}"#), Reason::WrongType);
    assert_eq!(reason(r#"{"properties":{"processId":1,"processId":1.5}}"#), Reason::WrongType);
}

#[test]
fn properties_replace_earlier_properties_wholly() {
    let lines = [
        r#"{"properties":{"message":1,"detail":"d","x":1},"properties":{"message":"m"}}"#,
        r#"{"properties":[1],"properties":{"message":"m"}}"#,
        r#"{"properties":{"message":"n"},"properties":"x","properties":{"message":"m"}}"#,
    ];
    for line in lines {
        let row = row_with(Azure, Reject, line).unwrap();
        assert_eq!((text(&row, "message").as_deref(), text(&row, "detail")), (Some("m"), None), "{line}");
    }
    let nulled = row(r#"{"Region":"we","properties":{"message":"m","x":1},"properties":null}"#);
    assert_eq!((text(&nulled, "message"), text(&nulled, "_rest")), (None, None));
    assert_eq!(text(&nulled, "region").as_deref(), Some("we"));
    assert_eq!(reason(r#"{"properties":{"message":"m"},"properties":1}"#), Reason::WrongType);
}

#[test]
fn deep_nesting_costs_no_stack() {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(1_000_000), close.repeat(1_000_000));
    for nested in [deep("[", "]"), deep("{\"a\":", "}")] {
        let kept = row(&format!(r#"{{"x":{nested},"Region":"we"}}"#));
        assert_eq!(text(&kept, "_rest"), Some(format!(r#"{{"x":{nested}}}"#)));
        assert!(row_with(Azure, Drop, &format!(r#"{{"properties":{{"x":{nested},"detail":"d"}}}}"#)).is_ok());
        assert_eq!(reason(&format!(r#"{{"Region":{nested}}}"#)), Reason::WrongType);
    }
    let array = deep("[", "]");
    assert_eq!(reason(&format!(r#"{{"properties":{array}}}"#)), Reason::WrongType);
    assert_eq!(reason(&array), Reason::NotAnObject);
    assert_eq!(reason(&"[".repeat(1_000_000)), Reason::InvalidJson);
    assert_eq!(reason(&"{\"properties\":".repeat(1_000_000)), Reason::InvalidJson);
}

#[test]
fn many_keys_and_many_properties_stay_linear() {
    let keys: Vec<String> = (0..100_000).map(|key| format!(r#""k{key}":1,"properties":{{"p":1}}"#)).collect();
    let row = row(&format!("{{\"time\":null,{}}}", keys.join(",")));
    let rest = text(&row, "_rest").unwrap();
    assert_eq!((rest.matches("\"k").count(), rest.matches("properties.p").count()), (100_000, 1));
}

#[test]
fn a_rejected_line_appends_nothing_and_the_builder_is_reusable() {
    let mut rows = RowBuilder::new(Azure, Keep);
    rows.push(br#"{"Region":"a\tb","x":1}"#, 0).unwrap();
    assert!(rows.push(br#"{"Region":"\u0063","y":1,"properties":{"processId":"x"}}"#, 10).is_err());
    assert!(rows.push(br#"{"Region":"d","properties":"#, 20).is_err());
    rows.push(br#"{"AppType":"\u0065"}"#, 30).unwrap();

    let first = rows.finish("one");
    assert!(rows.is_empty());
    rows.push(br#"{"Region":"f"}"#, 40).unwrap();
    let second = rows.finish("two");

    assert_eq!((first.num_rows(), second.num_rows(), rows.finish("three").num_rows()), (2, 1, 0));
    assert_eq!(text_at(&first, "region", 0).as_deref(), Some("a\tb"));
    assert_eq!(text_at(&first, "region", 1), None);
    assert_eq!(text_at(&first, "app_type", 1).as_deref(), Some("e"));
    assert_eq!((text_at(&first, "_rest", 0).as_deref(), text_at(&first, "_rest", 1)), (Some(r#"{"x":1}"#), None));
    assert_eq!(
        (text_at(&first, "_offset", 1).as_deref(), text(&second, "_offset").as_deref()),
        (Some("30"), Some("40"))
    );
    assert_eq!((text(&second, "region").as_deref(), text(&second, "_source").as_deref()), (Some("f"), Some("two")));
}
