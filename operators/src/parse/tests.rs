//! One long line fills many batches.

use super::*;
use crate::format::logs::settings::Envelope;

/// The records of one batch after the other: for each record, its line's offset, its number and
/// whether it is a row.
fn batches(bytes: &[u8]) -> Vec<Vec<(u64, Option<u64>, bool)>> {
    let settings = RowSettings { envelope: Envelope::Auto, ..RowSettings::example() };
    let block = Block { bytes: bytes.to_vec(), begin: 0, base: 100, oversized: None, lenient: true };
    let lines = crate::split::lines(&block, 0, "a", &settings).lines;
    let mut builder = RowBuilder::of(&settings);
    let (mut next, mut all) = (Some(Next::default()), Vec::new());
    while let Some(from) = next {
        let (of_rows, elements, rejects) = (Vec::new(), Vec::new(), Vec::new());
        let (block, keep) = (&block, settings.raw);
        let mut batch = Batch { builder: &mut builder, block, keep, lines: of_rows, elements, rejects };
        next = batch.take(&lines, from);
        let number = |row: usize| batch.elements.iter().find(|element| element.row == row).map(|e| e.number);
        let rows = batch.lines.iter().enumerate().map(|(row, line)| (line.offset(block), number(row), true));
        let rejects = batch.rejects.iter().map(|reject| (reject.offset, reject.item, false));
        let mut records: Vec<_> = rows.chain(rejects).collect();
        records.sort_unstable();
        assert_eq!(batch.builder.finish("a").num_rows(), batch.lines.len());
        all.push(records);
    }
    all
}

#[test]
fn an_envelope_of_many_records_makes_many_batches() {
    let items = 2 * BATCH_LINES + 10;
    let record = |item: usize| if item.is_multiple_of(3) { "7" } else { r#"{"Region":"r"}"# };
    let array: Vec<&str> = (0..items).map(record).collect();
    let bytes = format!("{{\"Region\":\"a\"}}\n[{}]\n\n[\n{{\"Region\":\"b\"}},\nx\n", array.join(","));
    let batches = batches(bytes.as_bytes());
    assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [BATCH_LINES, BATCH_LINES, 13]);
    let end = 100 + bytes.len() as u64;
    let of_array = (0..items).map(|item| (115, Some(item as u64), item % 3 != 0));
    let expected: Vec<_> = [(100, None, true)]
        .into_iter()
        .chain(of_array)
        .chain([(end - 18, None, true), (end - 2, None, false)])
        .collect();
    let mut all = batches.concat();
    all.sort_unstable();
    assert_eq!(all, expected);
}
