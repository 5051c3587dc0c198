//! Unknown keys keep their names, their order and their values.

use super::*;
use Scope::{Properties, Top};

fn rest(entries: &[(Scope, &str, &str)]) -> Rest {
    let mut rest = Rest::default();
    for (scope, name, value) in entries {
        rest.add(*scope, name, value);
    }
    rest
}

#[test]
fn nothing_unknown_is_no_object() {
    assert_eq!(Rest::default().object(), None);
}

#[test]
fn entries_keep_their_order_and_raw_values() {
    let mut rest = rest(&[(Top, "z", "1.50"), (Properties, "a", "{ \"b\" : [1] }"), (Top, "m", r#""\u00e9""#)]);
    assert_eq!(rest.object(), Some(r#"{"z":1.50,"properties.a":{ "b" : [1] },"m":"\u00e9"}"#));
}

#[test]
fn of_equal_names_the_last_wins() {
    let mut rest = rest(&[(Top, "a", "1"), (Top, "b", "2"), (Top, "a", "3"), (Top, "a", "4"), (Properties, "b", "5")]);
    assert_eq!(rest.object(), Some(r#"{"b":2,"a":4,"properties.b":5}"#));
}

#[test]
fn a_top_level_key_with_the_prefix_is_told_apart() {
    let keys = [(Top, "properties.a", "1"), (Properties, "a", "2"), (Top, ".properties.a", "3"), (Top, ".a", "4")];
    let mut apart = Rest::new(true);
    keys.iter().for_each(|(scope, name, value)| apart.add(*scope, name, value));
    let expected = r#"{".properties.a":1,"properties.a":2,"..properties.a":3,".a":4}"#;
    assert_eq!(apart.object(), Some(expected));
    let together = r#"{"properties.a":2,".properties.a":3,".a":4}"#;
    assert_eq!(rest(&keys).object(), Some(together), "in version 1");
}

#[test]
fn new_properties_replace_the_old_ones_only() {
    let mut rest = rest(&[(Top, "a", "1")]);
    rest.begin_properties();
    rest.add(Properties, "b", "2");
    rest.add(Top, "c", "3");
    rest.begin_properties();
    rest.add(Properties, "d", "4");
    rest.add(Top, "e", "5");
    assert_eq!(rest.object(), Some(r#"{"a":1,"c":3,"properties.d":4,"e":5}"#));
    rest.begin_properties();
    assert_eq!(rest.object(), Some(r#"{"a":1,"c":3,"e":5}"#));
}

#[test]
fn names_are_escaped() {
    let mut rest = rest(&[(Top, "q\"\\\n\u{1}é", "1"), (Properties, "\t", "2")]);
    assert_eq!(rest.object(), Some(r#"{"q\"\\\n\u0001é":1,"properties.\t":2}"#));
}

#[test]
fn a_cleared_line_leaves_nothing_behind() {
    let mut rest = rest(&[(Properties, "a", "1"), (Properties, "b", "1")]);
    rest.clear();
    assert!(rest.is_empty());
    rest.begin_properties();
    rest.add(Top, "c", "3");
    assert_eq!(rest.object(), Some(r#"{"c":3}"#));
}
