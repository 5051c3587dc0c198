//! What a file's schema says, what is refused, and levels that were counted by hand.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{Int32Builder, ListBuilder};
use arrow_array::types::{Int32Type, UInt16Type};
use arrow_array::{
    Array, ArrayRef, Decimal128Array, DictionaryArray, FixedSizeBinaryArray, Int32Array, Int64Array, ListArray,
    RecordBatch, StringArray, StructArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field, Fields, IntervalUnit, Schema, SchemaRef, TimeUnit, UnionFields, UnionMode};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{ConvertedType, LogicalType, TimeUnit as Unit, Type};

use crate::sink::parquet::FileEncoder;
use crate::sink::parquet::leaf::Leaf;
use crate::sink::parquet::schema::{self, check};

fn only(field: Field) -> SchemaRef {
    Arc::new(Schema::new(vec![field]))
}

fn list_of(data_type: DataType) -> DataType {
    DataType::List(Field::new("element", data_type, true).into())
}

fn struct_of(fields: Vec<Field>) -> DataType {
    DataType::Struct(fields.into())
}

#[test]
fn types_are_those_of_the_format() {
    let zone = Some("UTC".into());
    let cases = [
        (DataType::Null, Type::INT32, Some(LogicalType::Unknown)),
        (DataType::Boolean, Type::BOOLEAN, None),
        (DataType::Int8, Type::INT32, Some(LogicalType::integer(8, true))),
        (DataType::Int32, Type::INT32, None),
        (DataType::UInt32, Type::INT32, Some(LogicalType::integer(32, false))),
        (DataType::UInt64, Type::INT64, Some(LogicalType::integer(64, false))),
        (DataType::Decimal128(9, 2), Type::INT32, Some(LogicalType::decimal(2, 9))),
        (DataType::Decimal128(18, 2), Type::INT64, Some(LogicalType::decimal(2, 18))),
        (DataType::Decimal128(19, 2), Type::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::decimal(2, 19))),
        (DataType::Date32, Type::INT32, Some(LogicalType::Date)),
        (DataType::Time32(TimeUnit::Millisecond), Type::INT32, Some(LogicalType::time(false, Unit::MILLIS))),
        (DataType::Time64(TimeUnit::Nanosecond), Type::INT64, Some(LogicalType::time(false, Unit::NANOS))),
        (
            DataType::Timestamp(TimeUnit::Microsecond, zone),
            Type::INT64,
            Some(LogicalType::timestamp(true, Unit::MICROS)),
        ),
        (
            DataType::Timestamp(TimeUnit::Nanosecond, None),
            Type::INT64,
            Some(LogicalType::timestamp(false, Unit::NANOS)),
        ),
        (DataType::LargeUtf8, Type::BYTE_ARRAY, Some(LogicalType::String)),
        (DataType::Binary, Type::BYTE_ARRAY, None),
        (DataType::FixedSizeBinary(16), Type::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Uuid)),
    ];
    for (data_type, physical, logical) in cases {
        let file = schema::descriptor(&only(Field::new("c", list_of(data_type.clone()), true))).unwrap();
        let column = file.column(0);
        assert_eq!(column.path().string(), "c.list.element");
        assert_eq!((column.physical_type(), column.logical_type_ref()), (physical, logical.as_ref()), "{data_type}");
    }
}

#[test]
fn fields_keep_their_ids() {
    let with_id = |name: &str, data_type: DataType, id: i32| {
        let metadata = HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string())]);
        Field::new(name, data_type, true).with_metadata(metadata)
    };
    let uuid = with_id("u", DataType::FixedSizeBinary(16), 5);
    let list = with_id("l", DataType::List(with_id("element", DataType::Int64, 4).into()), 3);
    let schema = only(with_id("s", struct_of(vec![list, uuid]), 2));
    let file = FileEncoder::begin(Vec::new(), schema).unwrap().finish().unwrap();
    assert_eq!(file.leaves.iter().map(|leaf| leaf.field_id).collect::<Vec<_>>(), [Some(4), Some(5)]);
    let path = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&path, file.out).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(path.reopen().unwrap()).unwrap();
    let top = &reader.parquet_schema().root_schema().get_fields()[0];
    let ids = |ty: &parquet::schema::types::Type| ty.get_basic_info().has_id().then(|| ty.get_basic_info().id());
    assert_eq!((ids(top), ids(&top.get_fields()[0])), (Some(2), Some(3)));
    assert_eq!(
        reader.parquet_schema().columns().iter().map(|c| ids(c.self_type())).collect::<Vec<_>>(),
        [Some(4), Some(5)]
    );
}

#[test]
fn what_cannot_be_written_is_refused_by_name() {
    let union = UnionFields::try_new(vec![0], vec![Field::new("a", DataType::Int8, true)]).unwrap();
    let entries = struct_of(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, true)]);
    let refused = [
        DataType::Float16,
        DataType::Date64,
        DataType::Timestamp(TimeUnit::Second, None),
        DataType::Time32(TimeUnit::Second),
        DataType::Time32(TimeUnit::Microsecond),
        DataType::Time64(TimeUnit::Millisecond),
        DataType::Duration(TimeUnit::Second),
        DataType::Interval(IntervalUnit::DayTime),
        DataType::Decimal128(10, -2),
        DataType::Decimal128(3, 4),
        DataType::Decimal128(0, 0),
        DataType::Decimal32(5, 2),
        DataType::Decimal256(50, 2),
        DataType::Utf8View,
        DataType::BinaryView,
        DataType::FixedSizeBinary(5),
        DataType::FixedSizeList(Field::new("element", DataType::Int8, true).into(), 2),
        DataType::Struct(Fields::empty()),
        DataType::Map(Field::new("entries", entries, false).into(), false),
        DataType::Union(union, UnionMode::Sparse),
        DataType::Dictionary(DataType::UInt16.into(), DataType::Utf8.into()),
    ];
    for data_type in refused {
        let within = struct_of(vec![Field::new("b", list_of(data_type.clone()), true)]);
        let schema = only(Field::new("a", within, true));
        let error = check(&schema).unwrap_err();
        assert!(error.starts_with("column \"a.b.element\" of type "), "{error}");
        assert!(error.contains(&data_type.to_string()), "{error}");
        let begun = FileEncoder::begin(Vec::new(), schema).err().unwrap();
        assert!(begun.to_string().contains(&error), "{begun}");
    }
    let id = HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), "one".to_owned())]);
    let error = check(&only(Field::new("a", DataType::Int8, true).with_metadata(id))).unwrap_err();
    assert!(error.contains("\"one\""), "{error}");
}

fn error_of(field: Field, array: ArrayRef) -> String {
    let mut encoder = FileEncoder::begin(Vec::new(), only(field)).unwrap();
    let batch = RecordBatch::try_from_iter([("c", array)]).unwrap();
    encoder.write(&batch).unwrap_err().to_string()
}

#[test]
fn a_null_where_none_may_be_is_an_error() {
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
    let error = error_of(Field::new("c", DataType::Int32, false), numbers.clone());
    assert!(error.contains("\"c\": it must not be null"), "{error}");
    let fields = |nullable| Fields::from(vec![Field::new("a", DataType::Int32, nullable)]);
    let within: ArrayRef = Arc::new(StructArray::new(fields(true), vec![numbers], None));
    let error = error_of(Field::new("c", DataType::Struct(fields(false)), true), within);
    assert!(error.contains("\"c.a\""), "{error}");
}

#[test]
fn other_arrays_than_the_schema_has_are_an_error() {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    for data_type in [
        DataType::Int32,
        DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::UInt64,
        DataType::Decimal128(18, 0),
        list_of(DataType::Int64),
        struct_of(vec![Field::new("a", DataType::Int64, true)]),
    ] {
        let error = error_of(Field::new("c", data_type, true), numbers.clone());
        assert!(error.contains("column \"c"), "{error}");
    }
}

#[test]
fn a_decimal_of_too_many_digits_is_an_error_unless_it_is_null() {
    let type_of = DataType::Decimal128(3, 1);
    let array = |nulls: Option<NullBuffer>| -> ArrayRef {
        Arc::new(Decimal128Array::new(vec![999, -1_000].into(), nulls).with_data_type(type_of.clone()))
    };
    let error = error_of(Field::new("c", type_of.clone(), true), array(None));
    assert!(error.contains("more digits"), "{error}");
    let mut encoder = FileEncoder::begin(Vec::new(), only(Field::new("c", type_of.clone(), true))).unwrap();
    let hidden = array(Some(NullBuffer::from(vec![true, false])));
    encoder.write(&RecordBatch::try_from_iter([("c", hidden)]).unwrap()).unwrap();
}

/// The levels of the one leaf of `array`: repetition, then definition.
fn levels(array: ArrayRef) -> (Vec<u16>, Vec<u16>) {
    let schema = only(Field::new("c", array.data_type().clone(), true));
    let leaf = Leaf::all(&schema, &schema::descriptor(&schema).unwrap()).unwrap().remove(0);
    let levels = leaf.slots(&array).unwrap().levels.unwrap();
    (levels.repetition, levels.definition)
}

#[test]
fn levels_tell_nulls_from_empty_lists() {
    let mut lists = ListBuilder::new(ListBuilder::new(Int32Builder::new()));
    // [[1, null], [], null, [2]], null, [], [[3]]
    lists.values().append_value([Some(1), None]);
    lists.values().append_value([]);
    lists.values().append_null();
    lists.values().append_value([Some(2)]);
    lists.append(true);
    lists.append(false);
    lists.append(true);
    lists.values().append_value([Some(3)]);
    lists.append(true);
    let expected = (vec![0, 2, 1, 1, 1, 0, 0, 0], vec![5, 4, 3, 2, 5, 0, 1, 5]);
    assert_eq!(levels(Arc::new(lists.finish())), expected);
}

#[test]
fn a_struct_that_is_null_hides_its_fields() {
    let lists =
        ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), Some(vec![Some(2)]), None]);
    let fields = Fields::from(vec![Field::new("a", lists.data_type().clone(), true)]);
    let nulls = NullBuffer::from(vec![true, false, true]);
    let within = StructArray::new(fields, vec![Arc::new(lists)], Some(nulls));
    assert_eq!(levels(Arc::new(within)), (vec![0, 1, 0, 0], vec![4, 3, 0, 1]));
}

#[test]
fn texts_with_a_dictionary_are_read_from_lists_and_structs() {
    let keyed = DictionaryArray::<UInt16Type>::from_iter([Some("a"), None, Some("b"), Some("a"), Some("c")]);
    let plain = StringArray::from_iter([Some("a"), None, Some("b"), Some("a"), Some("c")]);
    let nest = |texts: ArrayRef| -> ArrayRef {
        let fields = Fields::from(vec![Field::new("t", texts.data_type().clone(), true)]);
        let nulls = NullBuffer::from(vec![true, true, true, false, true]);
        let within: ArrayRef = Arc::new(StructArray::new(fields, vec![texts], Some(nulls)));
        let element = Field::new("element", within.data_type().clone(), true);
        let nulls = NullBuffer::from(vec![true, false, true, true]);
        Arc::new(ListArray::new(element.into(), OffsetBuffer::from_lengths([2, 1, 0, 2]), within, Some(nulls)))
    };
    let plain = nest(Arc::new(plain));
    let mut encoder =
        FileEncoder::begin(tempfile::tempfile().unwrap(), only(Field::new("c", plain.data_type().clone(), true)))
            .unwrap();
    encoder.write(&RecordBatch::try_from_iter([("c", nest(Arc::new(keyed)))]).unwrap()).unwrap();
    let file = encoder.finish().unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file.out).unwrap();
    let read = reader.build().unwrap().next().unwrap().unwrap();
    assert!(read.column(0) == &plain);
}

#[test]
fn intervals_are_called_so_and_have_no_bounds() {
    let schema = only(Field::new("i", DataType::FixedSizeBinary(12), true));
    let parts = [Some([1_u8; 12]), None, Some([0; 12])];
    let intervals = FixedSizeBinaryArray::try_from_sparse_iter_with_size(parts.into_iter(), 12).unwrap();
    let mut encoder = FileEncoder::begin(Vec::new(), schema.clone()).unwrap();
    encoder.write(&RecordBatch::try_new(schema, vec![Arc::new(intervals)]).unwrap()).unwrap();
    let file = encoder.finish().unwrap();
    let leaf = &file.leaves[0];
    assert_eq!((leaf.values, leaf.nulls, &leaf.min, &leaf.max), (2, 1, &None, &None));
    let path = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&path, file.out).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(path.reopen().unwrap()).unwrap();
    let column = reader.parquet_schema().column(0);
    assert_eq!((column.physical_type(), column.type_length()), (Type::FIXED_LEN_BYTE_ARRAY, 12));
    assert_eq!((column.converted_type(), column.logical_type_ref()), (ConvertedType::INTERVAL, None));
    let statistics = reader.metadata().row_group(0).column(0).statistics().unwrap();
    assert!(statistics.min_bytes_opt().is_none() && statistics.null_count_opt() == Some(1));
}
