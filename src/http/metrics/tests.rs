//! What a run exports to Prometheus, read as `promtool` reads it.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use lakefront_operators::protocol::layout::Layout;
use lakefront_operators::protocol::names::TableId;
use lakefront_operators::run::clock::SystemClock;
use lakefront_operators::run::metrics::flushes::{LateRows, Work};
use lakefront_operators::run::metrics::retry::Count;
use lakefront_operators::run::metrics::{FlushMetrics, Outline};
use lakefront_topologies::pg_logs;

use super::promtext::{Family, parse};
use super::*;
use crate::cli::RunArgs;
use crate::run;

/// The names of everything that is exported.
const ALL: [&str; 29] = [
    "lakefront_position",
    "lakefront_build_info",
    "lakefront_bytes_read_total",
    "lakefront_chunks_read_total",
    "lakefront_commit_duration_seconds",
    "lakefront_commits_total",
    "lakefront_cuts_total",
    "lakefront_disk_free_bytes",
    "lakefront_fetch_duration_seconds",
    "lakefront_frontier_lag_seconds",
    "lakefront_frontier_position",
    "lakefront_memory_bytes",
    "lakefront_memory_limit_bytes",
    "lakefront_operator_busy_seconds_total",
    "lakefront_planned_position",
    "lakefront_rejects_total",
    "lakefront_retries_total",
    "lakefront_rows_total",
    "lakefront_lag",
    "lakefront_source_position",
    "lakefront_step_handed_on_total",
    "lakefront_table_position",
    "lakefront_table_stopped",
    "lakefront_visible_latency_seconds",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "lakefront_run_number",
    "lakefront_workers",
];

/// Lands `lines` in a temporary folder, and returns what the run counted.
fn landed(lines: &str) -> Arc<Metrics> {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::create_dir(path("logs")).expect("a folder");
    fs::write(path("logs/a.json"), lines).expect("a log");
    let file = format!(
        "pipeline = \"p\"\ntopology = \"pg_logs\"\nworkers = 2\n[source]\nurl = \"file:{}\"\nformat = \"azure\"\nstate_file = {:?}\n\
         [lake]\nroot = \"file:{}\"\ncatalog = \"c\"\nschema = \"s\"\n[limits]\nreject_ratio = 1.0\n",
        path("logs"),
        path("state.json"),
        path("lake"),
    );
    fs::write(path("p.toml"), file).expect("a pipeline file");
    let args = RunArgs {
        file: path("p.toml").into(),
        workers: None,
        mode: None,
        json: true,
        take_over: false,
        adopt: false,
        accept_loss: false,
        once: false,
    };
    run::land(&args).expect("a run that ends well").metrics
}

fn value(families: &BTreeMap<String, Family>, sample: &str, labels: &[(&str, &str)]) -> f64 {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut all = families.values().flat_map(|family| &family.samples);
    let found = all.find(|is| is.name == sample && is.labels == labels);
    found.unwrap_or_else(|| panic!("no {sample} of {labels:?}")).value
}

#[test]
fn a_real_run_is_shown_as_it_went() {
    let lines = "{\"ReplicaRole\": \"Primary\"}\n{\"ReplicaRole\": \"Replica\"}\nnot JSON\n[1]\n";
    let metrics = landed(lines);
    let families = parse(&render(&metrics)).expect("text as promtool wants it");
    let value = |sample: &str, labels: &[(&str, &str)]| value(&families, sample, labels);
    let length = lines.len() as f64;
    let unit = ("unit", "bytes");
    assert_eq!(value("lakefront_bytes_read_total", &[]), length);
    for name in ["planned_position", "position", "source_position"] {
        assert_eq!(value(&format!("lakefront_{name}"), &[unit]), length, "{name}");
    }
    assert_eq!(value("lakefront_lag", &[unit]), 0.0);
    for (table, rows) in [("primary", 1.0), ("replica", 1.0), ("rejects", 2.0)] {
        assert_eq!(value("lakefront_rows_total", &[("table", table)]), rows);
        assert_eq!(value("lakefront_commits_total", &[("table", table)]), 1.0);
        assert_eq!(value("lakefront_table_position", &[("table", table), unit]), length);
    }
    for (reason, lines) in [("invalid_json", 1.0), ("not_an_object", 1.0), ("no_role", 0.0)] {
        assert_eq!(value("lakefront_rejects_total", &[("reason", reason)]), lines);
    }
    assert_eq!(value("lakefront_fetch_duration_seconds_count", &[]), value("lakefront_chunks_read_total", &[]));
    assert_eq!(value("lakefront_commit_duration_seconds_count", &[]), 3.0);
    assert_eq!(value("lakefront_visible_latency_seconds_count", &[]), 0.0, "a backfill's bytes are old");
}

#[test]
fn every_step_is_shown_with_its_frontier_work_and_time() {
    let lines = "{\"ReplicaRole\": \"Primary\"}\n{\"ReplicaRole\": \"Replica\"}\nnot JSON\n";
    let families = parse(&render(&landed(lines))).expect("text as promtool wants it");
    let value = |sample: &str, labels: &[(&str, &str)]| value(&families, sample, labels);
    let length = lines.len() as f64;
    let handed_on = [
        ("plan", "bytes", length),
        ("fetch", "bytes", length),
        ("split", "lines", 3.0),
        ("parse", "rows", 3.0),
        ("route", "rows", 3.0),
        ("tally[primary]", "rows", 1.0),
        ("tally[replica]", "rows", 1.0),
        ("tally[rejects]", "rows", 1.0),
        ("stage[primary]", "rows", 1.0),
        ("stage[replica]", "rows", 1.0),
        ("stage[rejects]", "rows", 1.0),
        ("totals[primary]", "rows", 1.0),
        ("totals[replica]", "rows", 1.0),
        ("totals[rejects]", "rows", 1.0),
        ("commit[primary]", "rows", 1.0),
        ("commit[replica]", "rows", 1.0),
        ("commit[rejects]", "rows", 1.0),
        ("checkpoint", "positions", 1.0),
        ("acknowledge", "positions", 1.0),
    ];
    for (step, unit, amount) in handed_on {
        assert_eq!(value("lakefront_step_handed_on_total", &[("step", step), ("unit", unit)]), amount, "{step}");
        assert_eq!(value("lakefront_frontier_position", &[("step", step), ("unit", "bytes")]), length, "{step}");
        assert_eq!(value("lakefront_frontier_lag_seconds", &[("step", step)]), 0.0, "{step}");
        let busy =
            ["0", "1"].map(|w| value("lakefront_operator_busy_seconds_total", &[("operator", step), ("worker", w)]));
        assert!(busy.iter().sum::<f64>() > 0.0, "{step} has worked");
    }
    assert_eq!(families["lakefront_frontier_lag_seconds"].samples.len(), handed_on.len());
}

#[test]
fn what_nobody_has_measured_is_left_out_and_all_else_is_there_from_the_start() {
    let metrics = Metrics::new(Arc::new(SystemClock), pg_logs::outline(), 1, Count::default());
    let names =
        |metrics: &Metrics| parse(&render(metrics)).expect("text as promtool wants it").into_keys().collect::<Vec<_>>();
    let measured = ["lakefront_disk_free_bytes", "lakefront_memory_bytes", "lakefront_memory_limit_bytes"];
    let mut all: Vec<String> = ALL.map(str::to_owned).into();
    all.sort();
    let at_first: Vec<String> = all.iter().filter(|name| !measured.contains(&name.as_str())).cloned().collect();
    assert_eq!(names(&metrics), at_first);
    let landed = landed("{\"ReplicaRole\": \"Primary\"}\n");
    assert_eq!(names(&landed), all);
    let families = parse(&render(&landed)).expect("text as promtool wants it");
    for place in ["lake", "state"] {
        assert!(value(&families, "lakefront_disk_free_bytes", &[("filesystem", place)]) > 0.0);
    }
    assert_eq!(families["lakefront_disk_free_bytes"].samples.len(), 2, "a lake on a disk needs no scratch files");
    let [held, limit] =
        ["lakefront_memory_bytes", "lakefront_memory_limit_bytes"].map(|name| value(&families, name, &[]));
    assert!(held < limit, "{held} of {limit} bytes");
}

#[test]
fn only_a_pipeline_of_flushes_shows_them() {
    let tables = ["a\"b".to_owned(), "c".to_owned()];
    let flushes = FlushMetrics::new(Arc::new(SystemClock), &tables);
    let outline = || Outline { layout: Layout::together("lake", &["a\"b", "c"]), ..pg_logs::outline() };
    let metrics =
        Metrics::new(Arc::new(SystemClock), outline(), 1, Count::default()).with_flushes(Some(flushes.clone()));
    let families = || parse(&render(&metrics)).expect("text as promtool wants it");
    let at_first: Vec<String> = families().into_keys().filter(|name| !ALL.contains(&name.as_str())).collect();
    let known = ["deleted_rows", "flush_step_seconds", "flushes", "late_rows", "void_flushes"];
    assert_eq!(at_first, known.map(|name| format!("lakefront_{name}_total")));
    flushes.late(TableId(0), LateRows::Skipped, 7);
    flushes.spent(TableId(1), Work::Copy, Duration::from_millis(1500));
    let families = families();
    let late = [("table", "a\"b"), ("outcome", "skipped")];
    assert_eq!(value(&families, "lakefront_late_rows_total", &late), 7.0);
    let copied = [("table", "c"), ("step", "copy")];
    assert_eq!(value(&families, "lakefront_flush_step_seconds_total", &copied), 1.5);
    assert_eq!(families["lakefront_void_flushes_total"].samples.len(), 6, "each reason from the start");
}

#[test]
fn a_histogram_has_its_durations_in_seconds() {
    let metrics = Metrics::new(Arc::new(SystemClock), pg_logs::outline(), 1, Count::default());
    [1, 80, 700_000, 4_000_000].iter().for_each(|ms| metrics.commit().record(Duration::from_millis(*ms)));
    let families = parse(&render(&metrics)).expect("text as promtool wants it");
    let bucket = |le: &str| value(&families, "lakefront_commit_duration_seconds_bucket", &[("le", le)]);
    assert_eq!(["0.001", "0.05", "0.1", "300", "1800", "+Inf"].map(bucket), [1.0, 1.0, 2.0, 2.0, 3.0, 4.0]);
    assert_eq!(value(&families, "lakefront_commit_duration_seconds_sum", &[]), 4_700.081);
}

#[test]
fn the_reader_of_these_tests_refuses_what_promtool_does() {
    let good = "# HELP a_total x\n# TYPE a_total counter\na_total{b=\"\\\\\\\"\\n\"} 1\n";
    let family = &parse(good).expect("a good text")["a_total"];
    assert_eq!(family.samples[0].labels["b"], "\\\"\n");
    let wrong = [
        good.trim_end().to_owned(),
        good.replace("# HELP a_total x\n", ""),
        good.replace("# TYPE a_total counter\n", ""),
        good.replace("counter", "gauge"),
        good.replace("a_total", "a"),
        good.replace("a_total", "a_ms_total"),
        good.replace(" 1\n", " NaN\n"),
        good.replace(" 1\n", " -1\n"),
        good.replace("b=", "B="),
        good.replace("\\\\", "\\x"),
        format!("{good}a_total{{b=\"\\\\\\\"\\n\"}} 2\n"),
        format!("{good}a_total{{c=\"1\"}} 2\n"),
        format!("{good}{good}"),
    ];
    for text in wrong {
        assert!(parse(&text).is_err(), "{text}");
    }
    let histogram =
        "# HELP h x\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n";
    parse(histogram).expect("a good histogram");
    for (part, instead) in
        [("le=\"+Inf\"} 2", "le=\"+Inf\"} 0"), ("_count 2", "_count 3"), ("h_sum 3\n", ""), ("+Inf", "2")]
    {
        assert!(parse(&histogram.replace(part, instead)).is_err(), "{instead:?} for {part:?}");
    }
}
