//! Rows that `generate --hot` writes beside a run: each is in the lake once, and the counts are
//! those that it tells.

use serde_json::Value;

use crate::support::process::Ended;
use crate::world::World;

const TABLES: &str = "
    CREATE TYPE mood AS ENUM ('good', 'bad');
    CREATE TABLE ledgers (sequence bigint PRIMARY KEY, closed_at timestamptz NOT NULL, ledger_hash text NOT NULL);
    CREATE TABLE effects (ledger_sequence bigint, transaction_hash text, effect_index int, amount numeric(20, 7),
      ledger_range bigint, PRIMARY KEY (ledger_sequence, transaction_hash, effect_index));
    CREATE TABLE \"Odd, \"\"name\"\"\" (id uuid PRIMARY KEY, \"select\" varchar(9), sequence int NOT NULL, wide int8);
    CREATE TABLE moods (created_ledger bigint, n int2, v mood, twice int8 GENERATED ALWAYS AS (created_ledger * 2) STORED,
      PRIMARY KEY (created_ledger, n)) PARTITION BY RANGE (created_ledger);
    CREATE TABLE moods_of_old PARTITION OF moods FOR VALUES FROM (0) TO (40);
    CREATE TABLE moods_of_today PARTITION OF moods DEFAULT;
    CREATE TABLE lone (ledger_sequence bigint PRIMARY KEY, v text)";

const NAMES: [&str; 5] = ["ledgers", "effects", "Odd, \"name\"", "moods", "lone"];

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn generate(world: &World, flags: &[&str]) -> Ended {
    world.run(&[&["generate", "--hot", "p.toml", "--json"], flags].concat())
}

/// What was told of `table`: its rows, those of them that were late, and those that came again.
fn counts(told: &Value, table: &str) -> [i64; 3] {
    ["rows", "late", "replays"].map(|what| told["tables"][table][what].as_i64().expect("a number"))
}

/// Each row that was told of is in the lake once, and gone from PostgreSQL.
#[track_caller]
fn is_moved(world: &World, told: &Value) {
    let mut duck = world.duck();
    for (name, key) in NAMES.iter().zip([
        "sequence",
        "ledger_sequence, transaction_hash, effect_index",
        "id",
        "created_ledger, n",
        "ledger_sequence",
    ]) {
        let sql = format!("SELECT count(*), count(DISTINCT ({key})) FROM lake.bronze.{}", quoted(name));
        let rows = counts(told, name)[0];
        assert_eq!(duck.lines(&sql), [format!("{rows}|{rows}")], "{name}: {told}");
        assert_eq!(world.number(&format!("SELECT count(*) FROM {}", quoted(name))), 0, "{name}");
    }
    let (first, last) = (told["first"].as_i64(), told["last"].as_i64());
    let ledgers = duck.lines("SELECT min(sequence), max(sequence), count(*) FROM lake.bronze.ledgers");
    let [first, last] = [first, last].map(|ledger| ledger.expect("a number"));
    assert_eq!(ledgers, [format!("{first}|{last}|{}", last - first + 1)]);
}

#[test]
fn a_run_beside_a_generator_lands_each_row_once() {
    // A row that is updated while it is copied makes a flush start anew, so that is done less
    // often.
    for (conflict, rate) in [("nothing", "2000"), ("update", "1000")] {
        let mut world = World::new(TABLES);
        world.set("source.interval", "\"5s\"").set("source.max_rows", "2000");
        let mut tail = world.tail("");
        let flags = ["--rate", rate, "--replays", "0.2", "--on-conflict", conflict, "--late", "0.05"];
        let command = ["generate", "--hot", "p.toml", "--json", "--ledger-rows", "40"];
        let mut generator = world.start(&[&command[..], &flags].concat());
        generator.until("made the run flush", || !tail.has_ended() && world.flushes() > 3);
        let told = generator.stop().json();
        tail.stop();
        // What came after the last flush of the run.
        world.flush();
        let all: [i64; 3] = [0, 1, 2].map(|what| NAMES.iter().map(|name| counts(&told, name)[what]).sum());
        assert_eq!(all, ["rows", "late", "replays"].map(|what| told[what].as_i64().expect("a number")), "{told}");
        assert!(all.iter().all(|count| *count > 0), "{told}");
        is_moved(&world, &told);
        // It goes on after the highest that was flushed, though nothing is hot.
        let more = generate(&world, &["--rows", "500"]).exits_with(0).json();
        assert_eq!(more["first"].as_i64(), told["last"].as_i64().map(|last| last + 1));
    }
}

#[test]
fn a_seed_makes_the_same_rows() {
    let hashes = |seed: &str| {
        let world = World::new(TABLES);
        let flags = [
            "--rows",
            "3000",
            "--seed",
            seed,
            "--first",
            "35",
            "--late",
            "0",
            "--replays",
            "0.5",
            "--ledger-rows",
            "20",
        ];
        let told = generate(&world, &flags).exits_with(0).json();
        for name in NAMES {
            let [rows, late, again] = counts(&told, name);
            let hot = world.number(&format!("SELECT count(*) FROM {}", quoted(name)));
            assert_eq!((hot, late, again > 0), (rows, 0, true), "what came again is there once: {told}");
        }
        let of = |name: &&str| {
            let sql = "SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM";
            world.psql(&format!("{sql} {} t", quoted(name)))
        };
        NAMES.iter().map(of).collect::<Vec<_>>()
    };
    let (once, again, other) = (hashes("7"), hashes("7"), hashes("8"));
    assert_eq!(once, again);
    assert!(once.iter().zip(&other).all(|(one, other)| one != other));
}

#[test]
fn the_example_is_written_by_types_and_names() {
    let schema = std::fs::read_to_string(format!("{}/examples/hot/schema.sql", env!("CARGO_MANIFEST_DIR")));
    let mut world = World::new(&schema.expect("the example's SQL"));
    world.set("source.watermark", r#"{ table = "ledgers_row_v2", column = "sequence" }"#);
    let told = generate(&world, &["--rows", "20000", "--replays", "0.2", "--first", "59999990"]).exits_with(0).json();
    let tables = told["tables"].as_object().expect("all tables");
    assert_eq!(tables.len(), 21);
    let ranges = "SELECT string_agg(DISTINCT ledger_range::text, ' ') FROM ledgers_row_v2";
    assert_eq!(world.psql(ranges), "59990000 60000000");
    assert_eq!(world.psql("SELECT count(*) FROM contract_creations_v1 WHERE length(contract_id) < 56"), "0");
    let report = world.flush();
    assert_eq!(report["flushes"], 1, "{report}");
    let mut duck = world.duck();
    for name in tables.keys() {
        let [rows, _, again] = counts(&told, name);
        // Without a key nothing tells that a row was there.
        let rows = if name == "token_transfers_stream_v1" { rows + again } else { rows };
        assert_eq!(duck.lines(&format!("SELECT count(*) FROM lake.bronze.{name}")), [rows.to_string()], "{name}");
    }
}

#[test]
fn every_known_type_has_values_and_others_are_named() {
    let mut world = World::new(
        "CREATE TYPE mood AS ENUM ('good', 'bad');
         CREATE DOMAIN short AS varchar(10);
         CREATE TABLE ledgers (sequence bigint PRIMARY KEY, b bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8,
           n numeric(20, 7), n_odd numeric(3, 5), n_free numeric, t text, vc varchar(5), c char(5), nm name, bt bytea, d date,
           ti time, tt timetz, ts timestamp, tz timestamptz, iv interval, u uuid, j json, jb jsonb, ia int8[], ta text[],
           na numeric(10,2)[], ja jsonb[], e mood, s short);
         CREATE TABLE odd (sequence bigint PRIMARY KEY, ip inet)",
    );
    let ended = generate(&world, &["--rows", "10"]).exits_with(3);
    assert!(ended.error().contains("column \"ip\" of table \"odd\" is inet"), "{}", ended.stderr);
    // What it says to do works.
    world.set("source.tables", "[\"ledgers\"]");
    generate(&world, &["--rows", "200", "--replays", "1"]).exits_with(0);
    let columns =
        "SELECT attname FROM pg_attribute WHERE attrelid = 'ledgers'::regclass AND attnum > 0 ORDER BY attnum";
    for column in world.psql(columns).lines() {
        let sql = format!("SELECT count({column}) > 100, count(DISTINCT {column}::text) > 1 FROM ledgers");
        let values = world.psql(&sql);
        // All these rows are of one day.
        let expected = if column == "d" { "t|f" } else { "t|t" };
        assert_eq!(values, expected, "{column}");
    }
    world.flush();
    world.set("source.tables", "\"auto\"");
    // A key that tells nothing apart.
    world.psql("DROP TABLE odd; CREATE TABLE odd (d date PRIMARY KEY, sequence bigint)");
    let ended = generate(&world, &["--rows", "10"]).exits_with(3);
    assert!(ended.error().contains("primary key of table \"odd\", (d)"), "{}", ended.stderr);
}
