//! Files as block blobs of an Azure container, or as objects of a bucket of S3, which are called
//! blobs here too.
//!
//! A blob appears whole when its last request succeeds, and is durable from then on;
//! `If-None-Match: *` makes creating one conditional. `failure/` decides what a request's answer
//! means, above all whether it is one; `probe.rs`, whether a store keeps the condition.
//!
//! The client sends a request again after a server error or a broken connection. So a conditional
//! write may find what its own first attempt created, and report "exists". That is not wrong: the
//! caller reads what is there, and recognizes a commit by its id and an offsets file by its
//! content.

mod connect;
mod container;
mod failure;
mod probe;
mod upload;

use std::fmt;
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions};

use self::container::Container;
use self::failure::Answer;
use crate::error::StoreError;
use crate::protocol::group::Created;
use crate::{azure, s3};

pub use self::upload::UPLOADS;

/// A blob or a prefix of blobs, and the connections to its container.
#[derive(Clone, Debug)]
pub struct Blobs {
    container: Arc<Container>,
    path: Path,
}

impl fmt::Display for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.container, self.path)
    }
}

impl Blobs {
    /// The blobs of an account.
    pub(in crate::sink) fn azure(location: &azure::Location) -> Result<Blobs, StoreError> {
        Blobs::of(connect::container(location)?, location, &location.path)
    }

    /// The objects of a bucket.
    pub(in crate::sink) fn s3(location: &s3::Location) -> Result<Blobs, StoreError> {
        Blobs::of(connect::bucket(location)?, location, &location.path)
    }

    fn of(container: Container, location: &dyn fmt::Display, path: &str) -> Result<Blobs, StoreError> {
        let path = Path::parse(path).map_err(|e| StoreError::definite(format!("use {location}"), e))?;
        Ok(Blobs { container: Arc::new(container), path })
    }

    /// Names stay as they are given; the store's own way to join would encode some characters.
    pub(in crate::sink) fn join(&self, name: &str) -> Blobs {
        let path = Path::parse(format!("{}/{name}", self.path)).unwrap_or_else(|_| self.path.clone().join(name));
        Blobs { container: self.container.clone(), path }
    }

    /// Creates this file with `content`, durably.
    async fn try_create(&self, content: Vec<u8>) -> Result<(), Answer> {
        let options = PutOptions::from(PutMode::Create);
        let created = self.container.put_opts(&self.path, content.into(), options).await;
        created.map(drop).map_err(|error| self.answer(&error))
    }

    /// Creates this file with `content`, durably, unless it exists.
    pub(in crate::sink) async fn create(&self, content: Vec<u8>) -> Result<Created, StoreError> {
        match self.try_create(content).await {
            Ok(()) => Ok(Created::Yes),
            Err(Answer::Exists) => Ok(Created::No),
            Err(answer) => Err(answer.failure(format!("create {self}"))),
        }
    }

    pub(in crate::sink) async fn read(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let content = async { self.container.get(&self.path).await?.bytes().await };
        self.unless_missing("read", content.await.map(|content| Some(content.into())))
    }

    pub(in crate::sink) async fn exists(&self) -> Result<bool, StoreError> {
        self.unless_missing("look for", self.container.head(&self.path).await.map(|_| true))
    }

    pub(in crate::sink) async fn delete(&self) -> Result<(), StoreError> {
        self.unless_missing("delete", self.container.delete(&self.path).await)
    }

    /// The names of blobs and of prefixes directly below this one.
    pub(in crate::sink) async fn names(&self) -> Result<Vec<String>, StoreError> {
        let listed = self.container.list_with_delimiter(Some(&self.path)).await;
        let listed = listed.map_err(|e| self.answer(&e).failure(format!("list {self}")))?;
        let paths = listed.objects.iter().map(|object| &object.location).chain(&listed.common_prefixes);
        Ok(paths.filter_map(Path::filename).map(str::to_owned).collect())
    }

    /// Asks for the names page by page, and stops at the first match, because a log may have
    /// hundreds of thousands.
    pub(in crate::sink) async fn holds(&self, is_wanted: &(impl Fn(&str) -> bool + Sync)) -> Result<bool, StoreError> {
        let mut listed = self.container.list(Some(&self.path));
        let failed = |e: Error| self.answer(&e).failure(format!("list {self}"));
        while let Some(object) = listed.try_next().await.map_err(failed)? {
            if object.location.filename().is_some_and(is_wanted) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What is under this prefix, as a store for a library that asks for one.
    pub(in crate::sink) fn store(&self) -> Arc<dyn ObjectStore> {
        let container: Arc<dyn ObjectStore> = self.container.clone();
        Arc::new(PrefixStore::new(container, self.path.clone()))
    }

    /// The failure of `attempt` if `error`, which a library passed on, is the service's answer or
    /// its silence; none if it is about something else, such as the content of a file.
    pub(in crate::sink) fn failure(
        &self,
        attempt: &str,
        error: &(dyn std::error::Error + 'static),
    ) -> Option<StoreError> {
        self.container.service.failure(attempt, error)
    }

    /// What the error of a request means.
    fn answer(&self, error: &Error) -> Answer {
        self.container.service.answer(error)
    }

    /// Something missing is an answer, not an error: the default of `T`.
    fn unless_missing<T: Default>(&self, verb: &str, result: Result<T, Error>) -> Result<T, StoreError> {
        result.or_else(|error| match self.answer(&error) {
            Answer::Missing => Ok(T::default()),
            answer => Err(answer.failure(format!("{verb} {self}"))),
        })
    }
}
