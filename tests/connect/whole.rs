//! `commit.cut_at = "transaction"`: at each position, the tables have whole transactions.

use std::collections::BTreeMap;

use crate::support::oracle::run_python;
use crate::support::wait;
use crate::world::World;

/// At each position of two tables, where both have all of their rows: the position, and what their
/// columns `n` add up to.
const SUMS: &str = "import sys, json, os, glob, pyarrow\n\
    from deltalake import DeltaTable, QueryBuilder\n\
    def versions(path):\n\
    \x20   found = []\n\
    \x20   for file in sorted(glob.glob(path + '/_delta_log/*.json')):\n\
    \x20       info = [json.loads(line) for line in open(file)][0].get('commitInfo', {})\n\
    \x20       epoch = info.get('operationParameters', {}).get('epochId')\n\
    \x20       if epoch: found.append((int(epoch), int(os.path.basename(file)[:20])))\n\
    \x20   return found\n\
    def totals(path, version):\n\
    \x20   query = QueryBuilder().register('t', DeltaTable(path, version=version))\n\
    \x20   rows = pyarrow.table(query.execute('select count(*) c, coalesce(sum(n), 0) n from t').read_all()).to_pylist()\n\
    \x20   return rows[0]['c'], int(rows[0]['n'])\n\
    tables = [(path, versions(path)) for path in sys.argv[1:]]\n\
    for position in sorted({at for _, found in tables for at, _ in found}):\n\
    \x20   there = [max((v for at, v in found if at <= position), default=None) for _, found in tables]\n\
    \x20   if None in there: continue\n\
    \x20   sums = [totals(path, version) for (path, _), version in zip(tables, there)]\n\
    \x20   if all(count == 10 for count, _ in sums): print(position, sum(n for _, n in sums))";

/// What the two tables add up to, at each position.
fn sums(world: &World, catalog: &str) -> BTreeMap<u64, i64> {
    let [a, b] = ["a", "b"].map(|table| world.path(&format!("lake/{catalog}/public/{table}")));
    let printed = run_python(SUMS, &[&a, &b]);
    let line = |line: &str| {
        let (position, sum) = line.split_once(' ').expect("two numbers");
        (position.parse().expect("a position"), sum.parse().expect("a sum"))
    };
    printed.lines().map(line).collect()
}

/// Moves what is in one table into the other, in transactions of four changes.
fn transfer(world: &World, transactions: u64) {
    let one = |at: u64| {
        let (from, to) = (at % 10, at * 7 % 10);
        format!(
            "BEGIN; UPDATE a SET n = n - 5 WHERE id = {from}; UPDATE b SET n = n + 3 WHERE id = {to};
             UPDATE b SET n = n + 2 WHERE id = {from}; UPDATE a SET n = n WHERE id = {to}; COMMIT;"
        )
    };
    world.psql(&(0..transactions).map(one).collect::<String>());
}

#[test]
fn tables_are_cut_together_between_transactions() {
    let mut world = World::new("whole");
    world.psql(
        "SET ROLE cdc;
         CREATE TABLE a (id int PRIMARY KEY, n int); CREATE TABLE b (id int PRIMARY KEY, n int);
         INSERT INTO a SELECT i, 100 FROM generate_series(0, 9) i; INSERT INTO b SELECT i, 100 FROM generate_series(0, 9) i",
    );
    world.set("commit", "cut_at", "transaction").line("commit", "rows", "20").set("commit", "interval", "100ms");
    world.set("source", "topics", &format!("{}.public.*", world.name)).set("source", "poll", "50ms");
    world.set("connect", "heartbeat_interval", "1s");
    world.debezium(&["register"]).exits_with(0);
    world.has_events("b", 10);
    transfer(&world, 40);
    world.has_events("b", 90);
    world.call(&["validate", "p.toml", "--connect"]).exits_with(0);
    world.call(&["run", "p.toml", "--once"]).exits_with(0);
    // While more come, and a run is killed again and again.
    let mut running = world.start(&["run", "p.toml"]);
    for round in 0..6 {
        transfer(&world, 20);
        if round % 2 == 0 {
            running.kill();
            running = world.start(&["run", "p.toml"]);
        }
    }
    world.has_events("b", 330);
    let proved = wait::until(|| world.call(&["prove", "p.toml", "--timeout", "1s"]).code == Some(0));
    running.stop().exits_with(0);
    assert!(proved, "the lake has what PostgreSQL has");
    let at_each = sums(&world, "shop");
    assert!(at_each.len() > 20, "{at_each:?}");
    assert!(at_each.values().all(|sum| *sum == 2000), "{at_each:?}");
    // Without it, cuts of so few records part transactions.
    world.set("commit", "cut_at", "any").set("lake", "catalog", "other").line("commit", "rows", "5");
    world.set("source", "state_file", "state/other.json");
    world.call(&["run", "p.toml", "--once"]).exits_with(0);
    let at_each = sums(&world, "other");
    assert!(at_each.values().any(|sum| *sum != 2000), "{at_each:?}");
}

#[test]
fn changes_that_do_not_name_their_transaction_are_told_of() {
    let mut world = World::new("unnamed");
    world.set("commit", "cut_at", "transaction").line(
        "connect",
        "settings",
        "{ \"provide.transaction.metadata\" = false }",
    );
    world.debezium(&["register"]).exits_with(0);
    world.has_events("customers", 2);
    // Rows of a snapshot are of no transaction.
    world.call(&["run", "p.toml", "--once"]).exits_with(0);
    world.psql("INSERT INTO customers VALUES (3, 'Eve')");
    world.has_events("customers", 3);
    let ended = world.call(&["run", "p.toml", "--once"]).exits_with(3);
    assert!(ended.stderr.contains("needs provide.transaction.metadata = true"), "{}", ended.stderr);
    // What it says.
    world.set("commit", "cut_at", "any");
    world.call(&["run", "p.toml", "--once"]).exits_with(0);
}
