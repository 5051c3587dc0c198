//! Streams that are damaged, and values that have no place in their column.

use std::error::Error;

use super::*;

/// What is wrong with `value` as the first of its column.
fn wrong(codec: Codec, value: &[u8]) -> BadValue {
    match decode(&[codec], &stream(&[&[Some(value)]]), 10) {
        Err(CopyError::Value { column, row: 1, wrong }) if column == "a" => wrong,
        other => panic!("the value is wrong, not {other:?}"),
    }
}

#[test]
fn a_stream_cut_anywhere_ends_early() {
    let (codecs, copy) = one_row();
    for length in 0..copy.len() {
        let cut = decode(&codecs, &copy[..length], 1);
        assert!(matches!(cut, Err(CopyError::Ends { .. })), "{length} of {} bytes: {cut:?}", copy.len());
    }
    let longer = [&copy[..], &[0]].concat();
    assert_eq!(decode(&codecs, &longer, 1), Err(CopyError::GoesOn { rows: 1 }));
}

#[test]
fn no_damage_causes_a_panic() {
    let (codecs, copy) = one_row();
    for at in 0..copy.len() {
        for byte in [0, 1, 2, 0x7f, 0x80, 0xc3, 0xfe, 0xff] {
            let mut damaged = copy.clone();
            damaged[at] = byte;
            // Some damage only makes another value: what counts is that this returns.
            let _ = decode(&codecs, &damaged, 10);
        }
    }
}

/// Every codec, and a stream of one row of them.
fn one_row() -> (Vec<Codec>, Vec<u8>) {
    let all = every_codec();
    let tuple: Vec<Value<'_>> = all.iter().map(|(_, value, _)| Some(&value[..])).collect();
    let copy = stream(&[&tuple]);
    (all.into_iter().map(|(codec, ..)| codec).collect(), copy)
}

#[test]
fn tuples_have_one_field_for_each_column() {
    let copy = stream(&[&[Some(&[1])], &[Some(&[1]), None]]);
    assert_eq!(decode(&[Codec::Bool], &copy, 1), Err(CopyError::Fields { row: 2, found: 2, expected: 1 }));
}

#[test]
fn values_that_have_no_place_in_their_column_are_refused() {
    for (codec, value, _) in every_codec() {
        let any_length = matches!(codec, Codec::Text | Codec::Jsonb | Codec::Bytes);
        if !any_length {
            assert_eq!(wrong(codec.clone(), &value[..value.len() - 1]), BadValue::Length, "{codec:?}");
            assert_eq!(wrong(codec.clone(), &[&value[..], &[0]].concat()), BadValue::Length, "{codec:?}");
        }
    }
    assert_eq!(wrong(Codec::Bool, &[2]), BadValue::Malformed);
    assert_eq!(wrong(Codec::Jsonb, b"\x02{}"), BadValue::Jsonb);
    assert_eq!(wrong(Codec::Jsonb, b""), BadValue::Jsonb);
    assert_eq!(wrong(Codec::Date, &(i32::MAX - 1).to_be_bytes()), BadValue::Range);
    assert_eq!(wrong(Codec::Time, &(-1_i64).to_be_bytes()), BadValue::Range);
    assert_eq!(wrong(Codec::Timestamptz, &(i64::MAX - 1).to_be_bytes()), BadValue::Range);
    assert_eq!(wrong(decimal(), &[0, 0, 0, 0, 0xc0, 0, 0, 0]), BadValue::NotFinite);
    assert_eq!(wrong(list(Codec::Bool), &array(&[Some(&[1]), Some(&[2])])), BadValue::Malformed);
    let mut deep = array(&[]);
    deep[3] = 2;
    assert_eq!(wrong(list(Codec::Bool), &deep), BadValue::Dimensions);
    let negative = stream(&[]);
    let negative = [&negative[..negative.len() - 2], &[0, 1], &(-2_i32).to_be_bytes()].concat();
    let refused = CopyError::Value { column: "a".to_owned(), row: 1, wrong: BadValue::Length };
    assert_eq!(decode(&[Codec::Text], &negative, 10), Err(refused));
}

#[test]
fn a_text_that_is_not_utf8_is_found_by_its_row() {
    // The halves of a character are UTF-8 together, but not each.
    let halves: [&[Value<'_>]; 5] = [&[Some(b"a")], &[None], &[Some(b"")], &[Some(b"\xc3")], &[Some(b"\xa9")]];
    let refused = |row| Err(CopyError::Value { column: "a".to_owned(), row, wrong: BadValue::Utf8 });
    assert_eq!(decode(&[Codec::Text], &stream(&halves), 10), refused(4));
    assert_eq!(decode(&[Codec::Text], &stream(&halves), 2), refused(4), "whichever batch it is in");

    let (good, none, bad) = (array(&[Some(b"a"), None]), array(&[]), array(&[Some(b"b"), Some(b"\xff")]));
    let lists: [&[Value<'_>]; 5] = [&[Some(&good)], &[Some(&none)], &[None], &[Some(&bad)], &[Some(&good)]];
    assert_eq!(decode(&[list(Codec::Text)], &stream(&lists), 10), refused(4));
}

#[test]
fn null_is_refused_by_a_column_that_is_not_nullable() {
    let schema = Schema::new(vec![Field::new("id", DataType::Int16, false)]);
    let decoder = Decoder::new(Arc::new(schema), vec![Codec::Int16]);
    let refused = decoder.decode(&stream(&[&[Some(&[0, 1])], &[None]]), 10, |_| ());
    assert_eq!(refused, Err(CopyError::Value { column: "id".to_owned(), row: 2, wrong: BadValue::Null }));
}

#[test]
fn errors_name_the_place_but_no_value() {
    let error = decode(&[Codec::Jsonb], &stream(&[&[Some(b"\x01{}")], &[Some(b"hunter2")]]), 10);
    let error = error.expect_err("no jsonb");
    assert_eq!(error.to_string(), "could not decode column \"a\" in row 2 of the COPY stream");
    assert_eq!(error.source().expect("a cause").to_string(), "it is no jsonb of version 1");
    assert!(!format!("{error:?}").contains("hunter2"));
}
