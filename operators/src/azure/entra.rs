//! Microsoft Entra ID tokens, from the first link of a chain that gives one.
//!
//! Promises: the link that gave the first token is asked for all later ones, so that a run keeps
//! one identity; an error is one line that states why each link gave no token, and holds no secret.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::{Error, ErrorKind};
use azure_core::http::ClientOptions;
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, ClientAssertionCredential, ClientAssertionCredentialOptions,
    ClientSecretCredential, ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::certificate::Certificate;
use super::{Entra, told};

/// One way to get a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    WorkloadIdentity,
    ClientSecret,
    ClientCertificate,
    ManagedIdentity,
    AzureCli,
}

/// The links whose settings `entra` has, in the order in which they are tried; if there are none,
/// the links that need no settings.
pub(super) fn links(entra: &Entra) -> Vec<Link> {
    let application = entra.tenant_id.is_some() && entra.client_id.is_some();
    let mut links = Vec::new();
    if application && entra.federated_token_file.is_some() {
        links.push(Link::WorkloadIdentity);
    }
    if application && entra.client_secret.is_some() {
        links.push(Link::ClientSecret);
    }
    if application && entra.client_certificate_path.is_some() {
        links.push(Link::ClientCertificate);
    }
    if links.is_empty() {
        // The identity of the machine or its user. Not where an application is named, because a
        // transient failure would switch the run to another identity.
        links.extend([Link::ManagedIdentity, Link::AzureCli]);
    }
    links
}

impl Link {
    /// A description for people.
    pub(super) fn describe(self, entra: &Entra) -> String {
        let client = entra.client_id.as_deref().unwrap_or_default();
        match self {
            Link::WorkloadIdentity => format!("workload identity of application {client}"),
            Link::ClientSecret => format!("client secret of application {client}"),
            Link::ClientCertificate => format!("client certificate of application {client}"),
            Link::ManagedIdentity => format!("managed identity {client}").trim_end().to_owned(),
            Link::AzureCli => "Azure CLI".to_owned(),
        }
    }

    /// The timeout for the first token. It is short for a managed identity, because where there is
    /// none, nothing answers at its address.
    fn patience(self) -> Duration {
        match self {
            Link::ManagedIdentity => Duration::from_secs(4),
            _ => Duration::from_secs(30),
        }
    }

    /// The SDK's credential for it.
    fn credential(self, entra: &Entra, options: ClientOptions) -> azure_core::Result<Arc<dyn TokenCredential>> {
        let tenant = entra.tenant_id.clone().unwrap_or_default();
        let client = entra.client_id.clone().unwrap_or_default();
        Ok(match self {
            Link::WorkloadIdentity => WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                credential_options: ClientAssertionCredentialOptions { client_options: options },
                client_id: entra.client_id.clone(),
                tenant_id: entra.tenant_id.clone(),
                token_file_path: entra.federated_token_file.as_ref().map(Into::into),
            }))?,
            Link::ClientSecret => {
                let secret = entra.client_secret.as_ref().map(|secret| secret.reveal().to_owned()).unwrap_or_default();
                let options = ClientSecretCredentialOptions { client_options: options };
                ClientSecretCredential::new(&tenant, client, secret.into(), Some(options))?
            }
            Link::ClientCertificate => {
                let wrong = |reason: String| Error::with_message(ErrorKind::Credential, reason);
                let path = entra.client_certificate_path.as_deref().unwrap_or_default();
                let pem = std::fs::read(path).map_err(|e| wrong(format!("could not read {path}: {e}")))?;
                let host = entra.authority_host.as_deref().unwrap_or("https://login.microsoftonline.com");
                let audience = format!("{}/{tenant}/oauth2/v2.0/token", host.trim_end_matches('/'));
                let certificate = Certificate::new(&pem, &client, audience).map_err(|e| wrong(e.to_owned()))?;
                let options = ClientAssertionCredentialOptions { client_options: options };
                ClientAssertionCredential::new(tenant, client, certificate, Some(options))?
            }
            Link::ManagedIdentity => ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
                user_assigned_id: entra.client_id.clone().map(UserAssignedId::ClientId),
                client_options: options,
            }))?,
            Link::AzureCli => AzureCliCredential::new(Some(AzureCliCredentialOptions {
                tenant_id: entra.tenant_id.clone(),
                ..AzureCliCredentialOptions::default()
            }))?,
        })
    }
}

/// A link that can be asked for tokens.
struct Opened {
    /// A description for people.
    name: String,
    patience: Duration,
    /// The SDK's credential, or why it could not be created.
    credential: Result<Arc<dyn TokenCredential>, String>,
}

/// The links, and the one that was chosen.
pub(super) struct Chain {
    links: Vec<Opened>,
    /// The link that gave the first token.
    chosen: OnceLock<usize>,
    /// Held during the search for that link, so that many requests at the start make one search.
    search: Mutex<()>,
    /// A secret that is removed from every error.
    secret: Option<super::Secret>,
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain").field("chosen", &self.chosen()).finish_non_exhaustive()
    }
}

/// The chain for `entra`.
pub(super) fn chain(entra: &Entra) -> Arc<Chain> {
    chain_over(entra, ClientOptions::default())
}

fn chain_over(entra: &Entra, mut options: ClientOptions) -> Arc<Chain> {
    if let Some(host) = &entra.authority_host {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host.clone_from(host);
        options.cloud = Some(Arc::new(CloudConfiguration::Custom(cloud)));
    }
    let open = |link: Link| {
        let credential = link.credential(entra, options.clone()).map_err(|e| told(&e));
        Opened { name: link.describe(entra), patience: link.patience(), credential }
    };
    let links = links(entra).into_iter().map(open).collect();
    Arc::new(Chain { links, chosen: OnceLock::new(), search: Mutex::new(()), secret: entra.client_secret.clone() })
}

impl Chain {
    /// The name of the link that gave the first token.
    pub(super) fn chosen(&self) -> Option<&str> {
        self.chosen.get().map(|&link| self.links[link].name.as_str())
    }

    /// A token from `link`.
    async fn ask(
        &self,
        link: usize,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> Result<AccessToken, String> {
        let credential = self.links[link].credential.as_ref();
        credential.map_err(Clone::clone)?.get_token(scopes, options).await.map_err(|error| {
            let text = told(&error);
            let text = self.secret.iter().fold(text, |text, secret| text.replace(secret.reveal(), "***"));
            text.split("To troubleshoot, visit").next().unwrap_or_default().trim().to_owned()
        })
    }

    /// Finds the first link that gives a token, and returns that token.
    async fn search(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let mut reasons = Vec::new();
        for (link, Opened { name, patience, .. }) in self.links.iter().enumerate() {
            match timeout(*patience, self.ask(link, scopes, options.clone())).await {
                Ok(Ok(token)) => {
                    let _ = self.chosen.set(link);
                    tracing::info!("Entra ID gives tokens by {name}");
                    return Ok(token);
                }
                Ok(Err(reason)) => reasons.push(format!("{name}: {}", reason.trim_end_matches('.'))),
                Err(_) => reasons.push(format!("{name}: no answer within {} s", patience.as_secs())),
            }
        }
        let reasons = reasons.join("; ");
        let message = format!(
            "no token from Entra ID ({reasons}): give an account_key or a sas, or tenant_id, client_id and client_secret, run \
             where there is a managed identity, or sign in with \"az login\""
        );
        Err(Error::with_message(ErrorKind::Credential, message))
    }
}

#[async_trait]
impl TokenCredential for Chain {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let searching = if self.chosen.get().is_none() { Some(self.search.lock().await) } else { None };
        match self.chosen.get() {
            Some(&link) => {
                drop(searching);
                let refused = |reason| {
                    let name = &self.links[link].name;
                    Error::with_message(ErrorKind::Credential, format!("no token from Entra ID by {name}: {reason}"))
                };
                self.ask(link, scopes, options).await.map_err(refused)
            }
            None => self.search(scopes, options).await,
        }
    }
}

#[cfg(test)]
mod tests;
