//! Makes a client of a location's container.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use object_store::azure::{AzureCredential, MicrosoftAzureBuilder};
use object_store::{CredentialProvider, Error, Result};
use url::form_urlencoded;

use super::pages::NoPages;

use crate::azure::{Credential, Location};
use crate::error::StoreError;
use crate::sink::files::blobs::container::Container;
use crate::sink::files::blobs::failure::Service;

/// The scope of tokens for storage, the same in all clouds.
const SCOPE: &str = "https://storage.azure.com/.default";

/// A client of the location's container.
pub(in crate::sink::files::blobs) fn container(location: &Location) -> Result<Container, StoreError> {
    let (account, container) = (&location.account, &location.container);
    let name = format!("az://{}/{container}", account.name);
    let refused = |cause: &str| StoreError::definite(format!("connect to {name}"), cause);
    let builder = MicrosoftAzureBuilder::new()
        .with_account(&account.name)
        .with_container_name(container)
        // An emulator's endpoint has the account in its path; the names after it must not follow an
        // empty segment.
        .with_endpoint(account.endpoint.as_str().trim_end_matches('/').to_owned())
        .with_client_options(super::options(account.endpoint.scheme() == "http"))
        .with_http_connector(NoPages)
        .with_retry(super::retry());
    let (builder, opener) = match &account.credential {
        Credential::Key(key) => (builder.with_access_key(key.reveal()), "the account's key is not Base64"),
        Credential::Sas(query) => {
            let pairs: Vec<_> = form_urlencoded::parse(query.reveal().as_bytes()).into_owned().collect();
            (builder.with_sas_authorization(pairs), "its shared access signature cannot be used")
        }
        Credential::Entra(entra) => {
            let tokens = Arc::new(Tokens(crate::azure::tokens(entra)));
            (builder.with_credentials(tokens), "its credential cannot be used")
        }
    };
    // The builder's own error may quote what it was given.
    let client = builder.build().map_err(|_| refused(opener))?;
    Ok(Container { name, client: Box::new(client), service: Service::Azure })
}

/// The credential chain that lakefront uses for all accounts, in the form that the store asks for.
/// It keeps tokens until they expire.
struct Tokens(Arc<dyn TokenCredential>);

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens")
    }
}

#[async_trait]
impl CredentialProvider for Tokens {
    type Credential = AzureCredential;

    async fn get_credential(&self) -> Result<Arc<AzureCredential>> {
        let token = self.0.get_token(&[SCOPE], None).await;
        let token = token.map_err(|e| Error::Generic { store: "Entra ID", source: Box::new(NoToken(e)) })?;
        Ok(Arc::new(AzureCredential::BearerToken(token.token.secret().to_owned())))
    }
}

/// Nothing in the chain gave a token.
#[derive(Debug, thiserror::Error)]
#[error("no token from Microsoft Entra ID: {0}")]
pub(in crate::sink::files::blobs) struct NoToken(#[source] azure_core::Error);
