//! Blobs of an Azure storage account: one, all below a folder, or a glob; mainly growing append
//! blobs.
//!
//! Promises: what is read is what was planned, byte for byte, through every fault of the service
//! and of the way to it, or the error names the bytes that could not be read; an idle poll costs
//! one or two requests, however many blobs there are; no text contains a signature or key. Leaves
//! to others: which bytes to read, and what to do when a blob was rewritten.
//!
//! ```text
//! names     which blobs, and what they are called in the source
//! listing   what exists: all pages, the folders of the last hours, or one unchanged blob
//! read      the bytes of a range, continued where an answer broke off
//! failure   what an answer means        retry   when to send the request again
//! ```

mod failure;
mod hours;
mod listing;
mod names;
mod read;
mod retry;

use std::ops::Range;
use std::sync::{Arc, Mutex};

use azure_core::http::Etag;
use azure_core::time::{OffsetDateTime, parse_rfc3339, to_rfc3339};
use azure_storage_blob::clients::{BlobClient, BlobContainerClient};

use self::listing::Known;
use self::names::{Named, Names};
use self::retry::Retries;
use super::{ByteSource, Listed, Listing};
use crate::azure::{ListingSettings, Location, RetrySettings, client};
use crate::error::StoreError;
use crate::protocol::Pending;
use crate::protocol::clock::Clock;
use crate::run::fatal::StopRequest;
use crate::run::metrics::retry::Count;
use crate::source::files::identity::Identity;

/// A source of blobs.
pub struct AzureSource {
    identity: String,
    /// The identity of the container, with a trailing slash.
    whole: String,
    container: BlobContainerClient,
    names: Names,
    how: ListingSettings,
    retries: Retries,
    clock: Arc<dyn Clock>,
    /// What earlier listings have shown.
    known: Mutex<Known>,
}

impl AzureSource {
    /// Opens the source at `location`. Nothing is sent yet. Once a `stop` is requested, the source
    /// does not wait out outages.
    pub fn open(
        location: &Location,
        how: ListingSettings,
        retry: RetrySettings,
        clock: Arc<dyn Clock>,
        stop: StopRequest,
    ) -> Result<AzureSource, StoreError> {
        Ok(AzureSource {
            identity: location.to_string(),
            whole: format!("az://{}/{}/", location.account.name, location.container),
            container: client::container(location)?,
            names: Names::of(&location.path)?,
            how,
            retries: Retries::new(retry, clock.clone(), stop),
            clock,
            known: Mutex::default(),
        })
    }

    /// Reads hidden and temporary blobs too.
    pub fn with_temporary(mut self) -> AzureSource {
        self.names.read_temporary();
        self
    }

    fn blob(&self, name: &str) -> BlobClient {
        let single = self.known().single.is_some();
        self.container.blob_client(&self.names.blob(name, single))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The name of `blob` in the source at `location`; `None` if the source does not read it.
pub fn name_of(location: &Location, blob: &Location) -> Result<Option<String>, StoreError> {
    if location.account.name != blob.account.name || location.container != blob.container {
        return Ok(None);
    }
    let named = Names::of(&location.path)?.name(&blob.path);
    Ok(named.map(|named| match named {
        Named::Single(name) | Named::Below(name) => name,
    }))
}

impl ByteSource for AzureSource {
    fn identity(&self) -> &str {
        &self.identity
    }

    /// A single blob is only known to be one once it has been listed.
    fn root(&self) -> String {
        let single = self.known().single.is_some();
        format!("{}{}", self.whole, self.names.root(single)).trim_end_matches('/').to_owned()
    }

    fn list(&self) -> Pending<'_, Result<Listing, StoreError>> {
        Box::pin(async move {
            let looked = self.known().looked.take();
            match looked {
                Some(listing) => Ok(listing),
                None => self.look_around().await,
            }
        })
    }

    fn is_there<'a>(&'a self, listed: &'a Listed) -> Pending<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            let now = self.properties(&listed.name).await?;
            Ok(now.is_some_and(|now| now.created == listed.created && now.length >= listed.length))
        })
    }

    fn is_empty(&self) -> Pending<'_, Result<bool, StoreError>> {
        Box::pin(self.has_nothing())
    }

    fn retries(&self) -> Count {
        self.retries.count()
    }

    fn has_links(&self) -> bool {
        false
    }

    fn created_ms(&self, created: &str) -> Option<u64> {
        parse_rfc3339(created).ok().map(millis)
    }

    fn read<'a>(
        &'a self,
        name: &'a str,
        identity: &'a Identity,
        range: Range<u64>,
        into: Vec<u8>,
    ) -> Pending<'a, Result<Vec<u8>, StoreError>> {
        Box::pin(self.read_range(name, identity, range, into))
    }
}

/// A blob's creation time, as an [`Identity`] holds it.
fn created(at: Option<OffsetDateTime>) -> String {
    at.map(|at| to_rfc3339(&at)).unwrap_or_default()
}

/// An ETag, as an [`Identity`] holds it: without the quotes, which headers have and listings leave
/// out.
fn revision(etag: Option<&Etag>) -> String {
    etag.map(|etag| etag.to_string().trim_matches('"').to_owned()).unwrap_or_default()
}

fn millis(at: OffsetDateTime) -> u64 {
    u64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or_default()
}
