//! From PostgreSQL to the lake: what its tables hold, the lake's tables hold, read by `deltalake`.

use crate::support::oracle::run_python;
use crate::support::random::Random;
use crate::support::wait;
use crate::world::World;

/// Rounds of changes; Connect is killed within one of them.
const ROUNDS: usize = 6;

/// Each row of the lake's table as a text.
const ROWS: &str = "import sys, hashlib, pyarrow\n\
                    from deltalake import DeltaTable, QueryBuilder\n\
                    query = QueryBuilder().register('t', DeltaTable(sys.argv[1])).execute('select * from t order by id')\n\
                    for row in pyarrow.table(query.read_all()).to_pylist():\n\
                    \x20   big = row['big'] and hashlib.md5(row['big'].encode()).hexdigest()\n\
                    \x20   print(row['id'], row['name'], row['amount'], big, row['flag'], sep='|')";

/// A table with a few rows, to be changed.
pub(crate) const ITEMS: &str = "SET ROLE cdc;
    CREATE TABLE items (id int PRIMARY KEY, name text, amount numeric(12,2), big text, flag boolean);
    ALTER TABLE items ALTER big SET STORAGE EXTERNAL;
    INSERT INTO items SELECT i, 'n' || i, i, repeat('x', 3000), false FROM generate_series(1, 20) i";

/// Makes changes of every kind.
pub(crate) fn change(world: &World, random: &mut Random) {
    let mut sql = String::new();
    for _ in 0..60 {
        let (id, other) = (random.below(0..40), random.below(0..1_000_000));
        sql += &match random.below(0..12) {
            0..=3 => format!(
                "INSERT INTO items VALUES ({id}, 'n{other}', {other}.25, repeat(md5('{other}'), 200), true) ON CONFLICT DO NOTHING;"
            ),
            4..=6 => format!("UPDATE items SET amount = {other}.50, flag = NOT flag WHERE id = {id};"),
            7 => format!("UPDATE items SET big = repeat('{other} ', 900) WHERE id = {id};"),
            8 => format!("UPDATE items SET name = NULL WHERE id = {id};"),
            9 => format!("DELETE FROM items WHERE id = {id};"),
            10 => format!(
                "UPDATE items SET id = id + 1000, big = 'moved' WHERE id = {id} AND NOT EXISTS (SELECT FROM items WHERE id = {id} + 1000);"
            ),
            _ => format!(
                "BEGIN; INSERT INTO items VALUES ({other} + 2000, 'tx', 1, NULL, false); DELETE FROM items WHERE id = {id}; COMMIT;"
            ),
        };
    }
    world.psql(&sql);
}

/// The rows of PostgreSQL, as texts like those of the lake.
fn rows(world: &World) -> String {
    world.psql(
        "SELECT id || '|' || coalesce(name, 'None') || '|' || amount || '|' || coalesce(md5(big), 'None') || '|' || \
         CASE WHEN flag THEN 'True' ELSE 'False' END FROM items ORDER BY id",
    )
}

/// Lands what there is until the lake has what PostgreSQL has.
#[track_caller]
pub(crate) fn comes_to_hold_the_same(world: &World, when: &str) {
    let wanted = rows(world);
    let mut there = String::new();
    let same = wait::until(|| {
        world.call(&["run", "p.toml", "--once"]).exits_with(0);
        let table = world.path("lake/shop/public/items");
        if !table.exists() {
            return false;
        }
        there = run_python(ROWS, &[&table]);
        there == wanted
    });
    assert!(same, "{when}: the lake has\n{there}\nand PostgreSQL\n{wanted}");
}

#[test]
fn the_lake_comes_to_hold_what_postgresql_holds() {
    let mut world = World::new("tables");
    world.line("commit", "rows", "50");
    world.psql(ITEMS);
    world.debezium(&["register"]).exits_with(0);
    let mut random = Random::new(20);
    for round in 0..ROUNDS {
        change(&world, &mut random);
        if round == ROUNDS / 2 {
            world.psql("TRUNCATE items");
            change(&world, &mut random);
        }
        comes_to_hold_the_same(&world, &format!("round {round}"));
    }
    // A column that comes while the connector streams.
    world.psql(
        "ALTER TABLE items ADD COLUMN extra int; UPDATE items SET amount = amount + 1; DELETE FROM items WHERE id < 5",
    );
    comes_to_hold_the_same(&world, "after a new column");
    let ended = world.call(&["status", "p.toml", "--json"]).exits_with(0);
    assert!(ended.stdout.contains("public.items"), "{}", ended.stdout);
}

/// The columns of the lake's table, with their types.
const COLUMNS: &str = "import sys, deltalake\n\
                       for field in deltalake.DeltaTable(sys.argv[1]).schema().fields: print(field.name, field.type)";

#[test]
fn types_are_postgresqls_also_where_events_do_not_tell_them() {
    let mut world = World::new("untold");
    world.line("connect", "schemas", "false").set("connect", "heartbeat_interval", "1s");
    world.psql(
        "SET ROLE cdc;
         CREATE TABLE sparse (id int PRIMARY KEY, n numeric(12,2), free numeric, f float8, d date, tz timestamptz, s int2,
             a int4[], t text);
         INSERT INTO sparse VALUES (1, 1.50, 2.5, 1, '2024-02-29', '2024-02-29 13:14:15+02', 3, '{1,NULL}', '12')",
    );
    world.debezium(&["register"]).exits_with(0);
    world.has_events("sparse", 1);
    // Columns that PostgreSQL could not be asked for are not made; looking goes on.
    let ended = world.call_with(&["run", "p.toml", "--once"], "wrong").exits_with(3);
    assert!(ended.stderr.contains("could not be asked for its types"), "{}", ended.stderr);
    world.call_with(&["status", "p.toml"], "wrong").exits_with(0);
    let table = world.path("lake/shop/public/sparse");
    assert!(!table.exists());
    world.call(&["run", "p.toml", "--once"]).exits_with(0);
    let columns = run_python(COLUMNS, &[&table]);
    for expected in [
        "id PrimitiveType(\"integer\")",
        "n PrimitiveType(\"decimal(12,2)\")",
        "free PrimitiveType(\"string\")",
        "f PrimitiveType(\"double\")",
        "d PrimitiveType(\"date\")",
        "tz PrimitiveType(\"timestamp\")",
        "s PrimitiveType(\"short\")",
        "t PrimitiveType(\"string\")",
    ] {
        assert!(columns.lines().any(|line| line == expected), "{expected} in\n{columns}");
    }
    // Later values need the type that the first did not show.
    world.psql("ALTER TABLE sparse ADD COLUMN more numeric(5,1); INSERT INTO sparse VALUES (2, 2, 3, 1.25, NULL, NULL, NULL, '{}', NULL, 7.5)");
    world.has_events("sparse", 2);
    world.call(&["run", "p.toml", "--once"]).exits_with(0);
    let proof = world.call(&["prove", "p.toml", "--json"]).exits_with(0).json();
    assert_eq!(proof["all_proved"], true, "{proof:#}");
    assert!(run_python(COLUMNS, &[&table]).contains("more PrimitiveType(\"decimal(5,1)\")"));
}

#[test]
fn types_that_change_in_postgresql_are_accepted_and_proved() {
    for (name, schemas) in [("retyped", "true"), ("retypedbare", "false")] {
        let mut world = World::new(name);
        world.line("connect", "schemas", schemas).set("connect", "heartbeat_interval", "1s");
        world.psql(
            "SET ROLE cdc;
             CREATE TABLE priced (id int PRIMARY KEY, price numeric(8,2), code int, note text);
             INSERT INTO priced SELECT i, i + 0.25, i, 'n' || i FROM generate_series(1, 5) i;
             UPDATE priced SET code = NULL WHERE id = 4",
        );
        world.debezium(&["register"]).exits_with(0);
        world.has_events("priced", 5);
        world.call(&["run", "p.toml", "--once"]).exits_with(0);
        let retype = "ALTER TABLE priced ALTER id TYPE bigint, ALTER price TYPE numeric(12,4)";
        let code = if schemas == "true" { ", ALTER code TYPE text" } else { "" };
        world.psql(&format!(
            "SET ROLE cdc; {retype}{code};
             INSERT INTO priced VALUES (5000000000, 1.2345, '77', 'new');
             UPDATE priced SET price = price + 0.0001 WHERE id = 1; DELETE FROM priced WHERE id = 2"
        ));
        world.has_events("priced", 8);
        let error = world.call(&["run", "p.toml", "--once"]).exits_with(3).error().to_owned();
        assert!(error.contains("all is landed but what waits for a decision"), "{error}");
        let error = world.call(&["prove", "p.toml"]).exits_with(3).error().to_owned();
        assert!(error.contains("table public.priced stands still"), "{error}");
        let done = world.call(&["schema", "accept", "p.toml", "public.priced"]).exits_with(0).stdout;
        assert!(done.contains("price: decimal(8,2), now decimal(12,4)"), "{done}");
        world.call(&["run", "p.toml", "--once"]).exits_with(0);
        let proof = world.call(&["prove", "p.toml", "--json"]).exits_with(0).json();
        assert_eq!(proof["all_proved"], true, "{proof:#}");
        // A number that becomes a text is told by the first value that is no number.
        world.psql(
            "SET ROLE cdc; ALTER TABLE priced ALTER price TYPE text; UPDATE priced SET price = 'cheap' WHERE id = 3",
        );
        world.has_events("priced", 9);
        world.call(&["run", "p.toml", "--once"]).exits_with(if schemas == "true" { 3 } else { 0 });
        if schemas == "true" {
            let done = world.call(&["schema", "accept", "p.toml", "public.priced"]).exits_with(0).stdout;
            assert!(done.contains("price: decimal(12,4), now string"), "{done}");
            world.call(&["run", "p.toml", "--once"]).exits_with(0);
            let proof = world.call(&["prove", "p.toml", "--json"]).exits_with(0).json();
            assert_eq!(proof["all_proved"], true, "{proof:#}");
            continue;
        }
        let columns = run_python(COLUMNS, &[&world.path("lake/shop/public/priced")]);
        assert!(columns.contains("id PrimitiveType(\"long\")"), "{columns}");
        assert!(columns.contains("price PrimitiveType(\"decimal(12,4)\")"), "{columns}");
    }
}

/// What the change feed of a version says: each kind of change, and how many rows have it.
const FEED: &str = "import sys, collections, pyarrow, deltalake\n\
                    table = deltalake.DeltaTable(sys.argv[1])\n\
                    for version in range(1, table.version() + 1):\n\
                    \x20   feed = pyarrow.table(table.load_cdf(starting_version=version, ending_version=version).read_all())\n\
                    \x20   kinds = collections.Counter(feed.column('_change_type').to_pylist()) if feed.num_rows else {}\n\
                    \x20   print(sorted(kinds.items()))";

#[test]
fn rows_have_the_default_of_a_column_that_was_added_after_them() {
    let mut world = World::new("defaults");
    world.set("connect", "heartbeat_interval", "1s").line("commit", "rows", "3");
    world.psql(
        "SET ROLE cdc;
         CREATE TYPE mood AS ENUM ('sad', 'ok');
         CREATE TABLE people (id int PRIMARY KEY, name text);
         CREATE TABLE pets (id int PRIMARY KEY, name text);
         INSERT INTO people SELECT i, 'n' || i FROM generate_series(1, 20) i; DELETE FROM people WHERE id = 7;
         INSERT INTO pets SELECT i, 'p' || i FROM generate_series(1, 20) i",
    );
    world.debezium(&["register"]).exits_with(0);
    world.has_events("people", 19);
    world.has_events("pets", 20);
    world.call(&["run", "p.toml", "--once"]).exits_with(0);
    // Changes from before the columns, which one table has landed and another has not.
    world.psql("SET ROLE cdc; INSERT INTO people VALUES (31, 'late'); INSERT INTO pets VALUES (31, 'late')");
    world.has_events("pets", 21);
    let crashed = world.run_failing("commit-offsets-written=1*off->panic");
    assert_ne!(crashed.code, Some(0), "{}", crashed.stderr);
    world.psql(
        "SET ROLE cdc;
         ALTER TABLE people ADD COLUMN state text NOT NULL DEFAULT 'open', ADD COLUMN age int DEFAULT 42,
             ADD COLUMN worth numeric(8,2) DEFAULT 1.50, ADD COLUMN since timestamptz DEFAULT '2024-02-29 13:14:15.25+02',
             ADD COLUMN born date DEFAULT '2024-02-29', ADD COLUMN is_in boolean DEFAULT false,
             ADD COLUMN mood mood DEFAULT 'ok', ADD COLUMN ratio float8 DEFAULT 0.1, ADD COLUMN nothing text;
         INSERT INTO people (id, name, state) VALUES (21, 'new', 'closed');
         UPDATE people SET age = NULL, worth = NULL WHERE id = 5;
         ALTER TABLE pets ADD COLUMN state text DEFAULT 'asleep'; UPDATE pets SET state = 'awake' WHERE id = 3",
    );
    world.has_events("people", 22);
    world.has_events("pets", 22);
    let said = world.call(&["run", "p.toml", "--once"]).exits_with(0).stderr;
    assert!(said.contains("of table public.people have values from its version"), "{said}");
    let proof = world.call(&["prove", "p.toml", "--json"]).exits_with(0).json();
    assert_eq!(proof["all_proved"], true, "{proof:#}");
    // The late row is one of them if it had landed. If not, it has the values from its event,
    // because that is from before the columns.
    let feed = run_python(FEED, &[&world.path("lake/shop/public/people")]);
    let told = |rows: u32| feed.contains(&format!("[('update_postimage', {rows}), ('update_preimage', {rows})]"));
    assert!(told(19) || told(20), "{feed}");
    // It may be left to null, and then is.
    world.line("tables", "\"public.pets\"", "{ on_add_default = \"null\" }");
    world
        .psql("SET ROLE cdc; ALTER TABLE pets ADD COLUMN legs int DEFAULT 4; UPDATE pets SET state = 'x' WHERE id = 1");
    world.has_events("pets", 23);
    world.call(&["run", "p.toml", "--once"]).exits_with(0);
    let proof = world.call(&["prove", "p.toml", "--json"]).exits_with(1).json();
    assert_eq!(proof["ok"], false, "{proof:#}");
}
