//! The SDK's clients for a location. They send each request once; the caller, who knows what it is
//! for, decides how often to try.

use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::policies::Policy;
use azure_core::http::{ClientOptions, RetryOptions};
use azure_core::time::parse_rfc7231;
use azure_storage_blob::clients::{BlobContainerClient, BlobContainerClientOptions};

use super::shared_key::SharedKey;
use super::{Credential, Location};
use crate::error::StoreError;

/// A client for the location's container.
pub fn container(location: &Location) -> Result<BlobContainerClient, StoreError> {
    match &location.account.credential {
        Credential::Entra(entra) => {
            let chain: Arc<dyn TokenCredential> = super::entra::chain(entra);
            open(location, Some(chain))
        }
        Credential::Sas(_) | Credential::Key(_) => open(location, None),
    }
}

/// The same, with the credential that gives tokens if it is Entra.
pub(super) fn open(
    location: &Location,
    token: Option<Arc<dyn TokenCredential>>,
) -> Result<BlobContainerClient, StoreError> {
    let account = &location.account;
    let failed = |e: Box<dyn std::error::Error + Send + Sync>| {
        StoreError::definite(format!("open container {:?} of account {}", location.container, account.name), e)
    };
    let mut url = account.endpoint.clone();
    url.path_segments_mut()
        .map_err(|()| failed("its endpoint cannot be the base of a URL".into()))?
        .pop_if_empty()
        .push(&location.container);
    let mut signers: Vec<Arc<dyn Policy>> = Vec::new();
    match &account.credential {
        Credential::Sas(query) => url.set_query(Some(query.reveal())),
        Credential::Key(key) => signers.push(Arc::new(SharedKey::new(&account.name, key))),
        Credential::Entra(_) => {}
    }
    let client_options =
        ClientOptions { per_try_policies: signers, retry: RetryOptions::none(), ..ClientOptions::default() };
    let options = BlobContainerClientOptions { client_options, ..BlobContainerClientOptions::default() };
    BlobContainerClient::new(url, token, Some(options)).map_err(|e| failed(e.into()))
}

/// The service's clock according to an answer's headers, in milliseconds since 1970.
pub(crate) fn clock_ms(headers: &Headers) -> Option<u64> {
    let date = headers.get_optional_str(&HeaderName::from_static("date"))?;
    let at = parse_rfc7231(date).ok()?;
    u64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()
}
