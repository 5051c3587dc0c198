//! A schema registry, by the interface of Confluent's, which Apicurio, Karapace and Redpanda have
//! too: schemas of Avro by their ids.
//!
//! Promises: an id means one schema for good, so each is asked for once. A registry that is away is
//! waited for, as a broker is. An id that it does not know costs the records that name it, and no
//! others.

use std::collections::{BTreeSet, HashMap, HashSet};
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
/// For how long an id counts as unknown: a registry that was restored may know it again.
const FORGET: Duration = Duration::from_secs(60);
/// The most schemas that are kept: a registry has some per table.
const MOST: usize = 10_000;
/// The most schemas that one may refer to.
const MOST_REFERENCES: usize = 100;

/// A registry.
pub struct SchemaRegistry {
    web: Web,
    patience: Duration,
    known: Mutex<HashMap<Id, Known>>,
}

/// What is known of an id.
#[derive(Clone)]
enum Known {
    /// Its schema.
    Schema(Arc<Columned>),
    /// Why there is none, and since when that is known.
    None(String, Stopwatch),
}

impl SchemaRegistry {
    /// A registry. Nothing is asked yet. One that is away is waited for as long as `patience`.
    ///
    /// # Errors
    /// If its certificates cannot be read.
    pub fn new(service: Service, patience: Duration) -> Result<SchemaRegistry, StoreError> {
        let attempt = format!("prepare requests to the schema registry at {}", service.url);
        let web = Web::new(service, &[]).map_err(|error| StoreError::definite(attempt, error))?;
        Ok(SchemaRegistry { web, patience, known: Mutex::default() })
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
        let attempt = || format!("ask the schema registry at {}", self.url());
        let types = self.get("/schemas/types").await.map_err(|error| failed(attempt(), error))?;
        let has_avro = |types: &Value| types.as_array().is_some_and(|types| types.iter().any(|ty| ty == "AVRO"));
        match types.as_ref().is_some_and(has_avro) {
            true => Ok(()),
            false => Err(StoreError::definite(attempt(), "it does not say that it has schemas of Avro")),
        }
    }

    /// The schemas with these ids.
    ///
    /// # Errors
    /// If the registry is away for too long, or refuses us.
    pub async fn all(&self, ids: BTreeSet<Id>) -> Result<Schemas, StoreError> {
        let mut all = Schemas::with_capacity(ids.len());
        for id in ids {
            let known = match self.known(id) {
                Some(known) => known,
                None => self.ask(id).await?,
            };
            all.insert(
                id,
                match known {
                    Known::Schema(schema) => Ok(schema),
                    Known::None(why, _) => Err(why),
                },
            );
        }
        Ok(all)
    }

    fn known(&self, id: Id) -> Option<Known> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |known: &&Known| !matches!(known, Known::None(_, since) if since.elapsed() >= FORGET);
        known.get(&id).filter(is_fresh).cloned()
    }

    /// Asks for a schema until there is an answer.
    async fn ask(&self, id: Id) -> Result<Known, StoreError> {
        let (begun, mut told) = (Stopwatch::start(), None::<Stopwatch>);
        let asked = loop {
            let error = match self.schema(id).await {
                Ok(asked) => break asked,
                Err(error) => error,
            };
            if !error.may_pass || begun.elapsed() >= self.patience {
                return Err(failed(format!("look up schema {id} in the schema registry"), error));
            }
            if told.is_none_or(|told| told.elapsed() >= QUIET) {
                told = Some(Stopwatch::start());
                tracing::warn!(schema = id, %error, "the schema registry gives no schema: trying again");
            }
            tokio::time::sleep(PAUSE).await;
        };
        let asked = match asked {
            Ok(schema) => Known::Schema(Arc::new(schema.into())),
            Err(why) => Known::None(why, Stopwatch::start()),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(id, asked.clone());
        Ok(asked)
    }

    /// The schema with an id, or why there is none.
    async fn schema(&self, id: Id) -> Result<Result<Schema, String>, NoAnswer> {
        let Some(answer) = self.get(&format!("/schemas/ids/{id}")).await? else {
            return Ok(Err(format!("which the schema registry at {} does not have", self.url())));
        };
        let Some(text) = answer["schema"].as_str() else { return Err(self.unlike()) };
        if let Some(other) = answer["schemaType"].as_str().filter(|ty| *ty != "AVRO") {
            return Ok(Err(format!("which is one of {}", self.web.without_hidden(other))));
        }
        let mut others = Others::default();
        if let Some(name) = self.references(&answer, &mut others).await? {
            return Ok(Err(format!("which refers to {name:?}, and the schema registry does not have that")));
        }
        Ok(Schema::parse(text, &others.texts).map_err(|why| format!("which cannot be read: {why}")))
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
            StatusCode::NOT_FOUND if json.as_ref().is_some_and(|json| json.get("error_code").is_some()) => Ok(None),
            StatusCode::NOT_FOUND => Err(self.unlike()),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let section = self.web.service().section;
                let status = status.as_u16();
                no(format!("answers {status}: check user and password, or token, in [{section}]"), false)
            }
            _ => {
                let may_pass = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
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
        NoAnswer { why, may_pass: false }
    }
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
