//! `lakefront prove` of a pipeline of changes, against a real PostgreSQL.

use serde_json::Value;

use crate::support::oracle::run_python;
use crate::support::random::Random;
use crate::support::readers::agree;
use crate::support::wait;
use crate::world::World;

/// Does to the lake what others may do: a condition of rows to delete.
const DELETE: &str = "import sys, deltalake; deltalake.DeltaTable(sys.argv[1]).delete(sys.argv[2])";
/// The same: what is set, and where.
const UPDATE: &str = "import sys, deltalake\n\
                      deltalake.DeltaTable(sys.argv[1]).update(updates={sys.argv[2]: sys.argv[3]}, predicate=sys.argv[4])";
/// Writes rows once more.
const DOUBLE: &str = "import sys, deltalake, pyarrow\n\
                      table = deltalake.DeltaTable(sys.argv[1])\n\
                      query = deltalake.QueryBuilder().register('t', table).execute('select * from t where ' + sys.argv[2])\n\
                      deltalake.write_deltalake(table, pyarrow.table(query.read_all()), mode='append')";

/// A table with a column of every type, and eight rows.
const KINDS: &str = "SET ROLE cdc;
     CREATE TYPE mood AS ENUM ('sad', 'ok');
     CREATE DOMAIN price AS numeric(8,2);
     CREATE TABLE kinds (id bigint PRIMARY KEY, b bool, i2 int2, i4 int4, i8 int8, o oid, f4 float4, f8 float8,
         n numeric(20,7), free numeric, m money, t text, v varchar(9), c char(5), u uuid, j json, jb jsonb, by bytea,
         d date, ts timestamp, ts3 timestamp(3), tz timestamptz, ti time, ttz timetz, iv interval, ip inet, ci cidr,
         mac macaddr, x xml, e mood, p price, one bit(1), bits bit(5), vb varbit, r int4range, dr daterange,
         ia int4[], ta text[], na numeric(9,2)[], tsv tsvector);
     INSERT INTO kinds VALUES
         (1, true, -7, 70000, 9007199254740993, 4294967295, 1.1, 0.1, -1234567890123.1234567, 1.50, '12.34', 'é ',
          'v', 'ab', '5f0c5a4e-8d1c-4a53-9c0a-1f6d2e3b4c5d', '{\"a\" : 1}', '{\"b\": [1, 2.50]}', '\\x00ff',
          '2024-02-29', '2024-02-29 13:14:15.123456', '2024-02-29 13:14:15.5', '2024-02-29 13:14:15.123456+02',
          '13:14:15.5', '13:14:15.25+02', '1 year 2 months 3 days 04:05:06.789', '10.0.0.1', '10.0.0.0/8',
          '08:00:2b:01:02:03', '<a>x</a>', 'ok', 9.99, B'1', B'10110', B'101', '[1,5)', '[2024-01-01,2024-02-01)',
          '{1,NULL,3}', '{\"a b\",\"c,d\"}', '{1.50,2.25}', 'fat:2 cat:1'),
         (2, NULL, NULL, NULL, NULL, NULL, 'NaN', '-Infinity', NULL, NULL, NULL, '', '', '', NULL, NULL, NULL, '',
          '0001-01-01', '0001-01-01 00:00:00', NULL, '9999-12-31 23:59:59.999999+00', '24:00:00', NULL,
          '-1 mons +40 days -25:00:00.000001', '::1/64', NULL, NULL, NULL, 'sad', -0.01, B'0', NULL, '', 'empty', NULL, '{}',
          NULL, NULL, '');
     INSERT INTO kinds (id, iv, m, ti) VALUES (3, '3 hours', -1, '00:00:01'), (4, '7 seconds', 0, '23:59:59.999999'),
         (5, '-0.5 seconds', NULL, NULL), (6, '0', NULL, NULL), (7, '-1 year -13 mons 1.5 seconds', NULL, NULL);
     INSERT INTO kinds (id, f4, f8) VALUES (8, 'Infinity'::float4 - 'Infinity', 'Infinity'::float8 - 'Infinity')";

/// A world whose connector confirms soon.
fn world(stem: &str) -> World {
    let mut world = World::new(stem);
    world.set("connect", "heartbeat_interval", "1s");
    world
}

/// Lands what Kafka has, until a table's topic has so many events.
pub(crate) fn land(world: &World, table: &str, events: usize) {
    world.has_events(table, events);
    world.call(&["run", "p.toml", "--once"]).exits_with(0);
}

/// What `prove` says of a table.
pub(crate) fn of(proof: &Value, table: &str) -> Value {
    let tables = proof["tables"].as_array().expect("tables");
    tables.iter().find(|one| one["name"] == table).unwrap_or_else(|| panic!("{table} in {proof}")).clone()
}

#[track_caller]
pub(crate) fn proof(world: &World, exit: i32) -> Value {
    world.call(&["prove", "p.toml", "--json"]).exits_with(exit).json()
}

/// Lands the table with every type, and finds in the lake what PostgreSQL has. Returns what `prove`
/// says of it.
#[track_caller]
pub(crate) fn lands_every_type(world: &mut World) -> Value {
    world.set("source", "topics", &format!("{}.public.kinds", world.name));
    world.psql(KINDS);
    world.debezium(&["register"]).exits_with(0);
    land(world, "kinds", 8);
    let found = proof(world, 0);
    let kinds = of(&found, "public.kinds");
    assert_eq!(found["all_proved"], true, "{kinds:#}");
    assert_eq!(
        (&kinds["source_rows"], &kinds["lake_rows"], &kinds["differing_rows"]),
        (&8.into(), &8.into(), &0.into())
    );
    kinds
}

#[test]
fn values_of_every_type_are_as_postgresql_has_them() {
    let mut world = world("kinds");
    let kinds = lands_every_type(&mut world);
    assert!(kinds["lsn"].as_str().is_some_and(|lsn| lsn.contains('/')), "{kinds:#}");
    let table = world.path("lake/shop/public/kinds");
    // Each column counts: what is changed in any is found.
    for (nth, (column, to)) in [("ttz", "'11:14:15Z'"), ("iv", "'P0Y'"), ("free", "'1.5'")].into_iter().enumerate() {
        run_python(UPDATE, &[&table, column.as_ref(), to.as_ref(), "id = 1".as_ref()]);
        let first = &of(&proof(&world, 1), "public.kinds")["first_difference"];
        assert_eq!((&first["what"], &first["key"]["id"]), (&"altered".into(), &"1".into()), "{column}");
        // What the message advises: the row's event comes again.
        world.psql("UPDATE kinds SET i4 = i4 + 1 WHERE id = 1");
        land(&world, "kinds", 9 + nth);
    }
    assert_eq!(proof(&world, 0)["all_proved"], true);
    assert_eq!(agree(&table), 8);
}

#[test]
fn what_others_do_to_the_lake_is_found_and_what_the_message_advises_helps() {
    let world = world("found");
    world.psql("INSERT INTO customers SELECT i, 'n' || i FROM generate_series(3, 30) i");
    world.debezium(&["register"]).exits_with(0);
    land(&world, "customers", 30);
    let table = world.path("lake/shop/public/customers");
    let text = world.call(&["prove", "p.toml"]).exits_with(0).stdout;
    assert!(text.contains("is proved: every row is as PostgreSQL has it, at "), "{text}");
    assert!(text.contains("30 rows in PostgreSQL, 30 in the table, after 30 changes"), "{text}");

    run_python(DELETE, &[&table, "id in (9, 12)".as_ref()]);
    let found = of(&proof(&world, 1), "public.customers");
    assert_eq!(found["first_difference"]["what"], "missing");
    assert_eq!((&found["first_difference"]["key"]["id"], &found["differing_rows"]), (&"9".into(), &2.into()));
    let text = world.call(&["prove", "p.toml"]).exits_with(1).stdout;
    assert!(text.contains("NOT proved") && text.contains("key id = 9") && text.contains("update the row"), "{text}");
    world.psql("UPDATE customers SET name = name WHERE id IN (9, 12)");
    land(&world, "customers", 32);
    assert_eq!(proof(&world, 0)["ok"], true);

    run_python(DOUBLE, &[&table, "id = 4".as_ref()]);
    let found = of(&proof(&world, 1), "public.customers");
    assert_eq!((&found["first_difference"]["what"], &found["rows_ok"]), (&"doubled".into(), &false.into()));
    run_python(DELETE, &[&table, "id = 4".as_ref()]);
    world.psql("UPDATE customers SET name = name WHERE id = 4");
    land(&world, "customers", 33);
    proof(&world, 0);

    let publication = world.slot();
    // PostgreSQL forgets a row, and nobody tells.
    world.psql(&format!("SET session_replication_role = replica; ALTER PUBLICATION {publication} SET (publish = 'insert, update'); DELETE FROM customers WHERE id = 7"));
    world.psql(&format!("ALTER PUBLICATION {publication} SET (publish = 'insert, update, delete, truncate'); UPDATE customers SET name = 'x' WHERE id = 8"));
    land(&world, "customers", 34);
    let found = of(&proof(&world, 1), "public.customers");
    assert_eq!(
        (&found["first_difference"]["what"], &found["first_difference"]["key"]["id"]),
        (&"unexpected".into(), &"7".into())
    );
    world.psql("INSERT INTO customers VALUES (7, 'again'); DELETE FROM customers WHERE id = 7");
    // An insert, a delete, and its tombstone.
    assert!(wait::until(|| world.events("customers").len() >= 36));
    world.call(&["run", "p.toml", "--once"]).exits_with(0);
    proof(&world, 0);
}

#[test]
fn it_proves_while_everything_changes_and_a_run_is_alive() {
    let mut world = world("alive");
    world.line("commit", "interval", "\"200ms\"");
    world.psql("INSERT INTO customers SELECT i, 'n' || i FROM generate_series(3, 3000) i");
    world.debezium(&["register"]).exits_with(0);
    land(&world, "customers", 3000);
    let run = world.start(&["run", "p.toml"]);
    let mut random = Random::new(7);
    for _ in 0..3 {
        let mut proving = world.start(&["prove", "p.toml", "--timeout", "60s"]);
        while !proving.has_ended() {
            let (some, other) = (random.below(1..3000), random.below(3001..9000));
            world.psql(&format!(
                "UPDATE customers SET name = 'u{other}' WHERE id BETWEEN {some} AND {some} + 20;
                 INSERT INTO customers VALUES ({other}, 'new') ON CONFLICT (id) DO UPDATE SET name = 'over';
                 DELETE FROM customers WHERE id = {other} - 1"
            ));
        }
        let ended = proving.end().exits_with(0);
        assert!(ended.stdout.contains("is proved"), "{}", ended.stdout);
    }
    run.stop();
    // Without a run, what is on its way does not land.
    world.psql("INSERT INTO customers VALUES (10001, 'late')");
    assert!(wait::until(|| world.events("customers").iter().any(|event| event["data"]["id"] == 10001)));
    let ended = world.call(&["prove", "p.toml", "--timeout", "1s"]).exits_with(3);
    assert!(ended.stderr.contains("see that a run is alive"), "{}", ended.stderr);
}

#[test]
fn what_cannot_be_compared_is_said_and_what_is_not_captured_is_found() {
    let mut world = world("unlike");
    world.debezium(&["register"]).exits_with(0);
    land(&world, "customers", 2);
    world.psql("ALTER TABLE customers ADD COLUMN later int");
    let found = proof(&world, 0);
    assert_eq!((&found["ok"], &found["all_proved"]), (&true.into(), &false.into()));
    let reason = of(&found, "public.customers")["unverifiable"][0]["reason"].clone();
    assert!(reason.as_str().is_some_and(|reason| reason.contains("\"later\" is not compared")), "{reason}");
    world.call(&["prove", "p.toml", "--strict"]).exits_with(1);
    let publication = world.slot();
    // Without the publication, nobody knows what else should be there.
    world.set("postgres", "publication", "nobodys");
    let found = of(&proof(&world, 0), "public.customers");
    assert!(found["unverifiable"].to_string().contains("no publication"), "{found}");
    world.unset("postgres", "publication");
    // A child's rows are none of its parent's.
    world.psql(
        "SET ROLE cdc; CREATE TABLE heirs (more text) INHERITS (customers); INSERT INTO heirs (id, name) VALUES (77, 'heir')",
    );
    proof(&world, 0);
    // Orders has no rows so far, so nobody misses it.
    world.psql(&format!(
        "SET ROLE cdc; ALTER PUBLICATION {publication} SET (publish = 'delete'); INSERT INTO orders VALUES (1, 2, NULL)"
    ));
    let found = of(&proof(&world, 1), "public.orders");
    assert_eq!((&found["source_rows"], &found["lake_rows"]), (&1.into(), &0.into()));
    // Changes that may be on their way are no difference.
    world.set("postgres", "slot", "nobodys");
    world.psql("UPDATE customers SET name = 'unseen' WHERE id = 1");
    let ended = world.call(&["prove", "p.toml"]).exits_with(3);
    assert!(ended.stderr.contains("no replication slot \"nobodys\""), "{}", ended.stderr);
    world.unset("postgres", "slot");
    world.psql("DROP TABLE customers CASCADE");
    let found = of(&proof(&world, 1), "public.customers");
    assert!(
        found["unverifiable"][0]["reason"].as_str().is_some_and(|reason| reason.contains("no such table")),
        "{found}"
    );
    world.unset("postgres", "url");
    world.unset("postgres", "password");
    let ended = world.call(&["prove", "p.toml"]).exits_with(3);
    assert!(ended.stderr.contains("give the pipeline file [postgres]"), "{}", ended.stderr);
}

#[test]
fn rows_without_a_key_are_counted_each() {
    let world = world("bare");
    world.psql(
        "SET ROLE cdc; CREATE TABLE visits (page text, at timestamptz);
         INSERT INTO visits VALUES ('a', '2024-01-01'), ('a', '2024-01-01'), ('b', NULL)",
    );
    world.debezium(&["register"]).exits_with(0);
    land(&world, "visits", 3);
    world.psql("INSERT INTO visits VALUES ('a', '2024-01-01'), (NULL, NULL)");
    land(&world, "visits", 5);
    let visits = of(&proof(&world, 0), "public.visits");
    assert_eq!((&visits["source_rows"], &visits["lake_rows"]), (&5.into(), &5.into()));
    let table = world.path("lake/shop/public/visits");
    run_python(DOUBLE, &[&table, "page = 'b'".as_ref()]);
    let first = &of(&proof(&world, 1), "public.visits")["first_difference"];
    assert_eq!((&first["what"], &first["key"]["page"]), (&"doubled".into(), &"b".into()));
    run_python(DELETE, &[&table, "page = 'b'".as_ref()]);
    assert_eq!(of(&proof(&world, 1), "public.visits")["first_difference"]["what"], "missing");
}
