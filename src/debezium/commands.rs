//! The commands that show, check and switch a connector.

use std::fmt::Write;

use lakefront_operators::error::chain;
use lakefront_operators::postgres::Lsn;
use serde_json::{Value, json};

use super::connector::{placeholder, placeholder_file};
use super::waiting::{After, Until, wait};
use super::{Capture, Connector, Entry, PLUGIN, Rest, Status};
use crate::cli::{ConnectorArgs, DebeziumConfigArgs, DebeziumStatusArgs, RestartArgs, SwitchArgs};
use crate::config::SecretRef;
use crate::exit::Usage;
use crate::logging;
use crate::report::{print, print_json, print_pretty};

/// Prints the connector's configuration. Nothing is asked.
pub(super) fn config(capture: &Capture, args: &DebeziumConfigArgs) -> anyhow::Result<()> {
    let reference = reference(capture, args.secret_ref.as_deref())?;
    let has_password = capture.postgres.location.password != lakefront_operators::postgres::Password::None;
    let name = capture.name();
    let (entry, is_guess) = match reference {
        Some(reference) => (Entry::Reference(reference), false),
        None if has_password => {
            let reference = SecretRef::parse(&placeholder(name, "database.password")).map_err(Usage)?;
            (Entry::Reference(reference), true)
        }
        None => (Entry::Open, false),
    };
    let (shown, mut replaced) = Connector::new(capture, &entry)?.shown();
    if is_guess {
        replaced.insert(0, "database.password".to_owned());
    }
    print_pretty(&shown)?;
    if !replaced.is_empty() {
        logging::say(&format!(
            "note: {} {} by a reference, because no secret is printed. For it, each worker of Connect needs the file {} \
             with a line NAME=VALUE for each of them, and in its own properties: config.providers=file and \
             config.providers.file.class=org.apache.kafka.common.config.provider.FileConfigProvider. --secret-ref \
             PROVIDER:PATH:KEY writes another reference for the password",
            replaced.join(", "),
            if replaced.len() == 1 { "is replaced" } else { "are replaced" },
            placeholder_file(name)
        ));
    }
    Ok(())
}

/// Has Connect check the configuration, which tries PostgreSQL too.
pub(super) async fn validate(capture: &Capture, args: &ConnectorArgs) -> anyhow::Result<()> {
    let (connector, _) = connector(capture, args.secret_ref.as_deref()).await?;
    let rest = rest(capture, &connector)?;
    check(&rest, &connector).await?;
    print(format!("connector {:?}: Connect at {} finds its configuration good\n", connector.name, rest.url()))
}

/// Shows the state.
pub(super) async fn status(capture: &Capture, args: &DebeziumStatusArgs) -> anyhow::Result<()> {
    let (rest, name) = (Rest::new(&capture.connect, &capture.connect.secrets())?, capture.name());
    let status = Status::ask(&rest, name).await?.ok_or_else(|| unregistered(name, &rest))?;
    // Workers before Kafka 3.5 do not tell it.
    let position = position(&rest, name).await;
    if args.json {
        let mut json = status.json();
        json["name"] = json!(name);
        json["url"] = json!(rest.url());
        json["position"] = position.unwrap_or(Value::Null);
        return print_json(&json);
    }
    let mut text = format!("connector {name:?} at {}\n{}", rest.url(), status.text());
    if let Some(position) = position {
        let lsn = position.get("lsn").and_then(Value::as_u64).map_or("none yet".to_owned(), |lsn| Lsn(lsn).to_string());
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "  {:<10} {lsn}", "position");
    }
    print(text)
}

/// Lets it rest. Its slot stays, and keeps what is not read.
pub(super) async fn pause(capture: &Capture, args: &SwitchArgs) -> anyhow::Result<()> {
    switch(capture, args, "pause", Until::Rests("PAUSED")).await?;
    print(format!(
        "connector {:?} is paused; PostgreSQL keeps its log for slot {:?} until it resumes\n",
        capture.name(),
        capture.slot()
    ))
}

/// Lets it run again.
pub(super) async fn resume(capture: &Capture, args: &SwitchArgs) -> anyhow::Result<()> {
    let status = switch(capture, args, "resume", Until::Runs).await?;
    print(format!("connector {:?} runs\n{}", capture.name(), status.text()))
}

/// Ends it, and its tasks, and starts them again.
pub(super) async fn restart(capture: &Capture, args: &RestartArgs) -> anyhow::Result<()> {
    let (rest, name) = (Rest::new(&capture.connect, &capture.connect.secrets())?, capture.name());
    let attempt = format!("restart connector {name:?}");
    let path = format!("/connectors/{name}/restart?includeTasks=true&onlyFailed={}", args.only_failed);
    rest.post(&attempt, &path).await.map_err(|error| missing(error, name, &rest))?;
    let status = wait(&rest, name, Until::Runs, After::Change, args.timeout).await?;
    print(format!("connector {name:?} was restarted\n{}", status.text()))
}

async fn switch(capture: &Capture, args: &SwitchArgs, what: &str, until: Until) -> anyhow::Result<Status> {
    let (rest, name) = (Rest::new(&capture.connect, &capture.connect.secrets())?, capture.name());
    let attempt = format!("{what} connector {name:?}");
    let path = format!("/connectors/{name}/{what}");
    rest.put(&attempt, &path, None).await.map_err(|error| missing(error, name, &rest))?;
    wait(&rest, name, until, After::Change, args.timeout).await
}

/// The connector of the file, and how its worker gets into PostgreSQL. What is `given` on the
/// command line comes before the file's reference.
pub(super) async fn connector(capture: &Capture, given: Option<&str>) -> anyhow::Result<(Connector, Entry)> {
    let entry = match reference(capture, given)? {
        Some(reference) => Entry::Reference(reference),
        None => match capture.postgres.location.password.ask().await {
            Ok(Some(password)) => Entry::Password(password),
            Ok(None) => Entry::Open,
            Err(error) => anyhow::bail!("{}", chain(&error)),
        },
    };
    Ok((Connector::new(capture, &entry)?, entry))
}

/// Where the worker finds the password, if somebody has said it.
fn reference(capture: &Capture, given: Option<&str>) -> Result<Option<SecretRef>, Usage> {
    match given {
        Some(given) => {
            SecretRef::parse(given).map(Some).map_err(|constraint| Usage(format!("--secret-ref: {constraint}")))
        }
        None => Ok(capture.connect.secret_ref.clone()),
    }
}

/// The worker that is asked about `connector`.
pub(super) fn rest(capture: &Capture, connector: &Connector) -> anyhow::Result<Rest> {
    Ok(Rest::new(&capture.connect, connector.hidden())?)
}

/// Fails with all that Connect finds wrong with a configuration.
pub(super) async fn check(rest: &Rest, connector: &Connector) -> anyhow::Result<()> {
    let name = &connector.name;
    let attempt = format!("have the configuration of connector {name:?} checked");
    let path = format!("/connector-plugins/{PLUGIN}/config/validate");
    let answer = match rest.put(&attempt, &path, Some(&connector.body())).await {
        Ok(answer) => answer,
        Err(error) if error.is_missing() || error.to_string().contains("Failed to find any class") => {
            anyhow::bail!(
                "{error}; Debezium's connector for PostgreSQL belongs into a folder of the worker's plugin.path"
            )
        }
        Err(error) => return Err(error.into()),
    };
    let errors = errors(&answer);
    if errors.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> =
        errors.iter().map(|(setting, said)| rest.without_hidden(&format!("{setting}: {said}"))).collect();
    let advice = match connector.config.get("database.password") {
        Some(reference) if reference.starts_with("${") => {
            "; the worker reads the password itself: it needs config.providers in its properties, and what they name"
        }
        _ => "",
    };
    Err(Usage(format!("Connect refuses the configuration of connector {name:?}: {}{advice}", lines.join("; "))).into())
}

/// The settings that are wrong, with what Connect says of each.
fn errors(answer: &Value) -> Vec<(String, String)> {
    let configs = answer.get("configs").and_then(Value::as_array).into_iter().flatten();
    let value = |config: &Value| {
        let value = config.get("value")?;
        let name = value.get("name")?.as_str()?.to_owned();
        let errors = value.get("errors")?.as_array()?.iter().filter_map(Value::as_str).collect::<Vec<_>>();
        (!errors.is_empty()).then(|| (name, errors.join("; ")))
    };
    configs.filter_map(value).collect()
}

/// Where the connector stands in PostgreSQL's log, as Connect has noted; `None` if it does not say.
async fn position(rest: &Rest, name: &str) -> Option<Value> {
    let offsets = rest.get("read its position", &format!("/connectors/{name}/offsets")).await.ok()?;
    Some(
        offsets
            .get("offsets")?
            .as_array()?
            .first()
            .map_or(json!({}), |offset| offset.get("offset").cloned().unwrap_or(json!({}))),
    )
}

/// What it means that `name` is not there.
pub(super) fn missing(error: super::RestError, name: &str, rest: &Rest) -> anyhow::Error {
    if error.is_missing() { unregistered(name, rest) } else { error.into() }
}

fn unregistered(name: &str, rest: &Rest) -> anyhow::Error {
    anyhow::anyhow!("Connect at {} has no connector {name:?}: lakefront debezium register makes it", rest.url())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_by_setting() {
        let answer = json!({"error_count": 2, "configs": [
            {"definition": {}, "value": {"name": "topic.prefix", "errors": ["is required", "is empty"]}},
            {"value": {"name": "tasks.max", "errors": []}},
        ]});
        assert_eq!(errors(&answer), [("topic.prefix".to_owned(), "is required; is empty".to_owned())]);
        assert_eq!(errors(&json!({})), []);
    }
}
