//! The dashboards and the metrics agree: they ask for nothing that is not exported, and explain all
//! that they show. One of them leaves nothing out. The documents name only what is exported, too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use serde_json::Value;

use crate::hot;
use crate::promql::{Named, named};
use crate::support::http::{free_address, get};
use crate::support::lines::ONE_FOR_EACH_TABLE;
use crate::support::promtext::{self, Family};
use crate::{given, until};

/// The label that Prometheus adds to every series.
const ADDED: &str = "instance";
/// The dashboard that has every metric.
const WHOLE: &str = "lakefront.json";
/// What the links between dashboards go by.
const TAG: &str = "lakefront";

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

/// The dashboards, by the names of their files.
fn dashboards() -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards");
    let files = std::fs::read_dir(folder).expect("the folder of dashboards");
    let dashboards = files.map(|entry| {
        let entry = entry.expect("a file");
        let name = entry.file_name().into_string().expect("a name");
        let text = std::fs::read(entry.path()).expect("a dashboard");
        let dashboard: Value = serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, dashboard)
    });
    dashboards.collect()
}

/// What all kinds of pipelines export together. One of changes exports what one of logs does.
fn exported() -> &'static BTreeMap<String, Names> {
    static ALL: LazyLock<BTreeMap<String, Names>> = LazyLock::new(|| {
        let mut all = of_logs();
        for (name, names) in of_flushes() {
            let known = all.entry(name).or_default();
            known.series.extend(names.series);
            known.labels.extend(names.labels);
        }
        all
    });
    &ALL
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

/// Checks that a query, whose answer is shown with these labels, names what is exported, with
/// labels that it has. Returns the names of the metrics.
fn asked_for(place: &str, query: &str, shown: impl IntoIterator<Item = String>) -> BTreeSet<&'static str> {
    let Named { metrics, mut labels } = named(query);
    assert!(!metrics.is_empty(), "{place}: {query}");
    labels.extend(shown);
    let (mut names, mut known) = (BTreeSet::new(), BTreeSet::from([ADDED]));
    for metric in metrics {
        let family = exported().iter().find(|(_, family)| family.series.contains(&metric));
        let (name, family) = family.unwrap_or_else(|| panic!("{place}: {metric} is not exported"));
        names.insert(name.as_str());
        known.extend(family.labels.iter().map(String::as_str));
    }
    let unknown: Vec<_> = labels.iter().filter(|label| !known.contains(label.as_str())).collect();
    assert!(unknown.is_empty(), "{place}: {query}: no label {unknown:?}");
    names
}

/// The labels in a legend.
fn labels(legend: &str) -> impl Iterator<Item = String> {
    legend.split("{{").skip(1).map(|label| label.split("}}").next().expect("a label").to_owned())
}

/// Checks the queries of a panel, and that its description names what they do. Returns the names of
/// the metrics.
fn explained(place: &str, panel: &Value) -> BTreeSet<&'static str> {
    let (description, targets) = (text(panel, "description"), panel["targets"].as_array().expect("targets"));
    let names =
        targets.iter().flat_map(|target| asked_for(place, text(target, "expr"), labels(text(target, "legendFormat"))));
    let names: BTreeSet<_> = names.collect();
    names.iter().for_each(|name| assert!(description.contains(name), "{place} does not explain {name}"));
    names
}

/// What a dashboard offers to choose from a query's answer: the series, and their label.
fn choices(dashboard: &Value) -> impl Iterator<Item = (&str, &str)> {
    let variables = dashboard["templating"]["list"].as_array().expect("variables").iter();
    variables.filter(|variable| variable["type"] == "query").map(|variable| {
        let query = text(variable, "definition");
        assert_eq!(query, text(&variable["query"], "query"));
        let inside = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
        inside.and_then(|inside| inside.rsplit_once(", ")).unwrap_or_else(|| panic!("{query} chooses no label"))
    })
}

#[test]
fn every_query_names_what_is_exported_and_every_panel_explains_it() {
    let mut used = BTreeMap::new();
    for (file, dashboard) in dashboards() {
        for (series, label) in choices(&dashboard) {
            assert_eq!(label, ADDED, "{file}: what is chosen are runs");
            asked_for(&file, series, []);
        }
        let place = |panel: &Value| format!("{file}, {:?}", text(panel, "title"));
        let of_all: BTreeSet<_> = panels(&dashboard).flat_map(|panel| explained(&place(panel), panel)).collect();
        used.insert(file, of_all);
    }
    let all: BTreeSet<_> = exported().keys().map(String::as_str).collect();
    assert_eq!(used[WHOLE], all, "every metric is on one dashboard");
}

#[test]
fn the_page_of_changes_names_what_is_exported() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pg_changes.md");
    let page = std::fs::read_to_string(path).expect("the page");
    let words = page.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    for word in words.filter(|word| word.starts_with("lakefront_")) {
        assert!(exported().contains_key(word), "{word} is not exported");
    }
    let (_, alerts) = page.split_once("\n| expression |").expect("its alerts");
    let alerts: Vec<_> = alerts.lines().skip(2).map_while(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert!(alerts.len() > 3, "{alerts:?} are too few: they were not found");
    for alert in alerts {
        asked_for("an alert", alert, []);
    }
}

#[test]
fn each_dashboard_has_its_own_name_and_leads_to_the_others() {
    let dashboards = dashboards();
    let different =
        |key: &str| dashboards.values().map(|dashboard| text(dashboard, key)).collect::<BTreeSet<_>>().len();
    assert_eq!((different("uid"), different("title")), (dashboards.len(), dashboards.len()));
    for (file, dashboard) in &dashboards {
        let has_tag = |value: &Value| value["tags"].as_array().is_some_and(|tags| tags.iter().any(|tag| tag == TAG));
        assert!(has_tag(dashboard), "{file} has no tag by which others lead to it");
        let links = dashboard["links"].as_array().expect("links");
        assert!(links.iter().any(|link| link["type"] == "dashboards" && has_tag(link)), "{file} leads to no other");
    }
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
    let of = |names: &Names| names.labels.iter().filter(|label| *label != "le").cloned().collect();
    let exported: BTreeMap<_, BTreeSet<_>> = exported().iter().map(|(name, names)| (name.clone(), of(names))).collect();
    assert_eq!(listed, exported);
}

#[test]
fn panels_lie_side_by_side() {
    for (file, dashboard) in dashboards() {
        assert!(dashboard["schemaVersion"].as_u64() >= Some(39), "{file}: as Grafana 11 writes it");
        lie_side_by_side(&file, &dashboard);
    }
}

/// Checks that the panels have a number and a place of their own.
fn lie_side_by_side(file: &str, dashboard: &Value) {
    let mut cells = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{file}: {panel}");
        let at = |key: &str| panel["gridPos"][key].as_u64().expect("a place");
        assert!(at("x") + at("w") <= 24, "{file}: {panel}");
        for x in at("x")..at("x") + at("w") {
            assert!((at("y")..at("y") + at("h")).all(|y| cells.insert((x, y))), "{file}: {panel} lies on another");
        }
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{file}: {panel}");
        }
    }
}
