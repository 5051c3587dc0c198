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

/// Makes changes of every kind.
fn change(world: &World, random: &mut Random) {
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
fn comes_to_hold_the_same(world: &World, when: &str) {
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
    world.psql(
        "SET ROLE cdc;
         CREATE TABLE items (id int PRIMARY KEY, name text, amount numeric(12,2), big text, flag boolean);
         ALTER TABLE items ALTER big SET STORAGE EXTERNAL;
         INSERT INTO items SELECT i, 'n' || i, i, repeat('x', 3000), false FROM generate_series(1, 20) i",
    );
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
