//! What a replay did, for people or as one JSON object.

use std::time::Duration;

use lakefront_operators::shown::one_line;
use serde_json::{Value, json};

use super::drive::{Outcome, Seen};
use super::target::Destination;
use super::watch::Watched;
use super::write::Written;
use crate::cli::Rate;
use crate::report::short;

/// The object that `replay --json` prints at the end. Times are in seconds.
pub(super) fn json(outcome: &Outcome, target: &Destination, rate: Rate, watched: Option<&Watched>) -> Value {
    let Written { bytes, lines, appends, took, pace } = outcome.written;
    let asked = match rate {
        Rate::Max => Value::Null,
        Rate::BytesPerSecond(rate) => rate.into(),
    };
    json!({
        "target": target.to_string(),
        "bytes": bytes,
        "lines": lines,
        "appends": appends,
        "seconds": took.as_secs_f64(),
        "bytes_per_second": a_second(bytes, took.max(pace.due(bytes))),
        "pace": {
            "bytes_per_second": asked,
            "held": pace.was_held(bytes, took),
            "latest_seconds": pace.latest().map(|latest| latest.as_secs_f64()),
        },
        "watch": outcome.seen.as_ref().zip(watched).map(|(seen, watched)| watch(seen, outcome.written, watched)),
    })
}

fn watch(seen: &Seen, written: Written, watched: &Watched) -> Value {
    let [most, at_last_append, at_end] = seen.behind;
    let run = watched.used().map(|(cpu, peak)| json!({"cpu_seconds": cpu.as_secs_f64(), "peak_bytes": peak}));
    let tables = watched.tables.iter().zip(&seen.offsets).map(|(table, offset)| (table.clone(), json!(offset)));
    json!({
        "pipeline": watched.pipeline,
        "visible": at_end == 0,
        "appends": seen.latencies.count(),
        "rows": seen.rows,
        "seconds": seen.took.as_secs_f64(),
        "bytes_per_second": a_second(written.bytes - at_end, time_of(seen, written)),
        "rows_per_second": a_second(seen.rows, time_of(seen, written)),
        "latency_seconds": seen.latencies.json(),
        "behind_bytes": {"most": most, "at_last_append": at_last_append, "at_end": at_end},
        "after_last_append_seconds": seen.took.saturating_sub(written.took).as_secs_f64(),
        "offsets": Value::Object(tables.collect()),
        "run": run,
    })
}

/// The same as text for people.
pub(super) fn text(outcome: &Outcome, target: &Destination, watched: Option<&Watched>) -> String {
    let Written { bytes, lines, appends, took, pace } = outcome.written;
    let held = match (pace.was_held(bytes, took), pace.latest()) {
        (Some(true), Some(latest)) => format!("; the pace was held, an append was {} late at most", short(&latest)),
        (Some(false), Some(latest)) => {
            format!("; THE PACE WAS NOT HELD: this writer was {} late at most", short(&latest))
        }
        _ => String::new(),
    };
    let mut text = format!(
        "wrote {bytes} bytes, {lines} lines, in {appends} append{} to {} in {:.2} s: {:.1} MB/s{held}\n",
        if appends == 1 { "" } else { "s" },
        one_line(&target.to_string()),
        took.as_secs_f64(),
        a_second(bytes, took.max(pace.due(bytes))) / 1e6
    );
    if let Some((seen, watched)) = outcome.seen.as_ref().zip(watched) {
        text.push_str(&watch_text(seen, outcome.written, watched));
    }
    text
}

fn watch_text(seen: &Seen, written: Written, watched: &Watched) -> String {
    let [most, at_last_append, at_end] = seen.behind;
    let mut text = format!(
        "visible in the tables of {}: {} appends, {} rows, {:.1} MB/s, {:.0} rows/s\n",
        watched.pipeline,
        seen.latencies.count(),
        seen.rows,
        a_second(written.bytes - at_end, time_of(seen, written)) / 1e6,
        a_second(seen.rows, time_of(seen, written))
    );
    if seen.latencies.count() > 0 {
        let told = seen.latencies.told();
        let told: Vec<String> = told.iter().map(|(name, at)| format!("{name} {}", short(at))).collect();
        text.push_str(&format!("  append to visible  {}\n", told.join("  ")));
    }
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let after = seen.took.saturating_sub(written.took);
    let end = match at_end {
        0 => format!("all of it visible {} later", short(&after)),
        bytes => format!("{bytes} bytes were not visible at the end"),
    };
    let (most, last) = (mib(most), mib(at_last_append));
    text.push_str(&format!("  behind by {most:.1} MiB at most, by {last:.1} MiB at the last append; {end}\n"));
    text.push_str(&match watched.used() {
        Some((cpu, peak)) => {
            format!("  the run used {:.2} CPU seconds, and {:.0} MiB of memory at most\n", cpu.as_secs_f64(), mib(peak))
        }
        None => "  what the run uses is not known: it was not found on this machine\n".to_owned(),
    });
    text
}

/// How long it took until what was seen was visible. With a pace, the last append's own time counts
/// too, though nobody waits for its end.
fn time_of(seen: &Seen, written: Written) -> Duration {
    seen.took.max(written.pace.due(written.bytes - seen.behind[2]))
}

fn a_second(count: u64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { count as f64 / time.as_secs_f64() }
}
