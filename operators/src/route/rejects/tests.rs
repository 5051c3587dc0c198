//! How a reason is told, with its first line.

use super::*;

fn counted(source: &str, offset: u64, lines: &[&[u8]]) -> Vec<Counted> {
    let reject = |(i, line): (usize, &&[u8])| Reject::of(line, offset + i as u64, Reason::NoRole);
    count(&lines.iter().enumerate().map(reject).collect::<Vec<_>>(), source)
}

#[test]
fn a_reason_is_told_with_its_first_line() {
    let rejects = Rejects::new(0.5, StopRequest::default());
    rejects.seen(&counted("b", 0, &[b"later"]));
    rejects.seen(&counted("a", 7, &[b"{\"x\": \"\x1b[2J\xff\"}", b"more"]));
    let [no_role] = &rejects.counted()[..] else { panic!("one reason") };
    assert_eq!((no_role.lines, no_role.source.as_str(), no_role.offset), (3, "a", 7));
    assert!(
        no_role.to_string().starts_with("no_role 3, first a:7 `{\"x\": \"\\u{1b}[2J\u{fffd}\"}`: set roles.default")
    );
    assert!(!rejects.is_over() && rejects.verdict().is_ok());
}

#[test]
fn a_long_line_is_cut_and_tells_no_secret() {
    let [long] = &counted("a", 0, &["é".repeat(1 << 20).as_bytes()])[..] else { panic!("one reason") };
    assert_eq!(long.beginning, "é".repeat(SHOWN) + "…");
    let [signed] = &counted("a", 0, &[b"get https://a/c?sgi=hunter2 now"])[..] else { panic!("one reason") };
    assert_eq!(signed.beginning, "get https://a/c?*** now");
}
