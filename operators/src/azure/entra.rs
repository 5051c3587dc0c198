//! Tokens of Microsoft Entra ID, from the first link of a chain that gives one.

use std::sync::Arc;

use azure_core::credentials::TokenCredential;

use super::Entra;

/// The chain for `entra`.
pub(super) fn chain(_entra: &Entra) -> azure_core::Result<Arc<dyn TokenCredential>> {
    Ok(azure_identity::DeveloperToolsCredential::new(None)?)
}
