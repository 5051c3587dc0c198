//! Every type, with values at their ends.

use crate::world::World;

const TYPES: &str = "
CREATE TYPE mood AS ENUM ('good', 'bad ''one''');
CREATE DOMAIN short AS varchar(10);
CREATE DOMAIN money_like AS numeric(12, 2);
CREATE TABLE ledgers (
  sequence bigint PRIMARY KEY, b bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8,
  n numeric(20, 7), n_wide numeric(38, 10), n_free numeric, t text, vc varchar(20), c char(5), nm name,
  bt bytea, d date, ti time, ts timestamp, tz timestamptz, u uuid, j json, jb jsonb,
  ia int8[], ta text[], na numeric(10,2)[], e mood, s short, m money_like, ip inet, r int4range, iv interval, ttz timetz);
DO $$ DECLARE setting text; BEGIN
  FOREACH setting IN ARRAY ARRAY['timezone = ''Asia/Kathmandu''', 'datestyle = ''German''', 'intervalstyle = ''sql_standard''',
    'extra_float_digits = -15', 'bytea_output = ''escape''', 'default_transaction_read_only = on', 'search_path = nowhere',
    'default_transaction_isolation = ''serializable''', 'xmlbinary = hex'] LOOP
    EXECUTE format('ALTER DATABASE %I SET %s', current_database(), setting);
  END LOOP;
END $$;
";

const ROWS: &str = r#"
INSERT INTO ledgers VALUES
 (1, true, 1, 2, 3, 1.5, 2.5, 12.34, 1.1, 3.14159, 'héllo ''x'' "y"', 'vc', 'abc', 'nm', '\x00ff6162', '2024-01-15',
  '12:30:00.123456', '2024-01-15 12:30:00.123456', '2024-01-15 12:30:00.5+02', '550e8400-e29b-41d4-a716-446655440000',
  '{"k": 1}', '{"a": [1, 2]}', '{1,2,NULL}', '{a,NULL,"b,c"}', '{1.10,-2.25}', 'good', 'dom', 12.5, '10.0.0.1/24',
  '[1,5)', '1 day 02:03:04', '10:00:00+02'),
 (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
  NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
 (3, false, -32768, -2147483648, -9223372036854775808, '-Infinity', 'NaN', -9999999999999.9999999,
  -9999999999999999999999999999.9999999999, 'NaN', '', '', '', '', '', '0044-03-15 BC', '00:00', '0044-03-15 10:00:00 BC',
  '0044-03-15 10:00:00+00 BC', '00000000-0000-0000-0000-000000000000', 'null', 'null', '{}', '{}', '{}', 'bad ''one''', '',
  0, '::1', 'empty', '-1 day', '00:00:00-12'),
 (4, true, 32767, 2147483647, 9223372036854775807, 'Infinity', 1e308, 9999999999999.9999999,
  9999999999999999999999999999.9999999999, 1e100, repeat('ü', 3000), 'x', 'x', 'x', '\xff', 'infinity', '24:00', 'infinity',
  '-infinity', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '[]', '[]', '{1}', '{""}', NULL, 'good', 'x', -1, '0.0.0.0', '(,)',
  '1 year', '23:59:59.999999+00'),
 (5, true, 0, 0, 0, -0.0, -0.0, 0, 0, 0.0000001, E'line\nbreak\t\\', 'x', 'x', 'x', '\x', '12024-01-01', '23:59:59.999999',
  '12024-06-01 00:00:00', '9999-12-31 23:59:59.999999+00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{}', '{}', NULL, NULL,
  NULL, 'good', 'x', 1, '1.2.3.4', '[1,2)', '0', '00:00+00');
"#;

/// What each column is in the lake, and how both sides are compared as text.
const COLUMNS: [(&str, &str); 32] = [
    ("sequence", "BIGINT"),
    ("b", "BOOLEAN"),
    ("i2", "SMALLINT"),
    ("i4", "INTEGER"),
    ("i8", "BIGINT"),
    ("f4", "FLOAT"),
    ("f8", "DOUBLE"),
    ("n", "DECIMAL(20,7)"),
    ("n_wide", "DECIMAL(38,10)"),
    ("n_free", "VARCHAR"),
    ("t", "VARCHAR"),
    ("vc", "VARCHAR"),
    ("c", "VARCHAR"),
    ("nm", "VARCHAR"),
    ("bt", "BLOB"),
    ("d", "DATE"),
    ("ti", "TIME"),
    ("ts", "TIMESTAMP"),
    ("tz", "TIMESTAMP WITH TIME ZONE"),
    ("u", "UUID"),
    ("j", "JSON"),
    ("jb", "JSON"),
    ("ia", "BIGINT[]"),
    ("ta", "VARCHAR[]"),
    ("na", "DECIMAL(10,2)[]"),
    ("e", "VARCHAR"),
    ("s", "VARCHAR"),
    ("m", "DECIMAL(12,2)"),
    ("ip", "VARCHAR"),
    ("r", "VARCHAR"),
    ("iv", "VARCHAR"),
    ("ttz", "VARCHAR"),
];

/// `sql` in a session whose settings are the usual ones.
fn plain(sql: &str) -> String {
    format!(
        "SET default_transaction_read_only = off; SET transaction_read_only = off; SET timezone = 'UTC'; \
         SET datestyle = 'ISO'; SET extra_float_digits = 1; SET bytea_output = hex; SET search_path = public; {sql}"
    )
}

#[test]
fn every_type_lands_as_it_is() {
    let world = World::new(TYPES);
    // The sessions of the test are not to have them.
    world.psql(&plain(ROWS));
    world.psql(&plain("CREATE SCHEMA saved; CREATE TABLE saved.ledgers AS TABLE ledgers"));
    world.flush();
    let mut duck = world.duck();
    let described = duck.rows("DESCRIBE lake.bronze.ledgers");
    let described: Vec<(String, String)> =
        described.iter().map(|row| (row[0].clone().unwrap_or_default(), row[1].clone().unwrap_or_default())).collect();
    let expected: Vec<(String, String)> = COLUMNS.map(|(name, of)| (name.to_owned(), of.to_owned())).to_vec();
    assert_eq!(described, expected);
    // What DuckDB's own reader of PostgreSQL reads alike is compared value by value.
    let alike = "sequence, b, i2, i4, i8, CAST(f4 AS VARCHAR), CAST(f8 AS VARCHAR), n, n_wide, t, vc, nm, bt, u, \
                 CAST(d AS VARCHAR), ti, CAST(ts AS VARCHAR), CAST(tz AS VARCHAR), ia, ta, na, CAST(e AS VARCHAR), s, m";
    world.is_saved(&mut duck, "ledgers", alike);
    // The rest as PostgreSQL writes it.
    let rest = "n_free::text, rtrim(c), j::text, jb::text, ip::text, r::text, iv::text, ttz::text";
    let sql = format!("SET intervalstyle = 'iso_8601'; SELECT {rest} FROM saved.ledgers ORDER BY sequence");
    let theirs = world.psql(&plain(&sql));
    let ours = duck.lines(
        "SELECT n_free, rtrim(c), CAST(j AS VARCHAR), CAST(jb AS VARCHAR), ip, r, iv, ttz \
                           FROM lake.bronze.ledgers ORDER BY sequence",
    );
    assert_eq!(ours, theirs.lines().collect::<Vec<_>>());
    // What is read has the checksums of what was copied.
    world.proves();
}

#[test]
fn values_are_found_by_their_bounds() {
    let world = World::new(TYPES);
    // Several files, the first of which has nothing but NULL.
    for sequence in [2, 1, 3, 4, 5] {
        world.psql(&plain(ROWS));
        world.psql(&plain(&format!("DELETE FROM ledgers WHERE sequence <> {sequence}")));
        world.flush();
    }
    let mut duck = world.duck();
    for (column, _) in COLUMNS.iter().filter(|(column, _)| !["ia", "ta", "na"].contains(column)) {
        // Each value is looked for: a bound that is too narrow would hide it.
        let sql = format!(
            "SELECT count(*) FROM (SELECT DISTINCT {column} AS v FROM lake.bronze.ledgers WHERE {column} IS NOT NULL) d \
             WHERE NOT EXISTS (SELECT 1 FROM lake.bronze.ledgers l WHERE l.{column} = d.v)"
        );
        assert_eq!(duck.lines(&sql), ["0"], "{column}");
    }
    for filter in [
        "i8 = 9223372036854775807",
        "i8 = -9223372036854775808",
        "f8 = 1e308",
        "isnan(f8)",
        "d = 'infinity'",
        "tz = '-infinity'",
        "d = '0044-03-15 (BC)'",
        "n = -9999999999999.9999999",
        "t = ''",
        "ts = '12024-06-01'",
        "b = false",
        "u = 'ffffffff-ffff-ffff-ffff-ffffffffffff'",
        "f4 = '-inf'",
    ] {
        assert_eq!(duck.lines(&format!("SELECT count(*) FROM lake.bronze.ledgers WHERE {filter}")), ["1"], "{filter}");
    }
    assert_eq!(duck.lines("SELECT count(*) FROM lake.bronze.ledgers WHERE i8 IS NULL"), ["1"]);
}

#[test]
fn what_cannot_be_cast_stops_before_anything_is_written() {
    let world = World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v int);
         CREATE TABLE other (sequence bigint PRIMARY KEY, v text);
         INSERT INTO ledgers VALUES (1, 1); INSERT INTO other VALUES (1, 'x')",
    );
    world.flush();
    world.psql(
        "ALTER TABLE ledgers ALTER v TYPE text; INSERT INTO ledgers VALUES (2, 'two'); INSERT INTO other VALUES (2, 'y')",
    );
    let ended = world.run(&["run", "p.toml", "--once"]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    for part in
        ["table \"ledgers\"", "column \"v\" is text in PostgreSQL and INTEGER in the lake", "nothing was written"]
    {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
    assert_eq!(world.number("SELECT count(*) FROM other"), 1, "nothing was moved");
    assert_eq!(world.flushes(), 1);
    // What it says to do works.
    world.psql("UPDATE ledgers SET v = '2'; ALTER TABLE ledgers ALTER v TYPE int8 USING v::int8");
    let ended = world.run(&["run", "p.toml", "--once"]);
    assert_eq!(ended.code, Some(3), "an int8 does not fit an INTEGER: {}", ended.stderr);
    world.psql("ALTER TABLE ledgers ALTER v TYPE int2");
    world.flush();
    assert_eq!(world.duck().lines("SELECT v FROM lake.bronze.ledgers ORDER BY 1"), ["1", "2"]);
}
