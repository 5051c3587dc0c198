//! The live page in a real browser: what a person sees of a run, and that hostile names in it can
//! do nothing.
//!
//! The screenshots are `live-page-*.png` in cargo's folder for tests, for people to look at.

mod browser;
mod flushes;
#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../flush/world.rs"]
mod world;

use std::path::{Path, PathBuf};

use crate::browser::{Browser, Window};
use crate::support::lines::ONE_FOR_EACH_TABLE;
use crate::support::{Lines, Pipeline, Running, http};

const DESK: Window = Window { width: 1280, height: 900, scheme: "light" };
const NIGHT: Window = Window { scheme: "dark", ..DESK };
const PANE: Window = Window { width: 420, height: 844, scheme: "light" };
const PHONE: Window = Window { width: 390, height: 844, scheme: "light" };

/// Names that would be markup if they were not escaped.
const FOLDER: &str = "logs/<img src=x onerror=alert(1)>";
const TABLE: &str = "p<script>alert(2)<";

/// A tail over a source and a table with hostile names, and the address of its page.
fn given() -> (Pipeline, Running, String) {
    let mut pipeline = Pipeline::new();
    let address = http::free_address();
    std::fs::create_dir_all(pipeline.path(FOLDER)).expect("a folder");
    pipeline.set("source", "url", format!("file:{FOLDER}")).set("tables", "primary", TABLE);
    pipeline.set("http", "listen", address.to_string()).set("commit", "interval", "200ms");
    let tail = pipeline.tail();
    (pipeline, tail, format!("http://{address}/"))
}

fn append(pipeline: &Pipeline, lines: &[u8]) -> u64 {
    let path = pipeline.path(FOLDER).join("a.json");
    support::pipeline::append(&path, lines);
    std::fs::metadata(path).expect("a log file").len()
}

/// A number as the page writes it.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let group = |(i, digit): (usize, char)| {
        let comma = i > 0 && (digits.len() - i).is_multiple_of(3);
        comma.then_some(',').into_iter().chain([digit])
    };
    digits.chars().enumerate().flat_map(group).collect()
}

fn picture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("live-page-{name}.png"))
}

#[test]
fn the_page_shows_a_run_as_it_goes() {
    let (pipeline, tail, url) = given();
    let mut lines = Lines::new(1);
    let first = append(&pipeline, &[&lines.take(120), ONE_FOR_EACH_TABLE.as_bytes()].concat());

    let mut browser = Browser::start();
    browser.open(&url, DESK);
    browser.until("#pipeline", "p");
    browser.until("#position", &grouped(first));
    browser.until("#status", "ready");
    browser.until("#reason", "every table holds all that was seen");
    assert_eq!((browser.text("#lag"), browser.text("#lags-most")), ("0B".to_owned(), String::new()));
    browser.until("#acknowledged", &grouped(first));
    let last = browser.text("#last-commit");
    assert!(last.len() == 8 && last.split(':').count() == 3, "the time of the last commit: {last}");
    assert!(browser.text("#run").starts_with("1, process "), "which process it is");
    assert_eq!(
        browser.count("#graph .step"),
        15,
        "plan, fetch, split, parse, route, three times tally, stage and commit, checkpoint"
    );
    for step in ["plan", "tally[replica]", "stage[primary]", "commit[rejects]", "checkpoint"] {
        browser.until(&format!("[data-step=\"{step}\"] .frontier"), &grouped(first));
    }
    let rows = |browser: &mut Browser| browser.texts("#tables td:nth-child(3)");
    let landed = rows(&mut browser);

    let second = append(&pipeline, &[&lines.take(500), ONE_FOR_EACH_TABLE.as_bytes()].concat());
    browser.until("#position", &grouped(second));
    assert_ne!(rows(&mut browser), landed, "the rows move too");
    assert!(browser.text("#rejects").contains("invalid_json"), "rejects are shown with their reason");
    assert_ne!(browser.attribute("#chart-read .edge", "d"), "", "there is something to see in the chart");

    let table = browser.texts("#tables td:first-child");
    assert_eq!(table[0], format!("primary{TABLE}"), "a name is text");
    assert!(browser.text("#source").ends_with(FOLDER), "a name is text");
    let (requests, complaints) = browser.seen();
    assert_eq!(complaints, Vec::<String>::new());
    assert!(requests.len() > 4 && requests.iter().all(|request| request.starts_with(&url)), "{requests:?}");

    tail.stop();
    browser.until("#status", "no answer");
    assert_eq!(browser.attribute("#health", "data-status"), "gone");
}

#[test]
fn it_can_be_read_by_day_by_night_and_on_a_phone() {
    let (pipeline, tail, url) = given();
    let mut lines = Lines::new(2);
    let mut browser = Browser::start();
    for (name, window) in [("day", DESK), ("night", NIGHT), ("pane", PANE), ("phone", PHONE)] {
        browser.open(&url, window);
        let end = append(&pipeline, &[&lines.take(400), ONE_FOR_EACH_TABLE.as_bytes()].concat());
        browser.until("#position", &grouped(end));
        assert!(!browser.overflows(), "{name}: nobody has to scroll sideways");
        for column in ["rows/s", "commits"] {
            assert!(browser.is_visible(&format!("#tables-title ~ div th:text-is('{column}')")), "{name}: {column}");
        }
        browser.screenshot(&picture(name));
        assert_eq!(browser.seen().1, Vec::<String>::new(), "{name}");
    }
    tail.stop();
}
