//! What a name says of a value, and which columns tell rows apart.

use super::*;

fn hot(name: &str, of: &str) -> HotColumn {
    HotColumn {
        name: name.to_owned(),
        shown: of.to_owned(),
        of: of.to_owned(),
        modifier: -1,
        element: of.strip_prefix('_').map(str::to_owned),
        is_enum: false,
        nullable: false,
    }
}

fn column(hot: &HotColumn, key: &[&str]) -> Option<Column> {
    let key: Vec<String> = key.iter().map(|name| (*name).to_owned()).collect();
    Column::new(hot, "ledger_sequence", &key, Vec::new())
}

/// The value without its length.
fn value(column: &Column, ledger: i64, row: i64) -> Vec<u8> {
    let mut out = Vec::new();
    column.append(&mut out, At { ledger, row }, &mut Random::new(7));
    let length = i32::from_be_bytes(out[..4].try_into().expect("a length"));
    assert_eq!(usize::try_from(length), Ok(out.len() - 4));
    out.split_off(4)
}

#[test]
fn names_say_what_numbers_are() {
    let number = |name: &str, key: &[&str]| {
        let column = column(&hot(name, "int8"), key).expect("a known type");
        i64::from_be_bytes(value(&column, 59_999_501, 3).try_into().expect("eight bytes"))
    };
    assert_eq!(number("ledger_sequence", &[]), 59_999_501);
    assert_eq!(number("created_ledger", &[]), 59_999_501);
    assert_eq!(number("ledger_range", &[]), 59_990_000);
    assert_eq!(number("effect_index", &[]), 3);
    assert_eq!(number("offer_id", &["ledger_sequence", "offer_id"]), 3);
    assert_eq!(number("offer_id", &["offer_id"]), 59_999_501 * MOST_ROWS + 3);
}

#[test]
fn keys_tell_rows_apart_if_they_can() {
    let key = ["ledger_sequence", "k"];
    let tells = |of: &str, key: &[&str]| {
        let column = column(&hot("k", of), key).expect("a known type");
        (column.tells_rows(), column.tells_all())
    };
    assert_eq!(tells("int4", &key), (true, false));
    assert_eq!(tells("text", &key), (true, true));
    assert_eq!(tells("uuid", &["k"]), (true, true));
    assert_eq!(tells("int8", &["k"]), (true, true));
    assert_eq!(tells("date", &key), (false, false));
    // `varchar(10)` has no room for it.
    let short = HotColumn { modifier: 14, ..hot("k", "varchar") };
    let short = column(&short, &key).expect("a known type");
    assert!(!short.tells_rows() && value(&short, 1, 1).len() <= 10);
}

#[test]
fn unknown_types_are_none() {
    let odd = HotColumn { element: Some("int2".to_owned()), ..hot("k", "int2vector") };
    for odd in [odd, hot("k", "inet"), hot("k", "another text"), hot("k", "_inet")] {
        assert!(column(&odd, &[]).is_none(), "{}", odd.of);
    }
    assert!(column(&hot("k", "_jsonb"), &[]).is_some());
    // An enumeration of which nothing is known.
    assert!(column(&HotColumn { is_enum: true, ..hot("k", "mood") }, &[]).is_none());
}
