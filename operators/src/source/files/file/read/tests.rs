//! A file is read on under any name, and no other in its place.

use super::*;
use crate::source::files::file::FileSource;

#[test]
fn a_file_that_is_written_anew_in_place_is_not_read_as_the_one_that_was_planned() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("a");
    std::fs::write(&path, b"old head, old middle").expect("a file");
    let source = FileSource::open(folder.path().to_str().expect("UTF-8")).expect("a source");
    let created = created_of(&std::fs::metadata(&path).expect("its metadata"));
    let planned = Identity { created, fingerprint: Fingerprint::of(b"old head"), ..Identity::default() };
    let read = || source.inner.read_range("a", &planned, &(10..13), Vec::new());
    assert_eq!(read().expect("the same file"), b"old");

    // The same file to the file system: truncated and rewritten.
    std::fs::write(&path, b"new head, new middle").expect("a file");
    read().expect_err("the next generation");
}

#[test]
fn a_file_is_read_on_under_another_name_and_after_it_was_deleted_and_no_other_in_its_place() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (path, moved) = (folder.path().join("a.json"), folder.path().join("a.json.1"));
    let url = folder.path().join("*.json");
    let open = || FileSource::open(url.to_str().expect("UTF-8")).expect("a source");
    std::fs::write(&path, b"one\n").expect("a file");
    let created = created_of(&std::fs::metadata(&path).expect("its metadata"));
    let planned = Identity { created, fingerprint: Fingerprint::of(b"one\n"), ..Identity::default() };
    let read = |source: &FileSource| source.inner.read_range("a.json", &planned, &(0..4), Vec::new());
    let before = open();
    read(&before).expect("it is there");

    std::fs::rename(&path, &moved).expect("renamed");
    std::fs::write(&path, b"two\n").expect("a file");
    for source in [&before, &open()] {
        assert_eq!(read(source).expect("it is found"), b"one\n");
    }
    std::fs::remove_file(&moved).expect("removed");
    assert_eq!(read(&before).expect("it is held open"), b"one\n");
    read(&open()).expect_err("nobody holds it");
}
