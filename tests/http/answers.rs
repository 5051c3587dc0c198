//! What is answered, with which headers, and to whom.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use lakefront_operators::run::clock::Stopwatch;

use crate::support::http::{get, send};
use crate::support::lines::ONE_FOR_EACH_TABLE;
use crate::{given, until};

const PATHS: [(&str, &str); 9] = [
    ("/", "text/html; charset=utf-8"),
    ("/live.js", "text/javascript; charset=utf-8"),
    ("/live.css", "text/css; charset=utf-8"),
    ("/icon.svg", "image/svg+xml"),
    ("/status.json", "application/json"),
    ("/metrics", "text/plain; version=0.0.4; charset=utf-8"),
    ("/health", "application/json"),
    ("/health/live", "application/json"),
    ("/health/ready", "application/json"),
];

#[test]
fn every_path_has_its_type_and_its_guards() {
    let (pipeline, address) = given();
    let tail = pipeline.tail();
    for (path, content_type) in PATHS {
        let answer = get(address, path).expect("an answer");
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(content_type)), "{path}");
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'"),
            "{policy}"
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
        let head = send(address, &format!("HEAD {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).expect("an answer");
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
    }
    tail.stop();
}

#[test]
fn nothing_can_be_changed_and_nothing_else_is_there() {
    let (pipeline, address) = given();
    let tail = pipeline.tail();
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let request = format!("{method} /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(send(address, &request).expect("an answer").status, 405, "{method}");
    }
    for path in ["/nothing", "/../p.toml", "//", "/health/ready/x", "/live.js/"] {
        let answer = get(address, path).expect("an answer");
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.header("content-security-policy").is_some(), "{path}");
    }
    tail.stop();
}

#[test]
fn a_foreign_name_that_points_here_is_refused() {
    let (pipeline, address) = given();
    let tail = pipeline.tail();
    for path in ["/", "/status.json", "/metrics", "/health/live", "/nothing"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: evil.example:{}\r\n\r\n", address.port());
        let answer = send(address, &request).expect("an answer");
        assert_eq!(answer.status, 403, "{path}");
        assert_eq!(answer.body, "forbidden: ask for this machine by localhost, 127.0.0.1 or [::1]\n");
    }
    tail.stop();
}

#[test]
fn connections_that_say_nothing_hold_nobody_up() {
    let (pipeline, address) = given();
    let mut tail = pipeline.tail();
    until(&mut tail, address, "/health/live", |answer| answer.status == 200);
    // Far more than are served at once, and each would be served for up to ten seconds.
    let silent: Vec<TcpStream> = (0..150).map(|_| TcpStream::connect(address).expect("a connection")).collect();
    let slow: Vec<TcpStream> = (0..150).map(|_| TcpStream::connect(address).expect("a connection")).collect();
    // This fails for those that have already lost their place.
    slow.iter().for_each(|mut stream| drop(stream.write_all(b"GET / HT")));
    let asked = Stopwatch::start();
    assert_eq!(get(address, "/health/live").expect("an answer").status, 200);
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    drop((silent, slow));
    // Meanwhile the run goes on.
    pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    tail.until("landed", || pipeline.position() == ONE_FOR_EACH_TABLE.len() as u64);
    tail.stop();
    pipeline.is_exact();
}

#[test]
fn a_request_without_end_is_refused() {
    let (pipeline, address) = given();
    let tail = pipeline.tail();
    let request = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(100_000));
    assert!(send(address, &request).map_or(true, |answer| answer.status >= 400));
    let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: y\r\n".repeat(100_000));
    assert!(send(address, &request).map_or(true, |answer| answer.status >= 400));
    assert_eq!(get(address, "/health/live").expect("an answer").status, 200);
    tail.stop();
}

#[test]
fn status_says_where_everything_stands() {
    let (pipeline, address) = given();
    pipeline.write("a.json", ONE_FOR_EACH_TABLE);
    let mut tail = pipeline.tail();
    let length = ONE_FOR_EACH_TABLE.len();
    let answer = until(&mut tail, address, "/status.json", |answer| answer.json()["position"] == length).json();
    for (table, role) in answer["tables"].as_array().expect("tables").iter().zip(["primary", "replica", "rejects"]) {
        assert_eq!(
            (&table["role"], &table["rows"], &table["commits"]),
            (&role.into(), &1.into(), &1.into()),
            "{table}"
        );
        assert_eq!((&table["position"], &table["behind"]), (&length.into(), &0.into()), "{table}");
        assert!(table["failing_seconds"].is_null());
    }
    let steps: Vec<_> =
        answer["steps"].as_array().expect("steps").iter().map(|step| step["name"].as_str().expect("a name")).collect();
    let of_tables = ["tally", "stage", "totals", "commit"]
        .iter()
        .flat_map(|verb| ["primary", "replica", "rejects"].map(|role| format!("{verb}[{role}]")));
    let chain = ["plan", "fetch", "split", "parse", "route"].map(str::to_owned);
    let all: Vec<_> =
        chain.into_iter().chain(of_tables).chain(["checkpoint", "acknowledge"].map(str::to_owned)).collect();
    assert_eq!(steps, all, "in the order in which a chunk passes them");
    assert_eq!((&answer["pipeline"], &answer["mode"], &answer["run"]), (&"p".into(), &"tail".into(), &1.into()));
    assert_eq!((&answer["lag"], &answer["rejects"]["invalid_json"]), (&0.into(), &1.into()));
    assert_eq!(answer["health"]["ready"], true);
    tail.stop();
}
