//! A schema registry, by the interface of Confluent's, which Apicurio, Karapace and Redpanda have
//! too: schemas of Avro by their ids.
//!
//! Promises: an id means one schema for good, so each is asked for once. Whether a registry answers
//! at all is seen before it is believed that it has no such schema. One that is away is waited for,
//! as a broker is. An id that it does not know costs the records that name it, and no others.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::error::StoreError;
use crate::format::avro::{Id, Schema};
use crate::format::debezium::{Columned, Schemas};
use crate::protocol::Pending;
use crate::run::clock::Stopwatch;
use crate::web::{Answer, Method, NoAnswer, Service, StatusCode, Url, Web};

/// Between two attempts.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two reports that the registry is waited for.
const QUIET: Duration = Duration::from_secs(15);
/// For how long a schema may not be there: servers of a registry learn of it one after the other.
const GRACE: Duration = Duration::from_secs(5);
/// For how long an id counts as unknown: a registry that was restored may know it again.
const FORGET: Duration = Duration::from_secs(60);
/// The most bytes of schemas that are kept: a registry has some per table, of a few KB.
const MOST: usize = 64 << 20;
/// The most ids that count as unknown, and how many of one block are looked up.
const MOST_UNKNOWN: usize = 10_000;
const MOST_LOST: usize = 10;
/// How much of what a registry has said is shown.
const SHOWN: usize = 200;
/// The most schemas that one may refer to.
const MOST_REFERENCES: usize = 100;

/// A registry.
pub struct SchemaRegistry {
    web: Web,
    patience: Duration,
    /// Whether it has answered as a registry does: what it says otherwise may pass then.
    has_answered: AtomicBool,
    known: Mutex<Known>,
    /// Held by who asks, so that nobody asks for the same.
    turn: tokio::sync::Mutex<()>,
}

/// What is known of ids.
#[derive(Default)]
struct Known {
    schemas: HashMap<Id, Arc<Columned>>,
    /// How many bytes these have.
    bytes: usize,
    /// Why there is none, and since when that is known.
    unknown: HashMap<Id, (Arc<str>, Stopwatch)>,
}

/// A schema, or why there is none.
type Asked = Result<Arc<Columned>, Arc<str>>;

impl SchemaRegistry {
    /// A registry. Nothing is asked yet. One that is away is waited for as long as `patience`.
    ///
    /// # Errors
    /// If its certificates cannot be read.
    pub fn new(service: Service, patience: Duration) -> Result<SchemaRegistry, StoreError> {
        let attempt = format!("prepare requests to the schema registry at {}", service.url);
        let web = Web::new(service, &[]).map_err(|error| StoreError::definite(attempt, error))?;
        let (has_answered, known, turn) = Default::default();
        Ok(SchemaRegistry { web, patience, has_answered, known, turn })
    }

    /// Where it answers.
    pub fn url(&self) -> &str {
        &self.web.service().url
    }

    /// Checks that a registry of Avro's schemas answers there, and lets us in.
    ///
    /// # Errors
    /// If it does not.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.answers().await.map_err(|error| failed(format!("ask the schema registry at {}", self.url()), error))
    }

    async fn answers(&self) -> Result<(), NoAnswer> {
        let types = self.get("/schemas/types").await?;
        let has_avro = |types: &Value| types.as_array().is_some_and(|types| types.iter().any(|ty| ty == "AVRO"));
        if !types.as_ref().is_some_and(has_avro) {
            return Err(self.unlike());
        }
        self.has_answered.store(true, Relaxed);
        Ok(())
    }

    /// The schemas with these ids.
    ///
    /// # Errors
    /// If the registry is away for too long, or refuses us.
    pub async fn all(&self, ids: BTreeSet<Id>) -> Result<Schemas, StoreError> {
        let (mut all, mut lost) = (Schemas::with_capacity(ids.len()), 0);
        for id in ids {
            let asked = match self.known(id) {
                Some(known) => known,
                // Whoever writes such records may name as many as there are numbers.
                None if lost >= MOST_LOST => Err(Arc::from("which was not looked up, after others that are unknown")),
                None => {
                    let asked = self.ask(id).await?;
                    lost += usize::from(asked.is_err());
                    asked
                }
            };
            all.insert(id, asked);
        }
        Ok(all)
    }

    fn known(&self, id: Id) -> Option<Asked> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(schema) = known.schemas.get(&id) {
            return Some(Ok(schema.clone()));
        }
        let unknown = known.unknown.get(&id).filter(|(_, since)| since.elapsed() < FORGET);
        unknown.map(|(why, _)| Err(why.clone()))
    }

    fn keep(&self, id: Id, asked: &Asked, bytes: usize) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match asked {
            Ok(schema) => {
                if known.bytes + bytes > MOST {
                    (known.schemas, known.bytes) = Default::default();
                }
                known.bytes += bytes;
                known.schemas.insert(id, schema.clone());
            }
            Err(why) => {
                if known.unknown.len() >= MOST_UNKNOWN {
                    known.unknown.clear();
                }
                known.unknown.insert(id, (why.clone(), Stopwatch::start()));
            }
        }
    }

    /// Asks for a schema until there is an answer.
    async fn ask(&self, id: Id) -> Result<Asked, StoreError> {
        let _turn = self.turn.lock().await;
        if let Some(known) = self.known(id) {
            return Ok(known);
        }
        let (begun, mut told) = (Stopwatch::start(), None::<Stopwatch>);
        let is_over = |longest: Duration| begun.elapsed() >= longest.min(self.patience);
        let (asked, bytes) = loop {
            let error = match self.schema(id).await {
                Ok(Some(asked)) => break asked,
                Ok(None) if is_over(GRACE) => {
                    let why = format!("which the schema registry at {} does not have", self.url());
                    break (Err(why.into()), 0);
                }
                Ok(None) => None,
                Err(error) if !error.may_pass || is_over(Duration::MAX) => {
                    return Err(failed(format!("look up schema {id} in the schema registry"), error));
                }
                Err(error) => Some(error),
            };
            if let Some(error) = error.filter(|_| told.is_none_or(|told| told.elapsed() >= QUIET)) {
                told = Some(Stopwatch::start());
                tracing::warn!(schema = id, %error, "the schema registry gives no schema: trying again");
            }
            tokio::time::sleep(PAUSE).await;
        };
        self.keep(id, &asked, bytes);
        Ok(asked)
    }

    /// The schema with an id and its bytes, or why there is none that can be read; `None` if the
    /// registry does not have it.
    async fn schema(&self, id: Id) -> Result<Option<(Asked, usize)>, NoAnswer> {
        if !self.has_answered.load(Relaxed) {
            self.answers().await?;
        }
        let Some(answer) = self.get(&format!("/schemas/ids/{id}")).await? else { return Ok(None) };
        let Some(text) = answer["schema"].as_str() else { return Err(self.unlike()) };
        let none = |why: String| Ok(Some((Err(self.shown(&why)), 0)));
        if let Some(other) = answer["schemaType"].as_str().filter(|ty| *ty != "AVRO") {
            return none(format!("which is one of {other}"));
        }
        let mut others = Others::default();
        if let Some(name) = self.references(&answer, &mut others).await? {
            return none(format!(
                "which refers to {name:?}, and that is not in the schema registry, or one of too many"
            ));
        }
        let bytes = text.len() + others.texts.iter().map(String::len).sum::<usize>();
        match Schema::parse(text, &others.texts) {
            Ok(schema) => Ok(Some((Ok(Arc::new(schema.into())), bytes))),
            Err(why) => none(format!("which cannot be read: {why}")),
        }
    }

    /// What a registry has said, for a message: nothing of it is secret, and not too much.
    fn shown(&self, why: &str) -> Arc<str> {
        self.web.without_hidden(why).chars().take(SHOWN).collect::<String>().into()
    }

    /// Gathers the schemas that one refers to, each behind those that it refers to itself. Returns
    /// the name of one that is not there.
    fn references<'a>(
        &'a self,
        answer: &'a Value,
        others: &'a mut Others,
    ) -> Pending<'a, Result<Option<String>, NoAnswer>> {
        Box::pin(async move {
            for reference in answer["references"].as_array().into_iter().flatten() {
                let (subject, version) = (reference["subject"].as_str(), reference["version"].as_i64());
                let (Some(subject), Some(version)) = (subject, version) else { return Err(self.unlike()) };
                if !others.seen.insert((subject.to_owned(), version)) {
                    continue;
                }
                let there = match others.seen.len() <= MOST_REFERENCES {
                    true => self.get(&self.version(subject, version)).await?,
                    false => None,
                };
                let Some(answer) = there else { return Ok(Some(subject.to_owned())) };
                if let Some(name) = self.references(&answer, others).await? {
                    return Ok(Some(name));
                }
                let Some(text) = answer["schema"].as_str() else { return Err(self.unlike()) };
                others.texts.push(text.to_owned());
            }
            Ok(None)
        })
    }

    /// The path of one version of a subject, whose name may hold anything.
    fn version(&self, subject: &str, version: i64) -> String {
        let mut url = Url::parse("http://registry").expect("a URL");
        if let Ok(mut path) = url.path_segments_mut() {
            path.extend(["subjects", subject, "versions", &version.to_string()]);
        }
        url.path().to_owned()
    }

    /// What is at `path`; `None` if the registry says that it is not there.
    async fn get(&self, path: &str) -> Result<Option<Value>, NoAnswer> {
        let Answer { status, json } = self.web.ask(Method::GET, path, None).await?;
        let url = self.url();
        let no = |why: String, may_pass| Err(NoAnswer { why: format!("{url}{path} {why}"), may_pass });
        match status {
            _ if status.is_success() => json.map(Some).ok_or_else(|| self.unlike()),
            // Subject, version, or schema: other services that answer in JSON have other codes.
            StatusCode::NOT_FOUND if matches!(code(json.as_ref()), Some(40_401..=40_403)) => Ok(None),
            StatusCode::NOT_FOUND => Err(self.unlike()),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let section = self.web.service().section;
                let status = status.as_u16();
                no(format!("answers {status}: check user and password, or token, in [{section}]"), false)
            }
            _ => {
                const PASSING: [StatusCode; 3] =
                    [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY];
                let may_pass = status.is_server_error() || PASSING.contains(&status);
                no(format!("answers {}", status.as_u16()), may_pass)
            }
        }
    }

    fn unlike(&self) -> NoAnswer {
        let (url, section) = (self.url(), self.web.service().section);
        let why = format!(
            "{url} does not answer as a schema registry does: is {section}.url one's? That of Apicurio ends with \
             /apis/ccompat/v7"
        );
        // A gateway before it may answer in its place for a while.
        NoAnswer { why, may_pass: self.has_answered.load(Relaxed) }
    }
}

/// The code of an error of a registry.
fn code(json: Option<&Value>) -> Option<u64> {
    json?.get("error_code")?.as_u64()
}

/// The schemas that one refers to.
#[derive(Default)]
struct Others {
    seen: HashSet<(String, i64)>,
    texts: Vec<String>,
}

fn failed(attempt: String, error: NoAnswer) -> StoreError {
    match error.may_pass {
        true => StoreError::transient(attempt, error),
        false => StoreError::definite(attempt, error),
    }
}

#[cfg(test)]
mod tests;
