//! Tokens of Entra ID for OAUTHBEARER. librdkafka asks for one before it connects, and again before
//! it ends.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use rdkafka::client::OAuthToken;
use tokio::runtime::Handle;

use crate::azure::{self, Entra};

/// Gives tokens.
pub(super) struct Tokens {
    credential: Arc<dyn TokenCredential>,
    /// For which service a token is.
    scope: String,
    runtime: Handle,
}

impl Tokens {
    /// Tokens for the namespace of Event Hubs whose host is the first of `brokers`.
    pub(super) fn new(entra: &Entra, brokers: &str, runtime: Handle) -> Tokens {
        Tokens { credential: azure::tokens(entra), scope: scope(brokers), runtime }
    }

    /// A token. It waits, so it must be called from a thread that is not the runtime's.
    pub(super) fn token(&self) -> Result<OAuthToken, Box<dyn Error>> {
        let token = self.runtime.block_on(self.credential.get_token(&[&self.scope], None));
        let token = token.map_err(|error| Untold(azure::told(&error)))?;
        let lifetime_ms = token.expires_on.unix_timestamp().saturating_mul(1000);
        // Event Hubs takes the identity from the token.
        Ok(OAuthToken { token: token.token.secret().to_owned(), principal_name: "lakefront".to_owned(), lifetime_ms })
    }
}

/// Why there is no token. librdkafka cannot take a null byte.
struct Untold(String);

impl fmt::Debug for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.replace('\0', " "))
    }
}

impl Error for Untold {}

/// The scope of tokens for the first of `brokers`, whose port does not matter.
fn scope(brokers: &str) -> String {
    let first = brokers.split(',').next().unwrap_or_default().trim();
    let host = first.rsplit_once(':').map_or(first, |(host, _)| host);
    format!("https://{host}/.default")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_the_namespace() {
        let scope_of_shop = "https://shop.servicebus.windows.net/.default";
        assert_eq!(scope("shop.servicebus.windows.net:9093"), scope_of_shop);
        assert_eq!(scope(" shop.servicebus.windows.net , other:1"), scope_of_shop);
    }
}
