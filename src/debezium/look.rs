//! What there is of a connector, for who looks and changes nothing.

use lakefront_operators::shown::one_line;
use serde_json::Value;

use super::commands::connector;
use super::converters::unreadable;
use super::register::there;
use super::{Capture, Nulls, Rest, Status};

/// Connect, and the connector in it.
pub(crate) struct Connected {
    /// Where the worker answers.
    pub(crate) url: String,
    /// Its version of Kafka.
    pub(crate) version: String,
    /// The version of Debezium's connector; `None` if the worker does not have it.
    pub(crate) plugin: Option<String>,
    /// The connector's state; `None` if it is not registered.
    pub(crate) status: Option<Status>,
    /// The settings in which what is registered differs from the file.
    pub(crate) differences: Vec<String>,
    /// What becomes of null where a column has a default, by what is registered, or will be.
    pub(crate) nulls: Nulls,
    /// Its settings that keep its records from being read.
    pub(crate) unreadable: Vec<String>,
}

/// Looks at the connector of a pipeline. Fails if Connect cannot be asked, or if the file does not
/// tell what the connector should be.
pub(crate) async fn connected(capture: &Capture) -> anyhow::Result<Connected> {
    let (mut connector, _) = connector(capture, None).await?;
    let rest = Rest::new(&capture.connect, connector.hidden())?;
    let text = |value: &Value, key: &str| {
        one_line(value.get(key).and_then(Value::as_str).unwrap_or("of an unknown version")).into_owned()
    };
    let worker = rest.get("read the version of Kafka Connect", "/").await?;
    let plugins = rest.get("list the plugins of Kafka Connect", "/connector-plugins").await?;
    let mut plugins = plugins.as_array().into_iter().flatten();
    let plugin = plugins.find(|plugin| plugin.get("class").and_then(Value::as_str) == Some(super::PLUGIN));
    let there = there(&rest, &connector.name).await?;
    if let Some(there) = &there {
        connector.keep_reference(there);
    }
    let status = match there {
        Some(_) => Status::ask(&rest, &connector.name).await?,
        None => None,
    };
    Ok(Connected {
        url: rest.url().to_owned(),
        version: text(&worker, "version"),
        plugin: plugin.map(|plugin| text(plugin, "version")),
        status,
        nulls: Nulls::of(there.as_ref().unwrap_or(&connector.body())),
        unreadable: unreadable(there.as_ref().unwrap_or(&connector.body())),
        differences: there.and_then(|there| connector.differences(&there)).unwrap_or_default(),
    })
}
