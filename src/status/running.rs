//! What a live run adds to what the tables hold.

use std::net::SocketAddr;

use lakefront_operators::run::metrics::Unit;
use lakefront_operators::shown::one_line;
use serde_json::{Value, json};

use crate::config::Common;
use crate::{http, lock};

/// Maximum characters of a text: more than any reason has.
const LONGEST: usize = 500;

/// The status of a run that another has taken over from. No run reports it about itself.
const FENCED: &str = "fenced";

/// Whether a run is alive, as far as this process can find out.
#[derive(Debug)]
pub(super) struct Running {
    /// Where it should answer; `None` without `[http]`.
    listen: Option<SocketAddr>,
    /// The process that holds the lock next to the state file.
    holder: Option<u32>,
    /// Its answer; `None` if there is none.
    answer: Option<Answer>,
}

/// A run as it describes itself.
#[derive(Debug, PartialEq)]
struct Answer {
    run: Option<u64>,
    ready: bool,
    status: String,
    step: Option<String>,
    reason: Option<String>,
    uptime_seconds: f64,
    /// Whether its positions count bytes.
    is_bytes: bool,
    bytes_per_second: f64,
    rows_per_second: f64,
    /// The position up to which a table is drained, by role.
    drained: Vec<(String, u64)>,
}

/// Asks the run of this pipeline at the address in its file, and finds the process that holds its
/// lock.
pub(super) async fn ask(common: &Common, source: &str) -> Running {
    let listen = common.http.map(|http| http.listen);
    let answer = match listen {
        Some(listen) => http::ask(listen, &common.pipeline, source).await,
        None => None,
    };
    let holder = lock::holder(&common.state_file);
    Running { listen, holder, answer: answer.as_ref().and_then(Answer::read) }
}

impl Running {
    /// The same, except that the answer of a run older than `claimed`, the newest in the tables, is
    /// marked as fenced.
    pub(super) fn beside(self, claimed: u64) -> Running {
        Running { answer: self.answer.map(|answer| answer.beside(claimed)), ..self }
    }

    /// The position up to which the table of `role` is drained, if the run reports one.
    pub(super) fn drained(&self, role: &str) -> Option<u64> {
        self.answer.as_ref()?.drained(role)
    }

    /// For `status --json`; null if there is no answer.
    pub(super) fn json(&self) -> Value {
        self.answer.as_ref().map_or(Value::Null, Answer::json)
    }

    /// A line for people; empty if nothing is known of a run.
    pub(super) fn text(&self) -> String {
        match (&self.answer, self.listen, self.holder) {
            (Some(answer), ..) => answer.text(),
            (None, Some(listen), Some(process)) => {
                format!("  running: process {process} holds the lock, and DOES NOT ANSWER at {listen}\n")
            }
            (None, Some(listen), None) => format!("  no run answers at {listen}\n"),
            (None, None, Some(process)) => format!("  running: process {process}; with [http] it would say more\n"),
            (None, None, None) => String::new(),
        }
    }
}

impl Answer {
    /// Takes what is needed from an answer, which any program may have sent; `None` if its form is
    /// wrong.
    fn read(answer: &Value) -> Option<Answer> {
        let (health, rates) = (&answer["health"], &answer["rates"]);
        Some(Answer {
            run: answer["run"].as_u64(),
            ready: health["ready"].as_bool()?,
            status: start(&health["status"])?,
            step: start(&health["step"]),
            reason: start(&health["reason"]),
            uptime_seconds: sane(&answer["uptime_seconds"])?,
            is_bytes: answer["unit"].as_str().is_none_or(|unit| unit == Unit::BYTES.as_str()),
            bytes_per_second: sane(&rates["bytes_per_second"])?,
            rows_per_second: sane(&rates["rows_per_second"])?,
            drained: answer["tables"].as_array().into_iter().flatten().filter_map(drained).collect(),
        })
    }

    /// The answer, marked as fenced if the run is older than `claimed`, the newest in the tables:
    /// it does not know yet that it was taken over, so its own judgement does not count.
    fn beside(self, claimed: u64) -> Answer {
        if self.run.is_none_or(|run| run >= claimed) {
            return self;
        }
        let reason = format!("run {claimed} has taken over, and this process ends once it has noticed");
        let (step, reason, drained) = (None, Some(reason), Vec::new());
        let (bytes_per_second, rows_per_second) = (0.0, 0.0);
        Answer { ready: false, status: FENCED.into(), step, reason, bytes_per_second, rows_per_second, drained, ..self }
    }

    /// The position up to which the table of `role` is drained, if it is reported.
    fn drained(&self, role: &str) -> Option<u64> {
        self.drained.iter().find(|(is, _)| is == role).map(|(_, drained)| *drained)
    }

    /// For `status --json`.
    fn json(&self) -> Value {
        json!({
            "run": self.run,
            "ready": self.ready,
            "status": self.status,
            "step": self.step,
            "reason": self.reason,
            "uptime_seconds": self.uptime_seconds,
            "bytes_per_second": self.bytes_per_second,
            "rows_per_second": self.rows_per_second,
        })
    }

    /// A line for people.
    fn text(&self) -> String {
        let run = self.run.map_or("a run".to_owned(), |run| format!("run {run}"));
        let mut rates = format!("{:.0} rows/s", self.rows_per_second);
        if self.is_bytes {
            rates = format!("{:.1} MB/s, {rates}", self.bytes_per_second / 1e6);
        }
        let health = match (&self.reason, self.ready) {
            (Some(reason), true) => format!("ready, but {reason}"),
            (None, true) => "ready".to_owned(),
            (Some(reason), false) => format!("{}: {reason}", self.status),
            (None, false) => self.status.clone(),
        };
        match self.status.as_str() {
            FENCED => format!("  running: {run}, {health}\n"),
            _ => format!("  running: {run}, {rates}, {health}\n"),
        }
    }
}

/// The start of a text, as one line.
fn start(value: &Value) -> Option<String> {
    let start: String = value.as_str()?.chars().take(LONGEST).collect();
    Some(one_line(&start).into_owned())
}

fn drained(table: &Value) -> Option<(String, u64)> {
    Some((table["role"].as_str()?.to_owned(), table["position"].as_u64()?))
}

/// A number in the range that a run can reach.
fn sane(value: &Value) -> Option<f64> {
    value.as_f64().filter(|number| (0.0..=1e15).contains(number))
}

#[cfg(test)]
mod tests;
