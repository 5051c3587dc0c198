//! Tokens for OAUTHBEARER. librdkafka asks for one before it connects, and again before it ends.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use chrono::DateTime;
use object_store::aws::AwsCredentialProvider;
use rdkafka::client::OAuthToken;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::msk;
use super::settings::{Sasl, Settings};
use crate::azure;
use crate::error::StoreError;
use crate::protocol::clock::Clock;
use crate::run::clock::SystemClock;
use crate::s3::keys;

/// How long a token may take. librdkafka asks again.
const PATIENCE: Duration = Duration::from_secs(20);
/// Who the tokens are of, as brokers see it in their logs. The identity is the token's own.
const PRINCIPAL: &str = "lakefront";

/// Gives tokens.
pub(super) struct Tokens {
    giver: Giver,
    runtime: Handle,
}

/// Who gives them.
enum Giver {
    /// Entra ID, for a namespace of Event Hubs.
    Entra { credential: Arc<dyn TokenCredential>, scope: String },
    /// AWS, for the clusters of a region.
    Aws { keys: AwsCredentialProvider, region: String },
}

impl Tokens {
    /// The tokens that a client with these settings needs; `None` if it needs none.
    pub(super) fn for_client(settings: &Settings, runtime: &Handle) -> Result<Option<Tokens>, StoreError> {
        let giver = match &settings.security.sasl {
            Some(Sasl::Entra(entra)) => {
                Giver::Entra { credential: azure::tokens(entra), scope: scope(&settings.brokers) }
            }
            Some(Sasl::MskIam { region, credential }) => {
                // The client's own error may quote what it was given.
                let refused = |_| StoreError::definite("set up tokens of AWS", "the credential cannot be used");
                Giver::Aws { keys: keys::provider(region, credential).map_err(refused)?, region: region.clone() }
            }
            _ => return Ok(None),
        };
        Ok(Some(Tokens { giver, runtime: runtime.clone() }))
    }

    /// A token. It waits, so it must be called from a thread that is not the runtime's.
    pub(super) fn token(&self) -> Result<OAuthToken, Box<dyn Error>> {
        let (token, lifetime_ms) = match &self.giver {
            Giver::Entra { credential, scope } => {
                let token = self.waited(credential.get_token(&[scope], None))?;
                let token = token.map_err(|error| Untold(azure::told(&error)))?;
                (token.token.secret().to_owned(), token.expires_on.unix_timestamp().saturating_mul(1000))
            }
            Giver::Aws { keys, region } => {
                let key = self.waited(keys.get_credential())?;
                // The client's own error is not shown, because it may contain a token.
                let key = key.map_err(|_| Untold("AWS gives no key".to_owned()))?;
                let now = i64::try_from(SystemClock.now_ms()).ok().and_then(DateTime::from_timestamp_millis);
                msk::token(region, &key, now.unwrap_or_default())
            }
        };
        Ok(OAuthToken { token, principal_name: PRINCIPAL.to_owned(), lifetime_ms })
    }

    /// What is given, if that does not take too long.
    fn waited<T>(&self, given: impl Future<Output = T>) -> Result<T, Untold> {
        let waited = self.runtime.block_on(async { timeout(PATIENCE, given).await });
        waited.map_err(|_| Untold(format!("who gives tokens has not answered for {} s", PATIENCE.as_secs())))
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
