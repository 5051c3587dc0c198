//! What Connect says of a connector and its tasks.

use std::fmt::Write;

use lakefront_operators::shown::one_line;
use serde_json::{Value, json};

use super::{Rest, RestError};

/// The connector, or one of its tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Connect's word: `RUNNING`, `FAILED`, `PAUSED`, `STOPPED`, `UNASSIGNED`, `RESTARTING`.
    pub(crate) state: String,
    /// The worker that runs it.
    pub(crate) worker: String,
    /// Why it has failed: a stack trace of Java.
    trace: Option<String>,
}

/// A connector's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    /// The connector itself, which only makes tasks.
    pub(crate) connector: Part,
    /// Its tasks, which do the work, by number.
    pub(crate) tasks: Vec<(u64, Part)>,
}

/// What a state comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It does its work.
    Runs,
    /// Someone has told it to rest: `PAUSED` or `STOPPED`.
    Rests(&'static str),
    /// It has failed, for this reason.
    Failed(String),
    /// It is on its way to another state.
    Changing,
}

impl Status {
    /// Asks `rest` for the state of `connector`; `None` if there is no such connector.
    pub(crate) async fn ask(rest: &Rest, connector: &str) -> Result<Option<Status>, RestError> {
        let attempt = format!("read the state of connector {connector:?}");
        match rest.get(&attempt, &format!("/connectors/{connector}/status")).await {
            Ok(answer) => Ok(Some(Status::read(&answer, rest))),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads Connect's answer. What is not in it counts as unassigned.
    fn read(answer: &Value, rest: &Rest) -> Status {
        let part = |part: &Value| {
            let text = |key: &str| part.get(key).and_then(Value::as_str);
            let trace =
                text("trace").filter(|trace| !trace.trim().is_empty()).map(|trace| rest.without_hidden(&cause(trace)));
            Part {
                state: one_line(text("state").unwrap_or("UNASSIGNED")).into_owned(),
                worker: one_line(text("worker_id").unwrap_or_default()).into_owned(),
                trace,
            }
        };
        let tasks = answer.get("tasks").and_then(Value::as_array).into_iter().flatten();
        let mut tasks: Vec<(u64, Part)> =
            tasks.map(|task| (task.get("id").and_then(Value::as_u64).unwrap_or_default(), part(task))).collect();
        tasks.sort_by_key(|(number, _)| *number);
        Status { connector: part(answer.get("connector").unwrap_or(&Value::Null)), tasks }
    }

    /// What it comes to.
    pub(crate) fn verdict(&self) -> Verdict {
        let named = |(number, part)| (format!("task {number}"), part);
        let parts = [("the connector".to_owned(), &self.connector)];
        let parts: Vec<(String, &Part)> =
            parts.into_iter().chain(self.tasks.iter().map(|(number, part)| named((number, part)))).collect();
        if let Some((name, part)) = parts.iter().find(|(_, part)| part.state == "FAILED") {
            let why = part.trace.as_deref().unwrap_or("Connect does not say why; its log does");
            return Verdict::Failed(format!("{name} has failed: {why}"));
        }
        let all_are = |state: &str| parts.iter().all(|(_, part)| part.state == state);
        match () {
            () if all_are("RUNNING") && !self.tasks.is_empty() => Verdict::Runs,
            () if all_are("PAUSED") => Verdict::Rests("PAUSED"),
            () if self.connector.state == "STOPPED" && self.tasks.is_empty() => Verdict::Rests("STOPPED"),
            () => Verdict::Changing,
        }
    }

    /// The states, on one line.
    pub(crate) fn brief(&self) -> String {
        let mut text = format!("connector {}", self.connector.state);
        for (number, part) in &self.tasks {
            // Writing to a `String` cannot fail, here and below.
            let _ = write!(text, ", task {number} {}", part.state);
        }
        if self.tasks.is_empty() {
            text.push_str(", no task");
        }
        text
    }

    /// For people: a line for each part, and one for why it has failed.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let named = self.tasks.iter().map(|(number, part)| (format!("task {number}"), part));
        for (name, part) in [("connector".to_owned(), &self.connector)].into_iter().chain(named) {
            let at = if part.worker.is_empty() { String::new() } else { format!(" on {}", part.worker) };
            let _ = writeln!(text, "  {name:<10} {}{at}", part.state);
            if let Some(trace) = &part.trace {
                let _ = writeln!(text, "    {trace}");
            }
        }
        if self.tasks.is_empty() {
            text.push_str("  no task\n");
        }
        text
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let part = |part: &Part| json!({"state": part.state, "worker": part.worker, "trace": part.trace});
        let task = |(number, task): &(u64, Part)| {
            let mut task = part(task);
            task["id"] = json!(number);
            task
        };
        json!({"connector": part(&self.connector), "tasks": self.tasks.iter().map(task).collect::<Vec<_>>()})
    }
}

/// The first line of a stack trace, and what was at the bottom of it, which says more where the
/// first is only a wrapping.
fn cause(trace: &str) -> String {
    let first = trace.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let last = trace.lines().filter_map(|line| line.trim().strip_prefix("Caused by: ")).next_back();
    match last {
        Some(last) if !first.contains(last) => format!("{first}; caused by {last}"),
        _ => first.to_owned(),
    }
}

#[cfg(test)]
mod tests;
