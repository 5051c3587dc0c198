//! What a credential may do at a location, for people who set one up.
//!
//! Promises: nothing is written; one page of a listing and one byte are read; the result holds no
//! secrets.

use std::fmt;
use std::num::NonZero;
use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use azure_core::error::{Error, ErrorKind};
use azure_core::http::StatusCode;
use azure_storage_blob::clients::BlobContainerClient;
use azure_storage_blob::models::{BlobClientDownloadOptions, BlobContainerClientListBlobsOptions};
use futures::TryStreamExt;

use super::{Credential, Location, advice, client, code, entra, told};
use crate::error::StoreError;

/// What the probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The account and the credential that opened it; for Entra, the link.
    pub opened: String,
    /// Whether blobs may be listed.
    pub list: Permission,
    /// Whether a blob may be read.
    pub read: Permission,
    /// The service's clock when it listed, in milliseconds since 1970; `None` if it did not.
    pub at_ms: Option<u64>,
}

/// Whether something is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permission {
    /// It was tried and worked.
    Granted,
    /// It was refused; why, and what to do.
    Denied(String),
    /// It was not tried, and why.
    Untried(&'static str),
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: list {}, read {}, write not tried", self.opened, self.list, self.read)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Permission::Granted => f.write_str("granted"),
            Permission::Denied(why) => write!(f, "denied ({why})"),
            Permission::Untried(why) => write!(f, "not tried ({why})"),
        }
    }
}

/// Finds out what is allowed at `location`. Fails if the service does not answer, or refuses for a
/// reason other than a missing permission.
pub async fn probe(location: &Location) -> Result<Access, StoreError> {
    let account = &location.account;
    let (client, chain) = match &account.credential {
        Credential::Entra(entra) => {
            let chain = entra::chain(entra);
            let token: Arc<dyn TokenCredential> = chain.clone();
            (client::open(location, Some(token))?, Some(chain))
        }
        Credential::Sas(_) | Credential::Key(_) => (client::open(location, None)?, None),
    };
    let attempt = |what: &str| format!("{what} container {:?} of {}", location.container, account.describe());
    let listed = list(&client, location).await;
    let (list, FirstBlob { first, at_ms }) = match listed {
        Ok(seen) => (Permission::Granted, seen),
        Err(error) => (permission(&error).ok_or_else(|| failed(attempt("list"), &error))?, FirstBlob::default()),
    };
    // A signature may cover a single blob only.
    let blob = match (&list, first) {
        (_, Some(first)) => Some(first),
        (Permission::Denied(_), None) if is_name(&location.path) => Some(location.path.clone()),
        _ => None,
    };
    let read = match blob {
        None => Permission::Untried("there is no blob"),
        Some(blob) => match read(&client, &blob).await {
            Ok(()) => Permission::Granted,
            Err(error) if code(&error) == Some("BlobNotFound") => Permission::Untried("the blob is gone"),
            Err(error) => permission(&error).ok_or_else(|| failed(attempt("read a blob in"), &error))?,
        },
    };
    let opened = match chain.as_ref().and_then(|chain| chain.chosen()) {
        Some(link) => format!("account {} by Entra ID, {link}", account.name),
        None => account.describe(),
    };
    Ok(Access { opened, list, read, at_ms })
}

/// What a listing of one blob shows.
#[derive(Default)]
struct FirstBlob {
    /// The first blob, if there is one.
    first: Option<String>,
    at_ms: Option<u64>,
}

async fn list(client: &BlobContainerClient, location: &Location) -> azure_core::Result<FirstBlob> {
    let fixed = location.path.find(['*', '?', '[', '{']).unwrap_or(location.path.len());
    let options = BlobContainerClientListBlobsOptions {
        maxresults: Some(1),
        prefix: Some(location.path[..fixed].to_owned()).filter(|prefix| !prefix.is_empty()),
        ..BlobContainerClientListBlobsOptions::default()
    };
    let page = client.list_blobs(Some(options))?.into_pages().try_next().await?;
    let Some(page) = page else {
        return Ok(FirstBlob::default());
    };
    let at_ms = client::clock_ms(page.headers());
    let first = page.into_model()?.blob_items.into_iter().next();
    Ok(FirstBlob { first: first.and_then(|blob| blob.name), at_ms })
}

/// Reads one byte of `blob`.
async fn read(client: &BlobContainerClient, blob: &str) -> azure_core::Result<()> {
    let options = BlobClientDownloadOptions {
        range: Some((0..1u64).into()),
        parallel: Some(NonZero::<usize>::MIN),
        ..BlobClientDownloadOptions::default()
    };
    match client.blob_client(blob).download_into(&mut [0], Some(options)).await {
        // An empty blob has no first byte; the refusal is not about permissions.
        Err(error) if error.http_status() == Some(StatusCode::RequestedRangeNotSatisfiable) => Ok(()),
        other => other.map(|_| ()),
    }
}

fn is_name(path: &str) -> bool {
    !path.is_empty() && !path.ends_with('/') && !path.contains(['*', '?', '[', '{'])
}

/// Whether `error` means that only this operation is not allowed, while the credential is good.
fn permission(error: &Error) -> Option<Permission> {
    match code(error)? {
        code @ ("AuthorizationPermissionMismatch"
        | "AuthorizationServiceMismatch"
        | "AuthorizationResourceTypeMismatch") => {
            let text = format!("{code}: {}", advice(code).unwrap_or_default());
            Some(Permission::Denied(text))
        }
        _ => None,
    }
}

fn failed(attempt: String, error: &Error) -> StoreError {
    let hint = code(error).and_then(advice);
    let source = match hint {
        Some(hint) => format!("{}: {hint}", code(error).unwrap_or_default()),
        None => told(error),
    };
    let later = match error.kind() {
        ErrorKind::Connection | ErrorKind::Io => true,
        ErrorKind::HttpResponse { status, .. } => status.is_server_error() || *status == StatusCode::TooManyRequests,
        _ => false,
    };
    if later { StoreError::transient(attempt, source) } else { StoreError::definite(attempt, source) }
}

#[cfg(test)]
mod tests;
