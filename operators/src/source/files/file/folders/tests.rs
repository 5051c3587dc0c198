//! A remembered folder never hides a change.

use super::*;

fn names(entries: &Entries) -> Vec<String> {
    let all = entries.folders.iter().chain(entries.files.iter().map(|entry| &entry.path));
    let mut names: Vec<_> = all.map(|path| path.file_name().expect("a name").to_string_lossy().into()).collect();
    names.sort();
    names
}

fn look(folders: &mut Folders, folder: &Path) -> Option<Arc<Entries>> {
    let entries = folders.read(folder).expect("readable");
    folders.end_look();
    entries
}

#[test]
fn what_comes_and_goes_is_seen_at_the_next_look_whatever_was_remembered() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let mut folders = Folders::default();
    fs::write(root.path().join("a"), b"").expect("a file");
    for remembered in [false, true] {
        if remembered {
            folders.known.values_mut().for_each(|folder| folder.settled = true);
        }
        assert_eq!(names(&look(&mut folders, root.path()).expect("a folder")), ["a"]);
        fs::write(root.path().join("b"), b"").expect("a file");
        fs::create_dir(root.path().join("c")).expect("a folder");
        assert_eq!(names(&look(&mut folders, root.path()).expect("a folder")), ["a", "b", "c"]);
        fs::remove_file(root.path().join("b")).expect("removed");
        fs::remove_dir(root.path().join("c")).expect("removed");
        assert_eq!(names(&look(&mut folders, root.path()).expect("a folder")), ["a"]);
    }
    fs::remove_dir_all(root.path()).expect("removed");
    assert!(look(&mut folders, root.path()).is_none());
    assert!(folders.known.is_empty());
}

/// Whether what the second look read of `folder` is remembered.
fn is_remembered(folder: &Path, settled: Duration, trusted: bool) -> bool {
    let is_trusted: fn(&Path) -> bool = if trusted { |_| true } else { |_| false };
    let mut folders = Folders { settled, is_trusted, ..Folders::default() };
    look(&mut folders, folder);
    let before = look(&mut folders, folder).expect("a folder");
    Arc::ptr_eq(&before, &look(&mut folders, folder).expect("a folder"))
}

#[test]
fn a_folder_is_remembered_once_its_times_have_stood_still_where_they_are_to_be_trusted() {
    let root = tempfile::tempdir().expect("a temporary directory");
    assert!(is_remembered(root.path(), Duration::ZERO, true));
    assert!(!is_remembered(root.path(), SETTLED, true), "another file could be made within the same tick");
    assert!(!is_remembered(root.path(), Duration::ZERO, false), "the times could be made up");
}
