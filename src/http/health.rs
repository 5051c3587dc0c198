//! Judges the health of a run from what was seen of it. It is pure, so that every rule has a test.
//!
//! A run is not ready while it starts or ends, while a disk is low, while commits or flushes fail,
//! while input waits and the frontier stands still, and while something in the source cannot be
//! read. The metrics say which step holds the frontier. An open cut is not waited for, because it
//! closes by its own bounds; if it does not, the worker that would close it hangs. Nor is a table
//! without rows: nothing waits for it, and it is settled later.

use std::time::Duration;

use lakefront_operators::run::metrics::StoppedTable;
use lakefront_operators::run::space::Free;
use lakefront_operators::shown;

/// A single failure of a commit may be a hiccup; failing for this long is not.
const FAILING_MS: u64 = 5_000;
/// Maximum characters of a cause: those of stores may be pages long.
const CAUSE: usize = 400;

/// What a run reports about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// Ready.
    Ok,
    /// The tables are not claimed yet.
    Starting,
    /// It was asked to stop, or met a fatal error.
    Stopping,
    /// Input waits and the frontier stands still.
    Stalled,
    /// A table's commits fail, or flushes.
    Failing,
    /// A file system has less free space than it must.
    LowDisk,
    /// Something in the source cannot be read, so lines may be missed.
    NotRead,
    /// Ready, but a table stands still until somebody decides.
    Degraded,
}

impl Status {
    /// The word for it in the answers.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Starting => "starting",
            Status::Stopping => "stopping",
            Status::Stalled => "stalled",
            Status::Failing => "failing",
            Status::LowDisk => "low_disk",
            Status::NotRead => "not_read",
            Status::Degraded => "degraded",
        }
    }
}

/// A judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Health {
    /// The judgement in a word.
    pub(super) status: Status,
    /// The step that holds the frontier for too long, or that fails.
    pub(super) step: Option<String>,
    /// For people, unless all is well.
    pub(super) reason: Option<String>,
    /// The last error, if a failure is the reason.
    pub(super) error: Option<String>,
    /// For how long, in milliseconds, if that is known.
    pub(super) for_ms: Option<u64>,
}

impl Health {
    /// Nothing is wrong.
    const OK: Health = Health { status: Status::Ok, step: None, reason: None, error: None, for_ms: None };

    /// Something is wrong, for a `reason`.
    pub(super) fn not_ready(status: Status, reason: impl Into<String>) -> Health {
        Health { status, reason: Some(reason.into()), ..Health::OK }
    }

    /// Whether the run does what it should.
    pub(super) fn is_ready(&self) -> bool {
        matches!(self.status, Status::Ok | Status::Degraded)
    }

    fn at(self, step: impl Into<String>) -> Health {
        Health { step: Some(step.into()), ..self }
    }

    fn for_ms(self, ms: u64) -> Health {
        Health { for_ms: Some(ms), ..self }
    }

    /// Adds the cause. What stores and services say may contain anything, so it becomes one line
    /// that is harmless to a terminal.
    fn because(self, cause: Option<&str>) -> Health {
        let Some(cause) = cause else { return self };
        let visible = |c: char| if c.is_whitespace() { ' ' } else { c };
        let line: String = shown::without_secrets(cause).chars().map(visible).collect();
        let error: String = shown::one_line(&line).chars().take(CAUSE).collect();
        let reason = self.reason.map(|reason| format!("{reason}: {error}"));
        Health { reason, error: Some(error), ..self }
    }
}

/// What was seen of a run that has its tables.
#[derive(Debug, Default)]
pub(super) struct Signs {
    /// Milliseconds since the last chunk of the open cut was handed out; `None` if no cut is open.
    pub(super) open_ms: Option<u64>,
    /// Milliseconds since the acknowledged position moved; `None` if it is where the tables were
    /// told to move.
    pub(super) behind_ms: Option<u64>,
    /// The step that keeps the acknowledged position from moving; `None` if nothing waits.
    pub(super) held: Option<HoldingStep>,
    /// What the source has and has not landed, in the unit of positions.
    pub(super) lag: u64,
    /// The unit of positions.
    pub(super) unit: &'static str,
    /// Tables in which something fails and is retried.
    pub(super) failing: Vec<Failing>,
    /// What keeps the source from being read, and is retried.
    pub(super) failing_source: Option<FailingSource>,
    /// What is in the source but is not read, though it might matter.
    pub(super) not_read: Option<NotRead>,
    /// A file system that has less free space than it must.
    pub(super) low_disk: Option<Free>,
    /// Tables that stand still, and for how long each has, in milliseconds.
    pub(super) stopped: Vec<(StoppedTable, u64)>,
}

/// Files of the source that are not read.
#[derive(Debug)]
pub(super) struct NotRead {
    /// Milliseconds since the first was met.
    pub(super) for_ms: u64,
    /// The name of the first.
    pub(super) name: String,
    /// Why the first is not read.
    pub(super) why: String,
    /// How many more there are.
    pub(super) more: usize,
}

/// A step that holds the frontier.
#[derive(Debug)]
pub(super) struct HoldingStep {
    /// Its name.
    pub(super) step: String,
    /// For how long, in milliseconds.
    pub(super) for_ms: u64,
    /// The last failure of what it tries, if there was one in that time.
    pub(super) cause: Option<String>,
}

/// A table in which a commit fails, or a look at its log.
#[derive(Debug)]
pub(super) struct Failing {
    /// `commit to` or `look at`.
    pub(super) what: &'static str,
    /// The role of the table.
    pub(super) role: String,
    /// Its name.
    pub(super) name: String,
    /// Milliseconds since the first failure.
    pub(super) for_ms: u64,
    /// The last failure.
    pub(super) cause: String,
}

/// What fails before rows are read.
#[derive(Debug)]
pub(super) struct FailingSource {
    /// `a flush`.
    pub(super) what: &'static str,
    /// Milliseconds since the first failure.
    pub(super) for_ms: u64,
    /// The last failure.
    pub(super) cause: String,
}

/// Judges a run that has its tables. A cut closes after `cut`; a frontier may stand still for
/// `stall`.
pub(super) fn judge(seen: &Signs, stall: Duration, cut: Duration) -> Health {
    if let Some(Free { name, bytes, .. }) = seen.low_disk {
        let reason = format!("the file system of {name} has {bytes} bytes free, less than disk.min_free");
        return Health::not_ready(Status::LowDisk, reason);
    }
    let failing = seen.failing.iter().filter(|table| table.for_ms >= FAILING_MS);
    if let Some(Failing { what, role, name, for_ms, cause }) = failing.max_by_key(|table| table.for_ms) {
        let reason = format!("a {what} table {name:?} has failed for {} s, and is being retried", for_ms / 1000);
        let health = Health::not_ready(Status::Failing, reason).at(format!("commit[{role}]"));
        return health.for_ms(*for_ms).because(Some(cause));
    }
    let failing = seen.failing_source.as_ref().filter(|failing| failing.for_ms >= FAILING_MS);
    if let Some(FailingSource { what, for_ms, cause }) = failing {
        let reason = format!("{what} has failed for {} s, and is being retried", for_ms / 1000);
        return Health::not_ready(Status::Failing, reason).at("plan").for_ms(*for_ms).because(Some(cause));
    }
    let held = seen.held.as_ref().filter(|held| u128::from(held.for_ms) >= stall.as_millis());
    if let Some(HoldingStep { step, for_ms, cause }) = held {
        let (seconds, lag, unit) = (for_ms / 1000, seen.lag, seen.unit);
        let reason = format!("{step} holds the frontier, which has stood still for {seconds} s; {lag} {unit} wait");
        return Health::not_ready(Status::Stalled, reason).at(step).for_ms(*for_ms).because(cause.as_deref());
    }
    if let Some(ms) = seen.behind_ms.filter(|ms| u128::from(*ms) >= stall.as_millis()) {
        let reason =
            format!("the acknowledged position has stood still for {} s, though every step has passed it", ms / 1000);
        return Health::not_ready(Status::Stalled, reason).at("checkpoint").for_ms(ms);
    }
    if let Some(ms) = seen.open_ms.filter(|ms| u128::from(*ms) >= stall.saturating_add(cut).as_millis()) {
        let reason = format!(
            "plan has handed out nothing and closed no cut for {} s, though one is due: its worker hangs",
            ms / 1000
        );
        return Health::not_ready(Status::Stalled, reason).at("plan").for_ms(ms);
    }
    let not_read = seen.not_read.as_ref().filter(|not_read| u128::from(not_read.for_ms) >= stall.as_millis());
    if let Some(NotRead { for_ms, name, why, more }) = not_read {
        let more = if *more > 0 { format!(" and {more} more") } else { String::new() };
        let name = name.escape_debug();
        let reason = format!("\"{name}\"{more} in the source has not been read for {} s", for_ms / 1000);
        return Health::not_ready(Status::NotRead, reason).for_ms(*for_ms).because(Some(why));
    }
    if let Some((StoppedTable { role, reason, .. }, for_ms)) = seen.stopped.first() {
        let more = match seen.stopped.len() {
            1 => String::new(),
            all => format!(" and {} more", all - 1),
        };
        let text = format!("table {role:?}{more} stands still, while others go on");
        return Health::not_ready(Status::Degraded, text).for_ms(*for_ms).because(Some(reason));
    }
    Health::OK
}

#[cfg(test)]
mod tests;
