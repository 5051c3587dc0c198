//! A lake whose files are in S3 or in Azure. The catalog is judged by DuckDB, over a copy of the
//! files that it names.

use std::fs;

use crate::support::blobs::connection_string;
use crate::support::duck::Duck;
use crate::support::gateway::{KEY_ID, REGION, SECRET};
use crate::support::proxy::{Fault, Kind, Rule};
use crate::support::{Bucket, Container, Gateway, Proxy, bucket};
use crate::world::{META, World};

const TABLES: &str = "
    CREATE TABLE ledgers (sequence bigint PRIMARY KEY, v text);
    CREATE TABLE effects (ledger_sequence bigint, n bigint PRIMARY KEY, ledger_range bigint)";

/// The lake's folder, with what a URL has to escape.
const LAKE: &str = "a lake";

/// Where files are.
enum Store {
    S3(Bucket),
    Azure(Container),
}

/// A pipeline whose files are there, seen through a proxy.
struct Stored {
    world: World,
    store: Store,
    proxy: Proxy,
    copies: u32,
}

impl Stored {
    /// `None` where there is no server that speaks S3.
    fn in_s3() -> Option<Stored> {
        let (bucket, proxy) = (Bucket::create()?, Proxy::before_s3(Gateway::shared()?.address(), 0));
        let mut world = World::new(TABLES);
        world.set("lake.data_path", &format!("\"s3://{}/{LAKE}\"", bucket.name));
        for (key, value) in [
            ("endpoint", &*bucket::endpoint(proxy.address())),
            ("region", REGION),
            ("access_key_id", KEY_ID),
            ("secret_access_key", SECRET),
        ] {
            world.set(&format!("lake.s3.{key}"), &format!("{value:?}"));
        }
        Some(Stored { world, store: Store::S3(bucket), proxy, copies: 0 })
    }

    fn in_azure() -> Stored {
        let (container, proxy) = (Container::create(), Proxy::start(0));
        let mut world = World::new(TABLES);
        world.set("lake.data_path", &format!("\"az://{}/{LAKE}\"", container.name()));
        let connection = connection_string(&proxy.endpoint());
        world.set("lake.azure.connection_string", &format!("{connection:?}"));
        Stored { world, store: Store::Azure(container), proxy, copies: 0 }
    }

    /// The files of the lake, by name, with their content.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let names = match &self.store {
            Store::S3(bucket) => bucket.list(LAKE),
            Store::Azure(container) => container.list(LAKE).into_iter().map(|blob| blob.name).collect(),
        };
        let content = |name: &String| match &self.store {
            Store::S3(bucket) => bucket.read(name),
            Store::Azure(container) => container.read(name),
        };
        names.into_iter().map(|name| (name.clone(), content(&name))).collect()
    }

    /// DuckDB, which finds the files in a new copy of the store's.
    fn duck(&mut self) -> Duck {
        self.copies += 1;
        let folder = self.world.path(&format!("copy{}", self.copies));
        for (name, content) in self.files() {
            let path = folder.join(name.strip_prefix(&format!("{LAKE}/")).expect("its folder"));
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, content).expect("a file");
        }
        let mut duck = Duck::start();
        let data = format!("{}/", folder.display());
        let elsewhere = [("OVERRIDE_DATA_PATH", "1")];
        duck.attach_again(self.world.conninfo(), &data, META, &elsewhere).expect("a lake");
        duck
    }

    /// Each row is there once, and each file is in the catalog, whole.
    #[track_caller]
    fn has(&mut self, rows: u64) {
        let mut duck = self.duck();
        let counted = "SELECT count(*), count(DISTINCT sequence), max(sequence) FROM lake.bronze.ledgers";
        assert_eq!(duck.lines(counted), [format!("{rows}|{rows}|{rows}")]);
        let counted = "SELECT count(*), count(DISTINCT n), sum(n) FROM lake.bronze.effects";
        assert_eq!(duck.lines(counted), [format!("{0}|{0}|{1}", rows * 5, rows * 5 * (rows * 5 + 1) / 2)]);
        assert_eq!(self.world.number("SELECT (SELECT count(*) FROM ledgers) + (SELECT count(*) FROM effects)"), 0);
        let known = "SELECT count(*) || '|' || sum(file_size_bytes) FROM bronze_meta.ducklake_data_file";
        let files = self.files();
        let bytes: usize = files.iter().map(|(_, content)| content.len()).sum();
        assert_eq!(self.world.psql(known), format!("{}|{bytes}", files.len()));
        if let Store::S3(bucket) = &self.store {
            assert_eq!(bucket.unfinished(), Vec::<String>::new());
        }
    }

    /// Rows come in: of each ledger, five effects.
    fn ingest(&self, from: u64, to: u64) {
        self.world.psql(&format!(
            "INSERT INTO ledgers SELECT i, 'v' || i FROM generate_series({from}, {to}) i;
             INSERT INTO effects SELECT i, i * 5 - k, i / 10 * 10 FROM generate_series({from}, {to}) i, generate_series(0, 4) k"
        ));
    }

    /// Flushes; rows that come back are looked up in files of the store; an added column and a
    /// partitioned table lie there too.
    fn moves_and_is_read_back(mut self) {
        self.world.set("lake.partition_by", r#"["ledger_range"]"#);
        self.ingest(1, 40);
        self.world.flush();
        self.has(40);
        assert!(!self.world.path("lake").exists(), "nothing of the lake is on this disk");
        let partitions = "SELECT count(DISTINCT partition_value) FROM bronze_meta.ducklake_file_partition_value";
        assert_eq!(self.world.number(partitions), 5);
        // They come back, with others.
        self.world.psql("ALTER TABLE ledgers ADD COLUMN more int DEFAULT 7");
        self.ingest(21, 60);
        let reads = |proxy: &Proxy| proxy.count(|seen| seen.kind == Kind::Read);
        let before = reads(&self.proxy);
        let ended = self.world.run(&["run", "p.toml", "--once"]).exits_with(0);
        assert!(ended.stderr.contains("effects 100, ledgers 20"), "it counts what it skips: {}", ended.stderr);
        assert!(reads(&self.proxy) > before, "the lake is read where it is");
        self.has(60);
        let mut duck = self.duck();
        assert_eq!(duck.lines("SELECT count(more) FROM lake.bronze.ledgers"), ["20"]);
        for arguments in [&["status", "p.toml"][..], &["validate", "p.toml", "--connect"], &["doctor", "p.toml"]] {
            self.world.run(arguments).exits_with(0);
        }
    }

    /// Writes whose replies are lost, and a store that is busy.
    fn loses_replies(mut self) {
        self.ingest(1, 30);
        self.proxy.rule(Rule::new(Kind::Put, Fault::LostReply).every(2).always());
        self.world.flush();
        self.has(30);
        self.proxy.calm();
        self.proxy.rule(Rule::new(Kind::Put, Fault::Reset).times(1));
        self.proxy.rule(Rule::new(Kind::Put, Fault::ServerBusy(None)).nth(2).times(1));
        self.proxy.rule(Rule::new(Kind::Read, Fault::Truncated).times(1));
        self.ingest(20, 50);
        self.world.flush();
        self.has(50);
        for fault in [Fault::LostReply, Fault::Reset, Fault::ServerBusy(None), Fault::Truncated] {
            assert!(self.proxy.count(|seen| seen.fault == Some(fault)) > 0, "{fault:?}");
        }
    }

    /// Files that go up in parts, some of whose replies are lost, and are read back whole.
    fn goes_up_in_parts(mut self) {
        self.ingest(1, 12_000);
        // Some 2 KB a row that nothing makes shorter.
        let long = "(SELECT string_agg(md5(sequence::text || k), '') FROM generate_series(1, 64) k)";
        self.world.psql(&format!("UPDATE ledgers SET v = {long}"));
        for kind in [Kind::Append, Kind::Complete] {
            self.proxy.rule(Rule::new(kind, Fault::LostReply).times(1));
        }
        self.world.flush();
        assert_eq!(self.proxy.count(|seen| seen.fault == Some(Fault::LostReply)), 2);
        self.proxy.calm();
        self.has(12_000);
        self.ingest(11_990, 12_001);
        self.world.flush();
        self.has(12_001);
    }

    /// A flush that is made again leaves no file of the first attempt.
    fn makes_it_again(mut self) {
        self.ingest(1, 10);
        self.world.flush();
        self.ingest(11, 20);
        self.proxy.rule(Rule::new(Kind::Put, Fault::Hold));
        let writes = |proxy: &Proxy| proxy.count(|seen| seen.kind == Kind::Put);
        let before = writes(&self.proxy);
        let mut duck = self.duck();
        let mut run = self.world.run_with("");
        run.until("uploads", || writes(&self.proxy) > before);
        // A row that lies in the catalog, which needs no file.
        duck.rows("INSERT INTO lake.bronze.effects VALUES (0, 0, 0)");
        self.proxy.calm();
        let ended = run.end().exits_with(0);
        assert!(ended.stderr.contains("is made again"), "{}", ended.stderr);
        assert!(writes(&self.proxy) > before + 3, "files are written twice");
        duck.rows("DELETE FROM lake.bronze.effects WHERE n = 0");
        self.has(20);
    }

    /// What is refused before anything is moved.
    fn refuses(self, says: &str) {
        self.ingest(1, 3);
        let ended = self.world.run(&["run", "p.toml", "--once"]);
        assert_eq!(ended.code, Some(3), "{}", ended.stderr);
        assert!(ended.stderr.contains(says), "it does not say {says:?}: {}", ended.stderr);
        assert!(!ended.stderr.contains(SECRET), "{}", ended.stderr);
        assert_eq!(self.world.number("SELECT count(*) FROM ledgers"), 3, "nothing is deleted");
    }
}

#[test]
fn rows_move_to_s3_and_are_read_back() {
    let Some(stored) = Stored::in_s3() else { return };
    stored.moves_and_is_read_back();
}

#[test]
fn rows_move_to_azure_and_are_read_back() {
    Stored::in_azure().moves_and_is_read_back();
}

#[test]
fn lost_replies_of_s3_double_nothing() {
    let Some(stored) = Stored::in_s3() else { return };
    stored.loses_replies();
}

#[test]
fn lost_replies_of_azure_double_nothing() {
    Stored::in_azure().loses_replies();
}

#[test]
fn large_files_go_up_in_parts() {
    let Some(stored) = Stored::in_s3() else { return };
    stored.goes_up_in_parts();
}

#[test]
fn a_flush_that_is_made_again_leaves_nothing_in_s3() {
    let Some(stored) = Stored::in_s3() else { return };
    stored.makes_it_again();
}

#[test]
fn a_flush_that_is_made_again_leaves_nothing_in_azure() {
    Stored::in_azure().makes_it_again();
}

#[test]
fn a_bucket_that_is_not_there_or_refuses_us_is_told() {
    let Some(mut stored) = Stored::in_s3() else { return };
    stored.world.set("lake.data_path", "\"s3://no-such-bucket/lake\"");
    stored.refuses("404 NoSuchBucket");
    let Some(mut stored) = Stored::in_s3() else { return };
    stored.world.set("lake.s3.secret_access_key", "\"d3Jvbmcgd3Jvbmc\"");
    stored.refuses("403 SignatureDoesNotMatch");
}

#[test]
fn a_container_that_is_not_there_is_told() {
    let mut stored = Stored::in_azure();
    stored.world.set("lake.data_path", "\"az://no-such-container/lake\"");
    stored.refuses("ContainerNotFound");
}
