//! `lakefront debezium delete`: the connector goes, and what stays of it is said.
//!
//! Promises: nothing in PostgreSQL is touched. The connector has let go of its slot before it is
//! gone, so that the slot can be dropped at once.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use lakefront_operators::postgres::quoted;

use super::commands::missing;
use super::waiting::{After, Until, wait};
use super::{Capture, Rest, Status};
use crate::cli::DeleteArgs;
use crate::exit::Usage;
use crate::logging;
use crate::report::print;

/// How long it may take to stop.
const STOPPING: Duration = Duration::from_secs(60);

/// Stops the connector and deletes it.
pub(super) async fn delete(capture: &Capture, args: &DeleteArgs) -> anyhow::Result<()> {
    let (rest, name) = (Rest::new(&capture.connect, &capture.connect.secrets())?, capture.name());
    if !args.yes && !is_meant(name, &rest)? {
        return print("nothing was deleted\n".to_owned());
    }
    let path = format!("/connectors/{name}");
    let is_stopped = stops(&rest, name).await?;
    if args.offsets && !is_stopped {
        anyhow::bail!(
            "Kafka Connect at {} is too old to forget where connector {name:?} stood (before Kafka 3.5), so nothing was \
             deleted: leave out --offsets, and register the next one with another connect.name",
            rest.url()
        );
    }
    if args.offsets {
        rest.delete(&format!("delete the offsets of connector {name:?}"), &format!("{path}/offsets")).await?;
    }
    rest.delete(&format!("delete connector {name:?}"), &path).await.map_err(|error| missing(error, name, &rest))?;
    print(left(capture, args.offsets))
}

/// Stops it, so that its session with PostgreSQL ends; false if Connect is too old for that, which
/// is before Kafka 3.5.
async fn stops(rest: &Rest, name: &str) -> anyhow::Result<bool> {
    let known = Status::ask(rest, name).await?;
    match rest.put(&format!("stop connector {name:?}"), &format!("/connectors/{name}/stop"), None).await {
        Ok(_) => {}
        Err(error) if error.is_missing() && known.is_some() => return Ok(false),
        Err(error) => return Err(missing(error, name, rest)),
    }
    wait(rest, name, Until::Rests("STOPPED"), After::Change, STOPPING).await?;
    Ok(true)
}

/// What stays, and how it goes.
fn left(capture: &Capture, are_offsets_gone: bool) -> String {
    let (name, slot, publication) = (capture.name(), capture.slot(), capture.publication());
    let offsets = match are_offsets_gone {
        true => "A connector of that name begins with a snapshot.".to_owned(),
        false => format!(
            "Connect keeps where {name:?} stood: a connector of that name goes on there, as long as the slot is there. To \
             begin anew after the slot is dropped, register it, and delete it with --offsets first."
        ),
    };
    format!(
        "connector {name:?} is deleted. Slot {slot:?} and publication {publication:?} stay in PostgreSQL, and the slot keeps \
         its log: the disk fills up if nobody reads it.\n\
         {offsets}\n\
         To drop both, in database {:?} as their owner:\n\
         SELECT pg_drop_replication_slot('{slot}');\n\
         DROP PUBLICATION {};\n",
        capture.postgres.location.database,
        quoted(&publication)
    )
}

/// Asks on the terminal.
fn is_meant(name: &str, rest: &Rest) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        return Err(
            Usage(format!("deleting connector {name:?} is not asked for here: give --yes if it is meant")).into()
        );
    }
    logging::tell(&format!("Delete connector {name:?} at {}? Its slot stays in PostgreSQL. [y/N] ", rest.url()));
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
