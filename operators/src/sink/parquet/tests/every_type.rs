//! Every type that lakes know, also within lists and structs: what is written is read, value by
//! value, and the statistics are those of a plain count over the values.

use std::fs::File;
use std::io::Read;

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;

use super::{Dice, random};
use crate::sink::parquet::FileEncoder;
use crate::sink::parquet::file::Finished;
use crate::sink::parquet::leaf::{Leaf, Next, Node};
use crate::sink::parquet::statistics::{Bound, LeafStatistics};

/// Writes batches with our encoder, closing the row group after each that is flagged.
fn write(schema: &SchemaRef, batches: &[(RecordBatch, bool)]) -> Finished<File> {
    let mut encoder = FileEncoder::begin(tempfile::tempfile().unwrap(), schema.clone()).unwrap();
    for (batch, last) in batches {
        encoder.write(batch).unwrap();
        if *last {
            encoder.close_row_group().unwrap();
            assert_eq!((encoder.rows(), encoder.memory()), (0, 0));
        }
    }
    encoder.finish().unwrap()
}

/// The same with the crate's writer.
fn theirs(schema: &SchemaRef, batches: &[(RecordBatch, bool)]) -> ParquetMetaData {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_statistics_truncate_length(Some(32))
        .set_coerce_types(true)
        .build();
    let mut writer = ArrowWriter::try_new(std::io::sink(), schema.clone(), Some(properties)).unwrap();
    for (batch, last) in batches {
        writer.write(batch).unwrap();
        if *last {
            writer.flush().unwrap();
        }
    }
    writer.close().unwrap()
}

/// A plain count over the values of a leaf.
#[derive(Default)]
struct Count {
    values: Vec<Bound>,
    nulls: u64,
    has_nan: bool,
}

impl Count {
    fn row(&mut self, nodes: &[Node], array: &dyn Array, row: usize) {
        if array.logical_nulls().is_some_and(|nulls| nulls.is_null(row)) {
            self.nulls += 1;
            return;
        }
        let items = match nodes[0].next {
            Next::Leaf => return self.value(array, row),
            Next::Field(index) => return self.row(&nodes[1..], array.as_struct().column(index), row),
            Next::Items => match array.as_list_opt::<i32>() {
                Some(list) => list.value(row),
                None => array.as_list::<i64>().value(row),
            },
        };
        self.nulls += u64::from(items.is_empty());
        (0..items.len()).for_each(|row| self.row(&nodes[1..], &items, row));
    }

    fn value(&mut self, array: &dyn Array, row: usize) {
        use TimeUnit::{Microsecond, Millisecond, Nanosecond};
        macro_rules! value {
            ($array:ty) => {
                array.as_primitive::<$array>().value(row).into()
            };
        }
        let value = match array.data_type() {
            DataType::Boolean => Bound::Bool(array.as_boolean().value(row)),
            DataType::Int8 => Bound::Signed(value!(Int8Type)),
            DataType::Int16 => Bound::Signed(value!(Int16Type)),
            DataType::Int32 => Bound::Signed(value!(Int32Type)),
            DataType::Int64 => Bound::Signed(value!(Int64Type)),
            DataType::UInt8 => Bound::Unsigned(value!(UInt8Type)),
            DataType::UInt16 => Bound::Unsigned(value!(UInt16Type)),
            DataType::UInt32 => Bound::Unsigned(value!(UInt32Type)),
            DataType::UInt64 => Bound::Unsigned(value!(UInt64Type)),
            DataType::Date32 => Bound::Signed(value!(Date32Type)),
            DataType::Time32(Millisecond) => Bound::Signed(value!(Time32MillisecondType)),
            DataType::Time64(Microsecond) => Bound::Signed(value!(Time64MicrosecondType)),
            DataType::Time64(Nanosecond) => Bound::Signed(value!(Time64NanosecondType)),
            DataType::Timestamp(Millisecond, _) => Bound::Signed(value!(TimestampMillisecondType)),
            DataType::Timestamp(Microsecond, _) => Bound::Signed(value!(TimestampMicrosecondType)),
            DataType::Timestamp(Nanosecond, _) => Bound::Signed(value!(TimestampNanosecondType)),
            DataType::Decimal128(..) => Bound::Decimal(value!(Decimal128Type)),
            DataType::Float32 => Bound::Float(value!(Float32Type)),
            DataType::Float64 => Bound::Double(value!(Float64Type)),
            DataType::Utf8 => Bound::Text(array.as_string::<i32>().value(row).to_owned()),
            DataType::LargeUtf8 => Bound::Text(array.as_string::<i64>().value(row).to_owned()),
            DataType::Binary => Bound::Bytes(array.as_binary::<i32>().value(row).to_vec()),
            DataType::LargeBinary => Bound::Bytes(array.as_binary::<i64>().value(row).to_vec()),
            _ => Bound::Bytes(array.as_fixed_size_binary().value(row).to_vec()),
        };
        self.has_nan |= value != value.clone();
        self.values.push(value);
    }

    /// Texts may be cut, all other bounds are exact.
    fn check(&self, told: &LeafStatistics) {
        assert_eq!((told.values, told.nulls), (self.values.len() as u64, self.nulls), "{told:?}");
        assert_eq!(told.has_nan, self.has_nan, "{told:?}");
        let ordered: Vec<_> = self.values.iter().filter(|value| value.partial_cmp(value).is_some()).collect();
        let least = ordered.iter().copied().reduce(|a, b| if b < a { b } else { a });
        let greatest = ordered.iter().copied().reduce(|a, b| if b > a { b } else { a });
        let long = |bound: Option<&Bound>| match bound {
            Some(Bound::Text(text)) => text.len() > 32,
            Some(Bound::Bytes(bytes)) => bytes.len() > 32,
            _ => false,
        };
        match long(least) {
            true => assert!(told.min.as_ref() <= least && told.min.is_some(), "{told:?}"),
            false => assert_eq!(told.min.as_ref(), least, "{told:?}"),
        }
        match long(greatest) {
            true => assert!(told.max.as_ref() >= greatest, "{told:?}"),
            false => assert_eq!(told.max.as_ref(), greatest, "{told:?}"),
        }
    }
}

/// Checks that a file of these batches reads as them, and what it says of itself.
fn check(schema: &SchemaRef, batches: &[(RecordBatch, bool)]) {
    let Finished { mut out, metadata, footer_length, rows, leaves } = write(schema, batches);
    let all = arrow_select::concat::concat_batches(schema, batches.iter().map(|(batch, _)| batch)).unwrap();
    assert_eq!(rows, all.num_rows() as u64);

    let reader = ParquetRecordBatchReaderBuilder::try_new(out.try_clone().unwrap()).unwrap();
    assert_eq!(reader.schema(), schema);
    let descriptor = reader.parquet_schema();
    for (leaf, column) in std::iter::zip(&leaves, descriptor.columns()) {
        let info = column.self_type().get_basic_info();
        assert_eq!(leaf.field_id, info.has_id().then(|| info.id()));
    }
    // Not concatenated: arrow refuses that for some lists of null structs, whoever wrote them.
    let mut from = 0;
    for read in reader.with_batch_size(1_000).build().unwrap().map(Result::unwrap) {
        for ((field, expected), found) in std::iter::zip(schema.fields(), all.columns()).zip(read.columns()) {
            assert!(&expected.slice(from, read.num_rows()) == found, "{field:?} reads as other values");
        }
        from += read.num_rows();
    }
    assert_eq!(from, all.num_rows());

    let mut bytes = Vec::new();
    std::io::Seek::rewind(&mut out).unwrap();
    out.read_to_end(&mut bytes).unwrap();
    let (_, end) = bytes.split_last_chunk::<8>().unwrap();
    assert_eq!((u32::from_le_bytes(end[..4].try_into().unwrap()), &end[4..]), (footer_length, &b"PAR1"[..]));

    let theirs = theirs(schema, batches);
    assert_eq!(metadata.num_row_groups(), theirs.num_row_groups());
    for (group, other) in std::iter::zip(metadata.row_groups(), theirs.row_groups()) {
        for (column, other) in std::iter::zip(group.columns(), other.columns()) {
            assert_eq!(column.num_values(), other.num_values(), "{}", column.column_path());
            assert_eq!(column.statistics(), other.statistics(), "{}", column.column_path());
        }
    }
    for (leaf, told) in std::iter::zip(Leaf::all(schema, metadata.file_metadata().schema_descr()).unwrap(), &leaves) {
        let mut count = Count::default();
        let array = all.column(leaf.root);
        (0..array.len()).for_each(|row| count.row(&leaf.nodes, array, row));
        count.check(told);
    }
}

fn batches(schema: &SchemaRef, rows: &[(usize, bool)], dice: &mut Dice) -> Vec<(RecordBatch, bool)> {
    rows.iter().map(|(rows, last)| (random::batch(schema, *rows, dice), *last)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn columns_of_any_type_are_read_as_they_were_written(
        seed in any::<u64>(),
        rows in prop::collection::vec((prop_oneof![6 => 0..40usize, 3 => 0..900usize, 1 => 4_000..9_000usize],
            prop::bool::weighted(0.3)), 0..5),
    ) {
        let mut dice = Dice(seed);
        let schema = random::schema(&mut dice);
        check(&schema, &batches(&schema, &rows, &mut dice));
    }
}

#[test]
fn every_leaf_is_read_alone_in_lists_and_in_structs() {
    use arrow_schema::{Field, Schema};
    let mut dice = Dice(7);
    for leaf in random::leaf_types() {
        let element = Field::new("element", leaf.clone(), true);
        let in_list = DataType::List(element.clone().into());
        let in_struct = DataType::Struct(vec![element.clone()].into());
        let both = DataType::List(Field::new("element", in_struct.clone(), true).into());
        let fields = [leaf, in_list, in_struct, both].into_iter().enumerate();
        let fields: Vec<_> = fields.map(|(n, leaf)| Field::new(format!("c{n}"), leaf, true)).collect();
        let schema = std::sync::Arc::new(Schema::new(fields));
        for _ in 0..4 {
            check(&schema, &batches(&schema, &[(30, false), (25_000, true), (500, false)], &mut dice));
        }
    }
}
