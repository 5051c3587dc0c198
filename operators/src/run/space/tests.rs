//! What low space does to a run.

use super::*;

const NOW_MS: u64 = 4_000_000_000_000;
const NOW: Stamp = Stamp { wall_ms: NOW_MS, steady_ms: 7 };

fn guard(on_low: OnLow, min_free: u64, clean: Vec<Clean>) -> (Guard, Arc<FreeSpace>) {
    let path = PathBuf::from("not/there/yet");
    let watched = ["lake", "state"].map(|name| Guarded { name, path: path.clone() }).to_vec();
    Guard::new(Settings { watched, min_free, on_low, clean, kept: Vec::new() })
}

#[test]
fn nothing_is_enough_before_the_first_look() {
    let (mut guard, seen) = guard(OnLow::Stop, 1, Vec::new());
    assert!(!seen.is_enough() && !seen.is_low());
    guard.check(NOW).expect("there is a byte");
    assert!(seen.is_enough() && !seen.is_low());
    assert_eq!(seen.free().iter().map(|free| free.name).collect::<Vec<_>>(), ["lake", "state"]);
    assert!(seen.free().iter().all(|free| free.bytes > 0 && !free.low));
}

#[test]
fn low_space_stops_a_run_with_what_to_do() {
    let (mut guard, seen) = guard(OnLow::Stop, u64::MAX, Vec::new());
    let told = guard.check(NOW).expect_err("no disk is that large").to_string();
    assert!(told.starts_with("the file system of lake (not/there/yet) and state (not/there/yet) has "), "{told}");
    assert!(told.contains("less than disk.min_free = 18446744073709551615 bytes: make room"), "{told}");
    assert!(seen.is_low());
}

#[test]
fn low_space_pauses_a_run_that_goes_on_by_itself() {
    let (mut guard, seen) = guard(OnLow::Pause, u64::MAX, Vec::new());
    guard.check(NOW).expect("it waits");
    assert!(seen.is_low() && !seen.is_enough());
    guard.settings.min_free = 0;
    guard.check(NOW).expect("there is room");
    assert!(seen.is_enough() && !seen.is_low());
}

#[test]
fn a_pause_cleans_at_once_and_then_now_and_then() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let dir = std::fs::canonicalize(folder.path()).expect("its path");
    let file = dir.join("old");
    let clean = Clean { dir, older_than: Duration::from_secs(3600) };
    let (mut guard, _) = guard(OnLow::Pause, u64::MAX, vec![clean]);
    // Setting the clock back meanwhile changes nothing, as long as the file is still old by it.
    let mut deletes = |later_ms, wall_ms| {
        std::fs::write(&file, b"content").expect("a file");
        guard.check(Stamp { wall_ms, steady_ms: NOW.steady_ms + later_ms }).expect("it waits");
        !file.exists()
    };
    assert!(deletes(0, NOW_MS));
    assert!(!deletes(CLEAN_MS - 1, NOW_MS + CLEAN_MS - 1));
    assert!(deletes(CLEAN_MS, NOW_MS - 3_600_000));
}
