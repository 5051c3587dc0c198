//! `lakefront debezium register`: the connector is as the file says, and runs.
//!
//! Promises: a connector that is so already is not touched. What Connect refuses changes nothing.

use serde_json::Value;

use super::commands::{check, connector, rest};
use super::waiting::{After, Until, wait};
use super::{Capture, Connector, Entry, Rest};
use crate::cli::RegisterArgs;
use crate::logging;
use crate::report::print;

/// Registers the connector, or changes it, and waits until its tasks run.
pub(super) async fn register(capture: &Capture, args: &RegisterArgs) -> anyhow::Result<()> {
    let (mut connector, entry) = connector(capture, args.secret_ref.as_deref()).await?;
    let rest = rest(capture, &connector)?;
    let there = there(&rest, &connector.name).await?;
    if let Some(there) = &there {
        connector.keep_reference(there);
    }
    let has_password = matches!(&entry, Entry::Password(password) if connector.has(password));
    let (done, after) = match there {
        Some(config) => match connector.differences(&config) {
            Some(names) if names.is_empty() => ("is registered already, as the file says".to_owned(), After::Nothing),
            names => {
                put(&rest, &connector).await?;
                let names = names.unwrap_or_default();
                (format!("was changed, in {}", names.join(", ")), After::Change)
            }
        },
        None => {
            put(&rest, &connector).await?;
            ("was registered".to_owned(), After::Change)
        }
    };
    print(format!("connector {:?} {} at {}\n", connector.name, rest.without_hidden(&done), rest.url()))?;
    if has_password && matches!(after, After::Change) {
        logging::say(
            "warning: PostgreSQL's password is in the connector's configuration, which everybody can read who may ask \
             Connect for it; --secret-ref, or connect.secret_ref, puts a reference there instead",
        );
    }
    let status = wait(&rest, &connector.name, Until::Runs, after, args.timeout).await?;
    print(status.text())
}

/// The configuration that Connect has; `None` if there is no such connector.
pub(super) async fn there(rest: &Rest, name: &str) -> anyhow::Result<Option<Value>> {
    let attempt = format!("read the configuration of connector {name:?}");
    match rest.get(&attempt, &format!("/connectors/{name}/config")).await {
        Ok(config) => Ok(Some(config)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn put(rest: &Rest, connector: &Connector) -> anyhow::Result<()> {
    // Connect checks it again, and then tells all that is wrong in one text.
    check(rest, connector).await?;
    let attempt = format!("register connector {:?}", connector.name);
    rest.put(&attempt, &format!("/connectors/{}/config", connector.name), Some(&connector.body())).await?;
    Ok(())
}
