//! An append blob from its writer's side, for trying or measuring a pipeline with a blob that
//! grows.
//!
//! Promises: each append is in the blob once, even if an answer was lost, or the error states that
//! it may not be. Every append names the length that it expects; after a failure, the blob is
//! looked at before anything is sent again. A blob with content is never written to, and no blob is
//! created where there is a folder.

use std::sync::Arc;
use std::time::Duration;

use azure_core::error::ErrorKind;
use azure_core::http::{Etag, StatusCode};
use azure_core::{Bytes, Error};
use azure_storage_blob::clients::{BlobClient, BlobContainerClient};
use azure_storage_blob::models::{
    AppendBlobClientAppendBlockOptions, AppendBlobClientCreateOptions, BlobClientGetPropertiesResultHeaders,
    BlobContainerClientListBlobsOptions,
};
use futures::TryStreamExt;

use super::{Location, advice, client, code, told};
use crate::error::StoreError;
use crate::protocol::clock::Clock;
use crate::protocol::retry::Retry;

/// The most bytes one request can append: the older limit of the service, and the emulator's.
const BLOCK: usize = 4 << 20;
/// A request without an answer for this long is abandoned.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A blob that grows.
pub struct AppendBlob {
    blob: BlobClient,
    /// Its location for messages, without credentials.
    name: String,
    length: u64,
    clock: Arc<dyn Clock>,
}

/// What [`AppendBlob::begin`] found.
pub enum Begun {
    /// An empty blob, to be written to.
    Empty(AppendBlob),
    /// A blob with content.
    HasContent,
    /// Blobs below the location. A blob at the location would make their folder unreadable.
    IsFolder,
}

impl AppendBlob {
    /// Opens the blob at `location` for appending, and creates it if there is none. A blob with
    /// content, or a folder, is left alone.
    pub async fn begin(location: &Location, clock: Arc<dyn Clock>) -> Result<Begun, StoreError> {
        let container = client::container(location)?;
        let blob = container.blob_client(&location.path);
        let mut appender = AppendBlob { blob, name: location.to_string(), length: 0, clock };
        let mut retry = Retry::default();
        if appender.is_folder(&container, &location.path, &mut retry).await? {
            return Ok(Begun::IsFolder);
        }
        loop {
            let nothing_there = Some(Etag::from("*"));
            let options = AppendBlobClientCreateOptions { if_none_match: nothing_there, ..Default::default() };
            let client = appender.blob.append_blob_client();
            match appender.timely("create", client.create(Some(options))).await {
                Ok(()) => return Ok(Begun::Empty(appender)),
                // The blob existed before, or an answer was lost.
                Err((_, Some(StatusCode::Conflict | StatusCode::PreconditionFailed))) => {
                    appender.length = appender.now(&mut retry).await?;
                    return Ok(if appender.length == 0 { Begun::Empty(appender) } else { Begun::HasContent });
                }
                Err((error, _)) => retry.after(error, &*appender.clock).await?,
            }
        }
    }

    /// Whether there are blobs below `path`.
    async fn is_folder(
        &self,
        container: &BlobContainerClient,
        path: &str,
        retry: &mut Retry,
    ) -> Result<bool, StoreError> {
        loop {
            let prefix = Some(format!("{path}/"));
            let options = BlobContainerClientListBlobsOptions { prefix, maxresults: Some(1), ..Default::default() };
            let first = async { container.list_blobs(Some(options))?.try_next().await };
            match self.answered("look below", first).await {
                Ok(first) => return Ok(first.is_some()),
                // A signature that allows writing need not allow listing.
                Err((error, Some(StatusCode::Forbidden))) => {
                    tracing::warn!(%error, "could not find out whether it is a folder");
                    return Ok(false);
                }
                Err((error, _)) => retry.after(error, &*self.clock).await?,
            }
        }
    }

    /// Appends `bytes`. The service holds them durably when this returns.
    pub async fn append(&mut self, bytes: Vec<u8>) -> Result<(), StoreError> {
        let mut rest = Bytes::from(bytes);
        while !rest.is_empty() {
            let block = rest.split_to(rest.len().min(BLOCK));
            self.append_block(block).await?;
        }
        Ok(())
    }

    async fn append_block(&mut self, block: Bytes) -> Result<(), StoreError> {
        let after = self.length + block.len() as u64;
        let mut retry = Retry::default();
        loop {
            let append_position = i64::try_from(self.length).ok();
            let options = AppendBlobClientAppendBlockOptions { append_position, ..Default::default() };
            let client = self.blob.append_blob_client();
            let sent = client.append_block(block.clone().into(), block.len() as u64, Some(options));
            let error = match self.timely("append to", sent).await {
                Ok(()) => break,
                // The block may be in the blob nevertheless: an answer was lost, or this is the
                // second of two tries.
                Err((error, status)) if error.is_transient() || status == Some(StatusCode::PreconditionFailed) => error,
                Err((error, _)) => return Err(error),
            };
            match self.now(&mut retry).await? {
                now if now == after => break,
                now if now == self.length => retry.after(error, &*self.clock).await?,
                now => {
                    let cause = format!("it has {now} bytes instead of {}: somebody else writes to it", self.length);
                    return Err(StoreError::definite(format!("append to {}", self.name), cause));
                }
            }
        }
        self.length = after;
        Ok(())
    }

    /// The blob's current length.
    async fn now(&self, retry: &mut Retry) -> Result<u64, StoreError> {
        loop {
            match self.answered("look at", self.blob.get_properties(None)).await {
                Ok(answer) => return Ok(answer.content_length().ok().flatten().unwrap_or_default()),
                Err((error, _)) => retry.after(error, &*self.clock).await?,
            }
        }
    }

    async fn timely<T>(&self, verb: &str, request: impl Future<Output = Result<T, Error>>) -> Result<(), Failed> {
        self.answered(verb, request).await.map(drop)
    }

    async fn answered<T>(&self, verb: &str, request: impl Future<Output = Result<T, Error>>) -> Result<T, Failed> {
        let attempt = format!("{verb} {}", self.name);
        tokio::select! {
            answer = request => answer.map_err(|error| failed(attempt, &error)),
            () = self.clock.pause(TIMEOUT.as_millis() as u64) => {
                Err((StoreError::transient(attempt, format!("no answer for {} s", TIMEOUT.as_secs())), None))
            }
        }
    }
}

/// Why a request failed, and the service's status, if it answered.
type Failed = (StoreError, Option<StatusCode>);

fn failed(attempt: String, error: &Error) -> Failed {
    let status = match error.kind() {
        ErrorKind::HttpResponse { status, .. } => Some(*status),
        _ => None,
    };
    let advice = code(error).and_then(advice).map(|advice| format!(": {advice}")).unwrap_or_default();
    let cause = format!("{}{advice}", told(error));
    let passes = match (status, error.kind()) {
        (Some(StatusCode::RequestTimeout | StatusCode::TooManyRequests), _) => true,
        (Some(status), _) => status.is_server_error(),
        (None, kind) => !matches!(kind, ErrorKind::Credential),
    };
    let error = if passes { StoreError::transient(attempt, cause) } else { StoreError::definite(attempt, cause) };
    (error, status)
}
