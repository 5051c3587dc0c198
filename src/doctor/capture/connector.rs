//! Connect and the connector in it: whether it is there, as the file says, and runs.

use crate::debezium::{Capture, Connected, Nulls, Verdict, connected};
use crate::doctor::Findings;

/// Whether the connector is registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Registered {
    /// It is, and runs.
    Runs,
    /// It is, and does not run.
    Rests,
    /// It is not.
    No,
    /// Nobody could be asked.
    Unknown,
}

/// Checks the connector. Returns whether it is registered, and what becomes of null where a column
/// has a default.
pub(super) async fn look(findings: &mut Findings, capture: &Capture) -> (Registered, Nulls) {
    let name = capture.name();
    let Connected { url, version, plugin, status, differences, nulls, unreadable } = match connected(capture).await {
        Ok(connected) => connected,
        Err(error) => {
            let advice = "fix what it names; lakefront debezium status tells when it answers";
            findings.problem("connect", format!("{error:#}"), advice);
            return (Registered::Unknown, Nulls::Unknown);
        }
    };
    match &plugin {
        Some(plugin) => findings.ok("connect", format!("Kafka Connect {version} at {url} has Debezium {plugin}")),
        None => findings.problem(
            "connect",
            format!("Kafka Connect {version} at {url} lacks Debezium's connector for PostgreSQL"),
            "put it into a folder of the worker's plugin.path, and start the worker again",
        ),
    }
    let Some(status) = status else {
        let advice = "lakefront debezium register FILE registers it";
        findings.problem("connect", format!("connector {name:?} is not registered"), advice);
        return (Registered::No, nulls);
    };
    let verdict = status.verdict();
    let registered = if verdict == Verdict::Runs { Registered::Runs } else { Registered::Rests };
    match verdict {
        Verdict::Runs => findings.ok("connect", format!("connector {name:?}: {}", status.brief())),
        Verdict::Failed(why) => findings.problem(
            "connect",
            format!("connector {name:?}: {why}"),
            "do what it says, then lakefront debezium restart FILE",
        ),
        Verdict::Rests(state) => findings.problem(
            "connect",
            format!("connector {name:?} is {state}: no change is captured, and PostgreSQL keeps its log"),
            "lakefront debezium resume FILE lets it run",
        ),
        Verdict::Changing => findings.warn(
            "connect",
            format!("connector {name:?}: {}", status.brief()),
            "look again in a minute; if it stays so, Connect's log says why",
        ),
    }
    for wrong in unreadable {
        let advice = "lakefront debezium register FILE sets it as records are read";
        findings.problem("connect", format!("connector {name:?}: {wrong}"), advice);
    }
    if !differences.is_empty() {
        findings.warn(
            "connect",
            format!("connector {name:?} is registered otherwise than the file says, in {}", differences.join(", ")),
            "lakefront debezium register FILE makes it so",
        );
    }
    (registered, nulls)
}
