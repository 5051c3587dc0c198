use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use super::*;
use crate::config::{self, Kind};

/// A worker that gives these answers, each to a request of its own. Joining it returns the
/// requests.
fn worker(answers: Vec<String>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let served = thread::spawn(move || {
        let serve = |answer: String| {
            let (mut client, _) = listener.accept().expect("a client");
            let (mut request, mut part) = (Vec::new(), [0; 4096]);
            while !is_whole(&request) {
                let length = client.read(&mut part).expect("a request");
                request.extend_from_slice(&part[..length]);
            }
            client.write_all(answer.as_bytes()).expect("a client that listens");
            String::from_utf8(request).expect("text")
        };
        answers.into_iter().map(serve).collect()
    });
    (url, served)
}

/// Whether a request has its body too, if it says that it has one.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

fn rest(url: &str) -> Rest {
    let file = format!(
        "pipeline = \"p\"\ntopology = \"pg_changes\"\n[source]\nbrokers = \"a:1\"\ntopics = \"cdc.public.*\"\n[lake]\n\
         root = \"file:lake\"\ncatalog = \"c\"\n[connect]\nurl = \"{url}\"\nuser = \"me\"\npassword = \"hunter2\"\n"
    );
    let config = config::parse(&file, &|_| None).unwrap_or_else(|error| panic!("{error}"));
    let Kind::PgChanges(changes) = config.kind else { panic!("it is of another kind") };
    Rest::new(&changes.connect.expect("[connect]"), &[Secret::new("hunter3")]).expect("a client")
}

#[tokio::test]
async fn a_busy_worker_is_asked_again_with_the_same() {
    let busy = answer("409 Conflict", "{\"error_code\":409,\"message\":\"rebalance\"}");
    let told = "{\"error_code\":500,\"message\":\"Request cannot be completed because a rebalance is expected\"}";
    let busier = answer("500 Internal Server Error", told);
    let (url, served) = worker(vec![busy, busier, answer("200 OK", "{\"name\":\"shop\"}")]);
    let body = serde_json::json!({"a": "b"});
    let said = rest(&url).put("try", "/connectors/shop/config", Some(&body)).await.expect("an answer");
    assert_eq!(said["name"], "shop");
    let requests = served.join().expect("the worker");
    assert_eq!((&requests[0], &requests[0]), (&requests[1], &requests[2]));
    assert!(requests[0].starts_with("PUT /connectors/shop/config HTTP/1.1\r\n"), "{}", requests[0]);
    // "me:hunter2" in base64.
    assert!(requests[0].contains("authorization: Basic bWU6aHVudGVyMg=="), "{}", requests[0]);
    assert!(requests[0].ends_with("\r\n\r\n{\"a\":\"b\"}"), "{}", requests[0]);
}

#[tokio::test]
async fn what_a_worker_repeats_is_left_out() {
    let no = answer("400 Bad Request", "{\"message\":\"hunter2 or hunter3\\nis wrong\"}");
    let (url, served) = worker(vec![no]);
    let error = rest(&url).get("try", "/x").await.expect_err("no");
    assert_eq!(error.to_string(), "could not try: Connect answers 400: *** or ***\\nis wrong");
    assert!(!error.is_missing() && !format!("{error:?}").contains("hunter"));
    served.join().expect("the worker");
}

#[tokio::test]
async fn what_is_no_worker_is_told_apart() {
    let moved = "HTTP/1.1 302 Found\r\nLocation: http://example.com/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    for (answer, told) in [
        (answer("200 OK", "<html>"), "does not answer in JSON: is connect.url Kafka Connect's?"),
        (answer("401 Unauthorized", ""), "Connect answers 401; check user and password in [connect]"),
        (answer("404 Not Found", "{}"), "Connect answers 404"),
        (moved.to_owned(), "Connect answers 302"),
        ("nonsense\r\n\r\n".to_owned(), "failed: "),
    ] {
        let (url, served) = worker(vec![answer]);
        let error = rest(&url).get("try", "/x").await.expect_err(told);
        assert!(error.to_string().contains(told), "{error}");
        served.join().expect("the worker");
    }
}

#[tokio::test]
async fn an_empty_answer_is_none_and_an_endless_one_is_cut_off() {
    let (url, served) = worker(vec![answer("204 No Content", "")]);
    assert_eq!(rest(&url).delete("try", "/x").await.expect("an answer"), Value::Null);
    served.join().expect("the worker");
    let (url, served) = worker(vec![answer("200 OK", &" ".repeat((8 << 20) + 1))]);
    let error = rest(&url).post("try", "/x").await.expect_err("too long");
    assert!(error.to_string().contains("more than"), "{error}");
    // It may not have taken all.
    let _ = served.join();
}
