//! The `parquet` crate is the oracle: its reader must read what we write, and its writer must give
//! the same statistics.

use std::fs::File;
use std::iter::repeat_n;
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::types::UInt16Type;
use arrow_array::{
    Array, ArrayRef, DictionaryArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt16Array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, Encoding};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use proptest::prelude::*;

mod every_type;
mod nested;
mod random;

use super::FileEncoder;
use super::file::Finished;
use super::leaf::Leaf;
use super::statistics::{self, LeafStatistics};

mod sizes;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("text", DataType::Utf8, true),
        Field::new("binary", DataType::Binary, true),
        Field::new("number", DataType::Int64, true),
        Field::new("moment", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
    ]))
}

/// The description of a batch, and how its texts arrive.
#[derive(Clone, Debug)]
struct Words {
    texts: Texts,
    numbers: Numbers,
    rows: usize,
    seed: u64,
    keyed: bool,
    /// Whether the row group is closed after it.
    last: bool,
}

#[derive(Clone, Copy, Debug)]
enum Texts {
    One,
    Few,
    Runs,
    Distinct,
    Thousands,
    Long,
    Rare,
    Null,
}

#[derive(Clone, Copy, Debug)]
enum Numbers {
    One,
    Few,
    Steps,
    Any,
    Ends,
    Rare,
    Null,
}

/// Random numbers (SplitMix64) of a batch.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.roll() % most
    }
}

fn text(kind: Texts, row: usize, dice: &mut Dice) -> Option<String> {
    let few = ["", "a", "ab", "żółć", "\u{10ffff}", "a text of more than thirty-two bytes, of which some must go"];
    match kind {
        Texts::One => Some("LOG".into()),
        Texts::Few => Some(few[dice.below(6) as usize].into()).filter(|_| dice.below(5) > 0),
        Texts::Runs => Some(few[row / 37 % 6].into()).filter(|_| row % 192 > 63),
        Texts::Distinct => Some(format!("{:x}", dice.roll())),
        Texts::Thousands => Some(format!("host {}", dice.below(3000))),
        Texts::Long => {
            Some(["ä", "\u{10ffff}", "z", "\0"][dice.below(4) as usize].repeat(dice.below(dice.0 % 2000 + 1) as usize))
        }
        Texts::Rare => (dice.below(100) == 0).then(|| dice.below(9).to_string()),
        Texts::Null => None,
    }
}

fn number(kind: Numbers, row: usize, dice: &mut Dice) -> Option<i64> {
    match kind {
        Numbers::One => Some(-7),
        Numbers::Few => Some((dice.below(50) as i64 - 9) << 40).filter(|_| dice.below(5) > 0),
        Numbers::Steps => Some(1_700_000_000_000_000 + 1_000 * row as i64 + dice.below(900) as i64),
        Numbers::Any => Some(dice.roll() as i64 >> dice.below(64)),
        Numbers::Ends => Some([i64::MIN, i64::MAX, 0, -1][dice.below(4) as usize]),
        Numbers::Rare => (dice.below(100) == 0).then(|| dice.roll() as i64),
        Numbers::Null => None,
    }
}

/// The batch as the crate's writer takes it.
fn flat(words: &Words) -> RecordBatch {
    let (mut texts, mut binaries) = (StringBuilder::new(), BinaryBuilder::new());
    let (mut integers, mut moments) = (Vec::new(), Vec::new());
    let mut dice = Dice(words.seed);
    for row in 0..words.rows {
        texts.append_option(text(words.texts, row, &mut dice));
        // Not UTF-8, and beginning with the highest byte.
        binaries
            .append_option(text(words.texts, row, &mut dice).map(|text| [&[0xff; 40][..], text.as_bytes()].concat()));
        integers.push(number(words.numbers, row, &mut dice));
        moments.push(number(words.numbers, row, &mut dice));
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(texts.finish()),
        Arc::new(binaries.finish()),
        Arc::new(Int64Array::from(integers)),
        Arc::new(TimestampMicrosecondArray::from(moments).with_timezone("UTC")),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

/// The values that keys point to: they grow from batch to batch, or begin anew.
#[derive(Default)]
struct Pool {
    values: Vec<String>,
    array: Option<ArrayRef>,
}

impl Pool {
    /// `batch` with its texts as keys.
    fn keyed(&mut self, batch: &RecordBatch) -> RecordBatch {
        let texts = batch.column(0).as_any().downcast_ref::<StringArray>().unwrap();
        if self.values.len() > 9_000 {
            *self = Pool::default();
        }
        let before = self.values.len();
        let mut places: std::collections::HashMap<String, u16> =
            self.values.iter().enumerate().map(|(place, value)| (value.clone(), place as u16)).collect();
        let mut keys = Vec::new();
        for text in texts {
            keys.push(text.map(|text| {
                *places.entry(text.to_owned()).or_insert_with(|| {
                    self.values.push(text.to_owned());
                    (self.values.len() - 1) as u16
                })
            }));
        }
        if self.array.is_none() || before < self.values.len() {
            // A value that no row has must leave no trace.
            self.values.push(format!("unused {before}"));
            self.array = Some(Arc::new(StringArray::from(self.values.clone())));
        }
        let keyed =
            DictionaryArray::<UInt16Type>::try_new(UInt16Array::from(keys), self.array.clone().unwrap()).unwrap();
        let mut columns = batch.columns().to_vec();
        columns[0] = Arc::new(keyed);
        let mut fields = schema().fields().to_vec();
        fields[0] = Arc::new(Field::new("text", columns[0].data_type().clone(), true));
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    }
}

/// Writes batches with our encoder, closing the row group after each batch that is flagged.
fn ours(batches: &[(RecordBatch, bool)]) -> (File, ParquetMetaData) {
    let mut encoder = FileEncoder::begin(tempfile::tempfile().unwrap(), schema()).unwrap();
    for (batch, last) in batches {
        encoder.write(batch).unwrap();
        if *last {
            encoder.close_row_group().unwrap();
            assert_eq!((encoder.rows(), encoder.memory()), (0, 0));
        }
    }
    let Finished { out, metadata, leaves, .. } = encoder.finish().unwrap();
    assert_eq!(leaves, told(&metadata));
    (out, metadata)
}

/// What a footer says of the leaves.
fn told(file: &ParquetMetaData) -> Vec<LeafStatistics> {
    statistics::of(file, &Leaf::all(&schema(), file.file_metadata().schema_descr()).unwrap(), &[])
}

/// The same with the crate's writer.
fn theirs(batches: &[(RecordBatch, bool)]) -> ParquetMetaData {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_statistics_truncate_length(Some(32))
        .build();
    let mut writer = ArrowWriter::try_new(tempfile::tempfile().unwrap(), schema(), Some(properties)).unwrap();
    for (batch, last) in batches {
        writer.write(batch).unwrap();
        if *last {
            writer.flush().unwrap();
        }
    }
    writer.close().unwrap()
}

/// All rows of a file as one batch.
fn read(file: File) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    assert_eq!(reader.schema(), &schema());
    let batches: Vec<_> = reader.with_batch_size(10_000).build().unwrap().map(Result::unwrap).collect();
    arrow_select::concat::concat_batches(&schema(), &batches).unwrap()
}

/// Checks that a file of these batches, however they arrive, holds their rows and has the
/// statistics of the crate's writer.
fn check(words: &[Words]) -> ParquetMetaData {
    let mut pool = Pool::default();
    let flat: Vec<_> = words.iter().map(|words| (flat(words), words.last)).collect();
    let arriving: Vec<_> = std::iter::zip(&flat, words)
        .map(|((batch, last), words)| (if words.keyed { pool.keyed(batch) } else { batch.clone() }, *last))
        .collect();
    let (file, metadata) = ours(&arriving);

    let all = arrow_select::concat::concat_batches(&schema(), flat.iter().map(|(batch, _)| batch)).unwrap();
    let read = read(file);
    for (place, (expected, found)) in std::iter::zip(all.columns(), read.columns()).enumerate() {
        assert!(expected == found, "column {place} reads as other values");
    }
    let (theirs, mut untold) = (theirs(&flat), Vec::new());
    assert_eq!(metadata.num_row_groups(), theirs.num_row_groups());
    for (group, other) in std::iter::zip(metadata.row_groups(), theirs.row_groups()) {
        assert_eq!(group.num_rows(), other.num_rows());
        for (column, other) in std::iter::zip(group.columns(), other.columns()) {
            assert_eq!(column.num_values(), other.num_values());
            let (ours, theirs) = (column.statistics().unwrap(), other.statistics().unwrap());
            if theirs.max_bytes_opt().is_some_and(|max| max.len() > 1 << 10) {
                assert_eq!(ours.max_bytes_opt(), None, "a maximum that cannot be cut is omitted");
                assert_eq!(ours.min_bytes_opt(), theirs.min_bytes_opt());
                assert_eq!(ours.null_count_opt(), theirs.null_count_opt());
                untold.push(column.column_path().string());
            } else {
                assert_eq!(ours, theirs, "{}", column.column_path());
            }
        }
    }
    let [ours, theirs] = [&metadata, &theirs].map(told);
    for (ours, mut theirs) in std::iter::zip(ours, theirs) {
        if untold.contains(&theirs.names.join(".")) {
            theirs.max = None;
        }
        // The crate stores some values in other ways.
        theirs.bytes = ours.bytes;
        assert_eq!(ours, theirs);
    }
    metadata
}

fn batch(texts: Texts, numbers: Numbers, rows: usize) -> Words {
    Words { texts, numbers, rows, seed: 1, keyed: false, last: false }
}

fn batches() -> impl Strategy<Value = Vec<Words>> {
    use Texts::{Distinct, Few, Long, One, Rare, Runs, Thousands};
    let texts = prop::sample::select(vec![One, Few, Runs, Distinct, Thousands, Long, Rare, Texts::Null]);
    let numbers = prop::sample::select(vec![
        Numbers::One,
        Numbers::Few,
        Numbers::Steps,
        Numbers::Any,
        Numbers::Ends,
        Numbers::Rare,
        Numbers::Null,
    ]);
    let rows = prop_oneof![3 => 0..20usize, 3 => 0..3_000usize, 1 => 9_000..30_000usize];
    let words = (texts, numbers, rows, any::<u64>(), any::<bool>(), prop::bool::weighted(0.2))
        .prop_map(|(texts, numbers, rows, seed, keyed, last)| Words { texts, numbers, rows, seed, keyed, last });
    prop::collection::vec(words, 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_and_its_statistics_are_the_crates(words in batches()) {
        check(&words);
    }
}
