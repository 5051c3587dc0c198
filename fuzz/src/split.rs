//! `split` against the simplest way to find lines.

use lakefront_operators::format::logs::record::Reason;
use lakefront_operators::format::logs::settings::{
    Destination, Envelope, Format, ROWS_VERSION, Roles, RowSettings, UnknownKeys,
};
use lakefront_operators::source::files::block::Block;
use lakefront_operators::split::lines;

/// The first three bytes choose whether the block begins its partition and is lenient, the longest
/// line, and how few lines a batch has. The rest is the block.
///
/// # Panics
/// If a line is lost, doubled or cut in the wrong place, or its offset is wrong.
pub fn check(input: &[u8]) {
    let Some((&[first, max_line, few], bytes)) = input.split_first_chunk::<3>() else { return };
    let base = if first % 2 == 0 { 0 } else { 17 };
    // A batch is bounded by the size of its rows' names.
    let name = "n".repeat((2 << 20) / (usize::from(few % 8) + 1));
    let block = Block { bytes: bytes.to_vec(), begin: 0, base, oversized: None, lenient: first / 2 % 2 == 0 };
    let settings = settings(u64::from(max_line));
    let (mut found, mut from) = (Vec::new(), Some(0));
    while let Some(begin) = from {
        let batch = lines(&block, begin, &name, &settings);
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
    assert_eq!(found, expected(bytes, base, usize::from(max_line), block.lenient));
}

/// Each line by its offset: its text, or the bytes of a line that is too long.
type Lines = Vec<(u64, Result<Vec<u8>, Vec<u8>>)>;

fn settings(max_line: u64) -> RowSettings {
    let (primary, replica, servers, sources) = Default::default();
    RowSettings {
        rows_version: ROWS_VERSION,
        format: Format::Azure,
        max_line,
        unknown_keys: UnknownKeys::Keep,
        envelope: Envelope::None,
        zones: Default::default(),
        raw: RowSettings::usual_raw(),
        roles: Roles { primary, replica, default: Destination::Primary, servers, sources },
        tables: Vec::new(),
    }
}

fn expected(bytes: &[u8], base: u64, max_line: usize, lenient: bool) -> Lines {
    let mut offset = base;
    let mut expected = Lines::new();
    for raw in bytes.split(|byte| *byte == b'\n') {
        let mut text = raw.to_vec();
        if text.last() == Some(&b'\r') {
            text.pop();
        }
        let is_blank = match lenient {
            false => {
                if offset == 0 && text.starts_with(b"\xef\xbb\xbf") {
                    text.drain(..3);
                }
                text.iter().all(|byte| b" \t\r".contains(byte))
            }
            true => {
                let mut noise = false;
                while let Some(byte) =
                    text.first().copied().filter(|byte| *byte <= b' ' || text.starts_with(b"\xef\xbb\xbf"))
                {
                    noise |= !b"\0 \t\r\xef".contains(&byte);
                    text.drain(..if byte <= b' ' { 1 } else { 3 });
                }
                text.is_empty() && !noise
            }
        };
        if raw.len() > max_line {
            expected.push((offset, Err(raw.to_vec())));
        } else if !is_blank {
            expected.push((offset, Ok(text)));
        }
        offset += raw.len() as u64 + 1;
    }
    expected
}
