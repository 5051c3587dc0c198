//! Only old files of others are deleted, and no link leads elsewhere.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

/// A folder with files in it, and one next to it.
struct World {
    _folder: tempfile::TempDir,
    root: PathBuf,
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let root = fs::canonicalize(folder.path()).expect("its path");
        for file in ["dir/old", "dir/below/old", "beside/old"] {
            let path = root.join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, [1; 5000]).expect("a file");
        }
        World { _folder: folder, root }
    }

    /// Cleans `dir` long after the files were made.
    fn clean(&self, dir: &str, kept: &[&str]) -> (Deleted, Option<StoreError>) {
        let kept: Vec<_> = kept.iter().map(|path| self.root.join(path)).collect();
        let stat = rustix::fs::stat(&self.root).expect("its times");
        let now_ms = changed_ms(&stat) + 2 * 3_600_000;
        clean(&Clean { dir: self.root.join(dir), older_than: HOUR }, &kept, u64::try_from(now_ms).expect("a time"))
    }

    fn has(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }
}

#[test]
fn old_files_go_and_folders_stay() {
    let world = World::new();
    let (deleted, failed) = world.clean("dir", &["beside"]);
    assert!(failed.is_none(), "{failed:?}");
    assert_eq!(deleted.files, 2);
    assert!(deleted.bytes >= 10_000, "{deleted:?}");
    assert!(!world.has("dir/old") && !world.has("dir/below/old"));
    assert!(world.has("dir/below") && world.has("beside/old"));
}

#[test]
fn a_file_that_changed_since_is_left_also_if_its_time_was_set_back() {
    let world = World::new();
    let path = world.root.join("dir/old");
    let file = fs::File::options().write(true).open(&path).expect("a file");
    file.set_modified(std::time::UNIX_EPOCH).expect("its time is set");
    drop(file);
    let stat = rustix::fs::stat(&path).expect("its times");
    let now_ms = u64::try_from(changed_ms(&stat)).expect("a time") + 3_600_000;
    let rule = Clean { dir: world.root.join("dir"), older_than: HOUR };
    clean(&rule, &[], now_ms - 1);
    assert!(path.exists(), "the inode changed less than an hour ago");
    clean(&rule, &[], now_ms);
    assert!(!path.exists());
}

#[test]
fn no_link_leads_anywhere() {
    let world = World::new();
    for (to, link) in [("../beside", "dir/folder"), ("../beside/old", "dir/file"), ("dir", "link")] {
        symlink(to, world.root.join(link)).expect("a link");
    }
    let (deleted, failed) = world.clean("link", &[]);
    assert_eq!((deleted, failed.is_some()), (Deleted::default(), true), "the folder itself is a link");
    let (deleted, failed) = world.clean("link/below", &[]);
    assert_eq!((deleted, failed.is_some()), (Deleted::default(), true), "a folder above it is a link");
    let (deleted, failed) = world.clean("dir", &[]);
    assert_eq!((deleted.files, failed.is_none()), (2, true), "links are left as they are");
    assert!(world.has("beside/old") && world.has("dir/file"));
}

#[test]
fn nothing_of_the_run_is_touched() {
    for (dir, kept) in [("dir", "dir"), ("dir/below", "dir"), ("dir", "dir/below"), ("dir", "dir/not/there")] {
        let world = World::new();
        let (deleted, failed) = world.clean(dir, &[kept]);
        let told = crate::error::chain(&failed.expect("refused"));
        assert!(told.contains("it holds or lies in"), "{told}");
        assert_eq!(deleted, Deleted::default());
    }
    // The same through a link to it, which comparing names would not reveal.
    let world = World::new();
    symlink("dir/below", world.root.join("lake")).expect("a link");
    assert!(world.clean("dir", &["lake"]).1.is_some());
    assert!(world.has("dir/below/old") && world.has("dir/old"));
}

#[test]
fn what_a_link_of_the_run_leads_to_is_its_own() {
    // A log that lies elsewhere, and a table's folder that does.
    for (link, to) in [("logs/a.json", "dir/old"), ("logs/deeper/table", "dir/below")] {
        let world = World::new();
        let link = world.root.join(link);
        fs::create_dir_all(link.parent().expect("a folder")).expect("a folder");
        symlink(world.root.join(to), link).expect("a link");
        let told = crate::error::chain(&world.clean("dir", &["logs"]).1.expect("refused"));
        assert!(told.contains("it holds or lies in"), "{told}");
        assert!(world.has("dir/old") && world.has("dir/below/old"));
    }
}

#[test]
fn a_file_of_the_run_is_known_under_any_name() {
    let world = World::new();
    fs::hard_link(world.root.join("beside/old"), world.root.join("dir/name")).expect("a second name");
    assert_eq!(world.clean("dir", &["beside/old"]).0.files, 2);
    assert!(world.has("dir/name"));
}

#[test]
fn a_file_that_is_open_here_is_left() {
    let world = World::new();
    // Like a log that nothing was written to for long.
    let _log = fs::File::open(world.root.join("dir/old")).expect("a file");
    assert_eq!(world.clean("dir", &[]).0.files, 1);
    assert!(world.has("dir/old") && !world.has("dir/below/old"));
}

#[test]
fn a_folder_that_is_not_there_is_a_failure() {
    let (deleted, failed) = World::new().clean("gone", &[]);
    assert_eq!(deleted, Deleted::default());
    assert!(crate::error::chain(&failed.expect("no such folder")).contains("No such file"));
}
