//! When there is memory enough.

use super::super::findings::Level;
use super::*;
use crate::{config, pipeline};

/// A pipeline with these workers, and this line in `[limits]`.
fn described(workers: usize, limit: &str) -> Box<dyn Described> {
    let text = format!(
        "pipeline = \"p\"\ntopology = \"pg_logs\"\nworkers = {workers}\n[source]\nurl = \"file:logs/\"\nformat = \"azure\"\n\
             [lake]\nroot = \"file:lake\"\ncatalog = \"c\"\nschema = \"s\"\n[limits]\n{limit}\n"
    );
    pipeline::described(config::parse(&text, &|_| None).expect("a good file"))
}

#[test]
fn memory_is_judged_by_the_limit_of_the_run() {
    let judged = |pipeline: &dyn Described, available| {
        let mut findings = Findings::default();
        enough_memory(&mut findings, available, Some(pipeline));
        (findings.count(Level::Warning), findings.text())
    };
    let usual = described(2, "");
    let least = usual.appetite().least;
    let limited = described(2, &format!("memory = {least}"));
    assert_eq!(judged(&*usual, usual.appetite().memory + BASE).0, 0);
    assert_eq!(judged(&*limited, least + BASE).0, 0);
    let (warnings, text) = judged(&*usual, 1024 * MIB);
    assert!(warnings == 1 && text.contains("set limits.memory = \"896 MiB\" at most"), "{text}");
    let (warnings, text) = judged(&*limited, least + BASE - 1);
    assert!(warnings == 1 && text.contains("lower workers"), "{text}");
}

#[test]
fn this_machine_can_be_looked_at() {
    assert!(meminfo("MemAvailable:").is_some_and(|bytes| bytes > MIB));
    assert!(open_file_limit().is_some_and(|files| files > 10));
    let mut findings = Findings::default();
    look(&mut findings, None);
    assert_eq!(findings.count(Level::Problem) + findings.count(Level::Warning), 0, "{}", findings.text());
    look(&mut findings, Some(&*described(256, "")));
    assert!(findings.text().contains("256 workers"), "{}", findings.text());
}
