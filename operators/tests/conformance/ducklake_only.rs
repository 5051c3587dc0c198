//! What only a lake can show: its catalog, of which DuckDB expects more than rows, and definitions
//! that another writer changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lakefront_operators::error::{Stop, StoreError, chain};
use lakefront_operators::position::Position;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::group::{Commit, Created, Group};
use lakefront_operators::protocol::names::{Held, RunId, TableId, Version};
use lakefront_operators::protocol::offsets::PartitionId;
use lakefront_operators::protocol::staged::{Counted, Staged};
use lakefront_operators::protocol::sums::{Bucket, Sum};
use lakefront_operators::sink::ducklake::{LakeGroup, OwnTransactions, Replaced, Transactions};
use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::ducklake::{DuckLakeSink, Rows, batch, stage, wanted};
use crate::harness::{PIPELINE, Sink, TestClock, World};

/// The tables' numbers.
const EVEN: TableId = TableId(0);
const ODD: TableId = TableId(1);

/// A lake of one group, which the pipeline has claimed as version 1.
pub(crate) struct Given {
    pub(crate) sink: DuckLakeSink,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) group: LakeGroup,
    transactions: Arc<Handed>,
}

/// Transactions of a source that hands the rows of a void commit out again.
struct Handed {
    own: OwnTransactions,
    /// How many were void.
    void: AtomicUsize,
}

impl Transactions for Handed {
    fn begin<'a>(&'a self, commit: &'a Commit) -> Pending<'a, Result<Option<Arc<Client>>, StoreError>> {
        self.own.begin(commit)
    }

    fn replaces(&self, commit: &Commit) -> Option<Arc<Replaced>> {
        self.own.replaces(commit)
    }

    fn notes(&self, commit: &Commit) -> Option<Value> {
        (commit.held.position.0 > 1).then(|| json!({"of": [commit.held.position.0]}))
    }

    fn committing(&self, commit: &Commit) {
        self.own.committing(commit);
    }

    fn has_lost(&self, _commit: &Commit, why: &str) {
        assert!(!why.is_empty(), "it says why");
    }

    fn is_void(&self, _commit: &Commit) {
        self.void.fetch_add(1, Ordering::SeqCst);
    }

    fn hands_out_again(&self) -> bool {
        true
    }

    fn is_void_once_it_lost(&self) -> bool {
        true
    }
}

/// A commit of the first run.
pub(crate) fn commit(position: u64, files: Vec<Staged>) -> Commit {
    Commit { id: Uuid::new_v4(), held: Held { position: Position(position), run: RunId(1) }, files, sums: Vec::new() }
}

pub(crate) async fn given() -> Given {
    let clock = Arc::new(TestClock::default());
    let sink = DuckLakeSink::new(clock.clone());
    let transactions = Arc::new(Handed { own: OwnTransactions::new(sink.lake(0)), void: AtomicUsize::new(0) });
    let group = sink.group(0, PIPELINE, transactions.clone()).await.unwrap();
    let given = Given { sink, clock, group, transactions };
    given.makes(1, &commit(0, Vec::new())).await;
    given
}

impl Given {
    /// Stages a file of one of the tables.
    async fn stage(&self, table: TableId, rows: &Rows) -> Vec<Staged> {
        let tables = self.sink.tables(0);
        let batch = batch(&tables.get(table).unwrap(), rows);
        stage(tables, table, self.clock.clone(), &batch).await.unwrap()
    }

    /// Stages a file of each table.
    async fn stage_both(&self, even: &Rows, odd: &Rows) -> Vec<Staged> {
        let (even, odd) = (self.stage(EVEN, even).await, self.stage(ODD, odd).await);
        even.into_iter().chain(odd).collect()
    }

    /// The commit makes the version.
    pub(crate) async fn makes(&self, version: u64, commit: &Commit) {
        assert_eq!(self.group.put(Version(version), commit).await.unwrap(), Created::Yes);
    }

    /// What a question to the catalog returns.
    #[track_caller]
    fn asked(&self, sql: &str) -> Vec<String> {
        self.sink.psql(sql).lines().map(str::to_owned).collect()
    }

    /// What DuckDB returns for a question to the lake.
    #[track_caller]
    pub(crate) fn read(&self, sql: &str) -> Vec<String> {
        self.sink.duck(0, |duck| duck.lines(sql))
    }

    /// How many commits and how many snapshots there are.
    fn heights(&self) -> String {
        let sql = "SELECT (SELECT count(*) FROM g0.lakefront_commits), (SELECT count(*) FROM g0.ducklake_snapshot)";
        self.sink.psql(sql)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_is_there_is_not_made_again() {
    let given = given().await;
    given.makes(2, &commit(10, given.stage(EVEN, &[(2, None)]).await)).await;
    let before = given.heights();

    let empty = given.group.put(Version(2), &commit(10, Vec::new())).await.unwrap();
    let rows = given.group.put(Version(2), &commit(10, given.stage(EVEN, &[(4, None)]).await)).await.unwrap();

    assert_eq!((empty, rows), (Created::No, Created::No));
    assert_eq!(given.heights(), before);
    assert_eq!(given.read("SELECT n FROM lake.bronze.even"), ["2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_want_a_version_at_once_one_makes_it() {
    let given = given().await;
    let own = Arc::new(OwnTransactions::new(given.sink.lake(0)));
    let rival = given.sink.group(0, PIPELINE, own).await.unwrap();
    let ours = commit(10, given.stage(EVEN, &[(2, None)]).await);
    let theirs = commit(10, given.stage(EVEN, &[(4, None)]).await);

    let (one, other) = tokio::join!(given.group.put(Version(2), &ours), rival.put(Version(2), &theirs));

    let row = match (one.unwrap(), other.unwrap()) {
        (Created::Yes, Created::No) => "2",
        (Created::No, Created::Yes) => "4",
        both => panic!("{both:?}"),
    };
    assert_eq!(given.read("SELECT n FROM lake.bronze.even"), [row]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_catalog_that_was_replaced_by_an_older_one_takes_nothing() {
    let world = World::<DuckLakeSink>::new();
    let mut run = world.start().await.unwrap();
    world.land(&mut run, 0, 10, &[1, 2]).await.unwrap();
    world.land(&mut run, 0, 20, &[3]).await.unwrap();
    world.sink.psql("DELETE FROM g0.lakefront_commits WHERE version = 3");

    for (at, rows) in [(30, &[4][..]), (40, &[])] {
        let stop = world.land(&mut run, 0, at, rows).await.unwrap_err();
        assert!(matches!(&stop, Stop::Store(error) if !error.is_transient()), "{stop:?}");
        let text = chain(&stop);
        assert!(text.contains("its catalog is older than this run"), "{text}");
    }
    assert_eq!(world.position(0).await, Some(10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statistics_of_commits_add_up() {
    let given = given().await;
    let cuts: [(&Rows, [&str; 2]); 3] = [
        (&[(5, Some(3)), (2, Some(4))], ["1|f||2|5", "2|f||3|4"]),
        (&[(100, None), (-7, Some(3))], ["1|f||-7|100", "2|t||3|4"]),
        // Nulls alone bound nothing.
        (&[(0, None)], ["1|f||-7|100", "2|t||3|4"]),
    ];
    for (version, (rows, statistics)) in (2..).zip(cuts) {
        given.makes(version, &commit(version, given.stage(EVEN, rows).await)).await;
        let sql = "SELECT column_id, contains_null, contains_nan, min_value, max_value \
                   FROM g0.ducklake_table_column_stats ORDER BY column_id";
        assert_eq!(given.asked(sql), statistics, "version {version}");
    }
    let sql = "SELECT data_file_id, column_id, value_count, null_count, min_value, max_value \
               FROM g0.ducklake_file_column_stats ORDER BY data_file_id, column_id";
    let files = ["0|1|2|0|2|5", "0|2|2|0|3|4", "1|1|2|0|-7|100", "1|2|1|1|3|3", "2|1|1|0|0|0", "2|2|0|1||"];
    assert_eq!(given.asked(sql), files);
    let table = given.asked("SELECT record_count, next_row_id, file_size_bytes FROM g0.ducklake_table_stats");
    assert_eq!(table, given.asked("SELECT 5, 5, sum(file_size_bytes) FROM g0.ducklake_data_file"));
    assert_eq!(given.read("SELECT min(n), max(n), min(small), count(small) FROM lake.bronze.even"), ["-7|100|3|3"]);
    assert_eq!(given.read("SELECT n FROM lake.bronze.even WHERE small IS NULL ORDER BY n"), ["0", "100"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_and_files_have_numbers_of_their_own() {
    let given = given().await;
    let next_file = || {
        let sql = "SELECT next_file_id FROM g0.ducklake_snapshot ORDER BY snapshot_id DESC LIMIT 1";
        given.sink.psql(sql).parse::<u64>().unwrap()
    };
    given.makes(2, &commit(10, given.stage_both(&[(2, None), (4, None)], &[(1, None)]).await)).await;
    assert_eq!(next_file(), 2);
    // What DuckDB inserts has numbers too.
    given.read("INSERT INTO lake.bronze.even VALUES (6, NULL)");
    let before = next_file();

    let bucket = Bucket { partition: PartitionId::first("even"), range: 0, part: 3 };
    let sums = vec![Counted { table: EVEN, bucket, sum: Sum { rows: 1, checksum: 0xab } }];
    let files = given.stage_both(&[(8, None)], &[(3, None), (5, None)]).await;
    given.makes(3, &Commit { sums, ..commit(20, files) }).await;

    assert_eq!(next_file(), before + 2);
    assert_eq!(given.read("SELECT rowid, n FROM lake.bronze.even ORDER BY rowid"), ["0|2", "1|4", "2|6", "3|8"]);
    assert_eq!(given.read("SELECT rowid, n FROM lake.bronze.odd ORDER BY rowid"), ["0|1", "1|3", "2|5"]);
    for (table, noted) in [(EVEN, ["0|2", "3|1"]), (ODD, ["0|1", "1|2"])] {
        let id = given.sink.tables(0).get(table).unwrap().id;
        let sql = format!(
            "SELECT tables->'{id}'->'row_id', tables->'{id}'->'rows' FROM g0.lakefront_commits \
             WHERE version > 1 ORDER BY version"
        );
        assert_eq!(given.asked(&sql), noted, "the pipeline notes which rows are its own");
    }
    let even = given.sink.tables(0).get(EVEN).unwrap().id;
    let sql = format!(
        "SELECT tables->'{even}'->'sums'->>'3', tables->'{even}'->>'columns' FROM g0.lakefront_commits WHERE version = 3"
    );
    assert_eq!(given.asked(&sql), ["1 000000000000000000000000000000ab|1-2"], "and their sums, by range");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_source_notes_comes_back_with_the_last_snapshot() {
    let given = given().await;
    assert_eq!(given.group.last_note().await.unwrap(), None, "there is no snapshot");
    given.makes(2, &commit(1, given.stage(EVEN, &[(2, None)]).await)).await;
    assert_eq!(given.group.last_note().await.unwrap(), None, "it has noted nothing");
    for position in 2..4 {
        given.makes(position + 1, &commit(position, given.stage(EVEN, &[(4, None)]).await)).await;
        let noted = (Position(position), json!({"of": [position]}));
        assert_eq!(given.group.last_note().await.unwrap(), Some(noted));
    }
    // A claim is none.
    given.makes(5, &commit(3, Vec::new())).await;
    assert_eq!(given.group.last_note().await.unwrap(), Some((Position(3), json!({"of": [3]}))));
    let even = given.sink.tables(0).get(EVEN).unwrap().id;
    let sql = format!("SELECT tables->'{even}'->'rows' FROM g0.lakefront_commits WHERE version = 4");
    assert_eq!(given.asked(&sql), ["1"], "what is noted of tables is beside it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_that_came_while_rows_were_staged_is_no_obstacle() {
    let given = given().await;
    let staged = given.stage(EVEN, &[(2, Some(2))]).await;
    given.read("ALTER TABLE lake.bronze.even ADD COLUMN note INTEGER DEFAULT 7");

    given.makes(2, &commit(10, staged)).await;

    // Rows that do not say have what it says of rows from before it.
    assert_eq!(given.read("SELECT n, small, note FROM lake.bronze.even"), ["2|2|7"]);
    assert_eq!(given.read("SELECT n FROM lake.bronze.even WHERE note = 7"), ["2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_were_staged_for_another_definition_are_void() {
    let changes = [
        "ALTER TABLE lake.bronze.even DROP COLUMN small",
        "ALTER TABLE lake.bronze.even ALTER COLUMN small SET DATA TYPE BIGINT",
        "ALTER TABLE lake.bronze.even SET PARTITIONED BY (small)",
        "DROP TABLE lake.bronze.even",
        "DROP TABLE lake.bronze.even; CREATE TABLE lake.bronze.even (n BIGINT NOT NULL, small INTEGER)",
    ];
    for change in changes {
        let given = given().await;
        let cut = commit(10, given.stage(EVEN, &[(2, Some(2))]).await);
        let file = given.sink.path(0, "even", &cut.files[0].file.path);
        given.read(change);
        let before = given.heights();

        let made = given.group.put(Version(2), &cut).await.unwrap();

        assert_eq!((made, given.heights()), (Created::Void, before), "{change}");
        assert!(file.exists(), "an attempt may be under way");
        given.group.discard(&cut).await;
        assert_eq!((file.exists(), given.transactions.void.load(Ordering::SeqCst)), (false, 1), "{change}");

        // The source hands the rows out again, for what the table is by then.
        given.sink.tables(0).set(given.sink.lake(0).define(&wanted()).await.unwrap());
        given.makes(2, &commit(20, given.stage(EVEN, &[(2, Some(2))]).await)).await;
        assert_eq!(given.read("SELECT n, small FROM lake.bronze.even"), ["2|2"], "{change}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_catalog_of_a_version_to_come_takes_no_rows() {
    let given = given().await;
    let version = |version: &str| {
        given.sink.psql(&format!("UPDATE g0.ducklake_metadata SET value = '{version}' WHERE key = 'version'"));
    };
    let cut = commit(10, given.stage(EVEN, &[(2, None)]).await);
    version("2.0");
    let before = given.heights();

    let error = given.group.put(Version(2), &cut).await.unwrap_err();

    assert!(!error.is_transient(), "{error:?}");
    let text = chain(&error);
    assert!(text.contains("its catalog has version 2.0 of DuckLake's specification"), "{text}");
    assert_eq!(given.heights(), before);
    version("1.1");
    given.makes(2, &cut).await;
}
