//! A schema registry for a test, on a free loopback port: it answers readers as Confluent's does,
//! and takes schemas as Apicurio's does, whose converter can be had with Maven. Neither registry
//! itself can.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde_json::{Value, json};

/// The paths of its two interfaces.
const READ: &str = "/apis/ccompat/v7";
const REGISTER: &str = "/apis/registry/v2/groups/default/artifacts";

/// A registry. Its thread waits for requests until the process ends.
pub(crate) struct Registry {
    address: SocketAddr,
    kept: Arc<Kept>,
}

#[derive(Default)]
struct Kept {
    schemas: Mutex<BTreeMap<u32, String>>,
    is_away: AtomicBool,
    /// What a reader's `Authorization` must be; nobody is asked if it is empty.
    login: Mutex<String>,
}

impl Registry {
    pub(crate) fn start() -> Registry {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let kept = Arc::new(Kept::default());
        let serving = kept.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let kept = serving.clone();
                thread::spawn(move || serve(&client, &kept));
            }
        });
        Registry { address, kept }
    }

    /// The recorded schemas are in it.
    pub(crate) fn recorded(schemas: &str) -> Registry {
        let registry = Registry::start();
        for line in schemas.lines() {
            let line: Value = serde_json::from_str(line).expect("JSON");
            let id = line["id"].as_u64().and_then(|id| u32::try_from(id).ok()).expect("an id");
            registry.kept.schemas().insert(id, line["schema"].to_string());
        }
        registry
    }

    /// Where readers ask.
    pub(crate) fn url(&self) -> String {
        format!("http://{}{READ}", self.address)
    }

    /// It answers nobody but that it is busy, or answers again.
    pub(crate) fn is_away(&self, is_away: bool) {
        self.kept.is_away.store(is_away, Relaxed);
    }

    pub(crate) fn forget(&self, id: u32) -> String {
        self.kept.schemas().remove(&id).expect("a schema")
    }

    pub(crate) fn add(&self, id: u32, schema: String) {
        self.kept.schemas().insert(id, schema);
    }

    /// Readers must send this.
    pub(crate) fn asks_for(&self, authorization: &str) {
        authorization.clone_into(&mut self.kept.login.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// How many schemas there are.
    pub(crate) fn count(&self) -> usize {
        self.kept.schemas().len()
    }
}

impl Kept {
    fn schemas(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, String>> {
        self.schemas.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, [method, path]: [&str; 2], authorization: &str, body: String) -> (u16, Value) {
        if self.is_away.load(Relaxed) {
            return (503, json!({"error_code": 50301, "message": "busy"}));
        }
        if method == "POST" && path.starts_with(REGISTER) {
            let mut schemas = self.schemas();
            let there = schemas.iter().find(|(_, schema)| **schema == body).map(|(id, _)| *id);
            let id = there.unwrap_or_else(|| schemas.last_key_value().map_or(1, |(id, _)| id + 1));
            schemas.insert(id, body);
            return (200, json!({"id": "a", "type": "AVRO", "version": "1", "globalId": id, "contentId": id}));
        }
        let login = self.login.lock().unwrap_or_else(PoisonError::into_inner);
        if !login.is_empty() && *login != authorization {
            return (401, json!({"error_code": 401, "message": "Unauthorized"}));
        }
        match path.strip_prefix(READ) {
            Some("/schemas/types") => (200, json!(["JSON", "PROTOBUF", "AVRO"])),
            Some(path) => {
                let id = path.strip_prefix("/schemas/ids/").and_then(|id| id.parse().ok());
                match id.and_then(|id: u32| self.schemas().get(&id).cloned()) {
                    Some(schema) => (200, json!({"schema": schema})),
                    None => (404, json!({"error_code": 40403, "message": "Schema not found"})),
                }
            }
            None => (404, json!("nothing is here")),
        }
    }
}

fn serve(client: &TcpStream, kept: &Kept) {
    let mut reader = BufReader::new(client);
    let (mut request, mut length, mut authorization) = (String::new(), 0, String::new());
    if reader.read_line(&mut request).is_err() {
        return;
    }
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).is_err() || line.trim().is_empty() {
            break;
        }
        let Some((name, value)) = line.trim().split_once(": ") else { continue };
        match name.to_lowercase().as_str() {
            "content-length" => length = value.parse().expect("a length"),
            "authorization" => value.clone_into(&mut authorization),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let mut words = request.split(' ');
    let line = [words.next().unwrap_or_default(), words.next().unwrap_or_default()];
    let (status, answer) = kept.answer(line, &authorization, String::from_utf8(body).expect("text"));
    let answer = answer.to_string();
    let head = format!(
        "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        answer.len()
    );
    let mut client = client;
    let _ = client.write_all((head + &answer).as_bytes());
}
