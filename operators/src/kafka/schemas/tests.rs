//! A registry as it answers, does not, and answers what it should not.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use serde_json::json;

use super::*;
use crate::secret::Secret;
use crate::web::Login;

/// A registry of a test: what it answers to paths, and what it was asked.
#[derive(Default)]
struct Served {
    answers: Mutex<HashMap<String, (u16, String)>>,
    asked: Mutex<Vec<String>>,
    /// How many more requests it fails.
    fails: AtomicUsize,
}

impl Served {
    fn start() -> (Arc<Served>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/apis/ccompat/v7", listener.local_addr().expect("an address"));
        let served = Arc::new(Served::default());
        served.has("/schemas/types", 200, &json!(["JSON", "AVRO"]));
        let serving = served.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(mut client) = client else { continue };
                let mut lines = BufReader::new(client.try_clone().expect("a socket")).lines().map_while(Result::ok);
                let request = lines.next().unwrap_or_default();
                let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                let (status, body) = serving.answer(&request, &headers);
                let length = body.len();
                let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
                let _ = client.write_all((head + &body).as_bytes());
            }
        });
        (served, url)
    }

    fn answer(&self, request: &str, headers: &[String]) -> (u16, String) {
        let path = request.split(' ').nth(1).unwrap_or_default().trim_start_matches("/apis/ccompat/v7").to_owned();
        let login = headers.iter().find(|line| line.to_lowercase().starts_with("authorization:"));
        self.asked.lock().expect("no panic").push(format!("{path} {}", login.map_or("", |line| line)));
        if self.fails.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
            return (503, "busy".to_owned());
        }
        let unknown = || (404, json!({"error_code": 40403, "message": "Schema not found"}).to_string());
        self.answers.lock().expect("no panic").get(&path).cloned().unwrap_or_else(unknown)
    }

    fn has(&self, path: &str, status: u16, body: &Value) {
        self.answers.lock().expect("no panic").insert(path.to_owned(), (status, body.to_string()));
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().expect("no panic"))
    }
}

fn registry(url: &str, login: Option<Login>, patience: Duration) -> SchemaRegistry {
    let service = Service {
        section: "source.registry",
        what: "schema registry",
        url: url.to_owned(),
        login,
        ca_file: None,
        timeout: Duration::from_secs(10),
    };
    SchemaRegistry::new(service, patience).expect("a client")
}

async fn all(registry: &SchemaRegistry, ids: &[Id]) -> Result<HashMap<Id, Option<String>>, String> {
    let all = registry.all(ids.iter().copied().collect()).await.map_err(|error| crate::error::chain(&error))?;
    Ok(all.into_iter().map(|(id, schema)| (id, schema.err().map(|why| why.to_string()))).collect())
}

#[tokio::test]
async fn each_schema_is_asked_for_once() {
    let (served, url) = Served::start();
    served.has("/schemas/ids/1", 200, &json!({"schema": "\"int\""}));
    let outer = r#"{"type":"record","name":"Outer","fields":[{"name":"i","type":"x.Inner"}]}"#;
    let refers = |subject| json!([{"name": "x.Inner", "subject": subject, "version": 3}]);
    served.has("/schemas/ids/2", 200, &json!({"schema": outer, "schemaType": "AVRO", "references": refers("a b/c")}));
    let inner = r#"{"type":"fixed","name":"x.Inner","size":2}"#;
    served.has("/subjects/a%20b%2Fc/versions/3", 200, &json!({"schema": inner, "subject": "a b/c"}));
    let login = Login::Basic("me".to_owned(), Secret::new("hunter2"));
    let registry = registry(&url, Some(login), Duration::ZERO);
    assert_eq!(all(&registry, &[1, 2]).await, Ok([(1, None), (2, None)].into()));
    assert_eq!(all(&registry, &[2, 1]).await, Ok([(1, None), (2, None)].into()));
    let asked = served.asked();
    assert_eq!(asked.len(), 4, "{asked:?}");
    assert!(asked.iter().all(|one| one.ends_with("Basic bWU6aHVudGVyMg==")), "{asked:?}");
}

#[tokio::test]
async fn an_id_that_means_nothing_costs_its_own_records_alone() {
    let (served, url) = Served::start();
    served.has("/schemas/ids/1", 200, &json!({"schema": "\"int\""}));
    served.has("/schemas/ids/3", 200, &json!({"schema": "syntax = \"proto3\";", "schemaType": "PROTOBUF"}));
    served.has("/schemas/ids/4", 200, &json!({"schema": "{\"type\":\"array\"}"}));
    let lost = json!([{"name": "x", "subject": "gone", "version": 1}]);
    served.has("/schemas/ids/5", 200, &json!({"schema": "\"int\"", "references": lost}));
    let itself = json!([{"name": "x", "subject": "itself", "version": 1}]);
    served.has("/schemas/ids/6", 200, &json!({"schema": "\"int\"", "references": itself}));
    served.has("/subjects/itself/versions/1", 200, &json!({"schema": "\"int\"", "references": itself}));
    let registry = registry(&url, Some(Login::Bearer(Secret::new("hunter2"))), Duration::ZERO);
    let told = all(&registry, &[1, 2, 3, 4, 5, 6]).await.expect("answers");
    assert_eq!((&told[&1], &told[&6]), (&None, &None));
    for (id, part) in [
        (2, format!("which the schema registry at {url} does not have")),
        (3, "which is one of PROTOBUF".to_owned()),
        (4, "which cannot be read: an array is not as Avro has it".to_owned()),
        (5, "which refers to \"gone\"".to_owned()),
    ] {
        assert!(told[&id].as_ref().is_some_and(|why| why.contains(&part)), "{:?}", told[&id]);
    }
    assert!(served.asked().iter().all(|one| one.ends_with("Bearer hunter2")));
    // It is not asked again at once.
    assert!(all(&registry, &[2]).await.is_ok_and(|told| told[&2].is_some()));
    assert_eq!(served.asked(), [] as [&str; 0]);
}

#[tokio::test]
async fn a_registry_that_is_away_is_waited_for() {
    let (served, url) = Served::start();
    served.has("/schemas/ids/1", 200, &json!({"schema": "\"int\""}));
    served.fails.store(1, Relaxed);
    assert_eq!(all(&registry(&url, None, Duration::from_secs(60)), &[1]).await, Ok([(1, None)].into()));
    served.fails.store(9, Relaxed);
    let told = all(&registry(&url, None, Duration::ZERO), &[1]).await.expect_err("it is away");
    assert!(told.contains("look up schema 1") && told.contains("answers 503"), "{told}");
    served.fails.store(0, Relaxed);
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let told = all(&registry(&format!("http://{nobody}"), None, Duration::ZERO), &[1]).await.expect_err("nobody");
    assert!(told.contains("is the schema registry up, and source.registry.url its address?"), "{told}");
}

#[tokio::test]
async fn what_is_no_registry_or_refuses_us_ends_the_run() {
    for (status, body, part) in [
        (
            401,
            json!({"error_code": 401, "message": "hunter2"}),
            "check user and password, or token, in [source.registry]",
        ),
        // That of Kafka Connect, and of other services that are written as Confluent's are.
        (
            404,
            json!({"error_code": 404, "message": "HTTP 404 Not Found"}),
            "is source.registry.url one's? That of Apicurio ends with /apis/ccompat/v7",
        ),
        (404, json!("nothing here"), "does not answer as a schema registry does"),
        (200, json!({"schemas": []}), "does not answer as a schema registry does"),
        (302, json!({}), "answers 302"),
    ] {
        let (served, url) = Served::start();
        served.has("/schemas/ids/1", status, &body);
        served.has("/schemas/types", status, &body);
        let registry = registry(&url, Some(Login::Bearer(Secret::new("hunter2"))), Duration::from_secs(600));
        let told = all(&registry, &[1]).await.expect_err(part);
        assert!(told.contains(part) && !told.contains("hunter2"), "{told}");
        assert!(registry.check().await.is_err());
    }
    let (served, url) = Served::start();
    served.has("/schemas/types", 200, &json!(["JSON", "AVRO"]));
    assert!(registry(&url, None, Duration::ZERO).check().await.is_ok());
    served.has("/schemas/types", 200, &json!(["JSON"]));
    assert!(registry(&url, None, Duration::ZERO).check().await.is_err());
}

#[tokio::test]
async fn a_schema_that_a_server_does_not_know_yet_is_waited_for() {
    let (served, url) = Served::start();
    let registry = Arc::new(registry(&url, None, Duration::from_secs(60)));
    let asking = tokio::spawn({
        let registry = registry.clone();
        async move { all(&registry, &[7]).await }
    });
    while !served.asked.lock().expect("no panic").iter().any(|one| one.starts_with("/schemas/ids/7")) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    served.has("/schemas/ids/7", 200, &json!({"schema": "\"int\""}));
    assert_eq!(asking.await.expect("no panic"), Ok([(7, None)].into()));
}

#[tokio::test]
async fn records_that_name_many_schemas_are_not_many_requests() {
    let (served, url) = Served::start();
    let registry = registry(&url, None, Duration::ZERO);
    let ids: Vec<Id> = (1..=1_000).collect();
    let told = all(&registry, &ids).await.expect("answers");
    assert!(told.values().all(Option::is_some));
    assert_eq!(served.asked().len(), 1 + MOST_LOST);
}

#[tokio::test]
async fn what_a_registry_says_is_shown_in_part() {
    let (served, url) = Served::start();
    served.has("/schemas/ids/1", 200, &json!({"schema": format!("\"{}\"", "x".repeat(100_000))}));
    let told = all(&registry(&url, None, Duration::ZERO), &[1]).await.expect("an answer");
    assert!(told[&1].as_ref().is_some_and(|why| why.len() <= SHOWN), "{told:?}");
}
