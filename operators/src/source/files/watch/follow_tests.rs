//! Files that are renamed, linked, copied and rotated away land once, and to their end.

use super::tests::{Memory, end, given, poll, rules, wait};
use super::*;

type Moved = Vec<(String, u64, bool)>;

fn look(watcher: &mut Watcher) -> Moved {
    poll(watcher).expect("nothing is refused")
}

/// What the tables hold once everything that exists has landed.
fn held(memory: &Arc<Memory>) -> Offsets {
    wait(latest(memory.clone())).expect("readable")
}

#[test]
fn a_file_that_was_renamed_stays_the_partition_that_it_was_and_is_read_on() {
    let (memory, mut watcher) = given(OnRewrite::Stop);
    memory.rename("f", "g", false);
    assert_eq!(look(&mut watcher), [], "nothing has changed but its name");
    memory.put("g", "once", b"one\ntwo\nthree\n");
    assert_eq!(look(&mut watcher), [end("f", 14)]);
}

#[test]
fn the_next_run_knows_a_renamed_file_again() {
    let (memory, _) = given(OnRewrite::Stop);
    let held = held(&memory);
    memory.rename("f", "g", false);
    memory.put("f", "later", b"new\n");
    let mut next = Watcher::new(memory, &held, rules(OnRewrite::Stop, Unterminated::Leave));
    assert_eq!(look(&mut next), [end("f#2", 4), end("f", 8)]);
}

#[test]
fn of_two_names_of_one_file_the_first_is_read() {
    let (memory, mut watcher) = given(OnRewrite::Stop);
    memory.put("e", "once", b"one\ntwo\nth");
    let polled = wait(watcher.poll()).expect("nothing is refused");
    assert_eq!(
        (polled.limits, polled.passed_over),
        (Vec::new(), Vec::new()),
        "a second name is nothing to worry about"
    );
    memory.put("x", "linked", b"");
    memory.put("y", "linked", b"");
    assert_eq!(look(&mut watcher), [end("x", 0)]);
    memory.put("x", "linked", b"one\n");
    memory.put("y", "linked", b"one\n");
    assert_eq!(look(&mut watcher), [end("x", 4)]);
    memory.remove("x");
    memory.put("y", "linked", b"one\ntwo\n");
    assert_eq!(look(&mut watcher), [end("x", 8)], "the other name is the file's now");
}

#[test]
fn a_file_that_was_read_and_takes_the_name_of_another_does_not_land_again() {
    let (memory, mut watcher) = given(OnRewrite::Stop);
    memory.put("g", "copy", b"one\ntwo\nthree\n");
    assert_eq!(look(&mut watcher), [end("g", 14)]);
    memory.rename("g", "f", false);
    let polled = wait(watcher.poll()).expect("nothing is refused");
    assert_eq!(polled.limits, []);
    assert_eq!(polled.gone, [PartitionId::first("f")].into(), "the file that had the name before");
    memory.put("f", "copy", b"one\ntwo\nthree\nfour\n");
    assert_eq!(look(&mut watcher), [end("g", 19)]);
}

#[test]
fn a_rotated_file_is_read_to_its_end_outside_the_source_and_the_new_one_begins() {
    let (memory, mut watcher) = given(OnRewrite::Stop);
    memory.put("f", "once", b"one\ntwo\nthree\n");
    memory.rename("f", "f.1", true);
    memory.put("f", "later", b"new\n");
    assert_eq!(look(&mut watcher), [end("f", 14), end("f#2", 4)]);
    memory.grow_outside("f.1", b"four\n");
    assert_eq!(look(&mut watcher), [end("f", 19)], "its writer has not opened the new one yet");
    memory.rename("f.1", "f.2", true);
    memory.rename("f", "f.1", true);
    memory.put("f", "third", b"");
    assert_eq!(look(&mut watcher), [end("f#3", 0)]);
}

#[test]
fn names_that_go_round_within_the_source_are_followed_together() {
    let (memory, mut watcher) = given(OnRewrite::Stop);
    for (round, created) in ["second", "third", "fourth"].into_iter().enumerate() {
        for n in (1..=round).rev() {
            memory.rename(&format!("f.{n}"), &format!("f.{}", n + 1), false);
        }
        memory.rename("f", "f.1", false);
        memory.put("f", created, b"x\n");
        assert_eq!(look(&mut watcher), [end(&format!("f#{}", round + 2), 2)]);
    }
}

#[test]
fn a_longer_copy_in_the_place_of_a_file_is_that_file_though_the_old_one_can_still_be_found() {
    let (memory, mut watcher) = given(OnRewrite::Stop);
    // `rsync --backup` does this, and a handle that is kept open would look the same.
    memory.rename("f", "f~", true);
    memory.put("f", "brought", b"one\ntwo\nthree\n");
    assert_eq!(look(&mut watcher), [end("f", 14)]);
}

#[test]
fn the_copy_that_copytruncate_makes_is_the_file_that_was_read() {
    let (memory, mut watcher) = given(OnRewrite::Stop);
    memory.put("f.1", "copy", b"one\ntwo\nthree\n");
    memory.put("f", "once", b"");
    assert_eq!(look(&mut watcher), [end("f#2", 0), end("f", 14)]);
    memory.put("f", "once", b"new\n");
    assert_eq!(look(&mut watcher), [end("f#2", 4)]);
}

#[test]
fn a_copy_that_appears_as_its_original_goes_is_that_and_one_that_appears_later_is_another() {
    let (memory, mut watcher) = given(OnRewrite::Stop);
    memory.remove("f");
    memory.put("g", "copy", b"one\ntwo\nthree\n");
    assert_eq!(look(&mut watcher), [end("f", 14)]);
    memory.remove("g");
    assert_eq!(look(&mut watcher), []);
    memory.put("h", "again", b"one\ntwo\nthree\n");
    assert_eq!(look(&mut watcher), [end("h", 14)]);
}

#[test]
fn what_was_not_read_of_a_file_that_is_nowhere_is_told() {
    let (memory, mut watcher) = given(OnRewrite::Stop);
    memory.remove("f");
    assert_eq!(wait(watcher.poll()).expect("nothing is refused").gone, [PartitionId::first("f")].into());
    assert_eq!(wait(watcher.poll()).expect("nothing is refused").gone, [].into(), "once");
    memory.put("f", "back", b"one\ntwo\nthree\n");
    assert_eq!(look(&mut watcher), [end("f", 14)], "a restored copy is the same file");
}

#[test]
fn a_file_that_is_no_text_is_not_read_and_said_to_be_so() {
    let (memory, mut watcher) = given(OnRewrite::Stop);
    memory.put("f.gz", "compressed", b"\x1f\x8b\x08\n\n");
    let polled = wait(watcher.poll()).expect("nothing is refused");
    assert_eq!(polled.limits.iter().map(|(_, limit)| limit.end).collect::<Vec<_>>(), [0]);
    let not_read = PassedOver { name: "f.gz".into(), why: Why::Encoded("gzip") };
    assert_eq!(polled.passed_over, std::slice::from_ref(&not_read));
    assert_eq!(wait(watcher.poll()).expect("nothing is refused").passed_over, [not_read], "as long as it is there");
    memory.remove("f.gz");
    assert_eq!(wait(watcher.poll()).expect("nothing is refused").passed_over, []);
}

#[test]
fn another_file_under_the_name_of_one_that_was_seen_to_go_is_the_next_generation() {
    let (memory, mut watcher) = given(OnRewrite::Stop);
    memory.remove("f");
    look(&mut watcher);
    memory.put("f", "new", b"new\n");
    assert_eq!(look(&mut watcher), [end("f#2", 4)], "nothing is refused: it was told that the first has gone");
    let held = [(PartitionId::first("f"), true), (PartitionId { name: "f".into(), generation: 2 }, false)];
    let known = held.map(|(id, is_gone)| (watcher.track(&id).map(|track| track.is_gone), is_gone));
    assert!(known.iter().all(|(known, is_gone)| *known == Some(*is_gone)), "{known:?}");
}

#[test]
fn a_look_that_came_too_late_asks_for_another() {
    let (memory, mut watcher) = given(OnRewrite::Stop);
    memory.put("g", "new", b"one\n");
    memory.lose("g");
    assert!(wait(watcher.poll()).expect("nothing is refused").again);
}
