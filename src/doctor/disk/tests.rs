//! When there is room enough, and that a trial leaves nothing.

use lakefront_operators::run::clock::SystemClock;

use super::super::findings::Level;
use super::*;
use crate::{config, pipeline};

fn found(findings: &Findings) -> (usize, usize, String) {
    (findings.count(Level::Problem), findings.count(Level::Warning), findings.text())
}

fn pipeline(disk: &str) -> Box<dyn Described> {
    let text = format!(
        "pipeline = \"p\"\ntopology = \"pg_logs\"\n[source]\nurl = \"file:logs/\"\nformat = \"azure\"\nmode = \"tail\"\n\
             [lake]\nroot = \"file:lake\"\ncatalog = \"c\"\nschema = \"s\"\n[disk]\n{disk}\n"
    );
    pipeline::described(config::parse(&text, &|_| None).expect("a good file"))
}

#[test]
fn room_is_judged_by_what_a_commit_needs() {
    let described = pipeline("min_free = 0");
    for (least, good, problems, warnings) in [(0, 0, 0, 0), (0, u64::MAX, 0, 1), (u64::MAX, u64::MAX, 1, 0)] {
        let mut findings = Findings::default();
        let room = Room { disk: &described.common().disk, waits: false, least, good };
        judge(&mut findings, "lake", "lake", 1 << 40, &room);
        let (found_problems, found_warnings, text) = found(&findings);
        assert_eq!((found_problems, found_warnings), (problems, warnings), "{text}");
    }
}

#[test]
fn room_is_judged_by_what_is_to_stay_free() {
    let judged = |disk: &str, free| {
        let (described, mut findings) = (pipeline(disk), Findings::default());
        let (disk, waits) = (&described.common().disk, described.appetite().waits);
        judge(&mut findings, "state", "state", free, &Room { disk, waits, least: 10 * MIB, good: 10 * MIB });
        found(&findings)
    };
    for (disk, free, problems, warnings, says) in [
        ("", 2048 * MIB - 1, 1, 0, "2047 MiB free, less than disk.min_free = 2 GiB"),
        ("min_free = \"1 MiB\"", 11 * MIB, 0, 0, ""),
        ("min_free = \"1 MiB\"", 11 * MIB - 1, 0, 1, "disk.min_free stays"),
        ("min_free = \"1 MiB\"\non_low = \"pause\"", 1, 1, 0, "would only wait"),
        ("min_free = \"1 MiB\"\nclean = [{ dir = \"/var/tmp/old\" }]", 1, 0, 1, "would first delete"),
    ] {
        let (found_problems, found_warnings, text) = judged(disk, free);
        assert_eq!((found_problems, found_warnings), (problems, warnings), "{disk}: {text}");
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn a_folder_that_cannot_be_cleaned_is_told() {
    let mut findings = Findings::default();
    look(&mut findings, &*pipeline("min_free = 0\nclean = [{ dir = \"/none-such\" }]"));
    assert!(findings.text().contains("could not clean /none-such: No such file"), "{}", findings.text());
}

#[test]
fn a_trial_leaves_nothing_and_a_missing_folder_is_a_problem() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut findings = Findings::default();
    trial(&mut findings, folder.path(), &SystemClock);
    assert_eq!(found(&findings).0, 0, "{}", findings.text());
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    trial(&mut findings, &folder.path().join("gone"), &SystemClock);
    assert_eq!(found(&findings).0, 1, "{}", findings.text());
}

#[test]
fn what_is_missing_will_be_made_in_what_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(existing(&folder.path().join("a/b")), folder.path());
    assert_eq!(existing(Path::new("none-such")), Path::new("."));
}
