//! Encryption as libpq knows it, against a server that has it. psql is the judge: whom it lets in,
//! we let in, and the other way round.

use std::fs;
use std::path::Path;

use crate::support::certificates::{Authority, Signed};
use crate::support::duck::Duck;
use crate::support::postgres::Server;
use crate::world::{META, World};

/// Roles by what the server wants of their connections, whatever else they are.
const RULES: &str = "
host      all  postgres  127.0.0.1/32  trust
host      all  anyone    127.0.0.1/32  trust
hostssl   all  covered   127.0.0.1/32  trust
hostnossl all  bare      127.0.0.1/32  trust
hostssl   all  known     127.0.0.1/32  scram-sha-256
";

const ROLES: &str = "
CREATE ROLE anyone SUPERUSER LOGIN; CREATE ROLE covered SUPERUSER LOGIN; CREATE ROLE bare SUPERUSER LOGIN;
SET password_encryption = 'scram-sha-256'; CREATE ROLE known SUPERUSER LOGIN PASSWORD 'hunter2'";

/// A server with a certificate for `localhost`, a world whose hot table is there, and the
/// certificates that may have signed the server's.
struct Covered {
    world: World,
    server: Server,
    authority: Authority,
    /// How many rows have landed, and the sequence of the last.
    rows: i64,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ends {
    Encrypted,
    Plain,
    /// With these words.
    Refused(&'static str),
}

use Ends::{Encrypted, Plain, Refused};

const UNKNOWN: Ends = Refused("is not signed by one in sslrootcert");
const OTHER_NAME: Ends = Refused("use a name that is among the certificate's alternative names");
const NO_ROOTS: Ends = Refused("~/.postgresql/root.crt, which is used without, does not exist");
const NO_RULE: Ends = Refused("a line of pg_hba.conf must let it into");

impl Covered {
    fn new() -> Covered {
        let world = World::new("");
        let server = Server::with(&[("log_connections", "on")]);
        server.psql("postgres", ROLES);
        for database in ["hot", "catalog"] {
            server.create_database(database);
        }
        server.psql("hot", "CREATE TABLE ledgers (sequence bigint PRIMARY KEY)");
        let (authority, other) = (Authority::new("the authority"), Authority::new("another authority"));
        fs::write(world.path("right.pem"), &authority.pem).expect("a file");
        fs::write(world.path("wrong.pem"), &other.pem).expect("a file");
        server.keep("pg_hba.conf", RULES);
        let covered = Covered { world, server, authority, rows: 0 };
        covered.shows(&covered.authority.signs("localhost"));
        covered.server.psql("postgres", "ALTER SYSTEM SET ssl = on");
        covered.server.reload();
        covered
    }

    /// The server's certificate from its next reload on.
    fn shows(&self, Signed { certificate, key }: &Signed) {
        self.server.keep("server.crt", certificate);
        self.server.keep("server.key", key);
    }

    /// The address of a database, with parameters in which `right` and `wrong` stand for files.
    fn url(&self, user: &str, host: &str, database: &str, parameters: &str) -> String {
        let file = |name: &str| self.world.path(name).display().to_string();
        let parameters = parameters.replace("=right", &format!("={}", file("right.pem")));
        let parameters = parameters.replace("=wrong", &format!("={}", file("wrong.pem")));
        format!("postgresql://{user}@{host}:{}/{database}?{parameters}", self.server.port())
    }

    fn hot(&self) -> i64 {
        self.server.psql("hot", "SELECT count(*) FROM ledgers").parse().expect("a number")
    }

    /// Flushes a row at `url`, or is refused and leaves it where it is.
    #[track_caller]
    fn ends(&mut self, url: &str, ends: Ends) {
        let (number, before) = (self.rows + 1, self.server.log().len());
        self.server.psql("hot", &format!("INSERT INTO ledgers VALUES ({number}) ON CONFLICT DO NOTHING"));
        self.world.at(url, "");
        let ended = self.world.run(&["run", "p.toml", "--once"]);
        if let Refused(words) = ends {
            assert_eq!(ended.code, Some(3), "{url}: {}", ended.stderr);
            assert!(ended.stderr.contains(words), "{url} does not say {words:?}: {}", ended.stderr);
            assert_eq!(self.hot(), 1, "{url}: nothing is deleted");
            return;
        }
        assert_eq!(ended.code, Some(0), "{url}: {}", ended.stderr);
        assert_eq!(self.hot(), 0, "{url}: {}", ended.stderr);
        self.rows = number;
        let said = &self.server.log()[before..];
        assert_eq!(self.encrypted(said, "hot"), (ends == Encrypted, ends == Plain), "{url}: {said}");
    }

    /// Whether some of our sessions in a database were encrypted, and some were not.
    fn encrypted(&self, log: &str, database: &str) -> (bool, bool) {
        let ours = format!("database={database} application_name=lakefront");
        let lines = || log.lines().filter(|line| line.contains("connection authorized") && line.contains(&ours));
        assert!(lines().count() > 2, "{log}");
        let is_encrypted = |line: &str| line.contains("SSL enabled");
        (lines().any(is_encrypted), !lines().all(is_encrypted))
    }

    /// What psql makes of the same address.
    #[track_caller]
    fn judged(&self, url: &str, ends: Ends) {
        let home = self.world.path("");
        match (self.server.enters(url, &home), ends) {
            (Ok(true), Encrypted) | (Ok(false), Plain) | (Err(_), Refused(_)) => {}
            (found, _) => panic!("{url}: psql says {found:?}, and {ends:?} was expected"),
        }
    }
}

#[test]
fn who_gets_in_is_whom_libpq_lets_in() {
    let mut covered = Covered::new();
    let roots = covered.world.path(".postgresql/root.crt");
    fs::create_dir_all(roots.parent().expect("a folder")).expect("a folder");
    for (user, host, parameters, ends) in [
        ("anyone", "localhost", "sslmode=disable", Plain),
        ("anyone", "localhost", "", Encrypted),
        ("anyone", "localhost", "sslmode=prefer", Encrypted),
        ("anyone", "localhost", "sslmode=require", Encrypted),
        ("anyone", "localhost", "sslmode=require&sslrootcert=right", Encrypted),
        ("anyone", "localhost", "sslmode=require&sslrootcert=wrong", UNKNOWN),
        ("anyone", "127.0.0.1", "sslmode=verify-ca&sslrootcert=right", Encrypted),
        ("anyone", "localhost", "sslmode=verify-ca&sslrootcert=wrong", UNKNOWN),
        ("anyone", "localhost", "sslmode=verify-ca", NO_ROOTS),
        ("anyone", "localhost", "sslmode=verify-full&sslrootcert=right", Encrypted),
        ("anyone", "localhost", "sslmode=verify-full&sslrootcert=wrong", UNKNOWN),
        ("anyone", "127.0.0.1", "sslmode=verify-full&sslrootcert=right", OTHER_NAME),
        ("anyone", "localhost", "sslmode=verify-full", NO_ROOTS),
        ("anyone", "localhost", "sslmode=verify-full&sslrootcert=system", Refused("sslrootcert")),
        ("anyone", "localhost", "sslmode=verify-full&sslrootcert=gone.pem", Refused("certificates in gone.pem")),
        ("covered", "localhost", "sslmode=disable", NO_RULE),
        ("covered", "localhost", "sslmode=prefer", Encrypted),
        ("covered", "localhost", "sslmode=verify-full&sslrootcert=right", Encrypted),
        ("bare", "localhost", "sslmode=disable", Plain),
        ("bare", "localhost", "sslmode=require", NO_RULE),
        ("bare", "localhost", "sslmode=verify-full&sslrootcert=right", NO_RULE),
    ] {
        let url = covered.url(user, host, "hot", parameters);
        covered.judged(&url, ends);
        covered.ends(&url, ends);
    }
    // The one difference: nobody falls back to a connection that is not encrypted by himself.
    let url = covered.url("bare", "localhost", "hot", "sslmode=prefer");
    covered.judged(&url, Plain);
    covered.ends(&url, NO_RULE);
    // What libpq looks for in the home of its user.
    fs::copy(covered.world.path("right.pem"), &roots).expect("a file");
    let url = covered.url("anyone", "localhost", "hot", "sslmode=verify-full");
    covered.judged(&url, Encrypted);
    covered.ends(&url, Encrypted);
    let landed = covered.server.psql("hot", "SELECT sum(record_count) FROM bronze_meta.ducklake_data_file");
    assert_eq!(landed, covered.rows.to_string());
}

#[test]
fn a_certificate_that_has_ended_is_told() {
    let mut covered = Covered::new();
    covered.shows(&covered.authority.signed_long_ago("localhost"));
    covered.server.reload();
    let url = covered.url("anyone", "localhost", "hot", "sslmode=verify-ca&sslrootcert=right");
    let ended = Refused("renew the server's certificate");
    covered.judged(&url, ended);
    covered.ends(&url, ended);
    // A new one is used without a restart.
    covered.shows(&covered.authority.signs("localhost"));
    covered.server.reload();
    covered.ends(&url, Encrypted);
}

#[test]
fn a_password_is_bound_to_the_encrypted_connection() {
    let mut covered = Covered::new();
    covered.world.set("source.password", "\"hunter2\"");
    let bound = covered.url("known", "localhost", "hot", "sslmode=require&channel_binding=require");
    covered.ends(&bound, Encrypted);
    let plain = covered.url("known", "localhost", "hot", "sslmode=disable&channel_binding=require");
    covered.ends(&plain, Refused("pg_hba.conf"));
    // This one is let in without a password, so there is nothing to bind.
    let trusted = covered.url("covered", "localhost", "hot", "sslmode=require&channel_binding=require");
    covered.judged(&trusted, Refused(""));
    covered.ends(&trusted, Refused("channel_binding=require needs TLS and a password"));
}

#[test]
fn a_catalog_elsewhere_is_reached_as_its_own_address_says() {
    let mut covered = Covered::new();
    let hot = covered.url("anyone", "127.0.0.1", "hot", "sslmode=disable");
    let catalog = |covered: &Covered, host: &str, roots: &str| {
        let parameters = format!("sslmode=verify-full&sslrootcert={roots}");
        format!("{:?}", covered.url("covered", host, "catalog", &parameters))
    };
    for (host, roots, ends) in [("localhost", "wrong", UNKNOWN), ("127.0.0.1", "right", OTHER_NAME)] {
        let address = catalog(&covered, host, roots);
        covered.world.set("lake.catalog", &address);
        covered.ends(&hot, ends);
        let made = covered.server.psql("catalog", "SELECT count(*) FROM pg_namespace WHERE nspname = 'bronze_meta'");
        assert_eq!(made, "0");
    }
    let address = catalog(&covered, "localhost", "right");
    covered.world.set("lake.catalog", &address);
    let before = covered.server.log().len();
    covered.ends(&hot, Plain);
    assert_eq!(covered.encrypted(&covered.server.log()[before..], "catalog"), (true, false));
    let mut duck = Duck::attach(&covered.server.conninfo("catalog"), "", META);
    assert_eq!(duck.lines("SELECT sequence FROM lake.bronze.ledgers"), ["1"]);
}

#[test]
fn a_server_without_encryption_is_told() {
    let mut world = World::new("CREATE TABLE ledgers (sequence bigint PRIMARY KEY); INSERT INTO ledgers VALUES (1)");
    let url = |world: &World, mode: &str| {
        let database = world.psql("SELECT current_database()");
        format!("{}?sslmode={mode}", Server::shared().url(&database))
    };
    for (mode, ends) in [("require", Refused("turn ssl on in postgresql.conf")), ("prefer", Plain)] {
        let (url, conninfo) = (url(&world, mode), Server::shared().conninfo(&world.psql("SELECT current_database()")));
        let found = Server::shared().enters(&url, Path::new("/nowhere"));
        world.at(&url, &conninfo);
        let ended = world.run(&["run", "p.toml", "--once"]);
        match ends {
            Refused(words) => {
                assert!(found.is_err(), "{found:?}");
                assert_eq!(ended.code, Some(3), "{}", ended.stderr);
                assert!(ended.stderr.contains(words), "{}", ended.stderr);
                assert_eq!(world.number("SELECT count(*) FROM ledgers"), 1);
            }
            _ => {
                assert_eq!(found, Ok(false));
                assert_eq!(ended.code, Some(0), "{}", ended.stderr);
            }
        }
    }
    assert_eq!(world.duck().lines("SELECT sequence FROM lake.bronze.ledgers"), ["1"]);
}
