//! Tokens of Microsoft Entra ID, from the first link of a chain that gives one.

use std::sync::Arc;

use azure_core::credentials::TokenCredential;

use super::Entra;

/// One way to a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    WorkloadIdentity,
    ClientSecret,
    ClientCertificate,
    ManagedIdentity,
    AzureCli,
}

/// The ways for which `entra` has what they need, in the order in which they are tried.
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
    links.extend([Link::ManagedIdentity, Link::AzureCli]);
    links
}

impl Link {
    /// What it is, for people.
    pub(super) fn describe(self, entra: &Entra) -> String {
        let client = entra.client_id.as_deref().unwrap_or_default();
        match self {
            Link::WorkloadIdentity => format!("workload identity {client}"),
            Link::ClientSecret => format!("client secret of application {client}"),
            Link::ClientCertificate => format!("client certificate of application {client}"),
            Link::ManagedIdentity => format!("managed identity {client}").trim_end().to_owned(),
            Link::AzureCli => "Azure CLI".to_owned(),
        }
    }
}

/// The chain for `entra`.
pub(super) fn chain(_entra: &Entra) -> azure_core::Result<Arc<dyn TokenCredential>> {
    Ok(azure_identity::DeveloperToolsCredential::new(None)?)
}
