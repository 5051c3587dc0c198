//! Which row is named as the first that differs.

use super::*;

fn rows(all: &[(u64, u128)]) -> RowSums {
    let mut rows = RowSums::new();
    all.iter().for_each(|(offset, row)| rows.entry((*offset, None)).or_default().push(*row));
    rows
}

#[test]
fn the_first_row_that_differs_is_named() {
    let told = rows(&[(1, 10), (5, 50), (9, 90)]);
    let cases = [
        (&[(1, 10), (5, 50), (9, 90)][..], None),
        (&[(1, 10), (9, 91)], Some((5, What::Missing))),
        (&[(1, 10), (5, 51), (9, 91)], Some((5, What::Altered))),
        (&[(9, 90), (5, 50), (5, 50), (1, 10)], Some((5, What::Doubled))),
        (&[(1, 10), (3, 10), (5, 50), (9, 90)], Some((3, What::Unexpected))),
        (&[(1, 10), (5, 51), (5, 52), (9, 90)], Some((5, What::Altered))),
        (&[], Some((1, What::Missing))),
    ];
    for (held, expected) in cases {
        let expected = expected.map(|(offset, what)| ((offset, None), what));
        assert_eq!(first(&told, &rows(held)), expected, "{held:?}");
    }
}

#[test]
fn of_two_rows_at_one_offset_one_may_be_missing() {
    assert_eq!(first(&rows(&[(1, 10), (1, 11)]), &rows(&[(1, 11)])), Some(((1, None), What::Missing)));
    assert_eq!(first(&rows(&[(1, 10), (1, 11)]), &rows(&[(1, 11), (1, 10)])), None);
}

#[test]
fn a_record_of_a_line_with_several_is_named_by_its_number() {
    let items =
        |all: &[(u64, u128)]| -> RowSums { all.iter().map(|(item, row)| ((7, Some(*item)), vec![*row])).collect() };
    let told = items(&[(0, 10), (1, 11), (2, 12)]);
    assert_eq!(first(&told, &items(&[(0, 10), (2, 12)])), Some(((7, Some(1)), What::Missing)));
    assert_eq!(first(&told, &items(&[(0, 10), (1, 11), (2, 13)])), Some(((7, Some(2)), What::Altered)));
}
