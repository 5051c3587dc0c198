//! Blobs that are quiet or gone are finished; what is retired must not come back
//! unnoticed.

use super::tests::{Memory, poll, wait};
use super::*;

const SETTLE: u64 = 1_000;

fn watcher(memory: &Arc<Memory>, offsets: &Offsets, on_rewrite: OnRewrite) -> Watcher {
    let quiet = Duration::from_millis(SETTLE);
    Watcher::new(memory.clone(), offsets, WatchRules { on_rewrite, unterminated: Unterminated::Leave, quiet })
}

/// Three blobs: `old` is quiet; `torn` is too, except for its unfinished last line; `new` is not.
fn given() -> (Arc<Memory>, Watcher) {
    let memory = Arc::new(Memory::with_clock(100));
    memory.put("old", "100", b"one\n");
    memory.put("torn", "100", b"one\ntw");
    memory.tell_time(5_000);
    memory.put("new", "5000", b"one\n");
    let watcher = watcher(&memory, &Offsets::default(), OnRewrite::Stop);
    (memory, watcher)
}

fn finished(watcher: &mut Watcher) -> Option<(u64, Vec<String>)> {
    let finished = wait(watcher.poll()).expect("readable").finished?;
    Some((finished.before_ms, finished.partitions.iter().map(ToString::to_string).collect()))
}

/// Makes `names` leave the offsets, with all that was created before `before_ms`.
fn leave(watcher: &mut Watcher, names: &[&str], before_ms: u64) {
    watcher.forget(&names.iter().map(|name| PartitionId::first(*name)).collect(), before_ms);
}

#[test]
fn a_blob_that_is_quiet_for_long_enough_and_was_read_to_its_end_is_finished() {
    let (memory, mut watcher) = given();
    assert_eq!(finished(&mut watcher), Some((4_000, vec!["old".to_owned()])));
    memory.tell_time(6_001);
    assert_eq!(finished(&mut watcher), Some((5_001, vec!["new".to_owned(), "old".to_owned()])));
    memory.put("torn", "100", b"one\ntwo\n");
    memory.tell_time(8_000);
    let all = ["new", "old", "torn"].map(str::to_owned).to_vec();
    assert_eq!(finished(&mut watcher), Some((7_000, all)));
}

#[test]
fn a_blob_that_is_gone_is_finished() {
    let (memory, mut watcher) = given();
    finished(&mut watcher);
    memory.remove("torn");
    memory.remove("new");
    let expected = ["old", "torn"].map(str::to_owned).to_vec();
    assert_eq!(finished(&mut watcher), Some((4_000, expected)), "a young one may still be brought back");
}

#[test]
fn a_part_of_a_listing_finishes_nothing() {
    let (memory, mut watcher) = given();
    memory.list_in_parts();
    assert_eq!(finished(&mut watcher), None);
}

#[test]
fn what_has_left_is_not_looked_into_again() {
    let (memory, mut watcher) = given();
    poll(&mut watcher).expect("readable");
    leave(&mut watcher, &["old"], 4_000);
    let before = memory.reads();
    assert_eq!(poll(&mut watcher).expect("readable"), []);
    assert_eq!(memory.reads(), before);
    assert_eq!(finished(&mut watcher), Some((4_000, vec![])));
}

#[test]
fn a_new_blob_with_an_old_name_is_read() {
    let (memory, mut watcher) = given();
    poll(&mut watcher).expect("readable");
    leave(&mut watcher, &["old"], 4_000);
    memory.put("old", "5000", b"other\n");
    assert_eq!(poll(&mut watcher).expect("readable"), [("old".to_owned(), 6, false)]);
}

#[test]
fn growth_after_a_blob_has_left_stops_the_run_or_reads_it_again_on_request() {
    for on_rewrite in [OnRewrite::Stop, OnRewrite::Restart] {
        let (memory, _) = given();
        memory.put("old", "100", b"one\nlate\n");
        // As the next run finds it.
        let mut offsets = Offsets::default();
        offsets.retired.before_ms = 4_000;
        let polled = poll(&mut watcher(&memory, &offsets, on_rewrite));
        match on_rewrite {
            OnRewrite::Stop => {
                let stop = polled.expect_err("nobody knows how far it was read").to_string();
                assert!(stop.contains("\"old\" has grown after it had been quiet"), "{stop}");
            }
            OnRewrite::Restart => {
                let moved = polled.expect("readable");
                assert!(moved.contains(&("old#2".to_owned(), 9, false)), "{moved:?}");
            }
        }
    }
}

#[test]
fn the_entry_of_a_folder_that_has_left_may_change() {
    let (memory, _) = given();
    memory.put("old", "100", b"");
    let mut offsets = Offsets::default();
    offsets.retired.before_ms = 4_000;
    poll(&mut watcher(&memory, &offsets, OnRewrite::Stop)).expect("there is no line to miss");
}

#[test]
fn the_next_run_does_not_look_into_what_it_holds_whole() {
    let (memory, mut first) = given();
    let polled = wait(first.poll()).expect("readable");
    let at = |limit: Limit| Mark { offset: limit.end, identity: limit.identity, landed_tail: false, gone: false };
    let held: Offsets = polled.limits.into_iter().map(|(id, limit)| (id, at(limit))).collect();
    memory.remove("torn");
    let before = memory.reads();
    let mut next = watcher(&memory, &held, OnRewrite::Stop);
    let both = [("new".to_owned(), 4, false), ("old".to_owned(), 4, false)];
    assert_eq!(poll(&mut next).expect("readable"), both, "the planner hears of them nevertheless");
    assert_eq!(memory.reads(), before);
}

#[test]
fn a_copy_in_a_files_place_is_not_finished_with_the_file() {
    let (memory, mut watcher) = given();
    poll(&mut watcher).expect("readable");
    memory.put("old", "5000", b"one\ntwo\n");
    assert_eq!(finished(&mut watcher), Some((4_000, vec![])));
}

#[test]
fn what_has_left_does_not_come_back_while_a_table_is_brought_up() {
    let (memory, mut watcher) = given();
    poll(&mut watcher).expect("readable");
    leave(&mut watcher, &["old"], 4_000);
    leave(&mut watcher, &[], 50);
    assert_eq!(poll(&mut watcher).expect("readable"), [], "the planner stands where it had not left");
    drop(memory);
}

#[test]
fn a_file_that_went_between_listing_and_look_may_come_back() {
    let (memory, mut watcher) = given();
    memory.lose("old");
    assert_eq!(finished(&mut watcher), None);
}
