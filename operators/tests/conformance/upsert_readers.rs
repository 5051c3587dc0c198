//! Other programs read tables whose rows change by key, with their change feed, and compact them
//! between two steps of a commit.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_buffer::BooleanBuffer;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::group::{Commit, Created, Group};
use lakefront_operators::protocol::names::{Held, RunId, TableId, Version};
use lakefront_operators::protocol::staged::Staged;
use lakefront_operators::run::clock::SystemClock;
use lakefront_operators::sink::delta::TableSpec;
use lakefront_operators::sink::delta::upsert::{
    Changes, Operation, Order, Shard, Sharding, UpsertSpec, UpsertTable, open,
};
use lakefront_operators::sink::files::Place;
use uuid::Uuid;

use crate::support::{Random, venv};

/// A customer: a name, and a note that is only sent if it has changed.
type Customers = BTreeMap<i64, (String, String)>;

/// A table of customers, and what it must hold.
struct Shop {
    folder: tempfile::TempDir,
    table: Arc<UpsertTable>,
    shard: Shard,
    version: Version,
    customers: Customers,
    random: Random,
    cuts: u64,
}

impl Shop {
    async fn new(seed: u64) -> Shop {
        let folder = tempfile::tempdir().unwrap();
        let schema = rows(&[], &[], &[]).schema();
        let (place, name) = (Place::Disk(folder.path().to_owned()), "customers".to_owned());
        let table = TableSpec { place, name, schema, partition: None };
        let spec = UpsertSpec { table, key: vec!["id".to_owned()], feed: true };
        let clock = Arc::new(SystemClock);
        let opened = open(std::slice::from_ref(&spec), "shop", clock.clone(), |_| Ok(())).await.unwrap();
        let all = Sharding { shard: 0, shards: 1 };
        let run = ("shop", Held { position: Position(0), run: RunId(1) });
        let shard = Shard::open(spec, run, all, None, clock).await.unwrap();
        let (table, version) = (opened[0].clone(), Version(0));
        Shop { folder, table, shard, version, customers: Customers::new(), random: Random::new(seed), cuts: 0 }
    }

    /// Changes at random, and what becomes of the customers.
    fn changes(&mut self) -> Changes {
        let (mut ids, mut names, mut notes, mut operations, mut unsent) = (vec![], vec![], vec![], vec![], vec![]);
        // Every fifth time, the table is truncated on the way.
        let truncated = (self.cuts % 5 == 4).then_some(13);
        for number in 0..40_u64 {
            if truncated == Some(number) {
                self.customers.clear();
            }
            let id = self.random.below(0..60) as i64;
            let (name, note) = (format!("name {number} of {}", self.cuts), format!("note {number} of {}", self.cuts));
            let is_there = self.customers.contains_key(&id);
            let (operation, is_unsent) = match self.random.below(0..4) {
                0 => (Operation::Delete, false),
                1 if is_there => (Operation::Update, true),
                _ => (if is_there { Operation::Update } else { Operation::Insert }, false),
            };
            match operation {
                Operation::Delete => drop(self.customers.remove(&id)),
                _ if is_unsent => self.customers.get_mut(&id).unwrap().0.clone_from(&name),
                _ => drop(self.customers.insert(id, (name.clone(), note.clone()))),
            }
            ids.push(id);
            names.push(name);
            notes.push(if is_unsent { "__debezium_unavailable_value".to_owned() } else { note });
            operations.push(operation);
            unsent.push(is_unsent);
        }
        let unavailable = BTreeMap::from([(2, BooleanBuffer::from(unsent))]);
        let place = |number: u64| Order { partition: 0, offset: self.cuts * 100 + 2 * number, lsn: 0 };
        let order = (0..ids.len() as u64).map(place).collect();
        let truncations = truncated.map(|number| Order { offset: place(number).offset - 1, ..place(number) });
        let (rows, truncations) = (rows(&ids, &names, &notes), truncations.into_iter().collect());
        Changes { rows, operations, unavailable, order, origins: None, truncations }
    }

    /// Lands a cut. In between its steps, `meanwhile` happens.
    async fn land(&mut self, meanwhile: impl FnOnce(&Path)) {
        let changes = self.changes();
        let lower = Position(self.cuts * 100);
        self.cuts += 1;
        let merged = self.shard.merge(lower, vec![changes]).await.unwrap().unwrap();
        meanwhile(self.folder.path());
        let held = Held { position: Position(self.cuts * 100), run: RunId(1) };
        let files = vec![Staged { table: TableId(0), file: merged.staged }];
        let commit = Commit { id: Uuid::new_v4(), held, files, sums: Vec::new() };
        loop {
            self.version = self.version.next();
            if self.table.put(self.version, &commit).await.unwrap() == Created::Yes {
                return;
            }
        }
    }
}

fn rows(ids: &[i64], names: &[String], notes: &[String]) -> RecordBatch {
    let ids = Arc::new(Int64Array::from(ids.to_vec())) as ArrayRef;
    let texts = |texts: &[String]| Arc::new(StringArray::from_iter_values(texts)) as ArrayRef;
    RecordBatch::try_from_iter([("id", ids), ("name", texts(names)), ("note", texts(notes))]).unwrap()
}

/// Does something with the table in Python, and returns what that says.
fn python(environment: (&str, &str), what: &str, table: &Path) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut python = venv::python(environment.0, &root.join("..").join(environment.1));
    let script = root.join("tests/conformance/upsert_reader.py");
    let output = python.arg("-B").arg(script).arg(what).arg(table).output().expect("Python runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Changes a table beside another writer's OPTIMIZE, and has it read.
async fn changed_and_read(seed: u64, environment: (&'static str, &'static str)) {
    let mut shop = Shop::new(seed).await;
    for cut in 0..12 {
        // The shard has looked its rows up, and nothing is committed.
        let is_compacted = cut % 4 == 3;
        shop.land(|table| {
            if is_compacted {
                python(environment, "compact", table);
            }
        })
        .await;
    }
    let read: Vec<(i64, String, String)> =
        serde_json::from_str(&python(environment, "check", shop.folder.path())).unwrap();
    let wanted: Vec<_> = shop.customers.into_iter().map(|(id, (name, note))| (id, name, note)).collect();
    assert_eq!(read, wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn delta_rs_reads_every_version_and_its_feed_beside_its_own_optimize() {
    changed_and_read(1, ("oracle", "tests/python/requirements.txt")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "brings 200 MB of DuckDB and Polars; run it with: cargo test --test conformance -- --ignored"]
async fn polars_reads_every_version() {
    changed_and_read(2, ("peers", "benches/peers/requirements.txt")).await;
}
