//! Azure storage accounts: where an account is, and the credential that opens it. The source reads
//! blobs with it, a sink writes tables.
//!
//! Promises: no `Debug` output, error or log line contains a secret. Leaves to others: where the
//! values come from.

pub mod access;
pub mod address;
pub mod append;
mod certificate;
pub mod client;
pub mod connection;
mod credential;
mod entra;
mod shared_key;
mod told;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use url::Url;

pub use self::told::{advice, code, told};
pub use crate::secret::Secret;

/// A storage account and its credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The account's name.
    pub name: String,
    /// Its blob service, with a trailing slash and without a query:
    /// `https://NAME.blob.core.windows.net/`, or `http://127.0.0.1:10000/devstoreaccount1/` for an
    /// emulator.
    pub endpoint: Url,
    /// The credential that opens it.
    pub credential: Credential,
}

/// The credential that opens an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A shared access signature: the query of a URL, without the question mark.
    Sas(Secret),
    /// The account's key, in Base64.
    Key(Secret),
    /// A Microsoft Entra ID token, from the first link of the chain that gives one.
    Entra(Entra),
}

/// The identity that asks Entra for a token. A link whose settings are missing is left out of the
/// chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entra {
    /// The directory.
    pub tenant_id: Option<String>,
    /// The application or the user-assigned identity.
    pub client_id: Option<String>,
    /// The application's secret.
    pub client_secret: Option<Secret>,
    /// A PEM file with the application's certificate and its private key.
    pub client_certificate_path: Option<String>,
    /// A file with the token of a Kubernetes service account.
    pub federated_token_file: Option<String>,
    /// The URL of the token service, without a path; `None` means the public cloud's.
    pub authority_host: Option<String>,
}

/// A blob, or a prefix of blobs, in an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The account.
    pub account: Account,
    /// The container.
    pub container: String,
    /// The blob or prefix, without a leading slash and not percent-encoded; a trailing slash marks
    /// a prefix. A source's may be a glob over the container's blobs.
    pub path: String,
}

impl fmt::Display for Location {
    /// The location's identity. It names no endpoint, because one account can be reached in several
    /// ways.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "az://{}/{}/{}", self.account.name, self.container, self.path.trim_end_matches('/'))
    }
}

/// How a request is retried: pauses double from `first` to `cap`, each shortened at random so that
/// clients do not all retry at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetrySettings {
    /// A request that receives no byte for this long is abandoned.
    pub timeout: Duration,
    /// The first pause.
    pub first: Duration,
    /// The longest pause, unless the service asks for a longer one.
    pub cap: Duration,
    /// A request that has not succeeded for this long fails for good.
    pub max_time: Duration,
}

/// How blobs are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListingSettings {
    /// How many blobs one request asks for, at most 5000.
    pub page: u32,
    /// The pattern of an hour's folder below a server's own folder, with `%Y`, `%m`, `%d` and `%H`,
    /// ending in a slash; `None` if there are no such folders.
    pub hour_folders: Option<String>,
    /// How often all blobs are listed, where listing the folders of the last hours is cheaper.
    pub relist: Duration,
    /// A blob unchanged for this long is finished.
    pub quiet: Duration,
}

/// Tokens for code that reaches an account without [`client`].
pub(crate) fn tokens(entra: &Entra) -> Arc<dyn TokenCredential> {
    entra::chain(entra)
}
