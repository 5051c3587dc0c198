//! What we read of a lake is what DuckDB sees of it, in every state that writers bring a table to.
//! A late row tells it: it lands if the lake lacks its key, and is dropped if the lake has it.

use std::collections::BTreeSet;

use crate::support::Random;
use crate::support::duck::Duck;
use crate::world::World;

/// How many rows there are that may be in the lake or not.
const ROWS: u64 = 60;
/// Steps of a story.
const STEPS: u64 = 22;

/// A key of many types, and what is not part of it. `id` numbers the rows of the pool.
const COLUMNS: [(&str, &str); 12] = [
    ("ledger_sequence", "bigint"),
    ("id", "int"),
    ("v", "text"),
    ("k_text", "text"),
    ("k_int", "int"),
    ("k_uuid", "uuid"),
    ("k_at", "timestamptz"),
    ("k_time", "timestamp"),
    ("k_day", "date"),
    ("k_number", "numeric(12, 3)"),
    ("k_bytes", "bytea"),
    ("k_flag", "bool"),
];

/// The pool: values at their ends, and some that a text has to escape.
const POOL: &str = "
    CREATE SCHEMA saved;
    CREATE TABLE saved.pool AS SELECT (1 + i % 9)::bigint AS ledger_sequence, i::int AS id, 'first' AS v,
      (ARRAY['', 'x', 'it''s', 'ü\"|,', E'a\\nb\\t', 'NULL', '[1, 2]', repeat('long', 40)])[1 + i % 8] AS k_text,
      (ARRAY[0, -1, 2147483647, -2147483648])[1 + i % 4]::int AS k_int, md5(i::text)::uuid AS k_uuid,
      '2026-01-01 00:00:00.000001+00'::timestamptz + i * interval '1 day 1 s' AS k_at,
      '1969-12-31 23:59:59.5'::timestamp - i * interval '1 h' AS k_time, '1999-12-31'::date + i::int AS k_day,
      ((i - 30) * 0.001)::numeric(12, 3) AS k_number, decode(lpad(to_hex(i), 4, '0'), 'hex') || '\\x00ff22' AS k_bytes,
      i % 2 = 0 AS k_flag
    FROM generate_series(0, 59) i";

/// A lake of one hot table with that key, and one that is keyed by its sequence.
struct Story {
    world: World,
    duck: Duck,
    random: Random,
    ledger: i64,
    landed: u32,
    dropped: u32,
}

impl Story {
    fn begin(seed: u64) -> Story {
        let columns = COLUMNS.map(|(name, of)| format!("{name} {of}")).join(", ");
        let key: Vec<&str> = key().collect();
        let world = World::new(&format!(
            "CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text);
             CREATE TABLE items ({columns}, PRIMARY KEY ({}));
             {POOL};
             INSERT INTO ledgers SELECT i, 'first' FROM generate_series(1, 100) i;
             INSERT INTO items SELECT * FROM saved.pool WHERE id % 3 = 0",
            key.join(", ")
        ));
        world.flush();
        let duck = world.duck();
        Story { world, duck, random: Random::new(seed), ledger: 100, landed: 0, dropped: 0 }
    }

    /// Some rows of the pool, in SQL's list.
    fn some(&mut self, most: u64) -> String {
        let count = self.random.below(1..most + 1);
        let ids: BTreeSet<u64> = (0..count).map(|_| self.random.below(0..ROWS)).collect();
        ids.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
    }

    /// What a writer may do. What has no more than ten rows lies in the catalog, not in a file.
    fn step(&mut self) -> String {
        let (few, many) = (self.some(4), self.some(40));
        let insert = |ids: &str| {
            let columns = COLUMNS.map(|(name, _)| name).join(", ");
            format!(
                "INSERT INTO lake.bronze.items ({columns}) SELECT {columns} FROM hot.saved.pool p WHERE id IN ({ids}) \
                 AND NOT EXISTS (SELECT 1 FROM lake.bronze.items l WHERE {})",
                is_key("l", "p")
            )
        };
        let steps = [
            insert(&few),
            insert(&many),
            format!("DELETE FROM lake.bronze.items WHERE id IN ({few})"),
            format!("DELETE FROM lake.bronze.items WHERE id IN ({many})"),
            format!("UPDATE lake.bronze.items SET v = 'changed' WHERE id IN ({few})"),
            // The old key is there no more.
            format!("UPDATE lake.bronze.items SET k_text = k_text || '!' WHERE id IN ({many})"),
            "DELETE FROM lake.bronze.ledgers WHERE sequence % 10 = 3".to_owned(),
            "CALL ducklake_merge_adjacent_files('lake')".to_owned(),
            "CALL ducklake_rewrite_data_files('lake', delete_threshold => 0)".to_owned(),
            "CALL ducklake_flush_inlined_data('lake')".to_owned(),
            format!("ALTER TABLE lake.bronze.items ADD COLUMN more_{} INTEGER DEFAULT 5", self.ledger),
            "CALL ducklake_expire_snapshots('lake', older_than => now())".to_owned(),
            "CALL ducklake_cleanup_old_files('lake', cleanup_all => true)".to_owned(),
            "CALL lake.set_option('data_inlining_row_limit', '0')".to_owned(),
            "CALL lake.set_option('data_inlining_row_limit', '10')".to_owned(),
        ];
        self.random.pick(&steps).clone()
    }

    /// Rows come back, some of which the lake has.
    #[track_caller]
    fn come_back(&mut self, after: &str) {
        let ids = self.some(25);
        self.ledger += 1;
        self.world.psql(&format!(
            "INSERT INTO items SELECT * FROM saved.pool WHERE id IN ({ids}); UPDATE items SET v = 'again';
             INSERT INTO ledgers SELECT DISTINCT 1 + id, 'again' FROM saved.pool WHERE id IN ({ids});
             INSERT INTO ledgers VALUES ({}, 'top')",
            self.ledger
        ));
        let items = "SELECT id, v, k_text FROM lake.bronze.items";
        let ledgers = "SELECT sequence, v FROM lake.bronze.ledgers";
        let (mut wanted, before) = (self.duck.lines(items), self.duck.lines(ledgers));
        let seen = format!("EXISTS (SELECT 1 FROM lake.bronze.items l WHERE {})", is_key("l", "h"));
        let lacks = format!("SELECT id, v, k_text FROM hot.public.items h WHERE NOT {seen}");
        let lacked = self.duck.lines(&lacks);
        assert_eq!(
            self.duck.lines("SELECT count(*) FROM hot.public.items"),
            [self.world.psql("SELECT count(*) FROM items")]
        );
        let hot: u32 = self.world.psql("SELECT count(*) FROM items").parse().expect("a number");
        let landed = u32::try_from(lacked.len()).expect("a few rows");
        (self.landed, self.dropped) = (self.landed + landed, self.dropped + hot - landed);
        wanted.extend(lacked);
        let lacks = "SELECT sequence, v FROM hot.public.ledgers h \
                     WHERE NOT EXISTS (SELECT 1 FROM lake.bronze.ledgers l WHERE l.sequence = h.sequence)";
        let mut wanted_ledgers = self.duck.lines(lacks);
        wanted_ledgers.extend(before);
        self.world.flush();
        for (sql, mut wanted) in [(items, wanted), (ledgers, wanted_ledgers)] {
            let mut found = self.duck.lines(sql);
            wanted.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, wanted, "after {after}, when {ids} came back: {sql}");
        }
        assert_eq!(self.world.number("SELECT (SELECT count(*) FROM ledgers) + (SELECT count(*) FROM items)"), 0);
    }
}

/// The columns of the key.
fn key() -> impl Iterator<Item = &'static str> {
    COLUMNS.iter().map(|(name, _)| *name).filter(|name| name.starts_with("k_"))
}

/// Whether two rows have one key.
fn is_key(a: &str, b: &str) -> String {
    key().map(|column| format!("{a}.{column} = {b}.{column}")).collect::<Vec<_>>().join(" AND ")
}

fn story(seed: u64) {
    let mut story = Story::begin(seed);
    story.come_back("the beginning");
    for _ in 0..STEPS {
        let step = story.step();
        story.duck.rows(&step);
        story.come_back(&format!("{step} (seed {seed})"));
    }
    assert!(story.landed > 20 && story.dropped > 20, "{} landed, {} dropped", story.landed, story.dropped);
}

#[test]
fn late_rows_land_if_duckdb_does_not_see_their_keys() {
    story(1);
}

#[test]
fn late_rows_land_if_duckdb_does_not_see_their_keys_in_another_order() {
    story(2);
}

#[test]
fn every_state_in_turn() {
    let mut story = Story::begin(3);
    for step in [
        "DELETE FROM lake.bronze.items WHERE id = 3",
        "CALL ducklake_flush_inlined_data('lake')",
        "DELETE FROM lake.bronze.items WHERE id % 2 = 0",
        "INSERT INTO lake.bronze.items SELECT * FROM hot.saved.pool WHERE id IN (4, 58)",
        "DELETE FROM lake.bronze.items WHERE id = 58",
        "UPDATE lake.bronze.items SET v = 'inlined' WHERE id = 4",
        "ALTER TABLE lake.bronze.items ADD COLUMN more VARCHAR DEFAULT 'more'",
        "INSERT INTO lake.bronze.items BY NAME SELECT * FROM hot.saved.pool WHERE id = 58",
        "CALL ducklake_flush_inlined_data('lake')",
        "UPDATE lake.bronze.items SET k_text = k_text || '!' WHERE id % 4 = 1",
        "CALL ducklake_merge_adjacent_files('lake')",
        "DELETE FROM lake.bronze.items WHERE id % 5 = 0",
        "CALL ducklake_rewrite_data_files('lake', delete_threshold => 0)",
        "CALL ducklake_merge_adjacent_files('lake')",
        "CALL ducklake_expire_snapshots('lake', older_than => now())",
        "CALL ducklake_cleanup_old_files('lake', cleanup_all => true)",
        "DELETE FROM lake.bronze.items",
    ] {
        if step.starts_with("INSERT") {
            story.duck.rows("DELETE FROM lake.bronze.items WHERE id IN (4, 58)");
        }
        story.duck.rows(step);
        story.come_back(step);
    }
}
