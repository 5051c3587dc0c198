//! What a connector's converter does to values: whether null stays null in a column that has a
//! default, and whether records can be read as they are written.

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

/// The settings of a converter of Avro that keep its records from being read, or from having types.
pub(crate) fn unreadable(config: &Value) -> Vec<String> {
    let is = |name: &str, value: &str| {
        config.get(name).and_then(Value::as_str).unwrap_or_default().eq_ignore_ascii_case(value)
    };
    let mut wrong = Vec::new();
    for of in ["key", "value"] {
        let setting = |name: &str| format!("{of}.converter.{name}");
        if !config
            .get(format!("{of}.converter"))
            .and_then(Value::as_str)
            .is_some_and(|of| of.ends_with(".AvroConverter"))
        {
            continue;
        }
        if is(&setting("connect.meta.data"), "false") {
            wrong.push(format!("{} = false leaves out what tells a date from a number", setting("connect.meta.data")));
        }
        if !is(&format!("{of}.converter"), "io.apicurio.registry.utils.converter.AvroConverter") {
            continue;
        }
        if !is(&setting("apicurio.registry.as-confluent"), "true") {
            wrong.push(format!("{} is to be true: ids have four bytes", setting("apicurio.registry.as-confluent")));
        }
        if is(&setting("apicurio.registry.headers.enabled"), "true") {
            wrong.push(format!(
                "{} is to be false: ids are in the values",
                setting("apicurio.registry.headers.enabled")
            ));
        }
        if !is(&setting("apicurio.registry.use-id"), "contentId") {
            wrong.push(format!(
                "{} is to be contentId: the registry may find another schema by a globalId",
                setting("apicurio.registry.use-id")
            ));
        }
    }
    wrong
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
    fn what_cannot_be_read_is_named() {
        let apicurio = "io.apicurio.registry.utils.converter.AvroConverter";
        let good = json!({"value.converter": apicurio, "value.converter.apicurio.registry.as-confluent": "true",
            "value.converter.apicurio.registry.use-id": "contentId"});
        assert_eq!(unreadable(&good), [] as [&str; 0]);
        let wrong = unreadable(&json!({"key.converter": apicurio, "key.converter.connect.meta.data": "false",
            "key.converter.apicurio.registry.headers.enabled": "true"}));
        assert_eq!(wrong.len(), 4, "{wrong:?}");
        assert_eq!(unreadable(&json!({"value.converter": "io.confluent.connect.avro.AvroConverter"})), [] as [&str; 0]);
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
