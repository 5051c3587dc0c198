//! DuckDB inserts, deletes, updates, merges, rewrites, expires and cleans up in the same lake, and
//! our flushes go on.

use crate::support::duck::Duck;
use crate::support::postgres::Server;
use crate::support::wait;
use crate::world::World;

const TABLES: &str = "CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text, n float8)";

fn rows(from: u64, to: u64) -> String {
    format!("INSERT INTO ledgers SELECT i, 'v' || i, i FROM generate_series({from}, {to}) i")
}

/// The sequences of the lake, each of which must be there once.
#[track_caller]
fn sequences(duck: &mut Duck) -> Vec<i64> {
    let lines = duck.lines("SELECT sequence FROM lake.bronze.ledgers ORDER BY sequence");
    lines.iter().map(|line| line.parse().expect("a number")).collect()
}

#[test]
fn whatever_duckdb_does_between_flushes_stays_done() {
    let world = World::new(TABLES);
    let mut expected: Vec<i64> = Vec::new();
    let mut next = 1;
    let steps = [
        "INSERT INTO lake.bronze.ledgers VALUES (100001, 'duck', 1.5), (100002, NULL, 'nan')",
        "DELETE FROM lake.bronze.ledgers WHERE sequence % 7 = 0",
        "UPDATE lake.bronze.ledgers SET v = 'changed' WHERE sequence % 11 = 0",
        "CALL ducklake_flush_inlined_data('lake')",
        "CALL ducklake_merge_adjacent_files('lake')",
        "CALL ducklake_rewrite_data_files('lake')",
        "CALL ducklake_expire_snapshots('lake', older_than => now())",
        "CALL ducklake_cleanup_old_files('lake', cleanup_all => true)",
        "DELETE FROM lake.bronze.ledgers WHERE sequence < 20",
        "CALL ducklake_merge_adjacent_files('lake')",
    ];
    for step in steps {
        world.psql(&rows(next, next + 29));
        world.flush();
        expected.extend(next.cast_signed()..next.cast_signed() + 30);
        next += 30;
        let mut duck = world.duck();
        expected.sort_unstable();
        assert_eq!(sequences(&mut duck), expected, "before {step}");
        duck.rows(step);
        if step.starts_with("INSERT") {
            expected.extend([100_001, 100_002]);
        } else if step.contains("% 7") {
            expected.retain(|sequence| sequence % 7 != 0);
        } else if step.contains("< 20") {
            expected.retain(|sequence| *sequence >= 20);
        }
        expected.sort_unstable();
        assert_eq!(sequences(&mut duck), expected, "after {step}");
    }
    world.psql(&rows(next, next + 4));
    world.flush();
    expected.extend(next.cast_signed()..next.cast_signed() + 5);
    expected.sort_unstable();
    let mut duck = world.duck();
    assert_eq!(sequences(&mut duck), expected);
    // Row ids are unique, and statistics agree with what is there.
    assert_eq!(duck.lines("SELECT count(*) - count(DISTINCT rowid) FROM lake.bronze.ledgers"), ["0"]);
    for sequence in [1, 20, 100_001, next.cast_signed() + 4] {
        let there = i64::from(expected.contains(&sequence));
        let sql = format!("SELECT count(*) FROM lake.bronze.ledgers WHERE sequence = {sequence}");
        assert_eq!(duck.lines(&sql), [there.to_string()]);
    }
    // Whatever others have done, nothing is called lost.
    let said = world.prove(0);
    assert_eq!(said["tables"][0]["ranges"]["differ"], 0, "{said:#}");
}

#[test]
fn the_change_feed_tells_flushes() {
    let world = World::new(TABLES);
    world.psql(&rows(1, 3));
    world.flush();
    world.psql(&rows(4, 5));
    world.flush();
    let last = "SELECT max(snapshot_id) FROM bronze_meta.lakefront_commits";
    let last = world.number(last);
    let mut duck = world.duck();
    let sql =
        format!("SELECT change_type, sequence FROM lake.table_changes('bronze.ledgers', {last}, {last}) ORDER BY 2");
    let changes = duck.sql(&sql).or_else(|_| {
        duck.sql(&format!(
            "SELECT change_type, sequence FROM ducklake_table_changes('lake', 'bronze', 'ledgers', {last}, {last}) ORDER BY 2"
        ))
    });
    let changes: Vec<String> = changes
        .expect("a change feed")
        .into_iter()
        .map(|row| row.into_iter().flatten().collect::<Vec<_>>().join("|"))
        .collect();
    assert_eq!(changes, ["insert|4", "insert|5"]);
    let history = "SELECT author, commit_message FROM lake.snapshots() WHERE author IS NOT NULL ORDER BY snapshot_id DESC LIMIT 1";
    assert_eq!(duck.lines(history), ["lakefront|flush 2 of stellar"]);
}

/// How many files of ours the table's folder has.
fn staged(world: &World) -> usize {
    let folder = std::fs::read_dir(world.path("lake/bronze/ledgers")).expect("the table's folder");
    let is_ours = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with("lakefront-");
    folder.flatten().map(is_ours).filter(|is_ours| *is_ours).count()
}

#[test]
fn an_insert_into_the_same_table_while_we_copy_makes_the_flush_again() {
    let world = World::new(TABLES);
    world.psql(&rows(1, 10));
    world.flush();
    world.psql(&rows(11, 20));
    let (mut duck, files) = (world.duck(), || staged(&world));
    let before = files();
    // The files are staged, and the commit is still to come.
    let run = world.run_with("stage-synced=1*sleep(5000)");
    assert!(wait::until(|| files() > before), "it stages");
    duck.rows("INSERT INTO lake.bronze.ledgers SELECT i, 'duck', 0 FROM range(1000, 1100) r(i)");
    // A row that is copied changes too, and one comes in below the watermark.
    world.psql("UPDATE ledgers SET v = 'newer' WHERE sequence = 15; INSERT INTO ledgers VALUES (0, 'late', 0)");
    let ended = run.end().exits_with(0);
    assert!(ended.stderr.contains("is made again"), "{}", ended.stderr);
    let expected: Vec<i64> = (0..=20).chain(1000..1100).collect();
    assert_eq!(sequences(&mut duck), expected);
    assert_eq!(duck.lines("SELECT v FROM lake.bronze.ledgers WHERE sequence = 15"), ["newer"]);
    assert_eq!(world.number("SELECT count(*) FROM ledgers"), 0);
    // The files of the first attempt are deleted: every file of ours is in the catalog.
    let known = world.number("SELECT count(*) FROM bronze_meta.ducklake_data_file WHERE path LIKE 'lakefront-%'");
    assert_eq!(files(), usize::try_from(known).expect("a count"));
    world.proves();
}

#[test]
fn who_holds_the_catalog_is_named() {
    let world = World::new(TABLES);
    world.psql(&rows(1, 10));
    world.flush();
    world.psql(&rows(11, 20));
    let holder = std::thread::spawn({
        let (server, database) = (Server::shared(), world.psql("SELECT current_database()"));
        move || {
            server.psql(
                &database,
                "SET application_name = 'the holder'; BEGIN;
                 LOCK TABLE bronze_meta.ducklake_snapshot IN EXCLUSIVE MODE; SELECT pg_sleep(22); COMMIT",
            )
        }
    });
    let holds = "SELECT count(*) > 0 FROM pg_locks WHERE mode = 'ExclusiveLock' AND relation = 'bronze_meta.ducklake_snapshot'::regclass AND granted";
    assert!(wait::until(|| world.psql(holds) == "t"), "it is locked");
    let ended = world.run(&["run", "p.toml", "--once"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("\"the holder\""), "{}", ended.stderr);
    holder.join().expect("the holder ends");
    assert_eq!(sequences(&mut world.duck()), (1..=20).collect::<Vec<_>>());
}
