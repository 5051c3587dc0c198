//! Small files are merged, snapshots expired and files deleted beside the flushes, and DuckDB sees
//! what it saw before, at every snapshot.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::support::duck::Duck;
use crate::support::wait;
use crate::world::World;

/// Every flush has a ledger or two, so that there are many.
fn world() -> World {
    let mut world = World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text, at timestamptz, n float8);
         CREATE TABLE effects (ledger_sequence bigint, ledger_range bigint, i int, names text[],
           PRIMARY KEY (ledger_sequence, i))",
    );
    world.set("lake.partition_by", r#"["ledger_range"]"#).set("source.max_rows", "3");
    world
}

fn rows(from: i64, to: i64) -> String {
    format!(
        "INSERT INTO ledgers SELECT i, 'v' || i, '2026-01-01'::timestamptz + i * interval '1 s',
           CASE i % 7 WHEN 0 THEN 'nan' WHEN 1 THEN NULL ELSE i::float8 END FROM generate_series({from}, {to}) i;
         INSERT INTO effects SELECT i, i / 100 * 100, j, ARRAY['n' || i, NULL]
           FROM generate_series({from}, {to}) i, generate_series(1, 2) j"
    )
}

/// How many snapshots of the lake are merges of ours.
fn merges(world: &World) -> i64 {
    world.number(
        "SELECT count(*) FROM bronze_meta.ducklake_snapshot_changes
         WHERE author = 'lakefront' AND changes_made LIKE '%merge_adjacent%'",
    )
}

/// The data files of the newest snapshot.
fn data_files(world: &World, table: &str) -> i64 {
    world.number(&format!(
        "SELECT count(*) FROM bronze_meta.ducklake_data_file f JOIN bronze_meta.ducklake_table t USING (table_id)
         WHERE f.end_snapshot IS NULL AND t.table_name = '{table}'"
    ))
}

/// The files that the catalog knows, also those that are to be deleted.
fn known(world: &World) -> i64 {
    world.number(
        "SELECT (SELECT count(*) FROM bronze_meta.ducklake_data_file) + (SELECT count(*) FROM bronze_meta.ducklake_delete_file)
         + (SELECT count(*) FROM bronze_meta.ducklake_files_scheduled_for_deletion)",
    )
}

/// The files that there are.
fn there(folder: &Path) -> i64 {
    let entries = fs::read_dir(folder).expect("a folder of the lake").map(|entry| entry.expect("an entry").path());
    entries.map(|path| if path.is_dir() { there(&path) } else { 1 }).sum()
}

/// Makes all snapshots two hours older, and the files that are to be deleted.
fn age(world: &World) {
    world.psql(
        "UPDATE bronze_meta.ducklake_snapshot SET snapshot_time = snapshot_time - interval '2 hours';
         UPDATE bronze_meta.ducklake_files_scheduled_for_deletion SET schedule_start = schedule_start - interval '73 hours'",
    );
}

/// What DuckDB sees of the snapshots up to `last`: the rows at each, with their ids, and the rows
/// that each has added.
fn history(duck: &mut Duck, last: i64) -> Vec<String> {
    let mut seen = Vec::new();
    for snapshot in 0..=last {
        for table in ["ledgers", "effects"] {
            let at = format!("SELECT rowid AS id, * FROM lake.bronze.{table} AT (VERSION => {snapshot})");
            let added = format!(
                "SELECT rowid AS id, snapshot_id AS added, * \
                 FROM ducklake_table_insertions('lake', 'bronze', '{table}', {snapshot}, {snapshot})"
            );
            for rows in [at, added] {
                let sql =
                    format!("SELECT count(*), md5(string_agg(to_json(x)::VARCHAR, ',' ORDER BY id)) FROM ({rows}) x");
                seen.push(format!("{table} at {snapshot}: {:?}", duck.sql(&sql)));
            }
        }
    }
    seen
}

/// The sequences of the lake's ledgers, in order.
#[track_caller]
fn sequences(duck: &mut Duck) -> Vec<i64> {
    let lines = duck.lines("SELECT sequence FROM lake.bronze.ledgers ORDER BY sequence");
    lines.iter().map(|line| line.parse().expect("a number")).collect()
}

#[test]
fn what_readers_see_stays_as_it_was_at_every_snapshot() {
    let mut world = world();
    world.set("maintenance.merge_every", "0");
    world.psql(&rows(1, 60));
    world.flush();
    let mut duck = world.duck();
    duck.rows("INSERT INTO lake.bronze.ledgers SELECT -1 - i, 'duck', NULL, i FROM range(20) r(i)");
    duck.rows("ALTER TABLE lake.bronze.effects ADD COLUMN extra INTEGER DEFAULT 7");
    // Into a folder of its own for the partition.
    duck.rows("INSERT INTO lake.bronze.effects SELECT 1000 + i, 0, 1, ['duck'], 3 FROM range(20) r(i)");
    world.psql(&rows(61, 150));
    world.flush();
    duck.rows("DELETE FROM lake.bronze.ledgers WHERE sequence IN (5, -3)");
    duck.rows("DELETE FROM lake.bronze.effects WHERE ledger_sequence BETWEEN 10 AND 40 AND i = 1");
    let last = world.number("SELECT max(snapshot_id) FROM bronze_meta.ducklake_snapshot");
    let before = history(&mut duck, last);
    let good = before.iter().filter(|line| line.contains(": Ok(")).count();
    assert!(last > 120 && good > 400, "{good} answers of {last} snapshots: {before:#?}");
    let (ledgers, effects) = (data_files(&world, "ledgers"), data_files(&world, "effects"));

    world.set("maintenance.merge_every", "1").psql(&rows(151, 151));
    world.flush();
    assert!(merges(&world) > 0);
    assert!(data_files(&world, "ledgers") < ledgers / 4, "{} of {ledgers}", data_files(&world, "ledgers"));
    assert!(data_files(&world, "effects") < effects * 2 / 3, "{} of {effects}", data_files(&world, "effects"));
    let mut duck = world.duck();
    for (before, after) in before.iter().zip(history(&mut duck, last)) {
        assert_eq!(*before, after);
    }
    // Bounds lose no row.
    let expected: Vec<i64> = (-20..=151).filter(|i| ![5, -3, 0].contains(i)).collect();
    for sequence in &expected {
        let sql = format!("SELECT sequence FROM lake.bronze.ledgers WHERE sequence = {sequence}");
        assert_eq!(duck.lines(&sql), [sequence.to_string()]);
    }
    others_go_on(&world, &mut duck, expected);
}

/// DuckDB deletes from merged files, changes, merges and rewrites them; and so do we afterwards.
fn others_go_on(world: &World, duck: &mut Duck, mut expected: Vec<i64>) {
    duck.rows("DELETE FROM lake.bronze.ledgers WHERE sequence BETWEEN 100 AND 120");
    duck.rows("DELETE FROM lake.bronze.ledgers WHERE sequence = 130");
    duck.rows("UPDATE lake.bronze.ledgers SET v = 'changed' WHERE sequence = 140");
    expected.retain(|sequence| !(100..=120).contains(sequence) && *sequence != 130);
    for step in [
        "CALL ducklake_merge_adjacent_files('lake')",
        "CALL ducklake_flush_inlined_data('lake')",
        "CALL ducklake_rewrite_data_files('lake', delete_threshold => 0)",
    ] {
        duck.rows(step);
        assert_eq!(sequences(duck), expected, "after {step}");
        let next = expected.last().expect("a sequence") + 1;
        world.psql(&rows(next, next + 8));
        world.flush();
        expected.extend(next..=next + 8);
        assert_eq!(sequences(duck), expected, "after {step} and flushes");
    }
    assert_eq!(duck.lines("SELECT count(*) - count(DISTINCT rowid) FROM lake.bronze.ledgers"), ["0"]);
    assert_eq!(duck.lines("SELECT v FROM lake.bronze.ledgers WHERE sequence = 140"), ["changed"]);
}

#[test]
fn files_stay_few_after_hundreds_of_flushes() {
    let world = world();
    world.psql(&rows(1, 300));
    world.flush();
    assert!(world.flushes() > 200, "{} flushes", world.flushes());
    assert!(merges(&world) > 5, "{} merges", merges(&world));
    // Seven of each rank, of four at most, and what has come since the last merge.
    let (ledgers, effects) = (data_files(&world, "ledgers"), data_files(&world, "effects"));
    assert!(ledgers <= 28 + 6, "{ledgers} files of ledgers");
    // So many for each partition.
    assert!(effects <= 4 * 28 + 6, "{effects} files of effects");
    let mut duck = world.duck();
    assert_eq!(sequences(&mut duck), (1..=300).collect::<Vec<_>>());
    let counted =
        "SELECT count(*), count(DISTINCT (ledger_sequence, i)), count(DISTINCT rowid) FROM lake.bronze.effects";
    assert_eq!(duck.lines(counted), ["600|600|600"]);
    let counted = "SELECT ledger_range, count(*) FROM lake.bronze.effects GROUP BY 1 ORDER BY 1";
    assert_eq!(duck.lines(counted), ["0|198", "100|200", "200|200", "300|2"]);
    // Each flush has added what it says it has.
    let flushes = world.psql(
        "SELECT snapshot_id, tables -> t.table_id::text ->> 'row_id', tables -> t.table_id::text ->> 'rows'
         FROM bronze_meta.lakefront_commits, bronze_meta.ducklake_table t
         WHERE t.table_name = 'ledgers' AND tables -> t.table_id::text IS NOT NULL ORDER BY 1",
    );
    for flush in flushes.lines() {
        let parts: Vec<i64> = flush.split('|').map(|part| part.parse().expect("a number")).collect();
        let [snapshot, first, rows] = parts[..] else { panic!("{flush}") };
        let sql = format!(
            "SELECT min(rowid), count(*), max(rowid) \
             FROM ducklake_table_insertions('lake', 'bronze', 'ledgers', {snapshot}, {snapshot})"
        );
        assert_eq!(duck.lines(&sql), [format!("{first}|{rows}|{}", first + rows - 1)], "at {snapshot}");
    }
}

#[test]
fn another_writer_merges_inserts_and_deletes_at_the_same_time() {
    let mut world = world();
    world.set("maintenance.merge_every", "2").psql(&rows(1, 10));
    world.flush();
    world.psql(&rows(11, 250));
    let (mut duck, mut run) = (world.duck(), world.run_with(""));
    let (mut theirs, mut step, mut refused) = (BTreeSet::new(), 0_i64, 0);
    while !run.has_ended() {
        step += 1;
        let first = -20 * step;
        let oldest = theirs.first().copied().unwrap_or_default();
        let sql = match step % 5 {
            0 => "CALL ducklake_merge_adjacent_files('lake')".to_owned(),
            1 => format!("INSERT INTO lake.bronze.ledgers SELECT {first} - i, 'duck', NULL, i FROM range(20) r(i)"),
            2 => format!("UPDATE lake.bronze.ledgers SET v = 'changed' WHERE sequence = {}", oldest + 1),
            // Few rows: DuckDB keeps the delete in the catalog.
            _ => format!("DELETE FROM lake.bronze.ledgers WHERE sequence = {oldest}"),
        };
        match (duck.sql(&sql), step % 5) {
            (Ok(_), 1) => theirs.extend((0..20).map(|i| first - i)),
            (Ok(_), 3 | 4) => drop(theirs.remove(&oldest)),
            (Ok(_), _) => {}
            (Err(error), _) => {
                refused += 1;
                assert!(!error.to_lowercase().contains("internal"), "{sql}: {error}");
            }
        }
        wait::pause(Duration::from_millis(30));
    }
    run.end().exits_with(0);
    assert!(merges(&world) > 0 && !theirs.is_empty());
    println!("{step} statements of DuckDB, {refused} refused, {} merges", merges(&world));
    let expected: Vec<i64> = theirs.into_iter().chain(1..=250).collect();
    assert_eq!(sequences(&mut world.duck()), expected);
    assert_eq!(world.number("SELECT count(*) FROM ledgers"), 0);
}

#[test]
fn a_kill_at_any_step_loses_nothing_and_leaves_only_orphans() {
    let mut world = world();
    world.set("maintenance.merge_every", "1").set("maintenance.expire_older_than", r#""1h""#).psql(&rows(1, 24));
    world.flush();
    let mut last = 24;
    for point in [
        "stage-closed",
        "ducklake-merge-staged",
        "ducklake-merge-locked",
        "ducklake-merge-swapped",
        "ducklake-merge-committed",
        "ducklake-expire-written",
        "ducklake-expire-committed",
        "ducklake-clean-deleted",
    ] {
        age(&world);
        world.psql(&rows(last + 1, last + 24));
        last += 24;
        let ended = world.run_with(&format!("{point}=panic")).end();
        assert_eq!(ended.code, Some(3), "{point}: {ended:?}");
        assert!(ended.stderr.contains(&format!("failpoint {point} panic")), "{}", ended.stderr);
        let mut duck = world.duck();
        let counted = "SELECT count(*) - count(DISTINCT sequence) FROM lake.bronze.ledgers";
        assert_eq!(duck.lines(counted), ["0"], "{point}");
        // What the first run could not do, the next one does.
        world.flush();
        assert_eq!(sequences(&mut duck), (1..=last).collect::<Vec<_>>(), "{point}");
    }
    let mut duck = world.duck();
    let counted = "SELECT count(*), count(DISTINCT (ledger_sequence, i)) FROM lake.bronze.effects";
    assert_eq!(duck.lines(counted), [format!("{0}|{0}", 2 * last)]);
    let lake = world.path("lake");
    assert!(there(&lake) >= known(&world), "a file is missing: {} of {}", there(&lake), known(&world));
    duck.rows("CALL ducklake_delete_orphaned_files('lake', cleanup_all => true)");
    assert_eq!(there(&lake), known(&world));
    assert_eq!(sequences(&mut duck), (1..=last).collect::<Vec<_>>());
}

#[test]
fn old_snapshots_are_expired_and_files_deleted_after_an_hour() {
    let mut world = world();
    world.set("maintenance.merge_every", "1").psql(&rows(1, 40));
    world.flush();
    let mut duck = world.duck();
    duck.rows("DELETE FROM lake.bronze.effects WHERE i = 1");
    duck.rows("DELETE FROM lake.bronze.ledgers WHERE sequence <= 11");
    duck.rows("CALL ducklake_rewrite_data_files('lake', delete_threshold => 0)");
    let (lake, flushes) = (world.path("lake"), world.flushes());
    let files = there(&lake);
    assert_eq!(files, known(&world), "nothing is deleted yet");

    // Without the key nothing expires, but what was merged days ago is deleted.
    age(&world);
    world.psql(&rows(41, 41));
    world.flush();
    let old = "SELECT count(*) FROM bronze_meta.ducklake_snapshot WHERE snapshot_time < now() - interval '1 hour'";
    assert!(world.number(old) > 40);
    assert!(there(&lake) < files && there(&lake) == known(&world), "{} files", there(&lake));
    assert_eq!(duck.lines("SELECT count(*) FROM lake.bronze.ledgers AT (VERSION => 5)").len(), 1);

    world.set("maintenance.expire_older_than", r#""1h""#).psql(&rows(42, 42));
    world.flush();
    assert_eq!(world.number(old), 0);
    assert_eq!(world.flushes(), flushes + 2, "the commits of flushes stay");
    let ended = "SELECT count(*) FROM bronze_meta.ducklake_data_file WHERE end_snapshot IS NOT NULL";
    assert_eq!(world.number(ended), 0);
    let scheduled = world.number("SELECT count(*) FROM bronze_meta.ducklake_files_scheduled_for_deletion");
    assert!(scheduled > 0);
    assert_eq!(there(&lake), known(&world), "they stay for some days");

    age(&world);
    world.psql(&rows(43, 43));
    world.flush();
    assert_eq!(there(&lake), known(&world));
    let due = "SELECT count(*) FROM bronze_meta.ducklake_files_scheduled_for_deletion
               WHERE schedule_start < now() - interval '72 hours'";
    assert_eq!(world.number(due), 0);
    let mut duck = world.duck();
    assert_eq!(sequences(&mut duck), (12..=43).collect::<Vec<_>>());
    assert_eq!(duck.lines("SELECT count(*) FROM lake.bronze.effects WHERE i = 1"), ["3"]);
    // DuckDB finds nothing that it would do better.
    assert!(duck.rows("CALL ducklake_delete_orphaned_files('lake', cleanup_all => true)").is_empty());
}

#[test]
fn a_run_that_was_taken_over_merges_nothing() {
    let mut world = world();
    world.set("maintenance.merge_every", "0").psql(&rows(1, 20));
    world.flush();
    world.set("maintenance.merge_every", "1").set("source.interval", r#""20s""#).psql(&rows(21, 21));
    // The merge has its files, and has not begun to put them in place.
    let mut tail = world.tail("ducklake-merge-staged=sleep(6000)");
    tail.until_it_says("landed position=");
    world.set("maintenance.merge_every", "0").psql(&rows(22, 22));
    let ended = world.run(&["run", "p.toml", "--once", "--take-over"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    tail.until_it_says("the pipeline was claimed meanwhile");
    assert_eq!(merges(&world), 0);
    tail.until("has deleted what it had written", || there(&world.path("lake")) == known(&world));
    world.psql(&rows(23, 23));
    assert_eq!(tail.end().code, Some(4), "the older run is fenced");
    world.flush();
    assert_eq!(sequences(&mut world.duck()), (1..=23).collect::<Vec<_>>());
}

#[test]
fn a_signal_abandons_a_merge() {
    let mut world = world();
    world.set("maintenance.merge_every", "0").psql(&rows(1, 20));
    world.flush();
    let files = there(&world.path("lake"));
    world.set("maintenance.merge_every", "1").set("source.interval", r#""1h""#).psql(&rows(21, 21));
    let mut tail = world.tail("ducklake-merge-staged=sleep(3000)");
    // Two files of the flush, and at least one of the merge.
    tail.until("has begun to merge", || there(&world.path("lake")) > files + 2);
    let ended = tail.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(merges(&world), 0, "{}", ended.stderr);
    let mut duck = world.duck();
    assert_eq!(sequences(&mut duck), (1..=21).collect::<Vec<_>>());
    // The next run does it, and DuckDB finds what is left of the first attempt.
    world.psql(&rows(22, 22));
    world.flush();
    assert!(merges(&world) > 0);
    duck.rows("CALL ducklake_delete_orphaned_files('lake', cleanup_all => true)");
    assert_eq!(there(&world.path("lake")), known(&world));
    assert_eq!(sequences(&mut duck), (1..=22).collect::<Vec<_>>());
}

#[test]
fn a_merge_that_is_refused_leaves_no_files() {
    let mut world = world();
    world.set("maintenance.merge_every", "0").psql(&rows(1, 24));
    world.flush();
    world.set("maintenance.merge_every", "1");
    // While the snapshot is written, and at its COMMIT.
    for (number, when) in [(25, "BEFORE INSERT"), (26, "AFTER INSERT")] {
        let (kind, deferred) = match when {
            "AFTER INSERT" => ("CONSTRAINT TRIGGER", "DEFERRABLE INITIALLY DEFERRED"),
            _ => ("TRIGGER", ""),
        };
        let table = "bronze_meta.ducklake_files_scheduled_for_deletion";
        world.psql(&format!(
            "CREATE OR REPLACE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS
               'BEGIN RAISE EXCEPTION ''not today''; END';
             CREATE {kind} no {when} ON {table} {deferred} FOR EACH ROW EXECUTE FUNCTION no();
             {}",
            rows(number, number)
        ));
        let ended = world.run(&["run", "p.toml", "--once"]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stderr.contains("could not merge small files"), "{}", ended.stderr);
        assert!(ended.stderr.contains("not today"), "{}", ended.stderr);
        assert_eq!(there(&world.path("lake")), known(&world), "{when}");
        world.psql(&format!("DROP TRIGGER no ON {table}"));
    }
    assert_eq!(merges(&world), 0);
    world.psql(&rows(27, 27));
    world.flush();
    assert!(merges(&world) > 0);
    assert_eq!(sequences(&mut world.duck()), (1..=27).collect::<Vec<_>>());
}

#[test]
fn a_column_that_comes_while_files_are_looked_at_keeps_its_values() {
    let mut world = world();
    world.set("maintenance.merge_every", "0");
    for number in 1..=10 {
        world.psql(&rows(number, number));
        world.flush();
    }
    world.set("maintenance.merge_every", "1").psql(&rows(11, 11));
    let mut run = world.run_with("ducklake-merge-looked=1*sleep(6000)->off");
    run.until_it_says("landed position=11");
    let mut duck = world.duck();
    duck.rows("BEGIN");
    duck.rows("ALTER TABLE lake.bronze.ledgers ADD COLUMN b INTEGER");
    duck.rows("INSERT INTO lake.bronze.ledgers (sequence, b) SELECT 1000 + i, 42 FROM range(20) t(i)");
    duck.rows("COMMIT");
    let ended = run.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let counted = "SELECT count(*), count(b), sum(b) FROM lake.bronze.ledgers";
    assert_eq!(world.duck().lines(counted), ["31|20|840"], "{}", ended.stderr);
    // And at the next time, when it is known.
    world.psql(&rows(12, 12));
    world.flush();
    assert_eq!(world.duck().lines(counted), ["32|20|840"]);
    assert!(merges(&world) > 0);
}

#[test]
fn a_file_that_the_catalog_names_again_is_not_deleted() {
    let mut world = world();
    world.set("maintenance.merge_every", "1").psql(&rows(1, 20));
    world.flush();
    world.psql(
        "INSERT INTO bronze_meta.ducklake_files_scheduled_for_deletion (data_file_id, path, path_is_relative, schedule_start)
         SELECT 1000000 + data_file_id, 'bronze/ledgers/' || path, true, now() - interval '100 hours'
         FROM bronze_meta.ducklake_data_file WHERE path LIKE 'lakefront-%'",
    );
    let files = there(&world.path("lake"));
    world.psql(&rows(21, 21));
    world.flush();
    assert!(there(&world.path("lake")) > files);
    assert_eq!(sequences(&mut world.duck()), (1..=21).collect::<Vec<_>>());
}

#[test]
fn a_table_of_the_catalog_that_stays_locked_is_told_and_not_waited_for() {
    let mut world = world();
    world.set("maintenance.merge_every", "0").psql(&rows(1, 1));
    world.flush();
    world.set("maintenance.merge_every", "1").psql(&rows(2, 2));
    std::thread::scope(|scope| {
        let holds = scope.spawn(|| {
            world.try_psql(
                "BEGIN; LOCK TABLE bronze_meta.ducklake_files_scheduled_for_deletion IN ACCESS EXCLUSIVE MODE;
                 SELECT pg_sleep(600)",
            )
        });
        assert!(wait::until(|| world.is_asleep()), "the table is locked");
        let ended = world.run(&["run", "p.toml", "--once"]);
        let is_locked = world.is_asleep();
        world.psql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event = 'PgSleep'",
        );
        assert!(holds.join().expect("psql").is_err(), "its session was ended");
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(is_locked, "it did not wait until the table was free");
        let line = ended.stderr.lines().find(|line| line.contains("could not clean up"));
        assert!(line.is_some_and(|line| line.contains("lock timeout")), "{}", ended.stderr);
    });
    world.psql(&rows(3, 3));
    let ended = world.run(&["run", "p.toml", "--once"]).exits_with(0);
    assert!(!ended.stderr.contains("could not clean up"), "{}", ended.stderr);
    assert_eq!(sequences(&mut world.duck()), [1, 2, 3]);
}

#[test]
fn a_flush_that_was_made_again_does_not_end_the_merging() {
    let world = world();
    world.psql(&rows(1, 1));
    world.flush();
    world.psql(&rows(2, 60));
    // The files are staged, and another writer inserts before they are committed: the run claims
    // the pipeline anew.
    let (mut duck, lake) = (world.duck(), world.path("lake"));
    let before = there(&lake);
    let run = world.run_with("stage-synced=1*sleep(5000)");
    assert!(wait::until(|| there(&lake) > before), "it stages");
    duck.rows("INSERT INTO lake.bronze.ledgers SELECT -i, 'duck', NULL, i FROM range(20) r(i)");
    let ended = run.end().exits_with(0);
    assert!(ended.stderr.contains("is made again"), "{}", ended.stderr);
    assert!(merges(&world) > 0, "{}", ended.stderr);
    assert!(!ended.stderr.contains("the pipeline was claimed meanwhile"), "{}", ended.stderr);
    assert_eq!(sequences(&mut duck), (-19..=60).collect::<Vec<_>>());
}
