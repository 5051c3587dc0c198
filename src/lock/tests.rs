//! Who holds a lock.

use super::*;

#[test]
fn the_holder_of_a_lock_is_found() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let state_file = folder.path().join("p.json");
    assert_eq!(holder(&state_file), None);
    let lock = take(&state_file, "p", false).expect("nobody has it");
    assert_eq!(holder(&state_file), Some(std::process::id()));
    assert_eq!(owner(&state_file).as_deref(), Some("p"));
    drop(lock);
    assert_eq!(holder(&state_file), None);
}

#[test]
fn another_pipelines_lock_is_not_taken_over() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let state_file = folder.path().join("p.json");
    let _lock = take(&state_file, "p", false).expect("nobody has it");
    for take_over in [false, true] {
        let refused = take(&state_file, "q", take_over).err().expect("it is p's").to_string();
        assert!(refused.contains("a run of pipeline \"p\"") && !refused.contains("take-over"), "{refused}");
    }
    assert!(take(&state_file, "p", false).err().expect("it is held").is::<HeldElsewhere>());
}

#[test]
fn who_waits_or_is_in_another_container_holds_nothing() {
    let of = |line| of_line(line, (0xfe, 0), 1234);
    assert_eq!(of("1: FLOCK  ADVISORY  WRITE 5105 fe:00:1234 0 EOF"), Some(5105));
    assert_eq!(of("1: -> FLOCK  ADVISORY  WRITE 5106 fe:00:1234 0 EOF"), None);
    assert_eq!(of("1: FLOCK  ADVISORY  WRITE 0 fe:00:1234 0 EOF"), None);
    assert_eq!(of("2: POSIX  ADVISORY  WRITE 5105 fe:00:1234 0 EOF"), None);
    assert_eq!(of("2: FLOCK  ADVISORY  WRITE 5105 fe:00:1235 0 EOF"), None);
}
