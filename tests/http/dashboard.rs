//! The dashboard and the metrics agree: it asks for nothing that is not exported, leaves nothing
//! out, and explains all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::hot;
use crate::promql::{Named, named};
use crate::support::http::{free_address, get};
use crate::support::lines::ONE_FOR_EACH_TABLE;
use crate::support::promtext::{self, Family};
use crate::{given, until};

/// The label that Prometheus adds to every series.
const ADDED: &str = "instance";

/// The names of a metric's series, and their labels.
#[derive(Debug, Default)]
struct Names {
    series: BTreeSet<String>,
    labels: BTreeSet<String>,
}

/// The names in a text in Prometheus's format.
fn names(text: &str) -> BTreeMap<String, Names> {
    let families = promtext::parse(text).expect("Prometheus takes it");
    let of = |family: Family| {
        let mut names = Names::default();
        for sample in family.samples {
            names.series.insert(sample.name);
            names.labels.extend(sample.labels.into_keys());
        }
        names
    };
    families.into_iter().map(|(name, family)| (name, of(family))).collect()
}

fn dashboard() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards/lakefront.json");
    serde_json::from_slice(&std::fs::read(path).expect("the dashboard")).expect("JSON")
}

/// What the two kinds of pipelines export together.
fn exported() -> BTreeMap<String, Names> {
    let mut all = of_logs();
    for (name, names) in of_flushes() {
        let known = all.entry(name).or_default();
        known.series.extend(names.series);
        known.labels.extend(names.labels);
    }
    all
}

/// A run that has flushed.
fn of_flushes() -> BTreeMap<String, Names> {
    let (mut world, address) = (
        hot::World::new("CREATE TABLE ledgers (sequence bigint PRIMARY KEY); INSERT INTO ledgers VALUES (1), (2)"),
        free_address(),
    );
    world.set("http.listen", &format!("{:?}", address.to_string()));
    let mut tail = world.tail("");
    until(&mut tail, address, "/metrics", |answer| answer.body.contains("\nlakefront_last_flush_rows 2\n"));
    let text = get(address, "/metrics").expect("an answer").body;
    tail.stop();
    names(&text)
}

fn of_logs() -> BTreeMap<String, Names> {
    let (pipeline, address) = given();
    pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    let mut tail = pipeline.tail();
    until(&mut tail, address, "/health", |answer| answer.json()["position"] == ONE_FOR_EACH_TABLE.len());
    let text = get(address, "/metrics").expect("an answer").body;
    tail.stop();
    names(&text)
}

fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    panels.filter(|panel| panel["type"] != "row")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}"))
}

#[test]
fn every_query_names_what_is_exported_and_every_panel_explains_it() {
    let (dashboard, families) = (dashboard(), exported());
    let mut used = BTreeSet::new();
    for panel in panels(&dashboard) {
        let (title, description) = (text(panel, "title"), text(panel, "description"));
        for target in panel["targets"].as_array().expect("targets") {
            let (query, legend) = (text(target, "expr"), text(target, "legendFormat"));
            let Named { metrics, mut labels } = named(query);
            assert!(!metrics.is_empty(), "{title}: {query}");
            labels
                .extend(legend.split("{{").skip(1).map(|label| label.split("}}").next().expect("a label").to_owned()));
            let mut known = BTreeSet::from([ADDED]);
            for metric in metrics {
                let family = families.iter().find(|(_, family)| family.series.contains(&metric));
                let (name, family) = family.unwrap_or_else(|| panic!("{title}: {metric} is not exported"));
                assert!(description.contains(name.as_str()), "{title} does not explain {name}");
                known.extend(family.labels.iter().map(String::as_str));
                used.insert(name.clone());
            }
            let unknown: Vec<_> = labels.iter().filter(|label| !known.contains(label.as_str())).collect();
            assert!(unknown.is_empty(), "{title}: {query}, {legend}: no label {unknown:?}");
        }
    }
    let all: BTreeSet<_> = families.into_keys().collect();
    assert_eq!(used, all, "every metric is on the dashboard");
}

#[test]
fn the_reference_lists_what_is_exported_with_its_labels() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference.md");
    let page = std::fs::read_to_string(path).expect("the reference");
    let (_, list) = page.split_once("\n## Metrics").expect("its part about metrics");
    let names = list.lines().filter_map(|line| line.strip_prefix("| `")?.split('|').next());
    let listed: BTreeMap<String, BTreeSet<String>> = names
        .flat_map(|cell| cell.split('`').step_by(2))
        .map(|name| {
            let (name, labels) = name.trim_end_matches('}').split_once('{').unwrap_or((name, ""));
            let labels = labels.split(',').filter(|label| !label.is_empty()).map(str::to_owned);
            (name.to_owned(), labels.collect())
        })
        .filter(|(name, _)| !name.is_empty())
        .collect();
    // A bucket's bound is a label that every histogram has.
    let of = |names: Names| names.labels.into_iter().filter(|label| label != "le").collect();
    let exported: BTreeMap<_, BTreeSet<_>> = exported().into_iter().map(|(name, names)| (name, of(names))).collect();
    assert_eq!(listed, exported);
}

#[test]
fn panels_lie_side_by_side() {
    let dashboard = dashboard();
    assert!(dashboard["schemaVersion"].as_u64() >= Some(39), "as Grafana 11 writes it");
    let mut cells = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{panel}");
        let at = |key: &str| panel["gridPos"][key].as_u64().expect("a place");
        assert!(at("x") + at("w") <= 24, "{panel}");
        for x in at("x")..at("x") + at("w") {
            assert!((at("y")..at("y") + at("h")).all(|y| cells.insert((x, y))), "{panel} lies on another");
        }
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
        }
    }
}
