//! A checksum is what the format says, and differs for every change of a row.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use proptest::prelude::*;

use super::*;

/// Rows of a table like ours; `text` and `number` may be null.
fn batch(text: &[Option<&str>], number: &[Option<i64>], offsets: &[i64]) -> RecordBatch {
    let rows = offsets.len();
    let columns: [(&str, ArrayRef); 6] = [
        ("text", Arc::new(StringArray::from(text.to_vec()))),
        ("number", Arc::new(Int64Array::from(number.to_vec()))),
        ("raw", Arc::new(BinaryArray::from_iter_values(vec![b"\xff"; rows]))),
        ("_source", Arc::new(StringArray::from(vec!["a"; rows]))),
        ("_offset", Arc::new(Int64Array::from(offsets.to_vec()))),
        ("rejected_at", Arc::new(TimestampMicrosecondArray::from(vec![7; rows]).with_timezone("UTC"))),
    ];
    let columns = columns.map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length")
}

fn rows(batch: &RecordBatch) -> Vec<(u64, u128)> {
    let mut told = Vec::new();
    hash::rows(batch, &mut Vec::new(), |offset, values| told.push((offset, values)));
    told
}

/// The format, word by word.
fn by_hand(text: Option<&str>, number: Option<i64>) -> u128 {
    let text = text.map(|text| hash::Column::new("text", "string").bytes(text.as_bytes()));
    let number = number.map(|number| hash::Column::new("number", "long").bytes(&number.to_le_bytes()));
    let raw = hash::Column::new("raw", "binary").bytes(b"\xff");
    [text, number, Some(raw)].into_iter().flatten().fold(0, u128::wrapping_add)
}

#[test]
fn the_format_is_what_tables_were_written_with() {
    let values = rows(&batch(&[Some("x")], &[Some(1)], &[5]))[0].1;
    let row = hash::PartitionHash::new("a").row(5, values);
    // A change here makes every table that exists unprovable.
    expect_test::expect!["00dd1337bdc8d6d6c2d315f73b00ddaf"].assert_eq(&format!("{row:032x}"));
}

#[test]
fn columns_and_values_cannot_be_swapped() {
    let [text, other] = ["text", "other"].map(|name| hash::Column::new(name, "string"));
    let swapped = |a: &[u8], b: &[u8]| text.bytes(a).wrapping_add(other.bytes(b));
    assert_ne!(swapped(b"x", b"y"), swapped(b"y", b"x"));
    assert_ne!(text.bytes(b"12345678"), hash::Column::new("text", "long").bytes(b"12345678"));
    let source = hash::PartitionHash::new("a");
    assert_ne!(source.row(1, 0), source.row(2, 0));
    assert_ne!(source.row(1, 0), hash::PartitionHash::new("b").row(1, 0));
}

proptest! {
    #[test]
    fn every_shape_of_column_is_hashed_alike(
        all in proptest::collection::vec((proptest::option::of("[ab]{0,2}"), proptest::option::of(0_i64..3)), 1..20),
        skip in 0_usize..20,
    ) {
        let text: Vec<_> = all.iter().map(|(text, _)| text.as_deref()).collect();
        let number: Vec<_> = all.iter().map(|(_, number)| *number).collect();
        let offsets: Vec<i64> = (0..all.len() as i64).collect();
        let expected: Vec<_> =
            all.iter().zip(0..).map(|((text, number), offset)| (offset, by_hand(text.as_deref(), *number))).collect();
        let whole = batch(&text, &number, &offsets);
        prop_assert_eq!(&rows(&whole), &expected);
        // A slice has offsets of its own.
        let skip = skip.min(all.len());
        prop_assert_eq!(&rows(&whole.slice(skip, all.len() - skip)), &expected[skip..]);
    }
}
