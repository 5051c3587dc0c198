//! `split` against the plainest way to find lines.

use lakefront_operators::record::Reason;
use lakefront_operators::source::block::Block;
use lakefront_operators::split::lines;

/// The first three bytes choose: whether the block begins its partition, the longest line, and how few lines a batch has. The rest is
/// the block.
///
/// # Panics
/// If a line is lost, doubled, cut elsewhere, or its offset is wrong.
pub fn check(input: &[u8]) {
    let Some((&[first, max_line, few], bytes)) = input.split_first_chunk::<3>() else { return };
    let base = if first % 2 == 0 { 0 } else { 17 };
    // A batch is bounded by what the names of its rows take.
    let name = "n".repeat((2 << 20) / (usize::from(few % 8) + 1));
    let block = Block { bytes: bytes.to_vec(), begin: 0, base, oversized: None };
    let (mut found, mut from) = (Vec::new(), Some(0));
    while let Some(begin) = from {
        let batch = lines(&block, begin, &name, u64::from(max_line));
        let texts = batch.lines.iter().map(|line| (line.offset(&block), Ok(line.text(&block).to_vec())));
        let rejects = batch.rejects.iter().map(|reject| {
            assert_eq!((reject.reason, reject.raw.len() as u64), (Reason::LineTooLong, reject.length));
            (reject.offset, Err(reject.raw.clone()))
        });
        found.extend(texts.chain(rejects));
        assert!(batch.next.is_none_or(|next| next > begin), "a batch goes on");
        from = batch.next;
    }
    found.sort();
    assert_eq!(found, expected(bytes, base, usize::from(max_line)));
}

/// The text of each line, or what is too long, by its offset.
type Lines = Vec<(u64, Result<Vec<u8>, Vec<u8>>)>;

fn expected(bytes: &[u8], base: u64, max_line: usize) -> Lines {
    let mut offset = base;
    let mut expected = Lines::new();
    for raw in bytes.split(|byte| *byte == b'\n') {
        let mut text = raw.to_vec();
        if text.last() == Some(&b'\r') {
            text.pop();
        }
        if offset == 0 && text.starts_with(b"\xef\xbb\xbf") {
            text.drain(..3);
        }
        if raw.len() > max_line {
            expected.push((offset, Err(raw.to_vec())));
        } else if text.iter().any(|byte| !b" \t\r".contains(byte)) {
            expected.push((offset, Ok(text)));
        }
        offset += raw.len() as u64 + 1;
    }
    expected
}
