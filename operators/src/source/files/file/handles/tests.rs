//! Which files stay open.

use super::*;

#[test]
fn the_files_that_were_used_last_stay_open_and_deleted_ones_only_for_a_while() {
    let file = Arc::new(tempfile::tempfile().expect("a file without a name"));
    let mut handles = Handles::default();
    handles.keep("first", &file);
    (0..MOST - 1).for_each(|i| handles.keep(&i.to_string(), &file));
    assert!(handles.get("first").is_some());
    handles.keep("one more", &file);
    assert!(handles.peek("first").is_some() && handles.peek("0").is_none(), "the least recently used is closed");
    handles.tidy();
    assert_eq!(handles.open.len(), MOST);
    handles.tidy_after(Duration::ZERO);
    assert!(handles.open.is_empty());
}

#[test]
fn deleted_files_stay_open_rather_than_others_as_long_as_they_are_the_fewer() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let deleted = Arc::new(tempfile::tempfile().expect("a file without a name"));
    let named = Arc::new(File::create(folder.path().join("named")).expect("a file"));
    for few in [true, false] {
        let mut handles = Handles::default();
        let count = if few { 1 } else { MOST / 2 };
        (0..count).for_each(|i| handles.keep(&format!("deleted {i}"), &deleted));
        (count..MOST).for_each(|i| handles.keep(&format!("named {i}"), &named));
        handles.keep("one more", &named);
        let kept = [format!("deleted {}", 0), format!("named {count}")].map(|name| handles.peek(&name).is_some());
        assert_eq!(kept, [few, !few], "a deleted one cannot be opened again");
    }
}
