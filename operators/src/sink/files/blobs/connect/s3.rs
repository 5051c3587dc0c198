//! Makes a client of a location's bucket.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsCredential, AwsCredentialProvider, S3ConditionalPut};
use object_store::client::{HttpError, HttpErrorKind};
use object_store::{CredentialProvider, Error, Result};

use super::pages::NoPages;

use crate::error::StoreError;
use crate::s3::{Bucket, Credential, Location, keys};
use crate::sink::files::blobs::container::Container;
use crate::sink::files::blobs::failure::{Service, causes, status};

/// A client of the location's bucket.
pub(in crate::sink::files::blobs) fn bucket(location: &Location) -> Result<Container, StoreError> {
    let Bucket { name, credential, .. } = &location.bucket;
    let name = format!("s3://{name}");
    // The builder's own error may quote what it was given.
    let refused = |_: Error| StoreError::definite(format!("connect to {name}"), "its credential cannot be used");
    let client = match credential {
        Credential::Key { .. } => builder(&location.bucket).build().map_err(refused)?,
        _ => asking(&location.bucket).map_err(refused)?,
    };
    Ok(Container { name, client: Box::new(client), service: Service::S3 })
}

/// Everything about a bucket but what is asked of others.
fn builder(bucket: &Bucket) -> AmazonS3Builder {
    let builder = AmazonS3Builder::new()
        .with_bucket_name(&bucket.name)
        .with_region(&bucket.region)
        // The URL is the bucket's, in whichever style: the client adds nothing to it.
        .with_virtual_hosted_style_request(true)
        .with_endpoint(&bucket.url)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_client_options(super::options(bucket.url.starts_with("http:")))
        .with_http_connector(NoPages)
        .with_retry(super::retry());
    keys::opened(builder, &bucket.region, &bucket.credential)
}

/// A client that asks for its key, and whose errors tell when it got none.
fn asking(bucket: &Bucket) -> Result<AmazonS3> {
    let keys = builder(bucket).build()?.credentials().clone();
    let of = bucket.credential.describe();
    builder(bucket).with_credentials(Arc::new(Keys { keys, of, had_one: AtomicBool::new(false) })).build()
}

/// The client's own way to ask for a key, which keeps it until it expires.
struct Keys {
    keys: AwsCredentialProvider,
    of: &'static str,
    /// Whether there was a key before.
    had_one: AtomicBool,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

#[async_trait]
impl CredentialProvider for Keys {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> Result<Arc<AwsCredential>> {
        match self.keys.get_credential().await {
            Ok(key) => {
                self.had_one.store(true, Ordering::Relaxed);
                Ok(key)
            }
            Err(error) => {
                let never = !self.had_one.load(Ordering::Relaxed);
                Err(Error::Generic { store: "S3", source: Box::new(NoKey::of(&error, self.of, never)) })
            }
        }
    }
}

/// Nobody gave a key. The client's own error is not kept, because it may contain a token.
#[derive(Debug, thiserror::Error)]
#[error("no key from {of}: {why}")]
pub(in crate::sink::files::blobs) struct NoKey {
    of: &'static str,
    why: String,
    /// Whether trying again is of no use: there never was a key, and nobody is there to ask, or
    /// what was asked has refused.
    pub(in crate::sink::files::blobs) for_good: bool,
}

impl NoKey {
    fn of(error: &Error, of: &'static str, never: bool) -> NoKey {
        let broken = causes(error).find_map(|e| e.downcast_ref::<HttpError>());
        let text = error.to_string();
        let (why, is_answer) = match (broken.map(HttpError::kind), status(&text)) {
            (Some(HttpErrorKind::Connect), _) => ("nobody answers there".to_owned(), true),
            (Some(_), _) => ("no answer came".to_owned(), false),
            (None, Some(status)) => (format!("the answer was {status}"), status < 500 && status != 429),
            (None, None) if text.contains("token file") => ("its token file cannot be read".to_owned(), true),
            (None, None) => ("its answer could not be read".to_owned(), false),
        };
        NoKey { of, why, for_good: never && is_answer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_never_came_is_told_without_what_was_sent() {
        let told = |text: &str, never| {
            let error = Error::Generic { store: "S3", source: text.to_owned().into() };
            let none = NoKey::of(&error, "the role of the machine", never);
            assert!(!none.to_string().contains("hunter2"), "{none}");
            (none.to_string(), none.for_good)
        };
        let refused =
            "POST https://sts/?WebIdentityToken=hunter2 - Server returned non-2xx status code: 403 Forbidden: x";
        assert_eq!(told(refused, true), ("no key from the role of the machine: the answer was 403".to_owned(), true));
        assert!(!told(refused, false).1, "there was a key before, and there may be one again");
        assert!(!told("status code: 500 x", true).1 && !told("hunter2", true).1);
        let file = "Failed to read token file '/hunter2': gone";
        assert!(told(file, true).0.ends_with("its token file cannot be read"));
    }
}
