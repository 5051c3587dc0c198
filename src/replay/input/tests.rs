//! A file is cut into appends of whole lines.

use super::*;

fn input(content: &[u8], size: u64, endless: bool) -> Input {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("a");
    std::fs::write(&path, content).expect("a file");
    Input::open(&path, size, endless).expect("a file with lines")
}

fn next(input: &mut Input) -> Option<Vec<u8>> {
    input.next().expect("readable").map(|piece| piece.bytes)
}

#[test]
fn appends_are_whole_lines_and_a_long_line_is_one_of_its_own() {
    let mut input = input(b"one\ntwo\nthree and four\nfive", 9, false);
    let pieces: Vec<Vec<u8>> = std::iter::from_fn(|| next(&mut input)).collect();
    assert_eq!(pieces, [&b"one\ntwo\n"[..], b"three and four\n", b"five"]);
}

#[test]
fn an_endless_file_begins_anew_on_a_line_of_its_own() {
    let mut input = input(b"one\ntwo", 4, true);
    let pieces: Vec<Vec<u8>> = std::iter::from_fn(|| next(&mut input)).take(4).collect();
    assert_eq!(pieces, [&b"one\n"[..], b"two\n", b"one\n", b"two\n"]);
}

#[test]
fn lines_that_become_rows_are_counted() {
    let mut input = input(b"\xef\xbb\xbf\r\none\n \t\r\n\ntwo\nthr", 100, false);
    let piece = input.next().expect("readable").expect("lines");
    assert_eq!((piece.starts, piece.whole, piece.bytes.len()), (vec![5, 14], 18, 21));
    assert_eq!(next(&mut input), None);
}

#[test]
fn lines_that_may_hold_several_records_are_told() {
    for (line, expected) in [
        ("{\"time\":\"t\"}", false),
        ("{\"time\":\"t\"},", false),
        ("{ \"records\" : []}", true),
        (" [{}]", true),
        ("]", true),
    ] {
        let mut input = input(format!("{line}\n{{}}\n").as_bytes(), 100, false);
        let piece = input.next().expect("readable").expect("lines");
        assert_eq!(piece.has_envelopes, expected, "{line}");
    }
}

#[test]
fn a_file_without_lines_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(folder.path().join("a"), b"").expect("a file");
    assert!(Input::open(&folder.path().join("a"), 1, true).is_err());
    assert!(Input::open(folder.path(), 1, false).is_err());
}
