//! A follower steps over what others commit, and over what was cleaned up.

use uuid::Uuid;

use super::*;
use crate::protocol::group::Commit;

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// A table with a definition and no rows, and its log's folder.
fn table(folder: &std::path::Path) -> (Place, std::path::PathBuf) {
    let log = folder.join("_delta_log");
    std::fs::create_dir(&log).expect("a folder");
    let schema = arrow_schema::Schema::new(vec![arrow_schema::Field::new("a", arrow_schema::DataType::Utf8, true)]);
    let metadata = super::super::schema::metadata("id", &schema, &[], 1).expect("a type of Delta's");
    let definition = log::definition(Some(super::super::schema::protocol()), metadata, "CREATE TABLE", 1);
    std::fs::write(log.join(log::file_name(Version(0))), definition).expect("a version");
    (Place::Disk(folder.to_owned()), log)
}

fn commit(pipeline: &str, position: u64, run: u64) -> Vec<u8> {
    let held = Held { position: Position(position), run: RunId(run) };
    let commit = Commit { id: Uuid::new_v4(), held, files: Vec::new(), sums: Vec::new() };
    log::commit(&commit, &AppIds::of(pipeline), 1).expect("no files")
}

fn held(position: u64, run: u64) -> Option<Held> {
    Some(Held { position: Position(position), run: RunId(run) })
}

#[test]
fn it_tells_where_the_pipeline_stands_and_steps_over_others() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    assert!(wait(Follower::open(&Place::Disk(folder.path().to_owned()), "p")).expect("readable").is_none());
    let (place, log) = table(folder.path());
    let write = |version, content: Vec<u8>| {
        std::fs::write(log.join(log::file_name(Version(version))), content).expect("a version");
    };
    let mut follower = wait(Follower::open(&place, "p")).expect("readable").expect("a table");
    assert_eq!(follower.held(), None);
    assert!(!wait(follower.look()).expect("readable"));
    write(1, commit("p", 7, 3));
    write(2, commit("other", 99, 9));
    write(3, br#"{"remove":{"path":"a","dataChange":false}}"#.to_vec());
    assert!(wait(follower.look()).expect("readable"));
    assert_eq!(follower.held(), held(7, 3));
    write(4, commit("p", 12, 3));
    assert!(wait(follower.look()).expect("readable"));
    assert_eq!(follower.held(), held(12, 3));
}

#[test]
fn versions_that_were_cleaned_up_are_passed_over() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (place, log) = table(folder.path());
    let mut follower = wait(Follower::open(&place, "p")).expect("readable").expect("a table");
    // The log as a clean-up leaves it: its first version is a later one that contains
    // everything.
    std::fs::rename(log.join(log::file_name(Version(0))), log.join("definition")).expect("a rename");
    let whole = [std::fs::read(log.join("definition")).expect("a file"), commit("p", 12, 3)].concat();
    std::fs::write(log.join(log::file_name(Version(0))), whole).expect("a version");
    std::fs::write(log.join(log::file_name(Version(1))), commit("p", 20, 3)).expect("a version");
    follower.next = Version(1);
    std::fs::write(log.join(log::file_name(Version(2))), commit("p", 30, 3)).expect("a version");
    wait(follower.catch_up()).expect("readable");
    assert_eq!((follower.held(), follower.next), (held(30, 3), Version(3)));
}
