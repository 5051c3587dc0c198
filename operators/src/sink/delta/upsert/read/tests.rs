//! Moments of Spark's old form, in 96 bits, come as microseconds, also within lists and structs;
//! and rows come in batches that memory has room for, each row once.

use std::fs::File;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use parquet::data_type::{Int96, Int96Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::*;
use crate::run::clock::SystemClock;
use crate::sink::delta::TableSpec;

/// The first moment of the year 3000, in microseconds since 1970.
const LATE: i64 = 32_503_680_000_000_000;
/// The same day as the Julian calendar counts it.
const LATE_DAY: u32 = 2_440_588 + 376_200;

/// A file with one row, whose one moment is in all columns.
fn write(path: &std::path::Path) {
    let schema = "message spark {
        optional int96 at;
        optional group ats (LIST) { repeated group list { optional int96 element; } }
        optional group in { optional int96 at; }
    }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut moment = Int96::new();
    moment.set_data(0, 0, LATE_DAY);
    for levels in [1, 3, 2] {
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int96Type>().write_batch(&[moment], Some(&[levels]), Some(&[0])).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn old_moments_are_read_wherever_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let at = || Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true);
    let ats = Field::new_list("ats", at().with_name("element"), true);
    let schema = Arc::new(Schema::new(vec![at(), ats, Field::new_struct("in", vec![at()], true)]));
    let (place, name) = (Place::Disk(folder.path().to_owned()), "t".to_owned());
    let table = TableSpec { place, name, schema, partition: None };
    let reader =
        Reader::of(&UpsertSpec { table, key: vec!["at".to_owned()], feed: false }, Arc::new(SystemClock)).unwrap();
    write(&folder.path().join("part-1.parquet"));
    let size = std::fs::metadata(folder.path().join("part-1.parquet")).unwrap().len();
    let target = Target { path: "part-1.parquet".to_owned(), size };
    let rows = reader.rows(target, vec![0, 1, 2], [0].into_iter().collect()).await.unwrap().remove(0);
    let moment = |column: &arrow_array::ArrayRef| column.as_primitive::<TimestampMicrosecondType>().value(0);
    let nested = rows.column(2).as_struct().column(0).clone();
    assert_eq!([rows.column(0), rows.column(1).as_list::<i32>().values(), &nested].map(moment), [LATE; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_values_come_few_at_a_time_even_if_the_file_has_them_once() {
    let folder = tempfile::tempdir().unwrap();
    let texts = arrow_array::StringArray::from_iter_values((0..400).map(|_| "large ".repeat(20_000)));
    let rows = RecordBatch::try_from_iter([("text", Arc::new(texts) as arrow_array::ArrayRef)]).unwrap();
    let path = folder.path().join("part-1.parquet");
    let mut writer = parquet::arrow::ArrowWriter::try_new(File::create(&path).unwrap(), rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    let size = std::fs::metadata(&path).unwrap().len();
    assert!(size < 1 << 20, "its dictionary has the text once");
    let (place, name) = (Place::Disk(folder.path().to_owned()), "t".to_owned());
    let table = TableSpec { place, name, schema: rows.schema(), partition: None };
    let spec = UpsertSpec { table, key: vec!["text".to_owned()], feed: false };
    let reader = Reader::of(&spec, Arc::new(SystemClock)).unwrap();
    let target = Target { path: "part-1.parquet".to_owned(), size };
    let read = reader.rows(target, vec![0], (1..400).collect()).await.unwrap();
    assert_eq!(read.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [139, 139, 121]);
}

#[test]
fn what_was_given_is_not_selected_again() {
    let selected = |selection: RowSelection| {
        let (mut at, mut rows) = (0, Vec::new());
        for run in selection.iter() {
            rows.extend((at..at + run.row_count).filter(|_| !run.skip));
            at += run.row_count;
        }
        rows
    };
    let rows: RoaringTreemap = [1, 2, 5, 7, 90].into_iter().collect();
    assert_eq!(selected(selection(Some(&rows), 0, 10)), [1, 2, 5, 7]);
    assert_eq!(selected(selection(Some(&rows), 2, 10)), [5, 7]);
    assert_eq!(selected(selection(None, 3, 6)), [3, 4, 5]);
    assert!(selected(selection(None, 9, 6)).is_empty());
}
