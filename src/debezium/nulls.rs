//! Whether a connector keeps null in a column that has a default, or makes it the default.

use serde_json::Value;

/// What becomes of null in a column that may be null and has a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nulls {
    /// It stays null.
    Kept,
    /// It becomes the default, unless this is done.
    Lost(&'static str),
    /// Nobody knows: the worker's own converter is used, or one that is not known.
    Unknown,
}

impl Nulls {
    /// What a connector's configuration does.
    pub(crate) fn of(config: &Value) -> Nulls {
        let text = |name: &str| config.get(name).and_then(Value::as_str).unwrap_or_default();
        let is = |name: &str, value: &str| text(name).eq_ignore_ascii_case(value);
        let mut transforms = text("transforms").split(',').map(|name| format!("transforms.{}", name.trim()));
        let unwraps = transforms.any(|transform| {
            text(&format!("{transform}.type")).ends_with(".ExtractNewRecordState")
                && !is(&format!("{transform}.replace.null.with.default"), "false")
        });
        if unwraps {
            return Nulls::Lost(
                "lakefront debezium register FILE, or set replace.null.with.default = false of its transform \
                 ExtractNewRecordState",
            );
        }
        match text("value.converter") {
            "org.apache.kafka.connect.json.JsonConverter" => {
                match is("value.converter.replace.null.with.default", "false") {
                    true => Nulls::Kept,
                    false => Nulls::Lost(
                        "lakefront debezium register FILE, or set value.converter.replace.null.with.default = false",
                    ),
                }
            }
            "io.confluent.connect.avro.AvroConverter" => {
                match is("value.converter.ignore.default.for.nullables", "true") {
                    true => Nulls::Kept,
                    false => Nulls::Lost(
                        "lakefront debezium register FILE, or set value.converter.ignore.default.for.nullables = true",
                    ),
                }
            }
            // As of 2.6.13, by running it: there is no setting.
            "io.apicurio.registry.utils.converter.AvroConverter" => Nulls::Lost(
                "Apicurio's converter has no setting against it: drop the defaults (ALTER TABLE t ALTER COLUMN c DROP \
                 DEFAULT), or write JSON",
            ),
            _ => Nulls::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_converter_has_its_own_setting() {
        let json = "org.apache.kafka.connect.json.JsonConverter";
        let confluent = "io.confluent.connect.avro.AvroConverter";
        let kept = |config: Value| Nulls::of(&config) == Nulls::Kept;
        assert!(kept(json!({"value.converter": json, "value.converter.replace.null.with.default": "false"})));
        assert!(!kept(json!({"value.converter": json})));
        assert!(kept(json!({"value.converter": confluent, "value.converter.ignore.default.for.nullables": "TRUE"})));
        assert!(!kept(json!({"value.converter": confluent})));
        assert_eq!(Nulls::of(&json!({"value.converter": "my.Own"})), Nulls::Unknown);
        assert_eq!(Nulls::of(&json!({})), Nulls::Unknown);
    }

    #[test]
    fn a_transform_may_fill_it_in_before_the_converter() {
        let with = |setting: Option<&str>| {
            Nulls::of(&json!({
                "value.converter": "org.apache.kafka.connect.json.JsonConverter",
                "value.converter.replace.null.with.default": "false",
                "transforms": "route, unwrap",
                "transforms.unwrap.type": "io.debezium.transforms.ExtractNewRecordState",
                "transforms.unwrap.replace.null.with.default": setting
            }))
        };
        assert_eq!(with(Some("false")), Nulls::Kept);
        assert!(matches!(with(None), Nulls::Lost(advice) if advice.contains("ExtractNewRecordState")));
    }
}
