//! Lines do not depend on how their bytes come, and agree with the other reader of lines.

use super::*;
use crate::format::logs::settings::RowSettings;
use crate::source::files::block::Block;
use crate::split;

/// The lines of `bytes`, fed in pieces of `step` from `offset` on: their starts, kept bytes,
/// lengths.
fn lines(bytes: &[u8], step: usize, offset: u64, max_line: u64) -> Vec<(u64, Vec<u8>, u64)> {
    let mut told = Vec::new();
    let mut tell = |line: Line<'_>| told.push((line.offset, line.bytes.to_vec(), line.length));
    let mut splitter = Splitter::new(offset, max_line);
    for piece in bytes.chunks(step) {
        splitter.feed(piece, &mut tell);
    }
    splitter.finish(&mut tell);
    told
}

#[test]
fn lines_are_the_same_however_their_bytes_come() {
    let expected = [(7, b"ab\r".to_vec(), 3), (11, Vec::new(), 0), (12, b"c".to_vec(), 1)];
    for step in 1..8 {
        assert_eq!(lines(b"ab\r\n\nc", step, 7, 10), expected, "{step}");
        assert_eq!(lines(b"ab\r\n\nc\n", step, 7, 10), expected, "{step}");
    }
}

#[test]
fn of_a_long_line_its_first_bytes_and_its_length_are_known() {
    let long = [&[b'x'; 3 * REJECT_RAW_LIMIT][..], b"\n{}\n"].concat();
    for step in [1000, 10 * REJECT_RAW_LIMIT] {
        let told = lines(&long, step, 0, 10);
        assert_eq!((told[0].1.len(), told[0].2), (REJECT_RAW_LIMIT, 3 * REJECT_RAW_LIMIT as u64), "{step}");
        assert_eq!(told[1], (3 * REJECT_RAW_LIMIT as u64 + 1, b"{}".to_vec(), 2), "{step}");
    }
}

fn line(offset: u64, bytes: &[u8]) -> Line<'_> {
    Line { offset, bytes, length: bytes.len() as u64 }
}

#[test]
fn marks_and_carriage_returns_are_no_text() {
    assert_eq!(line(0, b"\xef\xbb\xbf{}\r").text(1), b"{}");
    assert_eq!(line(9, b"\xef\xbb\xbf{}").text(1), b"\xef\xbb\xbf{}");
    assert_eq!(line(9, b"\0\x03\xef\xbb\xbf {}").text(2), b"{}");
    assert!(line(0, b"\xef\xbb\xbf \t\r").is_blank(1) && !line(9, b"\xef\xbb\xbf").is_blank(1));
    assert!(line(9, b"\0\xef\xbb\xbf\0 \t\r").is_blank(2) && !line(9, b"\x03").is_blank(2));
}

/// The fast path trims every line in the same way.
#[test]
fn two_readers_of_lines_agree() {
    let pieces: [&[u8]; 8] = [b"\0", b"\xef\xbb\xbf", b"\xef\xbb", b" ", b"\x11", b"\r", b"{}", b"\t"];
    for choice in 0..8_usize.pow(5) {
        let bytes = (0..5).map(|digit| pieces[choice / 8_usize.pow(digit) % 8]).collect::<Vec<_>>().concat();
        for (version, offset) in [(1, 0), (1, 9), (2, 0), (2, 9)] {
            let (bytes, lenient) = (bytes.clone(), version >= 2);
            let block = Block { begin: 0, base: offset, oversized: None, lenient, bytes };
            let fast = split::lines(&block, 0, "a", &RowSettings::example()).lines;
            let plain = line(offset, &block.bytes);
            let fast = fast.first().map(|line| line.text(&block));
            assert_eq!((!plain.is_blank(version)).then(|| plain.text(version)), fast, "{:?}", block.bytes);
        }
    }
}
