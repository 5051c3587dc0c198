//! Waits until a connector is where it was told to go.

use std::time::Duration;

use super::status::Verdict;
use super::{Rest, Status};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(250);
/// After a change, a state is believed once it was seen so often in a row: for a moment, Connect
/// still reports what was before.
const STEADY: u32 = 8;

/// What is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// All its tasks run.
    Runs,
    /// It rests in this state.
    Rests(&'static str),
}

/// How much has been done before the waiting.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// Nothing: what is seen holds.
    Nothing,
    /// Something that Connect has still to take up.
    Change,
}

/// Waits for at most `timeout` until `connector` is there. Fails if it fails, if someone has told
/// it to rest meanwhile, or if it takes too long.
pub(super) async fn wait(
    rest: &Rest,
    connector: &str,
    until: Until,
    after: After,
    timeout: Duration,
) -> anyhow::Result<Status> {
    let wanted = if after == After::Nothing { 1 } else { STEADY };
    let (mut seen, mut last): (u32, Option<Status>) = (0, None);
    let looks = timeout.as_millis().div_ceil(LOOK.as_millis()).max(u128::from(wanted));
    for _ in 0..looks {
        let status = Status::ask(rest, connector).await?;
        let verdict = status.as_ref().map_or(Verdict::Changing, Status::verdict);
        seen = if status == last { seen + 1 } else { 1 };
        last = status;
        if let (Some(status), true) = (&last, seen >= wanted) {
            match (verdict, until) {
                (Verdict::Runs, Until::Runs) => return Ok(status.clone()),
                (Verdict::Rests(is), Until::Rests(state)) if is == state => return Ok(status.clone()),
                // Someone who told it to stop has stopped a failed one too.
                (Verdict::Failed(why), Until::Runs) => anyhow::bail!("connector {connector:?}: {why}"),
                (Verdict::Rests(state), Until::Runs) => {
                    anyhow::bail!("connector {connector:?} is {state}: lakefront debezium resume lets it run")
                }
                _ => {}
            }
        }
        tokio::time::sleep(LOOK).await;
    }
    let wanted = match until {
        Until::Runs => "run",
        Until::Rests("STOPPED") => "stop",
        Until::Rests(_) => "pause",
    };
    let is = last.map_or("Connect knows no state of it".to_owned(), |status| status.brief());
    anyhow::bail!(
        "connector {connector:?} did not {wanted} within {} s: {is}; Connect's log says more, and --timeout gives it \
         longer",
        timeout.as_secs()
    )
}
