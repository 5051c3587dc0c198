//! Where lines begin and end, and what a batch has at most.

use super::*;

fn block(bytes: &[u8], base: u64) -> Block {
    Block { bytes: bytes.to_vec(), begin: 0, base, oversized: None, lenient: true }
}

fn lines(block: &Block, from: usize, name: &str, max_line: u64) -> Batch {
    super::lines(block, from, name, &RowSettings { max_line, ..RowSettings::example() })
}

fn texts(block: &Block) -> Vec<&[u8]> {
    let batch = lines(block, 0, "a", 100);
    assert!(batch.rejects.is_empty() && batch.next.is_none());
    batch.lines.iter().map(|line| line.text(block)).collect()
}

#[test]
fn carriage_returns_marks_and_blank_lines_are_not_text() {
    let first = block(b"\xef\xbb\xbf{}\r\n\r\n  \t\n{1}\n", 0);
    assert_eq!(texts(&first), [&b"{}"[..], b"{1}"]);
    let later = Block { lenient: false, ..block(b"\xef\xbb\xbf{}\n", 8) };
    assert_eq!(texts(&later), [&b"\xef\xbb\xbf{}"[..]], "under version 1, only a mark at the beginning is one");
    assert_eq!(texts(&Block { lenient: false, ..first }), [&b"{}"[..], b"{1}"]);
}

#[test]
fn what_stands_before_a_record_is_no_part_of_it() {
    let bytes = b"\0\0\0{}\n\0\0\r\n\xef\xbb\xbf{1}\n\x11\x03{2}\n\0 \xef\xbb\xbf\0{3}\n\xef\xbb{4}\n\x11\x03\n\xef\xbb\xbf\0\n{\0}\n";
    let later = block(bytes, 8);
    let expected: [&[u8]; 7] = [b"{}", b"{1}", b"{2}", b"{3}", b"\xef\xbb{4}", b"", b"{\0}"];
    assert_eq!(texts(&later), expected);
    let batch = lines(&later, 0, "a", 100);
    assert_eq!(batch.lines[0].offset(&later), 8, "the offset is that of the line");
    assert_eq!(batch.lines[0].raw(&later), b"\0\0\0{}");
}

#[test]
fn a_last_line_needs_no_newline() {
    assert_eq!(texts(&block(b"{}\n{1}", 5)), [&b"{}"[..], b"{1}"]);
}

#[test]
fn a_long_line_is_rejected_where_it_starts() {
    let block = block(b"abc\nabcd\n", 10);
    let Batch { lines, rejects, .. } = lines(&block, 0, "a", 3);
    assert_eq!(lines, [Line { start: 0, end: 3 }]);
    assert_eq!(rejects, [Reject::of(b"abcd", 14, Reason::LineTooLong)]);
}

#[test]
fn batches_have_a_most_of_lines_of_bytes_and_of_names() {
    let sizes = |bytes: &[u8], name: &str| {
        let (block, mut from, mut sizes) = (block(bytes, 0), Some(0), Vec::new());
        while let Some(begin) = from {
            let batch = lines(&block, begin, name, u64::MAX);
            sizes.push(batch.lines.len());
            from = batch.next;
        }
        sizes
    };
    assert_eq!(sizes(&b"{}\n".repeat(BATCH_LINES + 1), "a"), [BATCH_LINES, 1]);
    assert_eq!(sizes(&b"{}\n".repeat(BATCH_LINES), "a"), [BATCH_LINES], "no batch is empty");
    assert_eq!(sizes(&b"{}\n".repeat(5), &"x".repeat(BATCH_NAMES / 2)), [2, 2, 1]);
    let long = [&vec![b'1'; BATCH_BYTES - 2][..], b"\n2\n3\n"].concat();
    assert_eq!(sizes(&long, "a"), [2, 1]);
}
