//! Values that are not there: PostgreSQL sends no value that is stored out of line and was not
//! changed, and Debezium puts a placeholder in its place, in a form that fits the column's type.
//!
//! Where a type has no such form, Debezium sends null (numeric, and arrays of numeric, boolean,
//! timestamptz and others): that cannot be told from a null of the row, except under
//! `REPLICA IDENTITY FULL`, where PostgreSQL sends all values.

use super::json::{self, Members};

/// Debezium's placeholder, unless `unavailable.value.placeholder` names another.
const PLACEHOLDER: &str = "__debezium_unavailable_value";
/// The same in base64, for bytes.
const BASE64: &str = "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ";
/// The same in hexadecimal digits, for bytes.
const HEX: &str = "5f5f646562657a69756d5f756e617661696c61626c655f76616c7565";
/// The UUID that Java makes of it, for arrays of uuid.
const UUID: &str = "b68a35a7-17ad-35b3-af2a-ae46edb4545a";
/// The shapes in place of PostGIS's geometry and geography, as WKB in base64.
const SHAPES: [&str; 2] = ["AQEAACDmEAAAAAAA/IPXl8EAAAD8g9eXwQ==", "AQEAACDmEAAADCHn/f9/ZkAYQs77/39WQA=="];

/// Whether `raw` stands for a value that PostgreSQL has not sent.
pub(super) fn is_placeholder(raw: &str) -> bool {
    match raw.as_bytes().first() {
        // Long values are not looked at: the placeholder is short, however it is escaped.
        Some(b'"') if raw.len() > 8 * PLACEHOLDER.len() => false,
        Some(b'"') => json::text(raw).is_ok_and(|text| is_text(&text) || is_hstore(&text)),
        Some(b'[') => is_array(raw),
        Some(b'{') => is_hstore(raw) || is_shape(raw),
        _ => false,
    }
}

fn is_text(text: &str) -> bool {
    text == PLACEHOLDER || text.trim_end_matches('=') == BASE64 || text == HEX
}

fn is_hstore(text: &str) -> bool {
    // Long values are not parsed: the placeholder is short.
    if !text.starts_with('{') || text.len() > 4 * PLACEHOLDER.len() {
        return false;
    }
    let members = Members::read(text, "value").map(|members| members.0).unwrap_or_default();
    matches!(&members[..], [(name, value)] if name == PLACEHOLDER && json::text(value).is_ok_and(|text| text == PLACEHOLDER))
}

fn is_array(raw: &str) -> bool {
    if raw.len() > 8 * PLACEHOLDER.len() {
        return false;
    }
    let elements = json::elements(raw).unwrap_or_default();
    match &elements[..] {
        [one] if one.starts_with('"') => json::text(one).is_ok_and(|text| is_text(&text) || text == UUID),
        codes => {
            codes.len() == PLACEHOLDER.len()
                && codes.iter().zip(PLACEHOLDER.bytes()).all(|(code, byte)| code.parse() == Ok(byte))
        }
    }
}

fn is_shape(raw: &str) -> bool {
    if raw.len() > 256 {
        return false;
    }
    let members = Members::read(raw, "value").unwrap_or_default();
    members.text("wkb").is_ok_and(|wkb| wkb.is_some_and(|wkb| SHAPES.contains(&wkb.as_ref())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form() {
        let codes: Vec<String> = PLACEHOLDER.bytes().map(|byte| byte.to_string()).collect();
        let forms = [
            format!("\"{PLACEHOLDER}\""),
            "\"\\u005f_debezium_unavailable_value\"".to_owned(),
            format!("\"{BASE64}==\""),
            format!("\"{HEX}\""),
            format!("[\"{PLACEHOLDER}\"]"),
            format!("[\"{BASE64}==\"]"),
            format!("[ {} ]", codes.join(" , ")),
            format!("[\"{UUID}\"]"),
            format!("{{\"{PLACEHOLDER}\":\"{PLACEHOLDER}\"}}"),
            format!("\"{{\\\"{PLACEHOLDER}\\\":\\\"{PLACEHOLDER}\\\"}}\""),
            format!("{{\"wkb\":\"{}\",\"srid\":4326}}", SHAPES[0]),
        ];
        for form in forms {
            assert!(is_placeholder(&form), "{form}");
        }
    }

    #[test]
    fn values_are_none() {
        let others = [
            "null",
            "1",
            "true",
            "\"\"",
            "[]",
            "{}",
            "[null]",
            "[95,95]",
            "\"__debezium_unavailable_value2\"",
            "[\"__debezium_unavailable_value\",\"b\"]",
            "{\"a\":\"__debezium_unavailable_value\"}",
            "{\"wkb\":null}",
            "[\"b68a35a7-17ad-35b3-af2a-ae46edb4545b\"]",
            "\"\\ud800\"",
            "[[95]]",
        ];
        for other in others {
            assert!(!is_placeholder(other), "{other}");
        }
    }
}
