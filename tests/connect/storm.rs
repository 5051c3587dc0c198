//! Everything at once: random changes of every kind, of rows and of columns, while runs, Connect
//! and the broker are killed again and again, and others optimize the tables. In the end `prove`
//! and other readers find what PostgreSQL has, and the change feed adds up to it.

use std::path::Path;
use std::time::Duration;

use crate::support::connect::Connect;
use crate::support::kafka::Broker;
use crate::support::oracle::run_python;
use crate::support::random::Random;
use crate::support::readers::agree;
use crate::support::wait;
use crate::world::World;

/// Kills of a run. Connect and the broker are killed at some of them.
const KILLS: u64 = 100;
/// And of runs that land whole transactions.
const WHOLE_KILLS: u64 = 40;
/// A run is killed after at most this many milliseconds.
const LONGEST: u64 = 1000;

const TABLES: &str = "
    SET ROLE cdc;
    CREATE TABLE items (id int PRIMARY KEY, name text, amount numeric(12,2), big text, flag boolean);
    ALTER TABLE items ALTER big SET STORAGE EXTERNAL;
    CREATE TABLE pairs (a int, b text, at timestamptz, PRIMARY KEY (a, b));
    CREATE TABLE visits (id int PRIMARY KEY, page text)";

const OPTIMIZE: &str = "import sys, deltalake; deltalake.DeltaTable(sys.argv[1]).optimize.compact()";

/// Folds the change feed of a table by its key, and compares with its rows; each row that a change
/// takes away must be the one that is there. Prints how many rows there are.
const FOLD: &str = "import sys, pyarrow\n\
    from deltalake import DeltaTable, QueryBuilder\n\
    table, key = DeltaTable(sys.argv[1]), sys.argv[2].split(',')\n\
    gone = ('delete', 'update_preimage')\n\
    feed = pyarrow.table(table.load_cdf(starting_version=0).read_all()).to_pylist()\n\
    feed.sort(key=lambda row: (row['_commit_version'], row['_change_type'] not in gone))\n\
    rows = {}\n\
    for row in feed:\n\
    \x20   change = row.pop('_change_type')\n\
    \x20   del row['_commit_version'], row['_commit_timestamp']\n\
    \x20   at = tuple(row[name] for name in key)\n\
    \x20   if change in gone:\n\
    \x20       assert rows.pop(at) == row, (change, row)\n\
    \x20   else:\n\
    \x20       assert at not in rows, (change, row)\n\
    \x20       rows[at] = row\n\
    query = QueryBuilder().register('t', table).execute('select * from t')\n\
    there = {tuple(row[name] for name in key): row for row in pyarrow.table(query.read_all()).to_pylist()}\n\
    assert there == rows, (len(there), len(rows))\n\
    print(len(rows))";

/// How often the columns of a table were changed with all rows, and the type of its first.
const CHANGED: &str = "import sys, deltalake\n\
    table = deltalake.DeltaTable(sys.argv[1])\n\
    print(sum(of['operation'] == 'CHANGE COLUMNS' for of in table.history()), table.schema().fields[0].type)";

/// One statement, or one transaction.
fn statement(random: &mut Random) -> String {
    let (id, other) = (random.below(0..60), random.below(0..1_000_000));
    match random.below(0..12) {
        0..=2 => format!(
            "INSERT INTO items (id, name, amount, big, flag) VALUES ({id}, 'n{other}', {other}.25, repeat(md5('{other}'), 200), \
             true) ON CONFLICT (id) DO UPDATE SET amount = excluded.amount;"
        ),
        3 => format!("UPDATE items SET amount = amount + {other}, flag = NOT flag WHERE id BETWEEN {id} AND {id} + 5;"),
        4 => format!("UPDATE items SET big = repeat('{other} ', 900) WHERE id = {id};"),
        5 => format!("DELETE FROM items WHERE id = {id};"),
        6 => format!("INSERT INTO pairs VALUES ({id}, 'b{}', now()) ON CONFLICT DO NOTHING;", other % 5),
        7 => format!(
            "UPDATE pairs SET a = a + 100 WHERE a = {id} AND NOT EXISTS (SELECT FROM pairs WHERE a = {id} + 100);"
        ),
        8 => format!("UPDATE pairs SET at = '2024-01-01' WHERE b = 'b{}';", other % 5),
        9 => format!("DELETE FROM visits WHERE id = {other};\nCOPY visits FROM STDIN;\n{other}\tp{id}\n\\.\n"),
        10 => format!(
            "BEGIN; UPDATE visits SET page = 'tx{other}' WHERE id % 7 = {id} % 7; DELETE FROM pairs WHERE a = {id}; \
             UPDATE items SET name = 'tx' WHERE id = {id}; COMMIT;"
        ),
        _ => format!("BEGIN; DELETE FROM items; DELETE FROM pairs WHERE a = {id}; ROLLBACK;"),
    }
}

/// What happens besides at the kill of this number.
fn besides(world: &World, kill: u64, broker: &mut Broker, connect: &mut Connect) {
    match kill {
        30 => drop(world.psql(
            "SET ROLE cdc; ALTER TABLE items ADD COLUMN extra int DEFAULT 7; UPDATE items SET extra = id WHERE id < 30",
        )),
        50 => drop(world.psql("SET ROLE cdc; ALTER TABLE visits ALTER id TYPE bigint")),
        60 => drop(world.psql("SET ROLE cdc; TRUNCATE pairs")),
        _ if kill % 20 == 7 => {
            connect.kill();
            connect.restart();
        }
        _ if kill % 20 == 17 => {
            broker.kill();
            broker.restart();
        }
        _ if kill % 10 == 3 => {
            let table = world.path("lake/shop/public/items");
            if table.join("_delta_log").exists() {
                run_python(OPTIMIZE, &[&table]);
            }
        }
        _ => {}
    }
}

#[test]
fn the_lake_holds_what_postgresql_holds_whoever_is_killed() {
    let world = storm(World::new("storm"), KILLS);
    for (table, changed) in [("items", "1 PrimitiveType(\"integer\")"), ("visits", "1 PrimitiveType(\"long\")")] {
        assert_eq!(run_python(CHANGED, &[&world.path("lake/shop/public").join(table)]).trim(), changed, "{table}");
    }
}

#[test]
fn so_it_does_in_whole_transactions() {
    let mut world = World::new("wholestorm");
    world.set("commit", "cut_at", "transaction");
    storm(world, WHOLE_KILLS);
}

fn storm(mut world: World, kills: u64) -> World {
    let mut broker = Broker::start();
    let mut connect = Connect::start(&broker);
    world.set("source", "brokers", &broker.brokers()).set("connect", "url", &connect.url());
    world.set("connect", "heartbeat_interval", "1s").set("commit", "interval", "100ms");
    world.set("schema", "on_widen", "widen");
    world.psql(TABLES);
    world.debezium(&["register"]).exits_with(0);
    let mut random = Random::new(2029);
    for kill in 0..kills {
        let run = world.start(&["run", "p.toml"]);
        world.psql(&(0..20).map(|_| statement(&mut random)).collect::<String>());
        besides(&world, kill, &mut broker, &mut connect);
        wait::pause(Duration::from_millis(random.below(0..LONGEST)));
        let ended = run.kill();
        // A run that starts while the broker is away says so, and ends.
        let is_away = ended.code == Some(3) && ended.stderr.contains("see whether the brokers run");
        assert!(ended.code.is_none() || is_away, "it ended by itself at kill {kill}:\n{}", ended.stderr);
    }
    let run = world.start(&["run", "p.toml"]);
    let mut said = String::new();
    let proved = wait::until(|| {
        let ended = world.call(&["prove", "p.toml", "--timeout", "1m"]);
        said = format!("{}{}", ended.stdout, ended.stderr);
        assert_ne!(ended.code, Some(1), "{said}");
        ended.code == Some(0)
    });
    assert!(proved, "{said}");
    run.stop();
    let count = |table: &str| world.psql(&format!("SELECT count(*) FROM {table}"));
    for (table, key) in [("items", "id"), ("pairs", "a,b"), ("visits", "id")] {
        let folded = run_python(FOLD, &[&world.path("lake/shop/public").join(table), Path::new(key)]);
        assert_eq!(folded, count(table), "{table}");
        let rows = agree(&world.path("lake/shop/public").join(table));
        assert_eq!(rows.to_string(), count(table), "{table}");
    }
    world
}
