//! The way of changes from PostgreSQL to Kafka: whether they are captured, and will be.
//!
//! Promises: nothing is written, there or in Connect. A problem is what keeps changes from being
//! captured, or loses them; what may come to that is a warning.

mod connector;
mod server;
mod slot;
mod tables;

use lakefront_operators::error::chain;
use lakefront_operators::postgres::{self, capture};

use self::connector::Registered;
use super::{Findings, PATIENCE};
use crate::config::{Connect, Postgres};
use crate::debezium::{Capture, Nulls};

/// Checks PostgreSQL and the connector of `pipeline`, which reads `topics`. If one is unreachable,
/// the other is still checked.
pub(crate) async fn examine(
    findings: &mut Findings,
    postgres: Option<&Postgres>,
    connect: Option<&Connect>,
    pipeline: &str,
    topics: &[String],
) {
    let Some(postgres) = postgres else {
        if connect.is_some() {
            let advice = "give [postgres] its url: the connector's configuration is made of it";
            findings.warn("connect", "there is no [postgres], so the connector was not looked at", advice);
        }
        return;
    };
    let captured = connect.map(|connect| Capture {
        pipeline: pipeline.to_owned(),
        postgres: postgres.clone(),
        connect: connect.clone(),
        topics: topics.to_vec(),
    });
    let (registered, nulls) = match &captured {
        Some(captured) => connector::look(findings, captured).await,
        None => (Registered::Unknown, Nulls::Unknown),
    };
    let Some(found) = of_database(findings, postgres, pipeline).await else { return };
    let wanted = captured.as_ref().and_then(|captured| captured.tables().ok());
    let sight = Sight { postgres, connect, pipeline, registered, nulls, found: &found, wanted };
    server::look(findings, &sight);
    slot::look(findings, &sight);
    tables::look(findings, &sight);
}

/// All that is known when findings are judged.
struct Sight<'a> {
    postgres: &'a Postgres,
    connect: Option<&'a Connect>,
    pipeline: &'a str,
    registered: Registered,
    nulls: Nulls,
    found: &'a capture::Capture,
    /// The patterns of the tables that are captured, if the file tells.
    wanted: Option<Vec<String>>,
}

impl Sight<'_> {
    fn slot(&self) -> String {
        self.postgres.slot(self.pipeline)
    }

    fn publication(&self) -> String {
        self.postgres.publication(self.pipeline)
    }
}

/// What PostgreSQL has; `None` if it does not tell, which is a finding then.
async fn of_database(findings: &mut Findings, postgres: &Postgres, pipeline: &str) -> Option<capture::Capture> {
    let location = &postgres.location;
    let (slot, publication) = (postgres.slot(pipeline), postgres.publication(pipeline));
    let looked = async {
        let client = postgres::connect(location, "lakefront doctor").await?;
        capture::look(&client, &slot, &publication).await
    };
    match tokio::time::timeout(PATIENCE, looked).await {
        Ok(Ok(found)) => Some(found),
        Ok(Err(error)) => {
            findings.problem("postgres", chain(&error), "check [postgres]: url, and its password");
            None
        }
        Err(_) => {
            let found = format!("{} did not answer within {} s", location.shown(), PATIENCE.as_secs());
            findings.problem("postgres", found, "check that it can be reached from here");
            None
        }
    }
}

/// Names, but not too many.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 10;
    match names.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        Some(more) => format!("{} and {more} more", names[..SHOWN].join(", ")),
        None => names.join(", "),
    }
}

/// Bytes as people read them.
fn bytes(bytes: i64) -> String {
    match u64::try_from(bytes).unwrap_or(0) {
        bytes if bytes >= 1 << 30 => format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
        bytes if bytes >= 1 << 20 => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
        bytes => format!("{bytes} B"),
    }
}
