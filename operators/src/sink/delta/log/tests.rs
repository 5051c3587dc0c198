//! What a commit says of itself.

use super::*;

#[test]
fn a_commit_of_ours_is_known_by_its_id_and_its_transactions() {
    let ids = AppIds::of("p");
    let ours = Commit {
        id: Uuid::new_v4(),
        held: Held { position: Position(7), run: RunId(3) },
        files: Vec::new(),
        sums: Vec::new(),
    };
    let content = commit(&ours, &ids, 1).expect("no files");
    let expected = CommitFacts { id: Some(ours.id), ours: true, is_suspect: false, removes_rows: false };
    assert_eq!(seen(&content, &ids).expect("our own JSON"), expected);
    assert_eq!(held(&content, &ids), Some(ours.held));
    assert_eq!(held(&content, &AppIds::of("q")), None);
    let foreign = seen(&content, &AppIds::of("q")).expect("our own JSON");
    assert!(!foreign.ours, "another pipeline's commit is foreign");
}

#[test]
fn a_commit_that_is_cut_short_is_not_taken_for_another() {
    let held = Held { position: Position(7), run: RunId(3) };
    let whole = Commit { id: Uuid::new_v4(), held, files: Vec::new(), sums: Vec::new() };
    let whole = commit(&whole, &AppIds::of("p"), 1).expect("no files");
    for length in [0, 1, whole.len() / 2, whole.len() - 2] {
        assert!(seen(&whole[..length], &AppIds::of("p")).is_err(), "{length} bytes of it");
    }
}

#[test]
fn compaction_removes_no_rows_but_a_delete_does() {
    let ids = AppIds::of("p");
    let compaction = br#"{"remove":{"path":"a","dataChange":false}}"#;
    assert!(!seen(compaction, &ids).expect("JSON").removes_rows);
    let delete = br#"{"remove":{"path":"a","dataChange":true}}"#;
    assert!(seen(delete, &ids).expect("JSON").removes_rows);
}
