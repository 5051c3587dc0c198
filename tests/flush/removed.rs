//! Files of the lake that are gone when keys of rows that came back are sought in them.

use std::fs;
use std::path::PathBuf;

use crate::world::World;

/// Two flushes, and a row that comes back.
fn world() -> World {
    let world = World::new("CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text)");
    for (from, to) in [(1, 50), (51, 100)] {
        world.psql(&format!("INSERT INTO ledgers SELECT i, 'v' FROM generate_series({from}, {to}) i"));
        world.flush();
    }
    world.psql("INSERT INTO ledgers VALUES (7, 'again'), (101, 'new')");
    world
}

/// The files of the table.
fn files(world: &World) -> Vec<PathBuf> {
    let folder = world.path("lake/bronze/ledgers");
    fs::read_dir(folder).expect("the table's folder").map(|entry| entry.expect("a file").path()).collect()
}

#[test]
fn a_clean_up_while_keys_are_sought_only_makes_the_look_anew() {
    for late in ["skip", "replace"] {
        let mut world = world();
        world.set("source.late", &format!("{late:?}"));
        let before = files(&world);
        let mut run = world.run_with("ducklake-read-listed=1*sleep(6000)->off");
        // What it asks before it lists the lake's files.
        let looks = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                     AND state = 'idle in transaction' AND query LIKE 'COPY (SELECT%'";
        run.until("looks for late rows", || world.number(looks) > 0);
        let mut duck = world.duck();
        duck.rows("CALL ducklake_merge_adjacent_files('lake')");
        duck.rows("CALL ducklake_cleanup_old_files('lake', cleanup_all => true)");
        assert!(before.iter().all(|file| !file.exists()), "{before:?}");
        let ended = run.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let says = "a clean-up has removed it since it was listed";
        assert!(ended.stderr.contains(says), "{late}: {}", ended.stderr);
        let counted =
            "SELECT count(*), count(DISTINCT sequence), count(*) FILTER (v = 'again') FROM lake.bronze.ledgers";
        let again = i32::from(late == "replace");
        assert_eq!(world.duck().lines(counted), [format!("101|101|{again}")]);
        assert_eq!(world.number("SELECT count(*) FROM ledgers"), 0);
    }
}

#[test]
fn a_file_that_the_lake_needs_and_that_is_gone_is_named() {
    for late in ["skip", "replace"] {
        let mut world = world();
        world.set("source.late", &format!("{late:?}"));
        let lost: Vec<(PathBuf, Vec<u8>)> =
            files(&world).into_iter().map(|file| (file.clone(), fs::read(&file).expect("a file"))).collect();
        lost.iter().for_each(|(file, _)| fs::remove_file(file).expect("a file that can be removed"));
        let ended = world.run(&["run", "p.toml", "--once"]);
        assert_eq!(ended.code, Some(3), "{}", ended.stderr);
        let error = ended.error();
        assert!(lost.iter().any(|(file, _)| error.contains(&*file.to_string_lossy())), "{error}");
        assert!(error.contains("the newest snapshot of the lake needs it: restore it from a copy"), "{error}");
        assert!(!ended.stderr.contains("trying again"), "{}", ended.stderr);
        assert_eq!(world.number("SELECT count(*) FROM ledgers"), 2, "nothing is moved");
        // What it says to do works.
        lost.iter().for_each(|(file, content)| fs::write(file, content).expect("a file that is restored"));
        world.flush();
        let counted = "SELECT count(*), count(DISTINCT sequence) FROM lake.bronze.ledgers";
        assert_eq!(world.duck().lines(counted), ["101|101"]);
    }
}
