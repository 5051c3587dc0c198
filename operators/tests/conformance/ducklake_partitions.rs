//! Lakes whose tables are partitioned: DuckDB finds rows by the values of the keys, and knows our
//! files for parts of its own partitions.

use std::sync::Arc;

use arrow_array::{ArrayRef, Date32Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use lakefront_operators::error::chain;
use lakefront_operators::protocol::names::TableId;
use lakefront_operators::sink::ducklake::{Column, LakeType, Table, Tables, Wanted};
use lakefront_operators::totals::hash::OFFSET;

use crate::ducklake::{batch, stage, wanted};
use crate::ducklake_only::{commit, given};

/// The tables' only number.
const FIRST: TableId = TableId(0);

/// A row: its number and its keys.
type Row = (i64, Option<i32>, Option<&'static str>, Option<i32>);

/// 2024-01-15, in days since 1970.
const DAY: i32 = 19_737;

/// Rows of four partitions.
const ROWS: [Row; 5] = [
    (1, Some(3), Some("a/b"), Some(DAY)),
    (2, Some(3), Some("a/b"), Some(DAY)),
    (3, None, Some(""), Some(-1)),
    (4, None, None, None),
    (5, Some(-7), Some("ä '|=%"), None),
];

fn parted() -> Wanted {
    let columns = [
        ("n", LakeType::Int64, false),
        ("ledger_range", LakeType::Int32, true),
        ("kind", LakeType::Varchar, true),
        ("closed", LakeType::Date, true),
    ];
    Wanted {
        name: "parted".to_owned(),
        columns: columns.map(|(name, of, nullable)| (name.to_owned(), of, nullable)).to_vec(),
        partition_by: ["ledger_range", "kind", "closed"].map(str::to_owned).to_vec(),
    }
}

fn rows(table: &Table) -> RecordBatch {
    let mut fields: Vec<Field> = table.columns.iter().filter_map(Column::field).collect();
    fields.push(Field::new(OFFSET, DataType::Int64, false));
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(ROWS.map(|(n, ..)| n)));
    let ranges = Arc::new(ROWS.map(|(_, range, ..)| range).into_iter().collect::<Int32Array>());
    let kinds = Arc::new(ROWS.map(|(_, _, kind, _)| kind).into_iter().collect::<StringArray>());
    let closed = Arc::new(ROWS.map(|(.., closed)| closed).into_iter().collect::<Date32Array>());
    RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![numbers.clone(), ranges, kinds, closed, numbers]).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_found_by_the_keys_of_their_partitions() {
    let given = given().await;
    let tables = Arc::new(Tables::default());
    tables.set(given.sink.lake(0).define(&[parted()]).await.unwrap());
    let staged = stage(&tables, FIRST, given.clock.clone(), &rows(&tables.get(FIRST).unwrap())).await.unwrap();
    assert_eq!(staged.len(), 4, "a file for each partition");

    given.makes(2, &commit(10, staged)).await;

    let values = "SELECT partition_key_index, count(*), count(partition_value) FROM g0.ducklake_file_partition_value \
                  GROUP BY 1 ORDER BY 1";
    assert_eq!(given.sink.psql(values), "0|4|2\n1|4|3\n2|4|2", "three keys of four files, without those that are null");
    let found: [(&str, &[&str]); 11] = [
        ("ledger_range = 3", &["1", "2"]),
        ("ledger_range = -7", &["5"]),
        ("ledger_range IS NULL", &["3", "4"]),
        ("ledger_range IS NOT NULL", &["1", "2", "5"]),
        ("kind = 'a/b'", &["1", "2"]),
        ("kind = ''", &["3"]),
        ("kind IS NULL", &["4"]),
        ("kind = 'ä ''|=%'", &["5"]),
        ("closed = '2024-01-15'", &["1", "2"]),
        ("closed = '1969-12-31'", &["3"]),
        ("closed IS NULL", &["4", "5"]),
    ];
    for (filter, rows) in found {
        assert_eq!(
            given.read(&format!("SELECT n FROM lake.bronze.parted WHERE {filter} ORDER BY n")),
            rows,
            "{filter}"
        );
    }
    // DuckDB merges what it inserts into the same partition with our file.
    given.read("INSERT INTO lake.bronze.parted VALUES (6, 3, 'a/b', '2024-01-15')");
    given.read("CALL ducklake_flush_inlined_data('lake')");
    given.read("CALL ducklake_merge_adjacent_files('lake')");
    assert_eq!(given.sink.psql("SELECT count(*) FROM g0.ducklake_data_file WHERE end_snapshot IS NULL"), "4");
    assert_eq!(given.read("SELECT n FROM lake.bronze.parted WHERE kind = 'a/b' ORDER BY n"), ["1", "2", "6"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partitioning_that_is_not_known_is_refused_before_anything_is_staged() {
    let given = given().await;
    given.read("ALTER TABLE lake.bronze.even SET PARTITIONED BY (bucket(4, n))");
    let tables = given.sink.tables(0);
    tables.set(given.sink.lake(0).define(&wanted()).await.unwrap());
    let rows = batch(&tables.get(FIRST).unwrap(), &[(2, None)]);

    let error = stage(tables, FIRST, given.clock.clone(), &rows).await.unwrap_err();

    let text = chain(&error);
    assert!(text.contains("partitioned by bucket(4), which lakefront cannot write"), "{text}");
    assert!(!error.is_transient() && !given.sink.path(0, "even", "").exists(), "{error:?}");
}
