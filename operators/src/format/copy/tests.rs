//! Streams made by hand: every codec, NULLs, and where batches end.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Int32Type, Time64MicrosecondType, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, FixedSizeBinaryArray, Float32Array, Float64Array, Int16Array,
    Int32Array, Int64Array, ListArray, PrimitiveArray, StringArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field, Schema};

use super::*;

mod damage;

/// A field of a tuple, or an element of an array.
type Value<'v> = Option<&'v [u8]>;

fn fields(values: &[Value<'_>]) -> Vec<u8> {
    let field = |value: &Value<'_>| {
        let length = value.map_or(-1, |bytes| bytes.len() as i32);
        [&length.to_be_bytes()[..], value.unwrap_or_default()].concat()
    };
    values.iter().flat_map(field).collect()
}

/// A whole stream of these tuples.
fn stream(tuples: &[&[Value<'_>]]) -> Vec<u8> {
    let mut stream = [&SIGNATURE[..], &[0; 8]].concat();
    for tuple in tuples {
        stream.extend((tuple.len() as i16).to_be_bytes());
        stream.extend(fields(tuple));
    }
    stream.extend((-1_i16).to_be_bytes());
    stream
}

/// An array of one dimension, whose elements begin at 5.
fn array(elements: &[Value<'_>]) -> Vec<u8> {
    let numbers = [1, 1, 25, elements.len() as i32, 5];
    numbers.iter().flat_map(|number| number.to_be_bytes()).chain(fields(elements)).collect()
}

/// Columns `a`, `b` and so on.
fn decoder(codecs: &[Codec]) -> Decoder {
    let names = ('a'..='z').map(String::from);
    let field = |(name, codec): (String, &Codec)| Field::new(name, codec.data_type(), true);
    let fields: Vec<Field> = names.zip(codecs).map(field).collect();
    Decoder::new(Arc::new(Schema::new(fields)), codecs.to_vec())
}

fn decode(codecs: &[Codec], copy: &[u8], rows: usize) -> Result<(u64, Vec<RecordBatch>), CopyError> {
    let mut batches = Vec::new();
    let count = decoder(codecs).decode(copy, rows, |batch| batches.push(batch))?;
    Ok((count, batches))
}

fn primitive<T: arrow_array::ArrowPrimitiveType>(value: T::Native, codec: &Codec) -> ArrayRef {
    let values = PrimitiveArray::<T>::from_iter([Some(value), None]);
    Arc::new(values.with_data_type(codec.data_type()))
}

fn decimal() -> Codec {
    Codec::Decimal { precision: 6, scale: 2 }
}

fn list(codec: Codec) -> Codec {
    Codec::List(Box::new(codec))
}

/// A list of these elements, and NULL.
fn lists(codec: &Codec, elements: ArrayRef) -> ArrayRef {
    let DataType::List(field) = codec.data_type() else { panic!("a list") };
    let offsets = OffsetBuffer::from_lengths([elements.len(), 0]);
    Arc::new(ListArray::new(field, offsets, elements, Some(NullBuffer::from(vec![true, false]))))
}

/// For every codec a value, and the column of that value and NULL.
fn every_codec() -> Vec<(Codec, Vec<u8>, ArrayRef)> {
    let (texts, numbers) = (list(Codec::Text), list(Codec::Int32));
    let list_of_texts = lists(&texts, Arc::new(StringArray::from(vec![Some("é"), None, Some("")])));
    let list_of_numbers = lists(&numbers, Arc::new(Int32Array::from(Vec::<i32>::new())));
    let uuid = *b"0123456789abcdef";
    let uuids = FixedSizeBinaryArray::try_from_sparse_iter_with_size([Some(uuid), None].into_iter(), 16);
    let interval = *b"\0\0\0\0\0\0\x07\xd0\0\0\0\x03\0\0\0\x01";
    let parts = *b"\x01\0\0\0\x03\0\0\0\x02\0\0\0";
    let intervals = FixedSizeBinaryArray::try_from_sparse_iter_with_size([Some(parts), None].into_iter(), 12);
    let of = |codec: Codec, value: &[u8], column: ArrayRef| (codec, value.to_vec(), column);
    vec![
        of(Codec::Bool, &[1], Arc::new(BooleanArray::from(vec![Some(true), None]))),
        of(Codec::Int16, &(-2_i16).to_be_bytes(), Arc::new(Int16Array::from(vec![Some(-2), None]))),
        of(Codec::Int32, &i32::MIN.to_be_bytes(), Arc::new(Int32Array::from(vec![Some(i32::MIN), None]))),
        of(Codec::Int64, &i64::MAX.to_be_bytes(), Arc::new(Int64Array::from(vec![Some(i64::MAX), None]))),
        of(Codec::Float32, &1.5_f32.to_be_bytes(), Arc::new(Float32Array::from(vec![Some(1.5), None]))),
        of(Codec::Float64, &f64::MIN.to_be_bytes(), Arc::new(Float64Array::from(vec![Some(f64::MIN), None]))),
        of(Codec::Text, "žluť".as_bytes(), Arc::new(StringArray::from(vec![Some("žluť"), None]))),
        of(Codec::Jsonb, b"\x01{}", Arc::new(StringArray::from(vec![Some("{}"), None]))),
        of(Codec::Bytes, b"\xff\x00", Arc::new(BinaryArray::from(vec![Some(&b"\xff\x00"[..]), None]))),
        of(Codec::Uuid, &uuid, Arc::new(uuids.expect("16 bytes"))),
        of(Codec::Interval, &interval, Arc::new(intervals.expect("12 bytes"))),
        of(Codec::Date, &1_i32.to_be_bytes(), primitive::<Date32Type>(10_958, &Codec::Date)),
        of(Codec::Time, &7_i64.to_be_bytes(), primitive::<Time64MicrosecondType>(7, &Codec::Time)),
        of(
            Codec::Timestamp,
            &(-946_684_800_000_000_i64).to_be_bytes(),
            primitive::<TimestampMicrosecondType>(0, &Codec::Timestamp),
        ),
        of(
            Codec::Timestamptz,
            &i64::MIN.to_be_bytes(),
            primitive::<TimestampMicrosecondType>(-i64::MAX, &Codec::Timestamptz),
        ),
        // -12.3: two digits of base 10,000, the first of weight 0.
        of(decimal(), &[0, 2, 0, 0, 0x40, 0, 0, 1, 0, 12, 0x0b, 0xb8], primitive::<Decimal128Type>(-1_230, &decimal())),
        of(texts, &array(&[Some("é".as_bytes()), None, Some(b"")]), list_of_texts),
        // An empty array has no dimension.
        of(numbers, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 23], list_of_numbers),
    ]
}

#[test]
fn every_codec_has_its_arrow_column() {
    for (codec, value, expected) in every_codec() {
        let copy = stream(&[&[Some(&value)], &[None]]);
        let (count, batches) = decode(std::slice::from_ref(&codec), &copy, 10).expect("a whole stream");
        assert_eq!((count, batches.len()), (2, 1), "{codec:?}");
        assert_eq!(batches[0].column(0).data_type(), &codec.data_type());
        assert_eq!(batches[0].column(0), &expected, "{codec:?}");
    }
}

#[test]
fn batches_have_at_most_so_many_rows_and_are_in_order() {
    let numbers: Vec<[u8; 4]> = (0_i32..7).map(i32::to_be_bytes).collect();
    let rows: Vec<[Value<'_>; 1]> = numbers.iter().map(|number| [Some(&number[..])]).collect();
    let tuples: Vec<&[Value<'_>]> = rows.iter().map(|row| &row[..]).collect();
    for (rows, lengths) in [(3, &[3_usize, 3, 1][..]), (7, &[7]), (usize::MAX, &[7])] {
        let (count, batches) = decode(&[Codec::Int32], &stream(&tuples), rows).expect("a whole stream");
        assert_eq!(count, 7);
        assert_eq!(batches.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), lengths);
        let columns = batches.iter().map(|batch| batch.column(0).as_primitive::<Int32Type>());
        let values: Vec<i32> = columns.flat_map(|column| column.values().to_vec()).collect();
        assert_eq!(values, [0, 1, 2, 3, 4, 5, 6]);
    }
}

#[test]
fn a_stream_may_have_no_rows_and_rows_no_columns() {
    assert_eq!(decode(&[Codec::Text], &stream(&[]), 10), Ok((0, vec![])));
    let (count, batches) = decode(&[], &stream(&[&[], &[], &[]]), 2).expect("a whole stream");
    assert_eq!((count, batches[0].num_rows(), batches[1].num_rows()), (3, 2, 1));
}

#[test]
fn an_extension_of_the_header_is_skipped_and_upper_flags_are_refused() {
    let head = |flags: u32, extension: u32| {
        [&SIGNATURE[..], &flags.to_be_bytes(), &extension.to_be_bytes(), b"abc\xff\xff"].concat()
    };
    assert_eq!(decode(&[Codec::Bool], &head(0xffff, 3), 10), Ok((0, vec![])));
    for (flags, extension) in [(1 << 16, 3), (1 << 31, 3), (0, u32::MAX)] {
        let refused = decode(&[Codec::Bool], &head(flags, extension), 10);
        assert!(matches!(refused, Err(CopyError::Header { .. })), "{flags} {extension} {refused:?}");
    }
    assert_eq!(decode(&[Codec::Bool], b"1\tabc\n", 10), Err(CopyError::NotCopy));
}

#[test]
fn the_schema_of_the_caller_is_kept_with_its_metadata() {
    let id = |id: &str| [("PARQUET:field_id".to_owned(), id.to_owned())].into();
    let element = Field::new("element", DataType::Utf8, true).with_metadata(id("2"));
    let field = Field::new("tags", DataType::List(Arc::new(element)), true).with_metadata(id("1"));
    let schema = Arc::new(Schema::new(vec![field]));
    let decoder = Decoder::new(schema.clone(), vec![list(Codec::Text)]);
    let tags = array(&[Some(b"x")]);
    let count = decoder.decode(&stream(&[&[Some(&tags)]]), 10, |batch| assert_eq!(batch.schema(), schema));
    assert_eq!(count, Ok(1));
}
