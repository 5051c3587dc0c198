//! A place as the library that reads whole logs needs it: its stores, and what its errors mean.
//!
//! The library gets our client of a container or bucket and never connects by itself, because it
//! would read the environment.

use std::path::Path;
use std::sync::Arc;

use deltalake::logstore::{LogStoreRef, StorageConfig, default_logstore};
use deltalake::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use object_store::ObjectStore;
use url::Url;

use crate::error::StoreError;
use crate::shown::without_secrets;
use crate::sink::files::{Blobs, Place};

impl Place {
    /// Opens the table in this folder with the library that reads whole logs.
    pub(super) async fn open(&self) -> Result<DeltaTable, StoreError> {
        let opened = match self {
            Place::Disk(path) => deltalake::open_table(url(path)?).await,
            Place::Blobs(blobs) => {
                let mut table = DeltaTable::new(blobs.log_store());
                table.load().await.map(|()| table)
            }
        };
        opened.map_err(|error| self.library_failure(format!("read table {self}"), error))
    }

    /// The log of the table in this folder, as the library reads it.
    pub(super) fn log_store(&self) -> Result<LogStoreRef, StoreError> {
        match self {
            Place::Disk(path) => DeltaTableBuilder::from_url(url(path)?)
                .and_then(DeltaTableBuilder::build)
                .map(|table| table.log_store())
                .map_err(|error| self.library_failure(format!("read table {self}"), error)),
            Place::Blobs(blobs) => Ok(blobs.log_store()),
        }
    }

    /// What the library's error means here.
    pub(super) fn library_failure(&self, attempt: String, error: DeltaTableError) -> StoreError {
        match self {
            Place::Disk(_) => StoreError::definite(attempt, error),
            Place::Blobs(blobs) => blobs.library_failure(attempt, &error),
        }
    }
}

impl Blobs {
    /// The table under this prefix, as a store for the library. The library sees nothing but the
    /// table, because it encodes the characters of a longer path in several ways.
    pub(super) fn log_store(&self) -> LogStoreRef {
        let store: Arc<dyn ObjectStore> = self.store();
        let root = Url::parse("az://table/").expect("a constant");
        default_logstore(store.clone(), store, &root, &StorageConfig::default())
    }

    /// The meaning of an error of the library over blobs: it is the store's, or about the content
    /// of the log.
    pub(super) fn library_failure(&self, attempt: String, error: &DeltaTableError) -> StoreError {
        self.failure(&attempt, error)
            .unwrap_or_else(|| StoreError::definite(attempt, without_secrets(&error.to_string()).into_owned()))
    }
}

/// The library's URL of a local folder.
fn url(directory: &Path) -> Result<Url, StoreError> {
    let absolute = std::path::absolute(directory)
        .map_err(|e| StoreError::definite(format!("find table {}", directory.display()), e))?;
    Url::from_directory_path(&absolute).map_err(|()| {
        StoreError::definite(format!("find table {}", directory.display()), "the path cannot be written as a URL")
    })
}

#[cfg(test)]
mod tests {
    use object_store::client::{HttpError, HttpErrorKind};

    use super::*;
    use crate::s3::{Bucket, Credential, Location};

    #[test]
    fn a_stores_silence_is_transient_and_a_torn_log_is_not() {
        let bucket = Bucket {
            name: "lake".to_owned(),
            url: "https://lake.example".to_owned(),
            region: "r".to_owned(),
            credential: Credential::Instance { service: None },
        };
        let blobs = Blobs::s3(&Location { bucket, path: String::new() }).expect("a client");
        for kind in [HttpErrorKind::Timeout, HttpErrorKind::Interrupted, HttpErrorKind::Request, HttpErrorKind::Connect]
        {
            let broken = HttpError::new(kind, std::io::Error::other("nothing came"));
            let error = object_store::Error::Generic { store: "S3", source: Box::new(broken) };
            let failure = blobs.library_failure("read".to_owned(), &DeltaTableError::ObjectStore { source: error });
            assert!(failure.is_transient());
        }
        let broken = DeltaTableError::Generic("a commit is torn".to_owned());
        assert!(!blobs.library_failure("read".to_owned(), &broken).is_transient());
    }
}
